//! A call that would be made, for people.

use http::{HeaderMap, header};
use serde_json::{Map, Value, json};

use super::{
    call::{Call, CallBody},
    pool::Upstream,
};
use crate::policy::budget;

impl Upstream {
    /// What would be sent, and under which limits.
    pub(super) fn told(&self, call: &Call) -> Value {
        let limits = &self.limits;
        let milliseconds = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        json!({
            "service": limits.service,
            "method": call.method.as_str(),
            "target": call.target.as_str(),
            "headers": headers(&call.headers),
            "body": match &call.body {
                CallBody::Whole(bytes) if bytes.is_empty() => json!("none"),
                CallBody::Whole(bytes) => json!({ "bytes": bytes.len(), "text": String::from_utf8_lossy(bytes) }),
                CallBody::Stream(_) => json!("passed on as it comes"),
            },
            "instances": self.health(),
            "urls": self.urls(),
            "time": {
                "total_ms": call.total.map(milliseconds),
                "first_byte_ms": milliseconds(limits.first_byte_time.unwrap_or(limits.total_time)),
                "idle_ms": milliseconds(limits.idle_time),
            },
            "retry": {
                "may_be_repeated": call.idempotent,
                "further_attempts": if call.idempotent { limits.retries } else { 0 },
                "budget_percent": budget::PERCENT,
            },
        })
    }
}

/// Fields in their order; a token is told by its claims, which are no secret, and never as it is.
fn headers(headers: &HeaderMap) -> Vec<Value> {
    let value = |name: &http::HeaderName, value: &http::HeaderValue| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        match text.split_once(' ') {
            Some((scheme, token)) if name == header::AUTHORIZATION => {
                format!("{scheme} *** ({})", claims(token).unwrap_or_else(|| "a token".to_owned()))
            }
            _ if name == header::AUTHORIZATION || name == header::COOKIE => "***".to_owned(),
            _ => text,
        }
    };
    headers.iter().map(|(name, field)| json!([name.as_str(), value(name, field)])).collect()
}

/// What an internal token says, without its signature.
fn claims(token: &str) -> Option<String> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Map<String, Value> = serde_json::from_slice(&claims).ok()?;
    let told = ["aud", "sub", "roles", "scope"].iter().filter_map(|name| {
        let value = claims.get(*name)?;
        Some(format!("{name}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
    });
    Some(told.collect::<Vec<_>>().join(", "))
}
