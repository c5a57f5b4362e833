//! Media types of bodies: which a document lists, and which of them are JSON that can be held to a schema.

use http::StatusCode;

use super::{Breach, Content, Operation};
use crate::{
    Problem,
    payload::{is_media_type, unsupported},
    schema::NodeId,
};

/// How a body is to be treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// There is none, or none that is declared.
    None,
    /// JSON, to be read whole and held to its schema.
    Json,
    /// Anything else: passed on as it comes.
    Opaque,
}

impl Operation {
    /// How a request's body is treated.
    ///
    /// # Errors
    /// 415 for a media type that the document does not list.
    pub fn request_media(&self, content_type: Option<&str>) -> Result<Media, Problem> {
        let Some(content) = &self.request else { return Ok(Media::None) };
        match content_type {
            // An empty body needs no type; whether it may be empty is the check's to say.
            None => Ok(if content.media.iter().any(|(name, _)| is_json(name)) {
                Media::Json
            } else {
                Media::Opaque
            }),
            Some(given) if content.media_named(given).is_none() => Err(unsupported(content.wanted())),
            Some(given) if is_json(given) => Ok(Media::Json),
            Some(_) => Ok(Media::Opaque),
        }
    }

    /// Whether any answer of success is JSON.
    #[must_use]
    pub fn answers_json(&self) -> bool {
        self.responses.iter().any(|(status, content)| {
            (status.starts_with('2') || status == "default")
                && content.media.iter().any(|(name, _)| is_json(name))
        })
    }

    /// How an answer's body is treated.
    ///
    /// # Errors
    /// A status or media type that the document does not list.
    pub fn answer_media(&self, status: StatusCode, content_type: Option<&str>) -> Result<Media, Breach> {
        let content = self.declared(status).ok_or(Breach::UndeclaredStatus(status))?;
        if content.media.is_empty() {
            return Ok(Media::None);
        }
        let unlisted = || Breach::MediaType(content_type.unwrap_or_default().to_owned(), status);
        let given = content_type.ok_or_else(unlisted)?;
        content.media_named(given).ok_or_else(unlisted)?;
        Ok(if is_json(given) { Media::Json } else { Media::Opaque })
    }
}

impl Content {
    pub(super) fn media_named(&self, content_type: &str) -> Option<NodeId> {
        let exact = self.media.iter().find(|(name, _)| is_media_type(content_type, &[essence(name)]));
        exact
            .or_else(|| self.media.iter().find(|(name, _)| in_range(content_type, name)))
            .map(|(_, node)| *node)
    }

    pub(super) fn wanted(&self) -> &str {
        self.media.first().map_or("application/json", |(name, _)| name)
    }
}

/// `application/json` and everything that ends in `+json` (RFC 6839 §3.1).
#[must_use]
pub fn is_json(media_type: &str) -> bool {
    let essence = essence(media_type).to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

/// Whether a media type is in a range such as `text/*` or `*/*` (RFC 9110 §12.5.1), or is listed with parameters of its own.
fn in_range(media_type: &str, range: &str) -> bool {
    let (given, range) = (essence(media_type).to_ascii_lowercase(), essence(range).to_ascii_lowercase());
    match range.strip_suffix("/*") {
        Some("*") => true,
        Some(kind) => given.split('/').next() == Some(kind),
        // Text in another charset is no JSON, and is taken where nothing is held to a schema.
        None => given == range && !is_json(&given),
    }
}

fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_take_what_is_in_them_and_json_is_known_by_its_suffix() {
        for (given, range, fits) in [
            ("image/png", "image/*", true),
            ("image/png", "*/*", true),
            ("text/plain; charset=latin1", "text/plain", true),
            ("application/json; charset=latin1", "application/json", false),
            ("video/mp4", "image/*", false),
        ] {
            assert_eq!(in_range(given, range), fits, "{given} in {range}");
        }
        assert!(is_json("application/problem+json; charset=utf-8") && is_json("Application/JSON"));
        assert!(!is_json("application/jsonl") && !is_json("text/event-stream"));
    }
}
