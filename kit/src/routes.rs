//! Which methods a path has: for `Allow`, asked only when a request is refused or is OPTIONS.

use contract::operation::Operation;
use http::Method;

/// The paths of a listener.
#[derive(Debug, Default)]
pub struct Routes {
    paths: Vec<(Vec<Segment>, Vec<Method>)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter,
}

impl Routes {
    /// The paths of these operations.
    #[must_use]
    pub fn of(operations: &[Operation]) -> Self {
        let mut routes = Self::default();
        for operation in operations {
            routes.add(&operation.path, operation.method.clone());
        }
        routes
    }

    /// Adds a method of a path, such as `/users/{id}`.
    pub fn add(&mut self, path: &str, method: Method) {
        let segments: Vec<Segment> = path
            .split('/')
            .map(|segment| {
                if segment.starts_with(':') || segment.contains('{') {
                    Segment::Parameter
                } else {
                    Segment::Literal(segment.to_owned())
                }
            })
            .collect();
        match self.paths.iter_mut().find(|(known, _)| *known == segments) {
            Some((_, methods)) => methods.push(method),
            None => self.paths.push((segments, vec![method])),
        }
    }

    /// The value of `Allow` for a path; `None` where there is no such path. A concrete path goes before a templated one.
    #[must_use]
    pub fn allow(&self, path: &str) -> Option<String> {
        let asked: Vec<&str> = path.split('/').collect();
        let (_, methods) = self.paths.iter().filter(|(segments, _)| fits(segments, &asked)).min_by_key(
            |(segments, _)| segments.iter().filter(|segment| **segment == Segment::Parameter).count(),
        )?;
        let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
        if names.contains(&"GET") && !names.contains(&"HEAD") {
            names.push("HEAD");
        }
        names.push("OPTIONS");
        names.sort_unstable();
        Some(names.join(", "))
    }
}

fn fits(segments: &[Segment], asked: &[&str]) -> bool {
    segments.len() == asked.len()
        && segments.iter().zip(asked).all(|(segment, asked)| match segment {
            Segment::Literal(literal) => literal == asked,
            Segment::Parameter => !asked.is_empty(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concrete_path_goes_before_a_templated_one() {
        let mut routes = Routes::default();
        for (path, method) in [("/u/{id}", Method::DELETE), ("/u/{id}", Method::GET), ("/u/me", Method::PUT)]
        {
            routes.add(path, method);
        }
        assert_eq!(routes.allow("/u/me").as_deref(), Some("OPTIONS, PUT"));
        assert_eq!(routes.allow("/u/7").as_deref(), Some("DELETE, GET, HEAD, OPTIONS"));
        assert_eq!(routes.allow("/u"), None);
        assert_eq!(routes.allow("/u/"), None);
    }
}
