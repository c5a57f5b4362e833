//! Reads a service's OpenAPI document, JSON or YAML, from a file or from the service itself.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use url::Url;

use crate::upstream::{self, Roots};

/// Bytes of a document at most.
const DOCUMENT_BYTES: usize = 32 * 1024 * 1024;

/// How long reading one from a service may take.
const READ_TIME: Duration = Duration::from_secs(10);

/// Where a document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A file.
    File(PathBuf),
    /// An address, usually the service's own.
    Url(Url),
}

/// A document that can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceFault {
    /// The file can't be read.
    #[error("{file} can't be read: {1}", file = .0.display())]
    File(PathBuf, String),
    /// The address does not answer with a document.
    #[error("{0} can't be read: {1}")]
    Url(Url, String),
    /// It is neither JSON nor YAML.
    #[error("{0} is neither JSON nor YAML: {1}")]
    Syntax(String, String),
    /// It is something else than OpenAPI 3.0 or 3.1.
    #[error("{0} is no OpenAPI 3.0 or 3.1 document: its `openapi` is {1}")]
    Version(String, String),
}

impl Source {
    /// What `text` names: an `http://` or `https://` address, or a file seen from `folder`.
    pub(super) fn named(text: &str, folder: &Path) -> Self {
        match text.parse::<Url>() {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Self::Url(url),
            _ => Self::File(folder.join(text)),
        }
    }

    /// Reads the document, over TLS from whom `roots` or the system trusts.
    ///
    /// # Errors
    /// [`SourceFault`].
    pub(super) async fn read(&self, roots: &Roots) -> Result<Value, SourceFault> {
        let (name, bytes) = match self {
            Self::File(path) => {
                let fail = |problem: String| SourceFault::File(path.clone(), problem);
                let bytes = tokio::fs::read(path).await.map_err(|error| fail(error.to_string()))?;
                if bytes.len() > DOCUMENT_BYTES {
                    return Err(fail(format!("it has more than {DOCUMENT_BYTES} bytes")));
                }
                (path.display().to_string(), bytes)
            }
            Self::Url(url) => (
                url.to_string(),
                fetch(url, roots).await.map_err(|problem| SourceFault::Url(url.clone(), problem))?,
            ),
        };
        parse(&name, &bytes)
    }
}

/// Reads JSON or YAML; both may start with a byte order mark.
fn parse(name: &str, bytes: &[u8]) -> Result<Value, SourceFault> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let syntax = |problem: String| SourceFault::Syntax(name.to_owned(), problem);
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let document: Value = if first == Some(&b'{') {
        serde_json::from_slice(bytes).map_err(|error| syntax(error.to_string()))?
    } else {
        serde_norway::from_slice(bytes).map_err(|error| syntax(error.to_string()))?
    };
    match document.get("openapi") {
        Some(Value::String(version)) if version.starts_with("3.0") || version.starts_with("3.1") => {
            Ok(document)
        }
        Some(other) => Err(SourceFault::Version(name.to_owned(), other.to_string())),
        None => Err(SourceFault::Version(name.to_owned(), "not there".to_owned())),
    }
}

async fn fetch(url: &Url, roots: &Roots) -> Result<Vec<u8>, String> {
    let told = |error: reqwest::Error| error.without_url().to_string();
    let told_whole = |error: reqwest::Error| upstream::chain(&error.without_url());
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_merge(roots.certificates().map_err(told)?)
        .timeout(READ_TIME)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(told)?;
    let mut answer = client.get(url.clone()).send().await.map_err(told_whole)?;
    if answer.status() != http::StatusCode::OK {
        return Err(format!("it answers with status {}", answer.status().as_u16()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(told)? {
        if bytes.len() + chunk.len() > DOCUMENT_BYTES {
            return Err(format!("it has more than {DOCUMENT_BYTES} bytes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_yaml_are_read_and_anything_else_is_told() {
        for text in
            ["{\"openapi\":\"3.0.3\"}", "\u{feff}{\"openapi\":\"3.1.0\"}", "openapi: 3.1.0\npaths: {}\n"]
        {
            assert!(parse("o", text.as_bytes()).is_ok(), "{text}");
        }
        for (text, part) in [
            ("swagger: '2.0'", "not there"),
            ("openapi: 4.0.0", "4.0.0"),
            ("{\"openapi\":", "neither JSON nor YAML"),
            ("\t- a: [", "neither JSON nor YAML"),
        ] {
            let fault = parse("o.yaml", text.as_bytes()).unwrap_err().to_string();
            assert!(fault.contains(part) && fault.contains("o.yaml"), "{fault}");
        }
    }
}
