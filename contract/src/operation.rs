//! One operation of a service, whatever bound it: what it takes, what it answers, who may call it.

mod draft;
mod media;
mod parameters;

use std::{collections::BTreeMap, str::FromStr, sync::Arc};

use http::{HeaderMap, Method, StatusCode, header};
use serde_json::Value;

use self::draft::Draft;
pub use self::media::{Media, is_json};
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

impl Operation {
    /// What it is and what it asks for, for people.
    #[must_use]
    pub fn told(&self) -> Value {
        serde_json::json!({
            "id": self.id,
            "method": self.method.as_str(),
            "path": self.path,
            "summary": self.summary,
            "access": self.access.text(),
            "scope": self.scope.as_ref().map(Scope::as_str),
            "recent_sign_in": self.recent,
        })
    }
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
}

/// The text names no access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no access: it takes public, optional, signed-in or role:<name>")]
pub struct NotAnAccess;

impl FromStr for Access {
    type Err = NotAnAccess;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "public" => Ok(Self::Public),
            "optional" => Ok(Self::Optional),
            "client" => Ok(Self::Client),
            "signed-in" => Ok(Self::SignedIn),
            _ => {
                let role = text.strip_prefix("role:").and_then(|role| role.parse().ok());
                role.map(Self::Role).ok_or(NotAnAccess)
            }
        }
    }
}

/// A parameter of an operation.
#[derive(Debug, Clone)]
struct Parameter {
    name: String,
    place: Place,
    required: bool,
    style: Style,
    schema: NodeId,
    /// Whether its schema wants a list.
    is_list: bool,
}

/// How a list stands in a parameter's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// The key stands once for each value.
    Repeated,
    /// One text with something between.
    Separated(char),
    /// In a way that is left to the service.
    Unread,
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
    /// Whether who administers others by it must have signed in lately (step-up, RFC 9470). Of an operation that is open to
    /// anybody, administrators alone use a power.
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

/// The media type of a request or answer, as text.
#[must_use]
pub fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
}
