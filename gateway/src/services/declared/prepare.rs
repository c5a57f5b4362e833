//! From a service's own document and its settings to what the gateway routes: paths under the prefix, ids that nobody else
//! has, access as the settings say, every `$ref` followed.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use contract::{
    operation::Access,
    schema::{CompileError, pointer_token},
};
use http::Method;
use kit::config::{OperationSettings, ServiceSettings, closest};
use serde_json::{Map, Value, json};

use super::websocket;

/// Methods that are routed. HEAD is made of GET and OPTIONS answered by the gateway; TRACE and CONNECT are nobody's.
const METHODS: [(&str, Method); 5] = [
    ("get", Method::GET),
    ("put", Method::PUT),
    ("post", Method::POST),
    ("delete", Method::DELETE),
    ("patch", Method::PATCH),
];

/// First segments of the gateway's own paths.
const OWN: [&str; 9] =
    ["api_v1", "docs", "redoc", "scalar", "healthz", "readyz", ".well-known", "account", "admin"];

/// A document as it is routed, in its own dialect.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) document: Value,
    /// By the id under which the gateway knows the operation: how its service knows it.
    pub(crate) origins: BTreeMap<String, Origin>,
    /// Paths at which the service itself has HEAD.
    heads: BTreeSet<String>,
    /// Paths of operations that the settings hide.
    pub(crate) hidden: BTreeSet<String>,
    /// Ids of those that are a WebSocket each.
    pub(crate) websockets: BTreeSet<String>,
}

impl Prepared {
    /// Whether the service itself has HEAD at a path of its own.
    pub(crate) fn has_head(&self, path: &str) -> bool {
        self.heads.contains(path)
    }
}

/// An operation as its service has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) id: String,
    pub(crate) path: String,
}

/// A document that can't be bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrepareFault {
    /// The document is not what OpenAPI says.
    #[error("{0}")]
    Document(#[from] CompileError),
    /// Two operations share an id.
    #[error("the operationId {0} stands twice")]
    SameId(String),
    /// Settings for an operation that is not there.
    #[error("operations.{0}: the document has no operation of this id{1}")]
    UnknownOperation(String, String),
    /// A WebSocket is opened by GET.
    #[error("operations.{0}: websocket: a {1} can't be one, only a GET")]
    WebSocket(String, Method),
    /// The prefix is no path.
    #[error("prefix {0:?} is no path such as /api/orders")]
    Prefix(String),
    /// The prefix is among the gateway's own paths.
    #[error("prefix {0:?} starts with {1}, which is the gateway's own")]
    OwnPrefix(String, String),
    /// A status that HTTP does not have.
    #[error("statuses: {0} is no status between 200 and 599")]
    Status(u16),
}

/// What a service's paths start with.
pub(crate) fn prefix(settings: &ServiceSettings) -> Result<String, PrepareFault> {
    let Some(prefix) = &settings.prefix else { return Ok(format!("/api/{}", settings.name)) };
    let trimmed = prefix.trim_end_matches('/');
    if let Some(own) = own_segment(trimmed) {
        return Err(PrepareFault::OwnPrefix(prefix.clone(), format!("/{own}")));
    }
    let fits = trimmed.starts_with('/')
        && contract::path::check(trimmed).is_ok()
        && !trimmed.contains(['{', '}', ':', '?', '#', '%']);
    if fits { Ok(trimmed.to_owned()) } else { Err(PrepareFault::Prefix(prefix.clone())) }
}

/// The first segment of a path, where it is the gateway's own.
pub(crate) fn own_segment(path: &str) -> Option<&str> {
    path.split('/').nth(1).filter(|first| OWN.contains(first))
}

/// Prepares a document; `taken` are the ids that others have, and gets those of this one.
///
/// # Errors
/// [`PrepareFault`].
pub(crate) fn prepare(
    settings: &ServiceSettings,
    mut document: Value,
    taken: &mut HashSet<String>,
) -> Result<Prepared, PrepareFault> {
    check_references(&document)?;
    websocket::add_paths(settings, &mut document);
    let prefix = prefix(settings)?;
    let mut own = HashSet::new();
    let mut prepared = Prepared {
        document: Value::Null,
        origins: BTreeMap::new(),
        heads: BTreeSet::new(),
        hidden: BTreeSet::new(),
        websockets: BTreeSet::new(),
    };
    let mut paths = Map::new();
    for (path, item) in object(&document, "paths")? {
        let item = followed(&document, item);
        if item.get("head").is_some() {
            prepared.heads.insert(path.clone());
        }
        let mut kept = Map::new();
        if let Some(parameters) = item.get("parameters") {
            kept.insert("parameters".to_owned(), parameters.clone());
        }
        for (name, method) in METHODS {
            let Some(operation) = item.get(name) else { continue };
            let id = operation
                .get("operationId")
                .and_then(Value::as_str)
                .map_or_else(|| made_id(&method, path), str::to_owned);
            if !own.insert(id.clone()) {
                return Err(PrepareFault::SameId(id));
            }
            let overrides = settings.operations.get(&id);
            if overrides.is_some_and(|overrides| overrides.hidden) {
                prepared.hidden.insert(format!("{prefix}{path}"));
                continue;
            }
            let known = free_id(settings.name.as_str(), &id, taken);
            let mut operation_kept = operation_of(settings, overrides, operation, &known)?;
            if websocket::is_one(settings, overrides, (&id, &method, path), operation)?
                && let Some(operation) = operation_kept.as_object_mut()
            {
                websocket::mark(&document, operation);
                prepared.websockets.insert(known.clone());
            }
            kept.insert(name.to_owned(), operation_kept);
            prepared.origins.insert(known, Origin { id, path: path.clone() });
        }
        if kept.keys().any(|key| key != "parameters") {
            paths.insert(format!("{prefix}{path}"), kept.into());
        }
    }
    for named in settings.operations.keys() {
        if !own.contains(named) {
            let meant = closest(named, own.iter().map(String::as_str));
            let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
            return Err(PrepareFault::UnknownOperation(named.clone(), meant));
        }
    }
    if let Some(map) = document.as_object_mut() {
        map.insert("paths".to_owned(), paths.into());
        for unused in ["servers", "security", "webhooks", "externalDocs", "info"] {
            map.remove(unused);
        }
    }
    prepared.document = document;
    Ok(prepared)
}

fn object<'d>(document: &'d Value, key: &str) -> Result<&'d Map<String, Value>, CompileError> {
    document
        .get(key)
        .and_then(Value::as_object)
        .ok_or_else(|| CompileError { pointer: format!("/{key}"), reason: "is no object".to_owned() })
}

/// An operation with what the settings say of it.
fn operation_of(
    settings: &ServiceSettings,
    overrides: Option<&OperationSettings>,
    operation: &Value,
    id: &str,
) -> Result<Value, PrepareFault> {
    let mut operation = operation.clone();
    let Some(map) = operation.as_object_mut() else { return Ok(operation) };
    for unused in ["servers", "callbacks", "security"] {
        map.remove(unused);
    }
    map.insert("operationId".to_owned(), id.into());
    map.insert("x-platform-access".to_owned(), access(settings, overrides).text().into());
    map.insert("x-platform-service".to_owned(), settings.name.as_str().into());
    // Pages list operations by it.
    map.entry("summary").or_insert_with(|| id.into());
    let tagged = map.get("tags").and_then(Value::as_array).is_some_and(|tags| !tags.is_empty());
    if !tagged {
        map.insert("tags".to_owned(), json!([settings.name.as_str()]));
    }
    let responses = map.entry("responses").or_insert_with(|| json!({}));
    let more = overrides.map_or(&[][..], |overrides| overrides.statuses.as_slice());
    for status in settings.statuses.iter().chain(more) {
        if !(200..=599).contains(status) {
            return Err(PrepareFault::Status(*status));
        }
        if let Some(responses) = responses.as_object_mut() {
            responses.entry(status.to_string()).or_insert_with(
                || json!({ "description": "As the service answers it", "content": { "*/*": {} } }),
            );
        }
    }
    Ok(operation)
}

/// Who may call an operation. A document's own `security` opens nothing: it was written for another door.
fn access(settings: &ServiceSettings, overrides: Option<&OperationSettings>) -> Access {
    overrides.and_then(|overrides| overrides.access.clone()).unwrap_or_else(|| settings.access.clone())
}

/// An id for an operation that has none: `get_orders_id` for `GET /orders/{id}`.
fn made_id(method: &Method, path: &str) -> String {
    let words: Vec<&str> =
        path.split(|byte: char| !byte.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut id = method.as_str().to_ascii_lowercase();
    for word in words {
        id.push('_');
        id.push_str(word);
    }
    id
}

/// The id itself, or with the service's name before it where another has it.
fn free_id(service: &str, id: &str, taken: &mut HashSet<String>) -> String {
    let mut free = id.to_owned();
    let mut number = 1;
    while !taken.insert(free.clone()) {
        free = if number == 1 { format!("{service}_{id}") } else { format!("{service}_{id}_{number}") };
        number += 1;
    }
    free
}

/// The value, or what its `$ref` points at.
pub(crate) fn followed<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let target = value.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
    target.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

/// Members under which anything may stand, `$ref` as well.
pub(super) const EXAMPLES: [&str; 5] = ["example", "examples", "default", "enum", "const"];

/// Every `$ref` must lead to something in the document: nothing is fetched from elsewhere, and nothing is left to guess.
fn check_references(document: &Value) -> Result<(), CompileError> {
    let mut good = BTreeSet::new();
    let mut open = vec![(String::new(), document)];
    while let Some((pointer, value)) = open.pop() {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(target)) = map.get("$ref") {
                    check_reference(document, target, &mut good)
                        .map_err(|reason| CompileError { pointer: format!("{pointer}/$ref"), reason })?;
                }
                open.extend(
                    map.iter()
                        .filter(|(key, _)| {
                            !EXAMPLES.contains(&key.as_str()) || pointer.ends_with("/properties")
                        })
                        .map(|(key, inner)| (format!("{pointer}/{}", pointer_token(key)), inner)),
                );
            }
            Value::Array(items) => {
                open.extend(items.iter().enumerate().map(|(at, inner)| (format!("{pointer}/{at}"), inner)));
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_reference<'d>(
    document: &Value,
    target: &'d str,
    good: &mut BTreeSet<&'d str>,
) -> Result<(), String> {
    if good.contains(target) {
        return Ok(());
    }
    let Some(inner) = target.strip_prefix('#') else {
        return Err(format!("{target} leads out of the document; bundle it into one file"));
    };
    if document.pointer(inner).is_none() {
        return Err(format!("{target} points at nothing"));
    }
    good.insert(target);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(more: &str) -> ServiceSettings {
        let text = format!("name = \"orders\"\nopenapi = \"o.json\"\nurls = []\n{more}");
        toml_edit::de::from_str(&text).unwrap()
    }

    fn document() -> Value {
        json!({
            "openapi": "3.1.0",
            "paths": {
                "/orders": { "get": { "operationId": "list", "responses": {} }, "trace": {} },
                "/orders/{id}": { "$ref": "#/components/pathItems/Order" },
            },
            "components": { "pathItems": { "Order": { "delete": { "responses": { "204": { "description": "" } } } } } },
        })
    }

    #[test]
    fn operations_get_the_prefix_ids_of_their_own_and_the_access_of_the_settings() {
        let mut taken = HashSet::from(["list".to_owned()]);
        let settings = settings("statuses = [404]\n[operations.list]\naccess = \"public\"");
        let prepared = prepare(&settings, document(), &mut taken).unwrap();
        let list = &prepared.document["paths"]["/api/orders/orders"]["get"];
        assert_eq!(list["operationId"], "orders_list");
        assert_eq!(list["x-platform-access"], "public");
        assert!(list["responses"]["404"].is_object());
        let delete = &prepared.document["paths"]["/api/orders/orders/{id}"]["delete"];
        assert_eq!(delete["operationId"], "delete_orders_id");
        assert_eq!(delete["x-platform-access"], "signed-in");
        assert_eq!(
            prepared.origins["orders_list"],
            Origin { id: "list".to_owned(), path: "/orders".to_owned() }
        );
    }

    #[test]
    fn what_can_t_be_bound_is_told_by_its_place() {
        let cases = [
            ("/paths/~1orders/get/x", json!({ "$ref": "other.yaml#/A" }), "leads out of the document"),
            (
                "/paths/~1orders/get/x",
                json!({ "$ref": "#/components/schemas/None" }),
                "/paths/~1orders/get/x/$ref",
            ),
        ];
        for (pointer, value, part) in cases {
            let mut document = document();
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            document.pointer_mut(parent).unwrap()[key] = value;
            let fault = prepare(&settings(""), document, &mut HashSet::new()).unwrap_err().to_string();
            assert!(fault.contains(part), "{fault}");
        }
        for (more, part) in [
            ("[operations.lists]\nhidden = true", "did you mean list?"),
            ("prefix = \"orders\"", "prefix"),
            ("prefix = \"/a/../b\"", "prefix"),
            ("prefix = \"/api_v1/orders\"", "the gateway's own"),
            ("statuses = [42]", "42"),
        ] {
            let fault = prepare(&settings(more), document(), &mut HashSet::new()).unwrap_err().to_string();
            assert!(fault.contains(part), "{fault}");
        }
    }
}
