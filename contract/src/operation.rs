//! One operation of a service, whatever bound it: what it takes, what it answers, who may call it.

use std::{collections::BTreeMap, sync::Arc};

use http::{HeaderMap, Method, StatusCode, header};
use serde_json::Value;

use crate::{
    Caller, Problem, ProblemKind, Role, Scope, Violation,
    payload::{
        form::{self, FORM},
        is_media_type, unsupported,
    },
    problem::Place,
    schema::{CompileError, Compiler, NodeId, Schema},
};

/// Who may call an operation. Finer rules (one's own account, say) are the service's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Anybody; a token is not looked at.
    Public,
    /// Anybody; a token that is sent must be good.
    Optional,
    /// A service account by its own secret; a token that is sent must be good. The operation itself looks at the secret.
    Client,
    /// Whoever is signed in.
    SignedIn,
    /// Whoever has the role.
    Role(Role),
}

impl Access {
    /// As it stands in a document, under `x-platform-access`.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Public => "public".to_owned(),
            Self::Optional => "optional".to_owned(),
            Self::Client => "client".to_owned(),
            Self::SignedIn => "signed-in".to_owned(),
            Self::Role(role) => format!("role:{role}"),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "public" => Some(Self::Public),
            "optional" => Some(Self::Optional),
            "client" => Some(Self::Client),
            "signed-in" => Some(Self::SignedIn),
            _ => text.strip_prefix("role:")?.parse().ok().map(Self::Role),
        }
    }
}

/// A parameter of an operation.
#[derive(Debug, Clone)]
struct Parameter {
    name: String,
    place: Place,
    required: bool,
    schema: NodeId,
}

/// A body of a request or an answer, by media type.
#[derive(Debug, Clone, Default)]
struct Content {
    required: bool,
    media: Vec<(String, NodeId)>,
}

/// An operation, compiled from the OpenAPI document that declares it.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The `operationId`.
    pub id: String,
    /// The method.
    pub method: Method,
    /// The path as the document has it, such as `/api_v1/users/{user_id}`.
    pub path: String,
    /// One line for people.
    pub summary: String,
    /// Who may call it.
    pub access: Access,
    /// What a token must be good for, where its scopes limit it.
    pub scope: Option<Scope>,
    /// Whether who administers others by it must have signed in lately (step-up, RFC 9470).
    pub recent: bool,
    /// Whether its problems tell an `error` code beside (RFC 6749 §5.2).
    pub oauth: bool,
    parameters: Vec<Parameter>,
    request: Option<Content>,
    responses: BTreeMap<String, Content>,
    schema: Arc<Schema>,
}

/// How an answer breaks the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// The document does not list the status.
    #[error("status {0} is not declared")]
    UndeclaredStatus(StatusCode),
    /// The document does not list the media type for this status.
    #[error("media type {0:?} is not declared for status {1}")]
    MediaType(String, StatusCode),
    /// The body is no JSON.
    #[error("the body is no JSON: {0}")]
    Syntax(String),
    /// The body does not fit its schema.
    #[error("the body does not fit: {0}")]
    Body(String),
}

impl Breach {
    /// A short name for metrics.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match self {
            Self::UndeclaredStatus(_) => "status",
            Self::MediaType(..) => "media_type",
            Self::Syntax(_) => "syntax",
            Self::Body(_) => "schema",
        }
    }
}

/// What to send on of an answer that keeps the contract.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The bytes as they came.
    AsReceived,
    /// The body without what the contract does not declare.
    Pruned(Vec<u8>),
}

impl Operation {
    /// Every operation of an OpenAPI document, in the document's order.
    ///
    /// # Errors
    /// A schema that can't be compiled, or a path item that is no object.
    pub fn all(document: &Value) -> Result<Vec<Self>, CompileError> {
        let mut compiler = Compiler::new(document);
        let mut found = Vec::new();
        let paths = document.get("paths").and_then(Value::as_object);
        for (path, item) in paths.into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let Ok(method) = Method::from_bytes(method.to_ascii_uppercase().as_bytes()) else { continue };
                if !matches!(
                    method.as_str(),
                    "GET" | "PUT" | "POST" | "DELETE" | "PATCH" | "HEAD" | "OPTIONS"
                ) {
                    continue;
                }
                found.push(Draft::read(&mut compiler, document, path, method, item, operation)?);
            }
        }
        let schema = Arc::new(compiler.finish());
        Ok(found.into_iter().map(|draft| draft.finish(&schema)).collect())
    }

    /// Whether a request body is part of the operation.
    #[must_use]
    pub fn takes_body(&self) -> bool {
        self.request.is_some()
    }

    /// Whether the caller is signed in where somebody must be, and has the role and the scope that the operation needs.
    ///
    /// # Errors
    /// 401; 403 `insufficient_scope`.
    pub fn check_caller(&self, caller: &Caller) -> Result<(), Problem> {
        if matches!(self.access, Access::SignedIn | Access::Role(_)) && !caller.is_signed_in() {
            return Err(Problem::missing_credentials());
        }
        if let Access::Role(role) = &self.access
            && !caller.has(role)
        {
            return Err(Problem::insufficient_role(role));
        }
        match &self.scope {
            Some(scope) if !caller.may(scope) => Err(Problem::insufficient_scope(scope)),
            _ => Ok(()),
        }
    }

    /// Checks the parameters: `path` gives a path parameter's decoded text by name.
    ///
    /// # Errors
    /// 400 for a single-valued query key that is repeated, 422 for all values that don't fit.
    pub fn check_parameters<'p>(
        &self,
        path: impl Fn(&str) -> Option<&'p str>,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<(), Problem> {
        let mut violations = Vec::new();
        for parameter in &self.parameters {
            let text = match parameter.place {
                Place::Path => path(&parameter.name).map(str::to_owned),
                Place::Query => single_query_value(query, &parameter.name)?,
                Place::Header => {
                    headers.get(&parameter.name).and_then(|value| value.to_str().ok()).map(str::to_owned)
                }
                Place::Body => None,
            };
            match text {
                Some(text) => {
                    violations.extend(self.schema.check_parameter(parameter.schema, &text).into_iter().map(
                        |violation| Violation {
                            place: parameter.place,
                            pointer: format!("/{}", parameter.name),
                            detail: violation.detail,
                        },
                    ));
                }
                None if parameter.required => violations.push(Violation {
                    place: parameter.place,
                    pointer: format!("/{}", parameter.name),
                    detail: "field required".to_owned(),
                }),
                None => {}
            }
        }
        if violations.is_empty() { Ok(()) } else { Err(Problem::invalid(violations)) }
    }

    /// Checks a request body.
    ///
    /// # Errors
    /// 415 for another media type, 400 for what is no JSON, 422 for all values that don't fit.
    pub fn check_request_body(&self, content_type: Option<&str>, body: &[u8]) -> Result<(), Problem> {
        let Some(content) = &self.request else { return Ok(()) };
        if body.is_empty() {
            return match (content.required, content_type) {
                (true, None) => Err(Problem::invalid(vec![Violation::body("", "a body is required")])),
                (true, Some(given)) if content.media_named(given).is_some() => {
                    Err(Problem::new(ProblemKind::MalformedRequest, "The body is empty; JSON is required"))
                }
                (true, Some(_)) => Err(unsupported(content.wanted())),
                (false, _) => Ok(()),
            };
        }
        let Some(node) = content_type.and_then(|given| content.media_named(given)) else {
            return Err(unsupported(content.wanted()));
        };
        let object;
        let body = if content_type.is_some_and(|given| is_media_type(given, &[FORM])) {
            object = form::json(body)?;
            &object
        } else {
            body
        };
        let checked = self.schema.check(node, body).map_err(|error| {
            Problem::new(ProblemKind::MalformedRequest, format!("The body can't be read as JSON: {error}"))
        })?;
        if checked.violations.is_empty() { Ok(()) } else { Err(Problem::invalid(checked.violations)) }
    }

    /// Checks a service's answer.
    ///
    /// # Errors
    /// The first [`Breach`] of the contract.
    pub fn check_answer(
        &self,
        status: StatusCode,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<Answer, Breach> {
        let content = self.declared(status).ok_or(Breach::UndeclaredStatus(status))?;
        if content.media.is_empty() {
            return if body.is_empty() {
                Ok(Answer::AsReceived)
            } else {
                Err(Breach::MediaType(content_type.unwrap_or_default().to_owned(), status))
            };
        }
        let node = content_type
            .and_then(|given| content.media_named(given))
            .ok_or_else(|| Breach::MediaType(content_type.unwrap_or_default().to_owned(), status))?;
        let checked = self.schema.check(node, body).map_err(|error| Breach::Syntax(error.to_string()))?;
        if let Some(first) = checked.violations.first() {
            return Err(Breach::Body(format!("{} {}", first.pointer, first.detail)));
        }
        if !checked.undeclared {
            return Ok(Answer::AsReceived);
        }
        let mut value: Value =
            serde_json::from_slice(body).map_err(|error| Breach::Syntax(error.to_string()))?;
        self.schema.prune(node, &mut value);
        serde_json::to_vec(&value).map(Answer::Pruned).map_err(|error| Breach::Syntax(error.to_string()))
    }

    /// Whether the document lists the status.
    #[must_use]
    pub fn declares(&self, status: StatusCode) -> bool {
        self.declared(status).is_some()
    }

    fn declared(&self, status: StatusCode) -> Option<&Content> {
        self.responses
            .get(status.as_str())
            .or_else(|| self.responses.get(&format!("{}XX", status.as_u16() / 100)))
            .or_else(|| self.responses.get("default"))
    }
}

impl Content {
    fn media_named(&self, content_type: &str) -> Option<NodeId> {
        self.media.iter().find(|(name, _)| is_media_type(content_type, &[name])).map(|(_, node)| *node)
    }

    fn wanted(&self) -> &str {
        self.media.first().map_or("application/json", |(name, _)| name)
    }
}

/// The one value of a query key, decoded as a form field.
fn single_query_value(query: Option<&str>, name: &str) -> Result<Option<String>, Problem> {
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let mut values = pairs.filter(|(key, _)| key == name);
    let first = values.next().map(|(_, value)| value.into_owned());
    if values.next().is_some() {
        return Err(Problem::new(
            ProblemKind::MalformedRequest,
            format!("The query parameter {name} stands twice"),
        ));
    }
    Ok(first)
}

/// An operation whose schemas are not finished yet.
struct Draft(Operation);

impl Draft {
    fn read(
        compiler: &mut Compiler<'_>,
        document: &Value,
        path: &str,
        method: Method,
        item: &Value,
        operation: &Value,
    ) -> Result<Self, CompileError> {
        let at = format!(
            "/paths/{}/{}",
            path.replace('~', "~0").replace('/', "~1"),
            method.as_str().to_ascii_lowercase()
        );
        let text = |name: &str| operation.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut parameters = Vec::new();
        let listed = [item, operation].into_iter().filter_map(|value| value.get("parameters")?.as_array());
        for (index, declared) in listed.flatten().enumerate() {
            let pointer = format!("{at}/parameters/{index}");
            parameters.extend(parameter(compiler, resolve(document, declared), &pointer)?);
        }
        let request = match operation.get("requestBody") {
            Some(body) => Some(content(compiler, resolve(document, body), &format!("{at}/requestBody"))?),
            None => None,
        };
        let mut responses = BTreeMap::new();
        for (status, response) in operation.get("responses").and_then(Value::as_object).into_iter().flatten()
        {
            let declared =
                content(compiler, resolve(document, response), &format!("{at}/responses/{status}"))?;
            responses.insert(status.to_ascii_uppercase().replace("DEFAULT", "default"), declared);
        }
        Ok(Self(Operation {
            id: text("operationId"),
            method,
            path: path.to_owned(),
            summary: text("summary"),
            access: access(document, operation),
            recent: operation.get("x-platform-recent") == Some(&Value::Bool(true)),
            oauth: operation.get("x-platform-problems").and_then(Value::as_str) == Some("oauth"),
            scope: operation
                .get("x-platform-scope")
                .and_then(Value::as_str)
                .and_then(|name| name.parse().ok()),
            parameters,
            request,
            responses,
            schema: Arc::default(),
        }))
    }

    fn finish(mut self, schema: &Arc<Schema>) -> Operation {
        self.0.schema = Arc::clone(schema);
        self.0
    }
}

/// Follows one `$ref` to a component that is no schema.
fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let target = value.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
    target.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

fn parameter(
    compiler: &mut Compiler<'_>,
    declared: &Value,
    pointer: &str,
) -> Result<Option<Parameter>, CompileError> {
    let place = match declared.get("in").and_then(Value::as_str) {
        Some("path") => Place::Path,
        Some("query") => Place::Query,
        Some("header") => Place::Header,
        _ => return Ok(None),
    };
    let (Some(name), Some(schema)) = (declared.get("name").and_then(Value::as_str), declared.get("schema"))
    else {
        return Ok(None);
    };
    Ok(Some(Parameter {
        name: name.to_owned(),
        place,
        required: declared.get("required") == Some(&Value::Bool(true)),
        schema: compiler.compile(schema, &format!("{pointer}/schema"))?,
    }))
}

fn content(compiler: &mut Compiler<'_>, declared: &Value, pointer: &str) -> Result<Content, CompileError> {
    let mut media = Vec::new();
    for (name, media_type) in declared.get("content").and_then(Value::as_object).into_iter().flatten() {
        let schema = media_type.get("schema").unwrap_or(&Value::Bool(true));
        media.push((name.clone(), compiler.compile(schema, &format!("{pointer}/content/{name}/schema"))?));
    }
    Ok(Content { required: declared.get("required") == Some(&Value::Bool(true)), media })
}

/// Who may call: as `x-platform-access` says, else by the `security` that the operation or the document asks for.
fn access(document: &Value, operation: &Value) -> Access {
    if let Some(access) = operation.get("x-platform-access").and_then(Value::as_str).and_then(Access::parse) {
        return access;
    }
    match operation.get("security").or_else(|| document.get("security")).and_then(Value::as_array) {
        Some(schemes) if !schemes.is_empty() => {
            let open = schemes.iter().any(|scheme| scheme.as_object().is_some_and(serde_json::Map::is_empty));
            if open { Access::Optional } else { Access::SignedIn }
        }
        _ => Access::Public,
    }
}

/// The media type of a request or answer, as text.
#[must_use]
pub fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
}
