//! What a new service is called, in every form that its files need.

use crate::failure::{Failure, Outcome};

/// Words that Rust, Cargo, Compose or the repository itself keep for themselves.
const KEPT: &[&str] = &[
    "abstract",
    "alloc",
    "api",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "migrate",
    "mod",
    "move",
    "mut",
    "override",
    "pgadmin",
    "platform",
    "postgres",
    "priv",
    "pub",
    "ref",
    "release",
    "return",
    "self",
    "service",
    "static",
    "std",
    "struct",
    "super",
    "target",
    "test",
    "tests",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// The longest name: with `_database_url` behind it, it is still a name everywhere.
const LONGEST: usize = 30;

/// The names of a service and of one of what it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// Such as `orders`: the crate, the module, the section of settings, the path.
    pub(super) service: String,
    /// Such as `order`.
    pub(super) item: String,
}

impl Names {
    /// The names of a service, `item` worked out where it is not given.
    ///
    /// # Errors
    /// A word that can't be both a crate, a module and part of a path.
    pub(super) fn new(service: &str, item: Option<&str>) -> Outcome<Self> {
        let item = match item {
            Some(item) => item.to_owned(),
            None => singular(service).ok_or_else(|| {
                Failure::usage(format!("it is not plain what one of the {service} is called"))
                    .next("Say it by --item, such as --item entry.")
            })?,
        };
        for name in [service, item.as_str()] {
            refuse(name)?;
        }
        if item == service {
            return Err(Failure::usage(format!(
                "the service and one of what it keeps are both called {item}"
            ))
            .next("Name the service in the plural, or give --item."));
        }
        Ok(Self { service: service.to_owned(), item })
    }

    /// A template's text, in which the service is called `widgets`.
    pub(super) fn put_into(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = find(rest) {
            let (before, found) = rest.split_at(at);
            filled.push_str(before);
            let many =
                found.as_bytes().get("widget".len()).is_some_and(|byte| byte.eq_ignore_ascii_case(&b's'));
            let (name, length) =
                if many { (&self.service, "widgets".len()) } else { (&self.item, "widget".len()) };
            if vowel(name) && (before.ends_with(" a ") || before.ends_with("A ")) {
                filled.insert(filled.len() - 1, 'n');
            }
            let (word, after) = found.split_at(length);
            if word.starts_with("WI") {
                filled.push_str(&name.to_uppercase());
            } else if word.starts_with('W') {
                filled.push_str(&titled(name));
            } else {
                filled.push_str(name);
            }
            rest = after;
        }
        filled.push_str(rest);
        filled
    }
}

fn find(text: &str) -> Option<usize> {
    ["widget", "Widget", "WIDGET"].iter().filter_map(|word| text.find(word)).min()
}

fn vowel(name: &str) -> bool {
    name.starts_with(['a', 'e', 'i', 'o', 'u'])
}

/// With its first letter in upper case.
pub(super) fn titled(name: &str) -> String {
    let mut characters = name.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + characters.as_str())
}

fn refuse(name: &str) -> Outcome {
    let fits = (2..=LONGEST).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !fits {
        return Err(Failure::usage(format!("{name:?} can't be the name of a service"))
            .because("it becomes a crate, a module, a section of settings, a database and a path")
            .next(format!("Take one word of 2 to {LONGEST} letters a-z and digits, such as orders.")));
    }
    if KEPT.contains(&name) {
        return Err(Failure::usage(format!("{name} can't be the name of a service"))
            .because("Rust, Cargo, Compose or this repository keep the word for themselves")
            .next("Take another word, such as orders."));
    }
    Ok(())
}

/// One of what an English plural names; nothing where that is not plain.
fn singular(plural: &str) -> Option<String> {
    if let Some(stem) = plural.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        return Some(format!("{stem}y"));
    }
    for ending in ["sses", "shes", "ches", "xes", "zes"] {
        if plural.ends_with(ending) {
            return plural.strip_suffix("es").map(str::to_owned);
        }
    }
    if ["ss", "us", "is"].iter().any(|ending| plural.ends_with(ending)) {
        return None;
    }
    plural.strip_suffix('s').filter(|stem| !stem.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_plural_is_worked_out_where_it_is_plain() {
        for (plural, one) in [
            ("orders", Some("order")),
            ("categories", Some("category")),
            ("boxes", Some("box")),
            ("addresses", Some("address")),
            ("branches", Some("branch")),
            ("invoices", Some("invoice")),
            ("status", None),
            ("stock", None),
            ("analysis", None),
        ] {
            assert_eq!(singular(plural).as_deref(), one, "{plural}");
        }
    }

    #[test]
    fn every_form_of_the_name_is_put_in_with_its_article() {
        let names = Names::new("orders", None).unwrap();
        assert_eq!(
            names.put_into(
                "A widget; create a widget, WidgetsApi, `Widget`, WIDGETS__URL, widgets_id, of the widget"
            ),
            "An order; create an order, OrdersApi, `Order`, ORDERS__URL, orders_id, of the order"
        );
        let names = Names::new("parts", None).unwrap();
        assert_eq!(names.put_into("A widget, a widgets service"), "A part, a parts service");
        let names = Names::new("widgets", None).unwrap();
        assert_eq!(names.put_into("Widgets and a widget"), "Widgets and a widget");
    }

    #[test]
    fn what_can_be_no_crate_or_no_path_is_refused() {
        for name in ["", "o", "Orders", "order-lines", "order_lines", "1st", "types ", "../x", "ordérs"] {
            assert!(Names::new(name, Some("thing")).is_err(), "{name:?}");
        }
        for name in ["self", "target", "tests", "postgres"] {
            let refused = Names::new(name, Some("thing")).unwrap_err();
            assert!(refused.text(false).contains("keep the word"), "{name}");
        }
        assert!(Names::new("stock", None).unwrap_err().text(false).contains("--item"));
        assert!(Names::new("stock", Some("stock")).is_err());
        assert!(Names::new("stock", Some("article")).is_ok());
    }
}
