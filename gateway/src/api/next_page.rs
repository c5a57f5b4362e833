//! The `Link` of a list that is read page by page, by the id of the last row of the page before.

use std::fmt::Display;

use poem::Request;

/// The request's own query with `before` set to the last id of this page.
pub(super) fn next_page(request: &Request, last: impl Display) -> String {
    let uri = request.original_uri();
    let kept = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept.filter(|(key, _)| key != "before"))
        .append_pair("before", &last.to_string())
        .finish();
    format!("<{}?{query}>; rel=\"next\"", uri.path())
}
