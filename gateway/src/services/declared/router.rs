//! Finds the operation of a path among those of the declared services: a concrete segment goes before a templated one,
//! whatever the order of the documents (OpenAPI 3.1 §4.8.8.2). Segments are compared as a service reads them, decoded once after the
//! split, and the path that goes on is written so that a service that compares them undecoded finds the same: else a templated
//! operation would lead to its concrete sibling, past that one's rules.

mod lax;
mod segment;

use std::borrow::Cow;

use http::Method;
use regex::Regex;

use self::segment::{Segment, segments};

/// What stands in a router.
pub(crate) trait Guarded {
    /// Whether whoever may call this may call the other as well.
    fn opens(&self, other: &Self) -> bool;
}

/// Paths and what each method of one stands for.
#[derive(Debug)]
pub(crate) struct Router<T> {
    root: Node<T>,
}

#[derive(Debug)]
struct Node<T> {
    /// In the order of their texts, decoded: there may be thousands.
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
    lax: Regex,
}

/// A path; one without methods is there at the service and hidden here.
#[derive(Debug)]
struct Leaf<T> {
    template: String,
    methods: Vec<(Method, Vec<String>, T)>,
}

/// What was found for a path.
#[derive(Debug)]
pub(crate) enum Match<'r, 'p, T> {
    /// The operation, with the raw text of each of its path parameters.
    Operation {
        /// What the operation stands for.
        target: &'r T,
        /// Names with their raw texts.
        parameters: Vec<(&'r str, String)>,
        /// The path as it goes on.
        path: Cow<'p, str>,
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

/// What is gathered on the way to a leaf.
#[derive(Default)]
struct Gathered {
    /// Raw texts of parameters.
    texts: Vec<String>,
    /// The path so far, as it goes on; nothing is written where the sent one does.
    path: String,
    is_written: bool,
}

impl Gathered {
    fn write<'s>(&mut self, segment: impl FnOnce() -> Cow<'s, str>) {
        if self.is_written {
            self.path.push('/');
            self.path.push_str(&segment());
        }
    }

    fn back_to(&mut self, (texts, path): (usize, usize)) {
        self.texts.truncate(texts);
        self.path.truncate(path);
    }

    fn place(&self) -> (usize, usize) {
        (self.texts.len(), self.path.len())
    }
}

impl<T> Router<T> {
    /// Adds an operation at a path such as `/api/orders/{id}`.
    ///
    /// # Errors
    /// [`RouteFault`].
    pub(crate) fn add(&mut self, template: &str, method: Method, target: T) -> Result<(), RouteFault> {
        let (leaf, names) = self.leaf(template)?;
        if leaf.methods.is_empty() {
            template.clone_into(&mut leaf.template);
        }
        if leaf.template != template {
            return Err(RouteFault::Same(template.to_owned(), leaf.template.clone()));
        }
        if leaf.methods.iter().any(|(known, ..)| *known == method) {
            return Err(RouteFault::Twice(method, template.to_owned()));
        }
        leaf.methods.push((method, names, target));
        Ok(())
    }

    /// Adds a path that a service has and nobody may call: nothing is found there, and no other path is taken for it.
    ///
    /// # Errors
    /// [`RouteFault::Template`].
    pub(crate) fn hide(&mut self, template: &str) -> Result<(), RouteFault> {
        self.leaf(template).map(drop)
    }

    fn leaf(&mut self, template: &str) -> Result<(&mut Leaf<T>, Vec<String>), RouteFault> {
        let unreadable = || RouteFault::Template(template.to_owned());
        let mut node = &mut self.root;
        let mut names = Vec::new();
        for segment in template.strip_prefix('/').ok_or_else(unreadable)?.split('/') {
            let parts = parts(segment).ok_or_else(unreadable)?;
            names.extend(parts.iter().filter_map(|part| match part {
                Part::Parameter(name) => Some((*name).to_owned()),
                Part::Literal(_) => None,
            }));
            node = node.child(&parts).ok_or_else(unreadable)?;
        }
        let leaf =
            node.leaf.get_or_insert_with(|| Leaf { template: template.to_owned(), methods: Vec::new() });
        Ok((leaf, names))
    }

    /// What each method of a raw path stands for, with the raw texts of its parameters.
    pub(crate) fn targets(&self, path: &str) -> impl Iterator<Item = (&T, Vec<String>)> {
        let mut found = Gathered::default();
        let leaf = self.root.find(&segments(path), &mut found);
        leaf.into_iter().flat_map(|leaf| &leaf.methods).map(move |(.., target)| (target, found.texts.clone()))
    }

    /// What a raw path and a method stand for. A path that a service might take for one with narrower rules is nobody's.
    pub(crate) fn find<'p>(&self, path: &'p str, method: &Method) -> Match<'_, 'p, T>
    where
        T: Guarded,
    {
        let segments = segments(path);
        let is_written = path.bytes().any(|byte| byte == b'%' || !byte.is_ascii());
        let mut found = Gathered { is_written, ..Gathered::default() };
        let Some(leaf) = self.root.find(&segments, &mut found) else { return Match::Nothing };
        let operation = leaf.methods.iter().find(|(known, ..)| known == method);
        let is_led_past = || {
            let target = operation.map(|(method, _, target)| (method, target));
            self.root.leads_past(leaf, target, &segments)
        };
        if leaf.methods.is_empty() || !found.texts.is_empty() && is_led_past() {
            return Match::Nothing;
        }
        let Some((_, names, target)) = operation else {
            return Match::OtherMethods(leaf.methods.iter().map(|(method, ..)| method.clone()).collect());
        };
        let path = if is_written { Cow::Owned(found.path) } else { Cow::Borrowed(path) };
        Match::Operation {
            target,
            parameters: names.iter().map(String::as_str).zip(found.texts).collect(),
            path,
        }
    }
}

impl<T> Node<T> {
    fn child(&mut self, parts: &[Part<'_>]) -> Option<&mut Self> {
        match parts {
            [] | [Part::Literal(_)] => {
                let text = skeleton(parts);
                let at = self.literal_at(&text).unwrap_or_else(|at| {
                    self.literal.insert(at, (text, Self::default()));
                    at
                });
                Some(&mut self.literal.get_mut(at)?.1)
            }
            [Part::Parameter(_)] => Some(self.parameter.get_or_insert_with(Box::default)),
            _ => {
                let text = skeleton(parts);
                let position = |node: &Self| node.mixed.iter().position(|(mixed, _)| mixed.text == text);
                if position(self).is_none() {
                    let mixed = Mixed {
                        regex: regex(parts, "(?s)^", "$")?,
                        lax: regex(parts, "(?is)^", "([;.].*)?$")?,
                        text: text.clone(),
                    };
                    self.mixed.push((mixed, Self::default()));
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
    fn literal_at(&self, read: &str) -> Result<usize, usize> {
        self.literal.binary_search_by(|(text, _)| text.as_str().cmp(read))
    }

    fn find(&self, segments: &[Segment<'_>], found: &mut Gathered) -> Option<&Leaf<T>> {
        let Some((first, rest)) = segments.split_first() else { return self.leaf.as_ref() };
        let before = found.place();
        if let Some((text, node)) = self.literal_at(&first.read).ok().and_then(|at| self.literal.get(at)) {
            found.write(|| contract::path::encode(text));
            if let Some(leaf) = node.find(rest, found) {
                return Some(leaf);
            }
            found.back_to(before);
        }
        for (mixed, node) in &self.mixed {
            if let Some(captures) = mixed.regex.captures(&first.read) {
                let texts: Vec<_> = captures.iter().skip(1).flatten().map(|text| text.range()).collect();
                found.texts.extend(texts.iter().map(|range| first.raw(range.clone())));
                found.write(|| first.with_literals(&texts).into());
                if let Some(leaf) = node.find(rest, found) {
                    return Some(leaf);
                }
                found.back_to(before);
            }
        }
        let node = self.parameter.as_ref().filter(|_| !first.read.is_empty())?;
        found.write(|| first.whole());
        found.texts.push(first.whole().into_owned());
        let leaf = node.find(rest, found);
        if leaf.is_none() {
            found.back_to(before);
        }
        leaf
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

/// The segment, decoded, without the names of its parameters.
fn skeleton(parts: &[Part<'_>]) -> String {
    parts
        .iter()
        .map(|part| match part {
            Part::Literal(text) => segment::read(text),
            Part::Parameter(_) => Cow::Borrowed("{}"),
        })
        .collect()
}

fn regex(parts: &[Part<'_>], start: &str, end: &str) -> Option<Regex> {
    let mut text = start.to_owned();
    for part in parts {
        match part {
            Part::Literal(literal) => text.push_str(&regex::escape(&segment::read(literal))),
            Part::Parameter(_) => text.push_str("(.+?)"),
        }
    }
    text.push_str(end);
    Regex::new(&text).ok()
}

#[cfg(test)]
mod tests;
