//! The header fields of a composed answer: what may be kept of it is the least of its parts, what it varies by all of theirs.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};

use crate::policy::cache::{directives::Directives, key};

/// What a part says of how long its answer may be used.
struct Said {
    directives: Directives,
    age: Duration,
}

impl Said {
    fn of(headers: &HeaderMap) -> Self {
        let age = headers.get(header::AGE).and_then(|age| age.to_str().ok()?.trim().parse().ok());
        Self { directives: Directives::of(headers), age: Duration::from_secs(age.unwrap_or(0)) }
    }

    /// What is left of a lifetime. Who names none by `Cache-Control` gives none away.
    fn left(&self, names: &[&str]) -> u64 {
        let lifetime = names.iter().find_map(|name| self.directives.seconds(name)).unwrap_or_default();
        lifetime.saturating_sub(self.age).as_secs()
    }
}

/// `Cache-Control` and `Vary` of an answer that is made of answers with these fields.
pub(super) fn least<'h>(parts: impl Iterator<Item = &'h HeaderMap> + Clone) -> HeaderMap {
    let said: Vec<Said> = parts.clone().map(Said::of).collect();
    let any = |name: &str| said.iter().any(|part| part.directives.has(name));
    let mut headers = HeaderMap::new();
    let mut control: Vec<String> = Vec::new();
    if any("no-store") {
        control.push("no-store".to_owned());
    } else {
        if any("private") {
            control.push("private".to_owned());
        } else if !said.is_empty() && said.iter().all(|part| part.directives.has("public")) {
            control.push("public".to_owned());
        }
        for name in ["no-cache", "must-revalidate", "proxy-revalidate", "no-transform"] {
            if any(name) {
                control.push(name.to_owned());
            }
        }
        let least = |names: &[&str]| said.iter().map(|part| part.left(names)).min().unwrap_or(0);
        control.push(format!("max-age={}", least(&["max-age"])));
        if any("s-maxage") && !any("private") {
            control.push(format!("s-maxage={}", least(&["s-maxage", "max-age"])));
        }
    }
    if let Ok(control) = HeaderValue::try_from(control.join(", ")) {
        headers.insert(header::CACHE_CONTROL, control);
    }
    let mut names: Vec<String> = Vec::new();
    for part in parts {
        match key::vary(part) {
            Some(more) => names.extend(more),
            None => names.push("*".to_owned()),
        }
    }
    names.sort_unstable();
    names.dedup();
    if names.iter().any(|name| name == "*") {
        names = vec!["*".to_owned()];
    }
    if let Ok(vary) = HeaderValue::try_from(names.join(", "))
        && !names.is_empty()
    {
        headers.insert(header::VARY, vary);
    }
    headers
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(control: Option<&str>, vary: &[&str], age: u64) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(control) = control {
            headers.insert(header::CACHE_CONTROL, control.parse().unwrap());
        }
        for name in vary {
            headers.append(header::VARY, name.parse().unwrap());
        }
        headers.insert(header::AGE, age.into());
        headers
    }

    fn told(parts: &[HeaderMap]) -> (String, String) {
        let headers = least(parts.iter());
        let text =
            |name| headers.get(name).map_or("", |value: &HeaderValue| value.to_str().unwrap()).to_owned();
        (text(header::CACHE_CONTROL), text(header::VARY))
    }

    #[test]
    fn it_is_the_least_of_the_parts_and_varies_by_all_they_vary_by() {
        for (parts, control, vary) in [
            (
                vec![
                    fields(Some("public, max-age=60"), &["Accept-Language"], 0),
                    fields(Some("max-age=30, public"), &["accept-language, X-Tenant"], 10),
                ],
                "public, max-age=20",
                "accept-language, x-tenant",
            ),
            (
                vec![fields(Some("public, max-age=60"), &[], 0), fields(Some("private, max-age=90"), &[], 0)],
                "private, max-age=60",
                "",
            ),
            (vec![fields(Some("max-age=60"), &[], 0), fields(None, &[], 0)], "max-age=0", ""),
            (
                vec![fields(Some("max-age=60"), &["a"], 0), fields(Some("no-store"), &["*"], 0)],
                "no-store",
                "*",
            ),
            (
                vec![
                    fields(Some("max-age=60, s-maxage=600"), &[], 0),
                    fields(Some("max-age=70, no-cache"), &[], 0),
                ],
                "no-cache, max-age=60, s-maxage=70",
                "",
            ),
            (vec![fields(Some("max-age=60"), &[], 99)], "max-age=0", ""),
        ] {
            assert_eq!(told(&parts), (control.to_owned(), vary.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn no_part_s_word_is_ever_exceeded(parts in prop::collection::vec((0_u64..100, 0_u64..100, any::<bool>(), any::<bool>(), any::<bool>()), 1..5)) {
            let fields: Vec<HeaderMap> = parts.iter().map(|(lifetime, age, private, public, no_store)| {
                let mut control = format!("max-age={lifetime}");
                for (is_said, name) in [(private, ", private"), (public, ", public"), (no_store, ", no-store")] {
                    if *is_said {
                        control.push_str(name);
                    }
                }
                super::tests::fields(Some(&control), &[], *age)
            }).collect();
            let headers = least(fields.iter());
            let said = Directives::of(&headers);
            if parts.iter().any(|(.., no_store)| *no_store) {
                prop_assert!(said.has("no-store"));
            } else {
                prop_assert_eq!(said.has("private"), parts.iter().any(|(_, _, private, ..)| *private));
                prop_assert!(!said.has("public") || parts.iter().all(|(_, _, private, public, _)| *public && !private));
                for (lifetime, age, ..) in &parts {
                    prop_assert!(said.seconds("max-age").unwrap().as_secs() <= lifetime.saturating_sub(*age));
                }
            }
        }
    }
}
