//! The OpenAPI document of a contract: what poem-openapi writes, with what it leaves out.
//!
//! poem-openapi knows paths, types and the statuses of success. Problems, security and examples come from the operation's
//! [`Policy`] here, so that the gateway and the service serve the same words.

pub mod problems;

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    marker::PhantomData,
};

use poem::{endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    OpenApi, OpenApiService,
    registry::{MetaApi, Registry},
};
use serde_json::{Map, Value, json};

use self::problems::Takes;
use crate::{Scope, operation::Access};

/// Where service accounts get their tokens.
pub const TOKEN_PATH: &str = "/api_v1/auth/token";

/// What stands about one operation beside its types.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The `operationId`.
    pub operation: &'static str,
    /// Who may call it.
    pub access: Access,
    /// What a token must be good for, where its scopes limit it. Every operation that looks at tokens has one.
    pub scope: Option<Scope>,
    /// Whether its problems tell an `error` code beside (RFC 6749 §5.2).
    pub oauth: bool,
    /// Whether who administers others by it must have signed in lately (step-up, RFC 9470).
    pub recent: bool,
    /// Statuses of problems beyond those that every operation can answer.
    pub problems: &'static [u16],
}

impl Policy {
    /// The policy of the operation named.
    #[must_use]
    pub fn new(operation: &'static str, access: Access, problems: &'static [u16]) -> Self {
        Self { operation, access, scope: None, oauth: false, recent: false, problems }
    }

    /// Whose problems tell an `error` code beside, as clients of OAuth expect.
    #[must_use]
    pub fn oauth(mut self) -> Self {
        self.oauth = true;
        self
    }

    /// For who has signed in lately, where it administers others.
    #[must_use]
    pub fn recent(mut self) -> Self {
        self.recent = true;
        self
    }

    /// With the scope that the operation needs.
    #[must_use]
    pub fn scope(mut self, scope: &'static str) -> Self {
        self.scope = Some(Scope::named(scope));
        self
    }
}

/// A contract that can't be documented.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// poem-openapi wrote no JSON.
    #[error("the document is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// An operation has no `operationId` or no policy.
    #[error("{method} {path}: the operation has no policy in its contract")]
    NoPolicy {
        /// The method.
        method: String,
        /// The path.
        path: String,
    },
    /// An operation that looks at tokens has no scope, or one that is no scope's name.
    #[error("{0}: the operation's policy has no scope, or one that is not a scope's name")]
    Scope(&'static str),
    /// Two documents to be merged hold the same path, operationId or, with other content, component.
    #[error("{0} stands in two documents")]
    Clash(String),
}

/// What a document says of itself.
#[derive(Debug, Clone)]
pub struct About {
    /// The document's title.
    pub title: String,
    /// The version of the API.
    pub version: String,
    /// What it is, for people, in Markdown.
    pub description: String,
}

/// An API's description without an instance of it: it documents everything and serves nothing.
struct Described<A>(PhantomData<fn() -> A>);

impl<A: OpenApi> OpenApi for Described<A> {
    fn meta() -> Vec<MetaApi> {
        A::meta()
    }

    fn register(registry: &mut Registry) {
        A::register(registry);
    }

    fn add_routes(self, _routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}

/// The document of one API, from its types and policies.
///
/// # Errors
/// An operation without a policy, or a policy without the scope it must have.
pub fn of<A: OpenApi>(policies: &[Policy]) -> Result<Value, DocumentError> {
    let service = OpenApiService::new(Described::<A>(PhantomData), "", "");
    let mut document: Value = serde_json::from_str(&service.spec())?;
    for policy in policies {
        let fits = match &policy.scope {
            Some(scope) => scope.as_str().parse::<Scope>().is_ok(),
            None => matches!(policy.access, Access::Public | Access::Client),
        };
        if !fits {
            return Err(DocumentError::Scope(policy.operation));
        }
    }
    let policies: BTreeMap<&str, &Policy> =
        policies.iter().map(|policy| (policy.operation, policy)).collect();
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        for (path, item) in paths.iter_mut() {
            for (method, operation) in item.as_object_mut().into_iter().flatten() {
                let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default();
                let policy = policies.get(id).ok_or_else(|| DocumentError::NoPolicy {
                    method: method.to_uppercase(),
                    path: path.clone(),
                })?;
                complete(operation, policy);
            }
        }
    }
    mark_whole_numbers(&mut document);
    Ok(document)
}

/// Merges documents into one with this head; components that are equal are shared.
///
/// # Errors
/// Paths, operationIds or components that clash.
pub fn merge(about: &About, documents: impl IntoIterator<Item = Value>) -> Result<Value, DocumentError> {
    let mut paths = Map::new();
    let mut tags: Vec<Value> = Vec::new();
    let mut schemas = BTreeMap::from([
        ("Problem".to_owned(), problems::schema()),
        ("Violation".to_owned(), problems::violation_schema()),
    ]);
    for mut document in documents {
        for (path, item) in members(&mut document, "/paths") {
            if paths.contains_key(&path) {
                return Err(DocumentError::Clash(format!("the path {path}")));
            }
            paths.insert(path, item);
        }
        if let Some(Value::Array(own)) = document.get_mut("tags").map(Value::take) {
            for tag in own {
                if !tags.contains(&tag) {
                    tags.push(tag);
                }
            }
        }
        for (name, schema) in members(&mut document, "/components/schemas") {
            match schemas.entry(name) {
                Entry::Vacant(free) => {
                    free.insert(schema);
                }
                Entry::Occupied(other) if *other.get() != schema => {
                    return Err(DocumentError::Clash(format!("the component {}", other.key())));
                }
                Entry::Occupied(_) => {}
            }
        }
    }
    let scopes: BTreeMap<String, String> = operations(&paths)
        .filter_map(|operation| operation.get("x-platform-scope")?.as_str())
        .map(|scope| (scope.to_owned(), told(scope)))
        .collect();
    let mut whole = json!({
        "openapi": "3.0.3",
        "info": {
            "title": about.title,
            "version": about.version,
            "description": about.description,
            "license": { "name": "MIT OR Apache-2.0", "url": "https://spdx.org/licenses/MIT.html" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": {},
        "components": {
            "schemas": {},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An access token, from `POST /api_v1/auth/access`.",
                },
                "client": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "A service account's name and secret; both can also stand in the body.",
                },
                "service": {
                    "type": "oauth2",
                    "description": "An access token of a service account.",
                    "flows": { "clientCredentials": { "tokenUrl": TOKEN_PATH, "scopes": scopes } },
                },
            },
        },
    });
    // Put in after it, since `json!` copies what is named in it.
    whole["paths"] = paths.into();
    whole["components"]["schemas"] = schemas.into_iter().collect();
    Ok(whole)
}

/// What the object at `pointer` holds, taken out of the document.
fn members(document: &mut Value, pointer: &str) -> Map<String, Value> {
    match document.pointer_mut(pointer).map(Value::take) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

fn operations(paths: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    paths.values().filter_map(Value::as_object).flat_map(Map::values)
}

/// A scope's name, for people: `users:read` is "read users".
fn told(scope: &str) -> String {
    match scope.split_once(':') {
        Some((what, verb)) => format!("{verb} {}", what.replace('-', " ")),
        None => scope.to_owned(),
    }
}

/// What an operation asks for, as its `security`.
#[must_use]
pub fn security(access: &Access, scope: Option<&Scope>) -> Value {
    let scopes: Vec<&Scope> = scope.into_iter().collect();
    match access {
        Access::Public => json!([]),
        Access::Optional => json!([{ "bearer": [] }, { "service": scopes }, {}]),
        Access::Client if scope.is_some() => json!([{ "client": [] }, { "bearer": [] }, {}]),
        Access::Client => json!([{ "client": [] }, {}]),
        Access::SignedIn | Access::Role(_) => json!([{ "bearer": [] }, { "service": scopes }]),
    }
}

fn complete(operation: &mut Value, policy: &Policy) {
    let takes_body = operation.get("requestBody").is_some();
    let takes_values = takes_body || operation.get("parameters").is_some();
    let Some(map) = operation.as_object_mut() else { return };
    map.insert("x-platform-access".to_owned(), policy.access.text().into());
    if let Some(scope) = &policy.scope {
        map.insert("x-platform-scope".to_owned(), scope.as_str().into());
        if policy.recent {
            map.insert("x-platform-recent".to_owned(), true.into());
        }
        let told = map
            .get("description")
            .and_then(Value::as_str)
            .map_or_else(String::new, |own| format!("{own}\n\n"));
        map.insert("description".to_owned(), format!("{told}Scope: `{scope}`.").into());
    }
    if policy.oauth {
        map.insert("x-platform-problems".to_owned(), "oauth".into());
    }
    map.insert("security".to_owned(), security(&policy.access, policy.scope.as_ref()));
    if let Some(parameters) = map.get_mut("parameters").and_then(Value::as_array_mut) {
        parameters.iter_mut().for_each(without_example_if_optional);
    }
    let Some(responses) = map.get_mut("responses").and_then(Value::as_object_mut) else { return };
    let takes = Takes { body: takes_body, values: takes_values };
    let statuses = problems::statuses(&policy.access, policy.scope.is_some(), takes, policy.problems);
    for status in statuses {
        responses.insert(status.to_string(), problems::response(status, policy.oauth));
    }
    let sorted: BTreeMap<String, Value> = std::mem::take(responses).into_iter().collect();
    responses.extend(sorted);
}

/// Swagger UI sends the example of a parameter that its user left alone: a filter nobody asked for.
fn without_example_if_optional(parameter: &mut Value) {
    if parameter.get("required").and_then(Value::as_bool) != Some(true)
        && let Some(schema) = parameter.get_mut("schema").and_then(Value::as_object_mut)
    {
        schema.remove("example");
    }
}

/// Writes bounds that are whole numbers without the `.0` that `f64` gives them, and drops formats OpenAPI does not know.
fn mark_whole_numbers(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for keyword in ["minimum", "maximum", "multipleOf"] {
                if let Some(number) = map.get_mut(keyword)
                    && let Some(float) = number.as_f64()
                    && float.fract() == 0.0
                    && float.abs() < 9e15
                    && let Ok(whole) = format!("{float:.0}").parse::<i64>()
                {
                    *number = whole.into();
                }
            }
            if let Some(format) = map.get_mut("format")
                && let Some(known) = match format.as_str() {
                    Some("uint64") => Some("int64"),
                    Some("uint32" | "uint16" | "uint8") => Some("int32"),
                    _ => None,
                }
            {
                *format = known.into();
            }
            map.values_mut().for_each(mark_whole_numbers);
        }
        Value::Array(items) => items.iter_mut().for_each(mark_whole_numbers),
        _ => {}
    }
}
