//! What a service answers is shown by browsers on the gateway's own origin. Without more, a page of a service could open `/admin`
//! and act there as whoever is signed in: `Cross-Origin-Opener-Policy` does not part pages of one origin. So its pages
//! get an origin of their own (CSP `sandbox`), unless the settings trust them.

use contract::{Problem, ProblemKind};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::forward::Target;

/// Beside a policy of the service's own; both hold. No `allow-same-origin`, and nothing by which a page it opens could get out.
const SANDBOX: HeaderValue =
    HeaderValue::from_static("sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts");

/// Subtypes of what may be run as a page, or be looked into for one.
const PAGES: [&str; 5] = ["html", "xml", "xsl", "*", "unknown"];

/// How a browser asks for the script of a service worker.
const SERVICE_WORKER: HeaderName = HeaderName::from_static("service-worker");

impl Target {
    /// Refuses the script of a service worker: it would answer for the gateway, and outlive the page that registered it.
    pub(super) fn check_worker(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if headers.contains_key(SERVICE_WORKER) && !self.rules.trusted_pages {
            return Err(Problem::new(ProblemKind::Forbidden, "No service worker may be registered here"));
        }
        Ok(())
    }

    /// Gives a page an origin of its own. To be done last, so that no change of fields undoes it.
    pub(super) fn confine(&self, status: StatusCode, headers: &mut HeaderMap) {
        if !self.rules.trusted_pages && may_be_page(status, headers) {
            headers.append(header::CONTENT_SECURITY_POLICY, SANDBOX);
        }
    }
}

/// Whether a browser may run what is answered as a page.
fn may_be_page(status: StatusCode, headers: &HeaderMap) -> bool {
    if status == StatusCode::NOT_MODIFIED {
        // Its policy replaces that of the page that is stored.
        return headers.contains_key(header::CONTENT_SECURITY_POLICY);
    }
    let mut types = headers.get_all(header::CONTENT_TYPE).iter().peekable();
    if types.peek().is_none() {
        let is_empty = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length == "0");
        return status != StatusCode::NO_CONTENT && !is_empty;
    }
    // Of several the browser takes one, and not always the same.
    types.any(|value| value.to_str().map_or(true, |value| value.split(',').any(is_page)))
}

/// HTML, and whatever XML there is: SVG and XHTML stand in any. Parts of a `multipart` have types of their own.
fn is_page(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let Some((kind, subtype)) = essence.split_once('/') else { return true };
    kind == "multipart" || subtype.ends_with("+xml") || PAGES.contains(&subtype)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_held(status: u16, fields: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        may_be_page(StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn whatever_a_browser_may_run_as_a_page_is_one() {
        for kind in [
            "text/html",
            "TEXT/HTML; charset=utf-8",
            " text/html",
            "application/xhtml+xml",
            "image/svg+xml;a=b",
            "application/xml",
            "text/xml",
            "text/xsl",
            "application/atom+xml",
            "multipart/x-mixed-replace; boundary=b",
            "text/plain, text/html",
            "*/*",
            "application/unknown",
            "html",
            "",
        ] {
            assert!(
                is_held(200, &[("content-type", kind)]) && is_held(500, &[("content-type", kind)]),
                "{kind}"
            );
        }
        assert!(is_held(200, &[("content-type", "text/plain"), ("content-type", "text/html")]));
        assert!(is_held(200, &[]));
        assert!(is_held(304, &[("content-security-policy", "default-src 'self'")]));
        for kind in [
            "application/json",
            "application/problem+json",
            "text/plain",
            "text/css",
            "text/javascript",
            "text/event-stream",
            "image/png",
            "application/pdf",
            "application/octet-stream",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ] {
            assert!(!is_held(200, &[("content-type", kind)]), "{kind}");
        }
        assert!(!is_held(204, &[]) && !is_held(304, &[]) && !is_held(200, &[("content-length", "0")]));
    }
}
