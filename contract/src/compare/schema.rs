//! Two schemas held against each other, in the direction in which values of them travel.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    Comparison, Weight,
    resolve::{Document, Found, Shape},
};

/// Which way a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    /// From a client: fewer values that fit break it.
    Request,
    /// To a client: more values that fit break it.
    Answer,
}

/// Keywords that are words.
pub(super) const EDITORIAL: [&str; 8] =
    ["title", "description", "example", "examples", "externalDocs", "deprecated", "xml", "$comment"];

/// Keywords whose differences are not weighed one by one.
const UNWEIGHED: [&str; 14] = [
    "not",
    "if",
    "then",
    "else",
    "patternProperties",
    "propertyNames",
    "prefixItems",
    "contains",
    "minContains",
    "maxContains",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
    "unevaluatedItems",
];

/// Bounds below, and bounds above.
const LOWEST: [&str; 4] = ["minimum", "minLength", "minItems", "minProperties"];
const HIGHEST: [&str; 4] = ["maximum", "maxLength", "maxItems", "maxProperties"];

/// A comparison of the schemas of one operation.
pub(super) struct Schemas<'a, 'c> {
    pub(super) old: Document<'a>,
    pub(super) new: Document<'a>,
    pub(super) operation: &'c str,
    pub(super) comparison: &'c mut Comparison,
    /// Pairs that are under way or done: schemas may contain themselves.
    pub(super) seen: HashSet<(String, String, Direction)>,
}

impl<'a> Schemas<'a, '_> {
    pub(super) fn tell(&mut self, weight: Weight, pointer: &str, told: impl Into<String>) {
        self.comparison.add(weight, Some(self.operation), pointer, told);
    }

    /// Fewer values fit than before.
    fn narrowed(&mut self, direction: Direction, pointer: &str, told: impl Into<String>) {
        let breaks = direction == Direction::Request;
        self.tell(if breaks { Weight::Breaking } else { Weight::Compatible }, pointer, told);
    }

    /// More values fit than before.
    fn widened(&mut self, direction: Direction, pointer: &str, told: impl Into<String>) {
        let breaks = direction == Direction::Answer;
        self.tell(if breaks { Weight::Breaking } else { Weight::Compatible }, pointer, told);
    }

    pub(super) fn compare(&mut self, direction: Direction, old: &Found<'a>, new: &Found<'a>) {
        let (before, after) = (Shape::of(self.old, old), Shape::of(self.new, new));
        if !self.seen.insert((old.pointer.clone(), new.pointer.clone(), direction)) {
            return;
        }
        if before.pointer != old.pointer || after.pointer != new.pointer {
            let both = (before.pointer.clone(), after.pointer.clone(), direction);
            if !self.seen.insert(both) {
                return;
            }
        }
        let at = after.pointer.clone();
        match (before.nothing, after.nothing) {
            (true, true) => return,
            (false, true) => return self.narrowed(direction, &at, "no value fits any more"),
            (true, false) => return self.widened(direction, &at, "values fit where none did"),
            (false, false) => {}
        }
        if before.alternatives.is_empty() != after.alternatives.is_empty() {
            // One of the two is one of the other's alternatives, and is held against it there.
            let with = if before.alternatives.is_empty() { &after } else { &before };
            if with.holds_more() {
                self.tell(Weight::Breaking, &at, "differs in a way that is not weighed");
            }
            return self.alternatives(direction, &before, &after);
        }
        self.types(direction, &before, &after);
        self.values(direction, &before, &after);
        self.bounds(direction, &before, &after);
        self.texts(direction, &before, &after);
        self.properties(direction, &before, &after);
        self.below(direction, &before, &after);
        self.alternatives(direction, &before, &after);
        for name in UNWEIGHED {
            if before.keyword(name) != after.keyword(name) {
                self.tell(Weight::Breaking, &format!("{at}/{name}"), "differs in a way that is not weighed");
            }
        }
        for name in EDITORIAL {
            if before.keyword(name) != after.keyword(name) {
                self.tell(Weight::Editorial, &format!("{at}/{name}"), "is worded otherwise");
            }
        }
        if before.keyword("default") != after.keyword("default") {
            self.tell(Weight::Compatible, &format!("{at}/default"), "the default is another");
        }
    }

    fn types(&mut self, direction: Direction, before: &Shape<'_>, after: &Shape<'_>) {
        let (old, new) = (before.types(), after.types());
        let at = format!("{}/type", after.pointer);
        match (old, new) {
            (Some(old), Some(new)) => {
                let gone: Vec<&str> =
                    old.iter().filter(|name| !new.contains(name)).map(String::as_str).collect();
                let added: Vec<&str> =
                    new.iter().filter(|name| !old.contains(name)).map(String::as_str).collect();
                if !gone.is_empty() {
                    self.narrowed(direction, &at, format!("is no longer {}", gone.join(" or ")));
                }
                if !added.is_empty() {
                    self.widened(direction, &at, format!("may be {}", added.join(" or ")));
                }
            }
            (None, Some(new)) => {
                self.narrowed(direction, &at, format!("is {} now, and was anything", new.join(" or ")));
            }
            (Some(old), None) => {
                self.widened(direction, &at, format!("may be anything, and was {}", old.join(" or ")));
            }
            (None, None) => {}
        }
    }

    fn values(&mut self, direction: Direction, before: &Shape<'_>, after: &Shape<'_>) {
        let at = format!("{}/enum", after.pointer);
        let listed =
            |values: &[&Value]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match (before.values(), after.values()) {
            (Some(old), Some(new)) => {
                let gone: Vec<&Value> = old.iter().filter(|value| !new.contains(value)).collect();
                let added: Vec<&Value> = new.iter().filter(|value| !old.contains(value)).collect();
                if !gone.is_empty() {
                    self.narrowed(direction, &at, format!("is no longer {}", listed(&gone)));
                }
                if !added.is_empty() {
                    self.widened(direction, &at, format!("may be {}", listed(&added)));
                }
            }
            (None, Some(_)) => self.narrowed(direction, &at, "is one of a list now"),
            (Some(_), None) => self.widened(direction, &at, "is no longer one of a list"),
            (None, None) => {}
        }
    }

    fn bounds(&mut self, direction: Direction, before: &Shape<'_>, after: &Shape<'_>) {
        for (names, up) in [(LOWEST, true), (HIGHEST, false)] {
            for name in names {
                let (old, new) = (bound(before, name), bound(after, name));
                let at = format!("{}/{name}", after.pointer);
                let outermost = (if up { f64::NEG_INFINITY } else { f64::INFINITY }, false);
                let (old, new) = (old.unwrap_or(outermost), new.unwrap_or(outermost));
                let tighter = match old.0.partial_cmp(&new.0) {
                    Some(std::cmp::Ordering::Less) => up,
                    Some(std::cmp::Ordering::Greater) => !up,
                    _ if old.1 == new.1 => continue,
                    _ => new.1,
                };
                let told = |value: (f64, bool)| {
                    if value.0.is_finite() { value.0.to_string() } else { "none".into() }
                };
                let told = format!("is {}, and was {}", told(new), told(old));
                if tighter {
                    self.narrowed(direction, &at, told);
                } else {
                    self.widened(direction, &at, told);
                }
            }
        }
    }

    /// Patterns, formats and the like: without one more values fit; of two that differ neither is known to be the wider one.
    fn texts(&mut self, direction: Direction, before: &Shape<'_>, after: &Shape<'_>) {
        for name in ["pattern", "format", "multipleOf", "uniqueItems"] {
            let set = |shape: &Shape<'_>| {
                shape.keyword(name).filter(|value| **value != Value::Bool(false)).cloned()
            };
            let at = format!("{}/{name}", after.pointer);
            match (set(before), set(after)) {
                (old, new) if old == new => {}
                (None, Some(new)) => self.narrowed(direction, &at, format!("is {new}, and was none")),
                (Some(old), None) => self.widened(direction, &at, format!("is none, and was {old}")),
                (Some(old), Some(new)) => {
                    let told = format!("is {new}, and was {old}");
                    match (old.as_str(), new.as_str()) {
                        (Some("int32"), Some("int64")) => self.widened(direction, &at, told),
                        (Some("int64"), Some("int32")) => self.narrowed(direction, &at, told),
                        _ => self.tell(Weight::Breaking, &at, told),
                    }
                }
                (None, None) => {}
            }
        }
    }

    fn properties(&mut self, direction: Direction, before: &Shape<'a>, after: &Shape<'a>) {
        let hidden = match direction {
            Direction::Request => "readOnly",
            Direction::Answer => "writeOnly",
        };
        let travels = |document: Document<'a>, property: &Found<'a>| {
            Shape::of(document, property).keyword(hidden) != Some(&Value::Bool(true))
        };
        let of = |shape: &Shape<'a>, document: Document<'a>| -> Vec<(String, Found<'a>)> {
            shape.properties.iter().filter(|(_, property)| travels(document, property)).cloned().collect()
        };
        let (old, new) = (of(before, self.old), of(after, self.new));
        for (name, property) in &old {
            let Some((_, other)) = new.iter().find(|(other, _)| other == name) else {
                let told = match direction {
                    Direction::Request => "is no longer read",
                    Direction::Answer => "is no longer there",
                };
                self.tell(Weight::Breaking, &property.pointer, told);
                continue;
            };
            self.compare(direction, property, other);
            match (before.requires(name), after.requires(name)) {
                (false, true) => self.narrowed(direction, &other.pointer, "is always there now"),
                (true, false) => self.widened(direction, &other.pointer, "may be left out"),
                _ => {}
            }
        }
        let closed =
            before.additional.as_ref().is_some_and(|additional| *additional.value == Value::Bool(false));
        for (name, property) in new.iter().filter(|(name, _)| !old.iter().any(|(other, _)| other == name)) {
            match direction {
                Direction::Request if after.requires(name) => {
                    self.tell(Weight::Breaking, &property.pointer, "is new, and must be sent");
                }
                Direction::Answer if closed => {
                    self.tell(Weight::Breaking, &property.pointer, "is new, where nothing else was to come");
                }
                _ => self.tell(Weight::Compatible, &property.pointer, "is new"),
            }
        }
    }

    fn below(&mut self, direction: Direction, before: &Shape<'a>, after: &Shape<'a>) {
        let at = |name: &str| format!("{}/{name}", after.pointer);
        for (name, old, new) in [
            ("items", &before.items, &after.items),
            ("additionalProperties", &before.additional, &after.additional),
        ] {
            let open = |schema: &Option<Found<'a>>| {
                schema.as_ref().is_none_or(|schema| {
                    *schema.value == Value::Bool(true)
                        || schema.object().is_some_and(serde_json::Map::is_empty)
                })
            };
            match (old, new) {
                _ if open(old) && open(new) => {}
                (Some(old), Some(new)) if !open(&Some(old.clone())) && !open(&Some(new.clone())) => {
                    self.compare(direction, old, new);
                }
                _ if open(old) => self.narrowed(direction, &at(name), "is held to a schema now"),
                _ => self.widened(direction, &at(name), "is no longer held to a schema"),
            }
        }
    }

    fn alternatives(&mut self, direction: Direction, before: &Shape<'a>, after: &Shape<'a>) {
        if before.alternatives.is_empty() && after.alternatives.is_empty() {
            return;
        }
        // What has no alternatives is the only one there is.
        let of = |shape: &Shape<'a>, whole: Found<'a>| {
            if shape.alternatives.is_empty() { vec![whole] } else { shape.alternatives.clone() }
        };
        let found = |document: Document<'a>, shape: &Shape<'a>| {
            document.0.pointer(&shape.pointer).map(|value| Found { value, pointer: shape.pointer.clone() })
        };
        let (Some(whole_before), Some(whole_after)) = (found(self.old, before), found(self.new, after))
        else {
            return;
        };
        let (old, new) = (of(before, whole_before), of(after, whole_after));
        let mut left: Vec<Found<'a>> = new;
        for one in old {
            let same = |other: &Found<'a>| self.alike(&one, other);
            match left.iter().position(same) {
                Some(index) => {
                    let other = left.remove(index);
                    self.compare(direction, &one, &other);
                }
                None => self.narrowed(direction, &one.pointer, "is no longer one of the alternatives"),
            }
        }
        for other in left {
            self.widened(direction, &other.pointer, "is one more alternative");
        }
    }

    /// Whether two alternatives are versions of the same one: by name, else by what they are.
    fn alike(&self, one: &Found<'a>, other: &Found<'a>) -> bool {
        if let (Some(one), Some(other)) = (one.text("$ref"), other.text("$ref")) {
            return one == other;
        }
        let (one, other) = (Shape::of(self.old, one), Shape::of(self.new, other));
        one.types() == other.types() && one.keyword("title") == other.keyword("title")
    }
}

/// A bound, and whether the value itself is outside: 3.0 says so by a flag, 3.1 by a keyword of its own.
fn bound(shape: &Shape<'_>, name: &str) -> Option<(f64, bool)> {
    let exclusive = match name {
        "minimum" => "exclusiveMinimum",
        "maximum" => "exclusiveMaximum",
        _ => return shape.number(name).map(|value| (value, false)),
    };
    match (shape.number(name), shape.number(exclusive)) {
        (plain, None) => plain.map(|value| (value, shape.keyword(exclusive) == Some(&Value::Bool(true)))),
        (None, Some(value)) => Some((value, true)),
        (Some(plain), Some(open)) => {
            let open_is_tighter = if name == "minimum" { open >= plain } else { open <= plain };
            Some(if open_is_tighter { (open, true) } else { (plain, false) })
        }
    }
}
