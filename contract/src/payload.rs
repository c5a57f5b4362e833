//! JSON bodies, read and written by serde without a detour through a tree.

pub mod form;

use poem::{FromRequest, IntoResponse, Request, RequestBody, Response, Result, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions,
    payload::{ParsePayload, Payload},
    registry::{MetaMediaType, MetaRequest, MetaResponse, MetaResponses, MetaSchemaRef, Registry},
    types::Type,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Problem, ProblemKind, Violation};

/// A JSON body (`application/json`).
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

/// A JSON Merge Patch (RFC 7396, `application/merge-patch+json`).
#[derive(Debug, Clone)]
pub struct MergePatch<T>(pub T);

impl<T: Type> Payload for Json<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn check_content_type(content_type: &str) -> bool {
        is_media_type(content_type, &["application/json"])
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Type> Payload for MergePatch<T> {
    const CONTENT_TYPE: &'static str = "application/merge-patch+json";

    fn check_content_type(content_type: &str) -> bool {
        is_media_type(content_type, &["application/merge-patch+json"])
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Type + DeserializeOwned> ParsePayload for Json<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> Result<Self> {
        read(request, body).await.map(Self)
    }
}

impl<T: Type + DeserializeOwned> ParsePayload for MergePatch<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> Result<Self> {
        read(request, body).await.map(Self)
    }
}

/// A JSON body that may be left out; then it reads as `{}`.
#[derive(Debug, Clone)]
pub struct OptionalJson<T>(pub T);

impl<T: Type> Payload for OptionalJson<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn check_content_type(content_type: &str) -> bool {
        is_media_type(content_type, &["application/json"])
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Type + DeserializeOwned> ParsePayload for OptionalJson<T> {
    const IS_REQUIRED: bool = false;

    async fn from_request(request: &Request, body: &mut RequestBody) -> Result<Self> {
        read(request, body).await.map(Self)
    }
}

/// The extractor half of a payload: checks the media type, then reads the body.
macro_rules! request_body {
    ($payload:ident) => {
        impl<'a, T: Type + DeserializeOwned> ApiExtractor<'a> for $payload<T> {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
            type ParamType = ();
            type ParamRawType = ();

            fn register(registry: &mut Registry) {
                T::register(registry);
            }

            fn request_meta() -> Option<MetaRequest> {
                Some(MetaRequest {
                    description: None,
                    content: vec![MetaMediaType {
                        content_type: <Self as Payload>::CONTENT_TYPE,
                        schema: T::schema_ref(),
                    }],
                    required: <Self as ParsePayload>::IS_REQUIRED,
                })
            }

            async fn from_request(
                request: &'a Request,
                body: &mut RequestBody,
                _options: ExtractParamOptions<()>,
            ) -> Result<Self> {
                match request.content_type() {
                    Some(given) if Self::check_content_type(given) => {}
                    None if !<Self as ParsePayload>::IS_REQUIRED => {}
                    _ => return Err(unsupported(<Self as Payload>::CONTENT_TYPE).into()),
                }
                <Self as ParsePayload>::from_request(request, body).await
            }
        }
    };
}

request_body!(Json);
request_body!(MergePatch);
request_body!(OptionalJson);

/// 415, naming the media type to send.
#[must_use]
pub fn unsupported(wanted: &str) -> Problem {
    Problem::new(ProblemKind::UnsupportedMediaType, format!("Send the body as {wanted}, in UTF-8"))
}

/// Reads a body whose size and schema an earlier layer has checked; what still does not fit is 422 without a pointer.
async fn read<T: DeserializeOwned>(request: &Request, body: &mut RequestBody) -> Result<T> {
    let bytes = <Vec<u8> as FromRequest>::from_request(request, body).await?;
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
    serde_json::from_slice(text)
        .map_err(|error| Problem::invalid(vec![Violation::body("", error.to_string())]).into())
}

/// Whether a `Content-Type` is one of `accepted`, with no charset other than UTF-8 (RFC 8259 §8.1).
#[must_use]
pub fn is_media_type(content_type: &str, accepted: &[&str]) -> bool {
    let mut parts = content_type.split(';');
    let essence = parts.next().unwrap_or_default().trim();
    accepted.iter().any(|media_type| essence.eq_ignore_ascii_case(media_type))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

impl<T: Serialize> IntoResponse for Json<T>
where
    T: Send,
{
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => Response::builder().header(header::CONTENT_TYPE, "application/json").body(body),
            Err(error) => poem::Error::from(Problem::internal(error)).into_response(),
        }
    }
}

impl<T: Type + Serialize> ApiResponse for Json<T> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "Done",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType { content_type: Self::CONTENT_TYPE, schema: T::schema_ref() }],
                headers: Vec::new(),
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_utf_8_json_is_json() {
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/json; version=1",
        ] {
            assert!(is_media_type(good, &["application/json"]), "{good}");
        }
        for bad in [
            "text/plain",
            "",
            "application/json; charset=latin1",
            "application/jsonp",
            "application/x-www-form-urlencoded",
        ] {
            assert!(!is_media_type(bad, &["application/json"]), "{bad}");
        }
    }
}
