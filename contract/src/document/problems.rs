//! The problems that operations answer, as documents have them.

use serde_json::{Value, json};

use crate::{operation::Access, problem::PROBLEM_JSON};

/// What an operation takes.
#[derive(Debug, Clone, Copy)]
pub struct Takes {
    /// A body.
    pub body: bool,
    /// Parameters or a body.
    pub values: bool,
}

/// Statuses of the problems of an operation: those of its own, and those that every operation like it can answer.
#[must_use]
pub fn statuses(access: &Access, scoped: bool, takes: Takes, own: &[u16]) -> Vec<u16> {
    let mut statuses = own.to_vec();
    // Every operation can answer these, whoever serves it: the listener, the gateway or the service.
    statuses.extend([400, 405, 429, 431, 500, 502, 503, 504]);
    if matches!(access, Access::Client | Access::SignedIn | Access::Role(_)) {
        statuses.push(401);
    }
    if scoped || matches!(access, Access::Role(_)) {
        statuses.push(403);
    }
    if takes.body {
        statuses.extend([408, 413, 415]);
    }
    if takes.values {
        statuses.push(422);
    }
    statuses.sort_unstable();
    statuses.dedup();
    statuses
}

/// The answer of a status, as it is documented; with an `error` code beside where `oauth` says so.
#[must_use]
pub fn response(status: u16, oauth: bool) -> Value {
    let description = match status {
        400 => "The request can't be read, or is refused for the reason given",
        401 => "Credentials are missing or not good",
        403 => "The caller may not do this",
        404 => "There is no such thing",
        405 => "The path has no such method",
        408 => "The request came too slowly",
        409 => "It would break a rule of the data",
        412 => "The version named is not the current one",
        413 => "The body is too large",
        415 => "The media type is not taken",
        422 => "Values do not fit; each is listed",
        426 => "The operation is a WebSocket: an upgrade is needed",
        429 => "Too many requests",
        431 => "The request's head is too large",
        500 => "A fault of ours",
        502 => "A service's answer breaks its contract",
        503 => "A service can't be reached, or is overloaded",
        _ => "A service did not answer in time",
    };
    let mut response = json!({
        "description": description,
        "content": { PROBLEM_JSON: { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    if oauth {
        // What refuses a request before the operation is reached tells no code, and is a plain problem.
        let schema = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
        response["content"]["application/json"] = schema;
    }
    let header = |text: &str| json!({ "description": text, "schema": { "type": "string" } });
    let headers = match status {
        401 => Some(json!({ "WWW-Authenticate": header("The challenge (RFC 6750)") })),
        405 => Some(json!({ "Allow": header("The methods that the path has") })),
        429 | 503 => Some(json!({ "Retry-After": header("Seconds to wait") })),
        _ => None,
    };
    if let (Some(headers), Some(map)) = (headers, response.as_object_mut()) {
        map.insert("headers".to_owned(), headers);
    }
    response
}

/// The schema of a problem.
#[must_use]
pub fn schema() -> Value {
    json!({
        "type": "object",
        "title": "Problem",
        "description": "A problem answer (RFC 9457).",
        "required": ["type", "title", "status", "detail", "instance", "request_id"],
        "properties": {
            "type": { "type": "string", "format": "uri", "description": "Names the kind of problem.", "example": "urn:platform:problem:not-found" },
            "title": { "type": "string", "description": "The kind of problem, for people.", "example": "Not Found" },
            "status": { "type": "integer", "format": "int32", "description": "The HTTP status, again.", "example": 404 },
            "detail": { "type": "string", "description": "What went wrong this time, for people.", "example": "The user with this username does not exist in the system" },
            "instance": { "type": "string", "description": "The path of the request.", "example": "/api_v1/users/42" },
            "request_id": { "type": "string", "description": "Names this request in the logs.", "example": "0199f0c2b1a47d3e9c5f1e2d3c4b5a69" },
            "error": { "type": "string", "description": "For the OAuth operations: the code of RFC 6749 §5.2.", "example": "invalid_request" },
            "error_description": { "type": "string", "description": "Beside `error`: `detail` again." },
            "errors": { "type": "array", "description": "For 422: every value that does not fit.", "items": { "$ref": "#/components/schemas/Violation" } },
        },
    })
}

/// The schema of one fault of a problem.
#[must_use]
pub fn violation_schema() -> Value {
    json!({
        "type": "object",
        "title": "Violation",
        "description": "One value that does not fit.",
        "required": ["in", "pointer", "detail"],
        "properties": {
            "in": { "type": "string", "enum": ["body", "path", "query", "header"], "description": "Where the value stands." },
            "pointer": { "type": "string", "description": "A JSON Pointer into the body; for a parameter, `/` and its name.", "example": "/email" },
            "detail": { "type": "string", "description": "What is wrong with it.", "example": "value is not a valid email address" },
        },
    })
}
