//! Form bodies (`application/x-www-form-urlencoded`), as OAuth sends them: each field once, an empty one as if it were not there.

use poem::{FromRequest, Request, RequestBody, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, Registry},
    types::Type,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Problem, ProblemKind, Violation};

/// The media type.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// A form body. Its size, media type and schema an earlier layer has checked.
#[derive(Debug, Clone)]
pub struct Form<T>(pub T);

/// A form as a JSON object of strings (RFC 6749 §3.2: a parameter without a value counts as left out, none stands twice).
///
/// # Errors
/// 400 for a field that stands twice, for bytes that are no UTF-8.
pub fn json(body: &[u8]) -> Result<Vec<u8>, Problem> {
    let malformed = |detail: String| Problem::new(ProblemKind::MalformedRequest, detail);
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        // The parser puts U+FFFD for what is no UTF-8; no name or value of ours has it.
        if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
            return Err(malformed("The form is not UTF-8".to_owned()));
        }
        if value.is_empty() {
            continue;
        }
        if fields.insert(name.clone().into_owned(), Value::String(value.into_owned())).is_some() {
            return Err(malformed("A form field stands twice".to_owned()));
        }
    }
    serde_json::to_vec(&fields).map_err(Problem::internal)
}

impl<'a, T: Type + DeserializeOwned> ApiExtractor<'a> for Form<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType { content_type: FORM, schema: T::schema_ref() }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let bytes = <Vec<u8> as FromRequest>::from_request(request, body).await?;
        let read = serde_json::from_slice(&json(&bytes)?);
        read.map(Self).map_err(|error| Problem::invalid(vec![Violation::body("", error.to_string())]).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_stands_once_and_an_empty_one_not_at_all() {
        let read = |body: &str| json(body.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(read("a=1+2&b=&c=%C3%A9").unwrap(), "{\"a\":\"1 2\",\"c\":\"é\"}");
        for bad in ["a=1&a=2", "a=%FF"] {
            assert_eq!(read(bad).unwrap_err().kind, ProblemKind::MalformedRequest, "{bad}");
        }
        assert_eq!(read("").unwrap(), "{}");
    }
}
