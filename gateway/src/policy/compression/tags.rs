//! Entity tags of answers that are compressed on their way (RFC 9110 §8.8.3).
//!
//! A strong tag stands for exact bytes; the bytes of a compressed answer are others, and no two versions of a library make the
//! same. So it goes out weak, as nginx has it: W/"v1" for "v1". A tag with the coding in it (Apache's "v1-gzip") would promise the
//! bytes after all, and reach services that have never heard of it. What comes back is read both ways: for `If-None-Match`, which compares
//! weakly, "v1" stands beside W/"v1", as some services compare texts; for `If-Match`, which compares strongly and would never hold
//! again, "v1" stands in its place. A service whose own tag is weak answers 412 to that as it did before.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// One tag: whether it is weak, and what stands in quotes, with them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag<'t> {
    is_weak: bool,
    text: &'t str,
}

/// The tag of the compressed answer.
pub(crate) fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()) else { return };
    if tag.starts_with('"')
        && let Ok(weak) = HeaderValue::try_from(format!("W/{tag}"))
    {
        headers.insert(header::ETAG, weak);
    }
}

/// Gives a service the tags of a request's conditions as it may know them. Tells whether any of `If-None-Match` was weak.
pub(crate) fn restore(headers: &mut HeaderMap) -> Option<KnownTags> {
    rewrite(headers, &header::IF_MATCH, |tag, written| written.push(tag.text.to_owned()));
    let known = joined(headers, &header::IF_NONE_MATCH)?;
    rewrite(headers, &header::IF_NONE_MATCH, |tag, written| {
        written.push(tag.text.to_owned());
        if tag.is_weak {
            written.push(format!("W/{}", tag.text));
        }
    });
    Some(KnownTags(known))
}

/// What a client has, as it said itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownTags(String);

impl KnownTags {
    /// Whether the client has what this tag stands for, and calls it weak: the tag then goes out as the client knows it.
    pub(crate) fn has_weak(&self, headers: &HeaderMap) -> bool {
        let Some(tag) = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()) else { return false };
        let text = tag.strip_prefix("W/").unwrap_or(tag);
        let listed = list(&self.0).unwrap_or_default();
        let is_named =
            |is_weak: bool| listed.iter().any(|known| known.text == text && known.is_weak == is_weak);
        is_named(true) && !is_named(false)
    }
}

fn rewrite(headers: &mut HeaderMap, name: &HeaderName, write: impl Fn(&Tag<'_>, &mut Vec<String>)) {
    let Some(text) = joined(headers, name) else { return };
    let Some(tags) = list(&text).filter(|tags| tags.iter().any(|tag| tag.is_weak)) else { return };
    let mut written = Vec::new();
    for tag in &tags {
        write(tag, &mut written);
    }
    if let Ok(value) = HeaderValue::try_from(written.join(", ")) {
        headers.insert(name, value);
    }
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Option<Vec<&str>> = headers.get_all(name).iter().map(|value| value.to_str().ok()).collect();
    values.filter(|values| !values.is_empty()).map(|values| values.join(", "))
}

/// The tags of a list; nothing for `*` and for what is no list of tags. A comma may stand within a tag.
fn list(text: &str) -> Option<Vec<Tag<'_>>> {
    let mut tags = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (is_weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let end = quoted.strip_prefix('"')?.find('"')? + 2;
        tags.push(Tag { is_weak, text: quoted.get(..end)? });
        rest = quoted.get(end..)?.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(more) => more.trim_start_matches([' ', '\t', ',']),
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    Some(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_tag_goes_out_weak_and_comes_back_as_the_service_knows_it() {
        let mut answer = head(header::ETAG, "\"v1\"");
        weaken(&mut answer);
        weaken(&mut answer);
        assert_eq!(answer["etag"], "W/\"v1\"");
        for (sent, passed) in [
            ("W/\"v1\"", "\"v1\""),
            ("\"v1\"", "\"v1\""),
            ("*", "*"),
            ("\"a,b\", W/\"c\"", "\"a,b\", \"c\""),
            ("no tag", "no tag"),
        ] {
            let mut asked = head(header::IF_MATCH, sent);
            restore(&mut asked);
            assert_eq!(asked["if-match"], passed, "{sent}");
        }
        for (sent, passed) in [
            ("W/\"v1\"", "\"v1\", W/\"v1\""),
            ("\"v1\"", "\"v1\""),
            ("*", "*"),
            ("\"a\", W/\"b\"", "\"a\", \"b\", W/\"b\""),
            ("W/\"open", "W/\"open"),
        ] {
            let mut asked = head(header::IF_NONE_MATCH, sent);
            restore(&mut asked);
            assert_eq!(asked["if-none-match"], passed, "{sent}");
        }
    }

    #[test]
    fn a_304_has_the_tag_in_the_form_in_which_the_client_has_it() {
        for (sent, tag, weak) in [
            ("W/\"v1\"", "\"v1\"", true),
            ("W/\"v1\"", "W/\"v1\"", true),
            ("\"v1\"", "\"v1\"", false),
            ("\"v1\", W/\"v1\"", "\"v1\"", false),
            ("W/\"v2\"", "\"v1\"", false),
            ("*", "\"v1\"", false),
        ] {
            let known = restore(&mut head(header::IF_NONE_MATCH, sent)).unwrap();
            assert_eq!(known.has_weak(&head(header::ETAG, tag)), weak, "{sent} {tag}");
        }
        assert_eq!(restore(&mut HeaderMap::new()), None);
    }
}
