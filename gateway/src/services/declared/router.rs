//! Finds the operation of a path among those of the declared services: a concrete segment goes before a templated one,
//! whatever the order of the documents (OpenAPI 3.1 §4.8.8.2). Segments are compared as they were sent, so that `%2F` is data.

use http::Method;
use regex::Regex;

/// Paths and what each method of one stands for.
#[derive(Debug)]
pub(crate) struct Router<T> {
    root: Node<T>,
}

#[derive(Debug)]
struct Node<T> {
    /// In the order of their texts: there may be thousands.
    literal: Vec<(String, Node<T>)>,
    /// Such as `{name}.json`.
    mixed: Vec<(Mixed, Node<T>)>,
    /// `{id}`.
    parameter: Option<Box<Node<T>>>,
    leaf: Option<Leaf<T>>,
}

#[derive(Debug)]
struct Mixed {
    text: String,
    regex: Regex,
}

#[derive(Debug)]
struct Leaf<T> {
    template: String,
    methods: Vec<(Method, Vec<String>, T)>,
}

/// What was found for a path.
#[derive(Debug)]
pub(crate) enum Match<'r, T> {
    /// The operation, with the raw text of each of its path parameters.
    Operation {
        /// What the operation stands for.
        target: &'r T,
        /// Names with their raw texts.
        parameters: Vec<(&'r str, String)>,
    },
    /// The path is there; its methods are these.
    OtherMethods(Vec<Method>),
    /// No path fits.
    Nothing,
}

/// A path that can't stand beside those that are there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RouteFault {
    /// Two templates that differ in the names of their parameters only (OpenAPI 3.1 §4.8.8.2).
    #[error("the path {0} is the same as {1}: they differ in the names of their parameters only")]
    Same(String, String),
    /// The same operation twice.
    #[error("{0} {1} stands twice")]
    Twice(Method, String),
    /// Braces that do not pair.
    #[error("the path {0} has a parameter that can't be read")]
    Template(String),
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { literal: Vec::new(), mixed: Vec::new(), parameter: None, leaf: None }
    }
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

impl<T> Router<T> {
    /// Adds an operation at a path such as `/api/orders/{id}`.
    ///
    /// # Errors
    /// [`RouteFault`].
    pub(crate) fn add(&mut self, template: &str, method: Method, target: T) -> Result<(), RouteFault> {
        let unreadable = || RouteFault::Template(template.to_owned());
        let mut node = &mut self.root;
        let mut names = Vec::new();
        for segment in template.strip_prefix('/').ok_or_else(unreadable)?.split('/') {
            let parts = parts(segment).ok_or_else(unreadable)?;
            names.extend(parts.iter().filter_map(|part| match part {
                Part::Parameter(name) => Some((*name).to_owned()),
                Part::Literal(_) => None,
            }));
            node = node.child(segment, &parts).ok_or_else(unreadable)?;
        }
        let leaf =
            node.leaf.get_or_insert_with(|| Leaf { template: template.to_owned(), methods: Vec::new() });
        if leaf.template != template {
            return Err(RouteFault::Same(template.to_owned(), leaf.template.clone()));
        }
        if leaf.methods.iter().any(|(known, ..)| *known == method) {
            return Err(RouteFault::Twice(method, template.to_owned()));
        }
        leaf.methods.push((method, names, target));
        Ok(())
    }

    /// What each method of a raw path stands for, with the raw texts of its parameters.
    pub(crate) fn targets(&self, path: &str) -> impl Iterator<Item = (&T, Vec<String>)> {
        let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        let mut texts = Vec::new();
        let leaf = self.root.find(&segments, &mut texts);
        leaf.into_iter().flat_map(|leaf| &leaf.methods).map(move |(.., target)| (target, texts.clone()))
    }

    /// What a raw path and a method stand for.
    pub(crate) fn find(&self, path: &str, method: &Method) -> Match<'_, T> {
        let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        let mut texts = Vec::new();
        let Some(leaf) = self.root.find(&segments, &mut texts) else { return Match::Nothing };
        match leaf.methods.iter().find(|(known, ..)| known == method) {
            Some((_, names, target)) => {
                Match::Operation { target, parameters: names.iter().map(String::as_str).zip(texts).collect() }
            }
            None => Match::OtherMethods(leaf.methods.iter().map(|(method, ..)| method.clone()).collect()),
        }
    }
}

impl<T> Node<T> {
    fn child(&mut self, segment: &str, parts: &[Part<'_>]) -> Option<&mut Self> {
        match parts {
            [] | [Part::Literal(_)] => {
                let at = self.literal_at(segment).unwrap_or_else(|at| {
                    self.literal.insert(at, (segment.to_owned(), Self::default()));
                    at
                });
                Some(&mut self.literal.get_mut(at)?.1)
            }
            [Part::Parameter(_)] => Some(self.parameter.get_or_insert_with(Box::default)),
            _ => {
                let text = skeleton(parts);
                let position = |node: &Self| node.mixed.iter().position(|(mixed, _)| mixed.text == text);
                if position(self).is_none() {
                    self.mixed.push((Mixed { regex: regex(parts)?, text: text.clone() }, Self::default()));
                    // More literal text goes first, so that the order of documents does not matter.
                    self.mixed
                        .sort_by_key(|(mixed, _)| (std::cmp::Reverse(mixed.text.len()), mixed.text.clone()));
                }
                let at = position(self)?;
                Some(&mut self.mixed.get_mut(at)?.1)
            }
        }
    }

    /// Where this literal segment is, or would be.
    fn literal_at(&self, segment: &str) -> Result<usize, usize> {
        self.literal.binary_search_by(|(text, _)| text.as_str().cmp(segment))
    }

    fn find(&self, segments: &[&str], texts: &mut Vec<String>) -> Option<&Leaf<T>> {
        let Some((first, rest)) = segments.split_first() else { return self.leaf.as_ref() };
        if let Ok(at) = self.literal_at(first)
            && let Some((_, node)) = self.literal.get(at)
            && let Some(leaf) = node.find(rest, texts)
        {
            return Some(leaf);
        }
        let before = texts.len();
        for (mixed, node) in &self.mixed {
            if let Some(found) = mixed.regex.captures(first) {
                texts.extend(found.iter().skip(1).flatten().map(|text| text.as_str().to_owned()));
                if let Some(leaf) = node.find(rest, texts) {
                    return Some(leaf);
                }
                texts.truncate(before);
            }
        }
        let node = self.parameter.as_ref().filter(|_| !first.is_empty())?;
        texts.push((*first).to_owned());
        let found = node.find(rest, texts);
        if found.is_none() {
            texts.truncate(before);
        }
        found
    }
}

enum Part<'s> {
    Literal(&'s str),
    Parameter(&'s str),
}

/// A segment's parts; `None` where braces do not pair.
fn parts(segment: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = segment;
    while !rest.is_empty() {
        let (literal, tail) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
        if literal.contains('}') {
            return None;
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        rest = match tail.strip_prefix('{') {
            Some(inner) => {
                let (name, after) =
                    inner.split_once('}').filter(|(name, _)| !name.is_empty() && !name.contains('{'))?;
                parts.push(Part::Parameter(name));
                after
            }
            None => tail,
        };
    }
    Some(parts)
}

/// The segment without the names of its parameters.
fn skeleton(parts: &[Part<'_>]) -> String {
    parts
        .iter()
        .map(|part| match part {
            Part::Literal(text) => *text,
            Part::Parameter(_) => "{}",
        })
        .collect()
}

fn regex(parts: &[Part<'_>]) -> Option<Regex> {
    let mut text = "^".to_owned();
    for part in parts {
        match part {
            Part::Literal(literal) => text.push_str(&regex::escape(literal)),
            Part::Parameter(_) => text.push_str("(.+?)"),
        }
    }
    text.push('$');
    Regex::new(&text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn router(paths: &[(&str, Method)]) -> Router<String> {
        let mut router = Router::default();
        for (path, method) in paths {
            router.add(path, method.clone(), format!("{method} {path}")).unwrap();
        }
        router
    }

    fn found(router: &Router<String>, method: &Method, path: &str) -> String {
        match router.find(path, method) {
            Match::Operation { target, parameters } => {
                let parameters: Vec<String> =
                    parameters.iter().map(|(name, text)| format!(" {name}={text}")).collect();
                format!("{target}{}", parameters.concat())
            }
            Match::OtherMethods(methods) => format!("allow {methods:?}"),
            Match::Nothing => "nothing".to_owned(),
        }
    }

    const PATHS: [(&str, Method); 9] = [
        ("/users/me", Method::GET),
        ("/users/{id}", Method::GET),
        ("/users/{id}", Method::DELETE),
        ("/p/{id}/{flag}", Method::POST),
        ("/p/{x}/list", Method::GET),
        ("/files/{name}.json", Method::GET),
        ("/files/{name}", Method::GET),
        ("/compare/{base}...{head}", Method::GET),
        ("/items/", Method::GET),
    ];

    proptest! {
        #[test]
        fn the_order_of_the_document_decides_nothing(order in Just(PATHS.to_vec()).prop_shuffle()) {
            let router = router(&order);
            for (method, path, expected) in [
                (Method::GET, "/users/me", "GET /users/me"),
                (Method::DELETE, "/users/me", "allow [GET]"),
                (Method::DELETE, "/users/7", "DELETE /users/{id} id=7"),
                (Method::GET, "/p/1/list", "GET /p/{x}/list x=1"),
                (Method::POST, "/p/1/other", "POST /p/{id}/{flag} id=1 flag=other"),
                (Method::GET, "/files/a.json", "GET /files/{name}.json name=a"),
                (Method::GET, "/files/a%2Fb", "GET /files/{name} name=a%2Fb"),
                (Method::GET, "/compare/v1...v2", "GET /compare/{base}...{head} base=v1 head=v2"),
                (Method::GET, "/items/", "GET /items/"),
                (Method::GET, "/items", "nothing"),
                (Method::GET, "/users/", "nothing"),
                (Method::GET, "/Users/me", "nothing"),
                (Method::GET, "/users/7/8", "nothing"),
            ] {
                prop_assert_eq!(found(&router, &method, path), expected);
            }
        }
    }

    #[test]
    fn paths_that_differ_in_names_only_are_refused() {
        let mut router = router(&[("/users/{id}", Method::GET)]);
        assert!(matches!(
            router.add("/users/{user}", Method::POST, String::new()),
            Err(RouteFault::Same(..))
        ));
        assert!(matches!(router.add("/users/{id}", Method::GET, String::new()), Err(RouteFault::Twice(..))));
        for path in ["/a/{b", "/a/b}", "/a/{}", "a"] {
            assert!(
                matches!(router.add(path, Method::GET, String::new()), Err(RouteFault::Template(_))),
                "{path}"
            );
        }
    }
}
