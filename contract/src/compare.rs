//! Two versions of an OpenAPI document held against each other: what breaks clients of the older one, what they can live with,
//! and what is words alone.
//!
//! A change weighs by its direction: a request that is held to more breaks clients, an answer that is held to less does. What
//! can't be weighed (`not`, `if`, `patternProperties` and the like, where they differ) counts as breaking.

mod operation;
mod resolve;
mod schema;

use std::{collections::BTreeSet, fmt};

use serde_json::{Map, Value};

use self::{operation::Side, resolve::Document};

/// How much a change matters to those who know the older version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// Words, examples, names of groups.
    Editorial,
    /// Clients that pass over what they do not know go on working.
    Compatible,
    /// Clients can fail.
    Breaking,
}

impl fmt::Display for Weight {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Editorial => "editorial",
            Self::Compatible => "compatible",
            Self::Breaking => "breaking",
        })
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// How much it matters.
    pub weight: Weight,
    /// Where it is: a JSON Pointer into the newer document, or into the older one for what is gone.
    pub pointer: String,
    /// What it is, such as `is no longer there`.
    pub told: String,
    /// The operations it concerns, as [`key`] writes them; none for what concerns the document alone.
    pub operations: BTreeSet<String>,
}

/// All differences, the weightiest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Each difference once.
    pub changes: Vec<Change>,
}

impl Comparison {
    /// The weight of the weightiest; nothing where the two are equal.
    #[must_use]
    pub fn weight(&self) -> Option<Weight> {
        self.changes.iter().map(|change| change.weight).max()
    }

    /// What breaks clients of this operation, as [`key`] writes it.
    pub fn breaking<'a>(&'a self, operation: &'a str) -> impl Iterator<Item = &'a Change> {
        self.changes
            .iter()
            .filter(move |change| change.weight == Weight::Breaking && change.operations.contains(operation))
    }

    fn add(&mut self, weight: Weight, operation: Option<&str>, pointer: &str, told: impl Into<String>) {
        let told = told.into();
        let same = |change: &&mut Change| {
            change.weight == weight && change.pointer == pointer && change.told == told
        };
        let operations = operation.map(str::to_owned);
        match self.changes.iter_mut().find(same) {
            Some(change) => change.operations.extend(operations),
            None => self.changes.push(Change {
                weight,
                pointer: pointer.to_owned(),
                told,
                operations: operations.into_iter().collect(),
            }),
        }
    }
}

/// What an operation is called in a [`Change`]: its method and its path, whatever the path's parameters are called.
#[must_use]
pub fn key(method: &str, path: &str) -> String {
    format!("{} {}", method.to_uppercase(), template(path))
}

/// A path whose parameters have no names.
fn template(path: &str) -> String {
    let mut parts = path.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| path + "{}" + part.split_once('}').map_or("", |(_, rest)| rest))
}

/// Holds `new` against `old`. Neither needs to be a whole OpenAPI document: what is not there is as good as empty.
#[must_use]
pub fn compare(old: &Value, new: &Value) -> Comparison {
    let mut comparison = Comparison::default();
    if old == new {
        return comparison;
    }
    for name in ["title", "version", "description"] {
        let pointer = format!("/info/{name}");
        if old.pointer(&pointer) != new.pointer(&pointer) {
            comparison.add(Weight::Editorial, None, &pointer, "is worded otherwise");
        }
    }
    let (before, after) = (operations(old), operations(new));
    for (key, one) in &before {
        match after.iter().find(|(other, _)| other == key) {
            Some((_, other)) => operation::compare(
                &mut comparison,
                key,
                &Side { document: Document(old), at: one },
                &Side { document: Document(new), at: other },
            ),
            None => {
                comparison.add(
                    Weight::Breaking,
                    Some(key),
                    &one.pointer(),
                    "the operation is no longer there",
                );
            }
        }
    }
    for (key, one) in after.iter().filter(|(key, _)| !before.iter().any(|(other, _)| other == key)) {
        comparison.add(Weight::Compatible, Some(key), &one.pointer(), "the operation is new");
    }
    comparison.changes.sort_by(|one, other| {
        (other.weight, &one.pointer, &one.told).cmp(&(one.weight, &other.pointer, &other.told))
    });
    comparison
}

/// Where an operation stands in its document.
pub(crate) struct Place<'a> {
    path: &'a str,
    method: &'a str,
    item: &'a Map<String, Value>,
    operation: &'a Value,
}

impl Place<'_> {
    fn pointer(&self) -> String {
        format!("/paths/{}/{}", resolve::escaped(self.path), self.method)
    }
}

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

fn operations(document: &Value) -> Vec<(String, Place<'_>)> {
    let paths = document.get("paths").and_then(Value::as_object);
    let items = paths.into_iter().flatten().filter_map(|(path, item)| Some((path, item.as_object()?)));
    items
        .flat_map(|(path, item)| {
            METHODS.iter().filter_map(move |method| {
                let operation = item.get(*method)?;
                Some((key(method, path), Place { path, method, item, operation }))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
