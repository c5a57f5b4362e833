//! Two versions of one operation held against each other: who may call it, what it takes, what it answers.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::{
    Comparison, Place, Weight,
    resolve::{Document, Found},
    schema::{Direction, Schemas},
};
use crate::operation::Access;

/// An operation in its document.
pub(super) struct Side<'a, 'p> {
    pub(super) document: Document<'a>,
    pub(super) at: &'p Place<'a>,
}

impl<'a> Side<'a, '_> {
    fn found(&self) -> Found<'a> {
        Found { value: self.at.operation, pointer: self.at.pointer() }
    }

    /// Parameters of the operation, and those of its path that it does not have anew: place, name, parameter.
    fn parameters(&self) -> Vec<(String, String, Found<'a>)> {
        let own = (self.at.operation.get("parameters"), format!("{}/parameters", self.at.pointer()));
        let path = format!("/paths/{}/parameters", super::resolve::escaped(self.at.path));
        let mut found: Vec<(String, String, Found<'a>)> = Vec::new();
        for (list, pointer) in [own, (self.at.item.get("parameters"), path)] {
            for (index, value) in list.and_then(Value::as_array).into_iter().flatten().enumerate() {
                let parameter = Found { value, pointer: format!("{pointer}/{index}") };
                let parameter = self.document.follow(parameter);
                let (Some(place), Some(name)) = (parameter.text("in"), parameter.text("name")) else {
                    continue;
                };
                let name = match place {
                    "header" => name.to_lowercase(),
                    // What it is called is between the document and its reader; only its place in the path counts.
                    "path" => self.position(name),
                    _ => name.to_owned(),
                };
                if !found.iter().any(|(known, other, _)| known == place && *other == name) {
                    found.push((place.to_owned(), name, parameter));
                }
            }
        }
        found
    }

    fn position(&self, name: &str) -> String {
        let name = format!("{{{name}}}");
        let parts = self.at.path.split_inclusive('}').map(|part| part.find('{').map_or("", |at| &part[at..]));
        parts.take_while(|part| *part != name).count().to_string()
    }
}

/// Adds what differs to `comparison`.
pub(super) fn compare<'a>(comparison: &mut Comparison, key: &str, old: &Side<'a, '_>, new: &Side<'a, '_>) {
    let mut schemas =
        Schemas { old: old.document, new: new.document, operation: key, comparison, seen: HashSet::new() };
    words(&mut schemas, old, new);
    access(&mut schemas, old, new);
    parameters(&mut schemas, old, new);
    body(&mut schemas, old, new);
    answers(&mut schemas, old, new);
}

fn words(schemas: &mut Schemas<'_, '_>, old: &Side<'_, '_>, new: &Side<'_, '_>) {
    let (before, after) = (old.found(), new.found());
    for name in ["summary", "description", "tags", "externalDocs"] {
        if before.value.get(name) != after.value.get(name) {
            schemas.tell(Weight::Editorial, &format!("{}/{name}", after.pointer), "is worded otherwise");
        }
    }
    if before.value.get("operationId") != after.value.get("operationId") {
        let at = format!("{}/operationId", after.pointer);
        schemas.tell(Weight::Compatible, &at, "generated clients call it otherwise");
    }
    let deprecated = |side: &Found<'_>| side.value.get("deprecated") == Some(&Value::Bool(true));
    if deprecated(&after) && !deprecated(&before) {
        schemas.tell(Weight::Compatible, &format!("{}/deprecated", after.pointer), "is deprecated");
    }
}

fn access(schemas: &mut Schemas<'_, '_>, old: &Side<'_, '_>, new: &Side<'_, '_>) {
    let at = new.found().pointer;
    let told = |side: &Side<'_, '_>| {
        side.at.operation.get("x-platform-access").and_then(Value::as_str)?.parse().ok()
    };
    if let (Some(before), Some(after)) = (told(old), told(new)) {
        let (before, after): (Access, Access) = (before, after);
        let at = format!("{at}/x-platform-access");
        if before != after {
            let opened = rank(&after) < rank(&before);
            let weight = if opened { Weight::Compatible } else { Weight::Breaking };
            schemas.tell(weight, &at, format!("is open to {}, and was to {}", after.text(), before.text()));
        }
    } else {
        let (before, after) = (anonymous(old), anonymous(new));
        let at = format!("{at}/security");
        match (before, after) {
            (true, false) => schemas.tell(Weight::Breaking, &at, "wants credentials now"),
            (false, true) => schemas.tell(Weight::Compatible, &at, "wants no credentials any more"),
            _ => {}
        }
    }
    let (before, after) = (scopes(old), scopes(new));
    let at = format!("{at}/security");
    for scope in after.difference(&before) {
        schemas.tell(Weight::Breaking, &at, format!("wants the scope {scope} now"));
    }
    for scope in before.difference(&after) {
        schemas.tell(Weight::Compatible, &at, format!("no longer wants the scope {scope}"));
    }
}

fn rank(access: &Access) -> u8 {
    match access {
        Access::Public => 0,
        Access::Optional => 1,
        Access::Client => 2,
        Access::SignedIn => 3,
        Access::Role(_) => 4,
    }
}

/// The operation's `security`, or the document's.
fn security<'a>(side: &Side<'a, '_>) -> Option<&'a Vec<Value>> {
    let own = side.at.operation.get("security");
    own.or_else(|| side.document.0.get("security")).and_then(Value::as_array)
}

/// Whether nobody needs to show who they are.
fn anonymous(side: &Side<'_, '_>) -> bool {
    security(side).is_none_or(|ways| {
        ways.is_empty() || ways.iter().any(|way| way.as_object().is_some_and(serde_json::Map::is_empty))
    })
}

fn scopes(side: &Side<'_, '_>) -> BTreeSet<String> {
    let ways = security(side).into_iter().flatten().filter_map(Value::as_object);
    ways.flat_map(serde_json::Map::values)
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn required(part: &Found<'_>) -> bool {
    part.value.get("required") == Some(&Value::Bool(true))
}

fn parameters<'a>(schemas: &mut Schemas<'a, '_>, old: &Side<'a, '_>, new: &Side<'a, '_>) {
    let (before, after) = (old.parameters(), new.parameters());
    for (place, name, parameter) in &before {
        let Some((_, _, other)) = after.iter().find(|(kind, known, _)| kind == place && known == name) else {
            schemas.tell(
                Weight::Breaking,
                &parameter.pointer,
                format!("the parameter in the {place} is no longer read"),
            );
            continue;
        };
        match (required(parameter), required(other)) {
            (false, true) => schemas.tell(Weight::Breaking, &other.pointer, "must be sent now"),
            (true, false) => schemas.tell(Weight::Compatible, &other.pointer, "may be left out"),
            _ => {}
        }
        if parameter.value.get("description") != other.value.get("description") {
            schemas.tell(Weight::Editorial, &format!("{}/description", other.pointer), "is worded otherwise");
        }
        for name in ["style", "explode"] {
            if parameter.value.get(name) != other.value.get(name) {
                schemas.tell(Weight::Breaking, &format!("{}/{name}", other.pointer), "is written otherwise");
            }
        }
        optional(
            schemas,
            Direction::Request,
            parameter.member("schema"),
            other.member("schema"),
            &other.pointer,
        );
        content(schemas, Direction::Request, parameter, other);
    }
    for (place, name, parameter) in &after {
        if before.iter().any(|(kind, known, _)| kind == place && known == name) {
            continue;
        }
        if required(parameter) {
            schemas.tell(
                Weight::Breaking,
                &parameter.pointer,
                format!("is new in the {place}, and must be sent"),
            );
        } else {
            schemas.tell(Weight::Compatible, &parameter.pointer, format!("is new in the {place}"));
        }
    }
}

/// Schemas either of which may be missing: then anything goes.
fn optional<'a>(
    schemas: &mut Schemas<'a, '_>,
    direction: Direction,
    old: Option<Found<'a>>,
    new: Option<Found<'a>>,
    at: &str,
) {
    const ANYTHING: &Value = &Value::Bool(true);
    let anything = || Found { value: ANYTHING, pointer: format!("{at}/schema") };
    if old.is_some() || new.is_some() {
        schemas.compare(direction, &old.unwrap_or_else(anything), &new.unwrap_or_else(anything));
    }
}

fn body<'a>(schemas: &mut Schemas<'a, '_>, old: &Side<'a, '_>, new: &Side<'a, '_>) {
    let of = |side: &Side<'a, '_>| side.found().member("requestBody").map(|body| side.document.follow(body));
    match (of(old), of(new)) {
        (None, None) => {}
        (Some(before), None) => schemas.tell(Weight::Breaking, &before.pointer, "the body is no longer read"),
        (None, Some(after)) if required(&after) => {
            schemas.tell(Weight::Breaking, &after.pointer, "a body must be sent now");
        }
        (None, Some(after)) => schemas.tell(Weight::Compatible, &after.pointer, "a body may be sent"),
        (Some(before), Some(after)) => {
            match (required(&before), required(&after)) {
                (false, true) => schemas.tell(Weight::Breaking, &after.pointer, "must be sent now"),
                (true, false) => schemas.tell(Weight::Compatible, &after.pointer, "may be left out"),
                _ => {}
            }
            content(schemas, Direction::Request, &before, &after);
        }
    }
}

/// The media types of a body or an answer.
fn content<'a>(schemas: &mut Schemas<'a, '_>, direction: Direction, old: &Found<'a>, new: &Found<'a>) {
    let of = |side: &Found<'a>| side.member("content");
    let names = |content: &Option<Found<'a>>| -> Vec<String> {
        let own = content.as_ref().and_then(Found::object);
        own.map(|own| own.keys().cloned().collect()).unwrap_or_default()
    };
    let (before, after) = (of(old), of(new));
    for name in names(&before) {
        let one = before.as_ref().and_then(|content| content.member(&name));
        let other = after.as_ref().and_then(|content| content.member(&name));
        match (one, other) {
            (Some(one), Some(other)) => {
                optional(schemas, direction, one.member("schema"), other.member("schema"), &other.pointer);
            }
            (Some(one), None) => {
                schemas.tell(
                    Weight::Breaking,
                    &one.pointer,
                    format!("{name} is no longer one of its media types"),
                );
            }
            (None, _) => {}
        }
    }
    for name in names(&after).iter().filter(|name| !names(&before).contains(name)) {
        let at = after
            .as_ref()
            .and_then(|content| content.member(name))
            .map_or_else(String::new, |new| new.pointer);
        schemas.tell(Weight::Compatible, &at, format!("{name} is one more media type"));
    }
}

fn answers<'a>(schemas: &mut Schemas<'a, '_>, old: &Side<'a, '_>, new: &Side<'a, '_>) {
    let Some(before) = old.found().member("responses") else { return };
    let Some(after) = new.found().member("responses") else {
        return schemas.tell(Weight::Breaking, &before.pointer, "its answers are no longer described");
    };
    let statuses = |responses: &Found<'a>| -> Vec<String> {
        responses.object().map(|own| own.keys().cloned().collect()).unwrap_or_default()
    };
    // A refusal that never comes breaks nobody, and one that is new is told by its class.
    let weighs = |status: &str| {
        if status.starts_with(['4', '5']) { Weight::Compatible } else { Weight::Breaking }
    };
    for status in statuses(&before) {
        let Some(one) = before.member(&status) else { continue };
        let one = old.document.follow(one);
        let Some(other) = after.member(&status) else {
            schemas.tell(weighs(&status), &one.pointer, format!("status {status} is no longer answered"));
            continue;
        };
        let other = new.document.follow(other);
        if one.value.get("description") != other.value.get("description") {
            schemas.tell(Weight::Editorial, &format!("{}/description", other.pointer), "is worded otherwise");
        }
        content(schemas, Direction::Answer, &one, &other);
        headers(schemas, (old.document, &one), (new.document, &other));
    }
    for status in statuses(&after).iter().filter(|status| before.member(status).is_none()) {
        if let Some(other) = after.member(status) {
            schemas.tell(weighs(status), &other.pointer, format!("status {status} is new"));
        }
    }
}

fn headers<'a>(
    schemas: &mut Schemas<'a, '_>,
    old: (Document<'a>, &Found<'a>),
    new: (Document<'a>, &Found<'a>),
) {
    let of = |(document, answer): (Document<'a>, &Found<'a>)| -> Vec<(String, Found<'a>)> {
        let all = answer.member("headers");
        let names = all.as_ref().and_then(Found::object).into_iter().flatten();
        names
            .filter_map(|(name, _)| {
                let header = all.as_ref().and_then(|all| all.member(name))?;
                Some((name.to_lowercase(), document.follow(header)))
            })
            .collect()
    };
    let (before, after) = (of(old), of(new));
    for (name, header) in &before {
        match after.iter().find(|(other, _)| other == name) {
            Some((_, other)) => {
                if required(header) && !required(other) {
                    schemas.tell(Weight::Breaking, &other.pointer, "may be left out");
                }
                optional(
                    schemas,
                    Direction::Answer,
                    header.member("schema"),
                    other.member("schema"),
                    &other.pointer,
                );
            }
            None => schemas.tell(Weight::Breaking, &header.pointer, "is no longer there"),
        }
    }
    for (_, header) in after.iter().filter(|(name, _)| !before.iter().any(|(other, _)| other == name)) {
        schemas.tell(Weight::Compatible, &header.pointer, "is new");
    }
}
