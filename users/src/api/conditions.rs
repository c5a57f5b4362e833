//! Entity tags and the conditions on them (RFC 9110 §8.8.3, §13.1).

use contract::users::port::Conditions;

use crate::domain::{Precondition, User};

/// The strong entity tag of the user as it is.
pub(super) fn etag(user: &User) -> String {
    format!("\"{}\"", user.tag())
}

/// Which version a change is meant for. `If-Match: *` holds for every user that exists, and one that does not exist is
/// another matter; `If-None-Match: *` holds for none.
pub(super) fn of_change(conditions: &Conditions) -> Precondition {
    match (&conditions.if_match, &conditions.if_none_match) {
        (Some(if_match), _) if if_match.trim() != "*" => {
            // Strong comparison: a weak tag matches nothing.
            Precondition::OneOf(
                tags(if_match).filter(|tag| !tag.weak).map(|tag| tag.value.to_owned()).collect(),
            )
        }
        (None, Some(if_none_match)) if if_none_match.trim() == "*" => Precondition::Absent,
        _ => Precondition::None,
    }
}

/// Whether the client's copy is the current one (weak comparison).
pub(super) fn is_current(conditions: &Conditions, user: &User) -> bool {
    conditions.if_none_match.as_deref().is_some_and(|if_none_match| {
        if_none_match.trim() == "*" || tags(if_none_match).any(|tag| tag.value == user.tag())
    })
}

struct Tag<'t> {
    weak: bool,
    value: &'t str,
}

/// The tags of a list. Our own tags hold no comma and no quote, so what is no tag of ours may be cut anywhere.
fn tags(list: &str) -> impl Iterator<Item = Tag<'_>> {
    list.split(',').filter_map(|part| {
        let part = part.trim();
        let (weak, quoted) = part.strip_prefix("W/").map_or((false, part), |rest| (true, rest));
        let value = quoted.strip_prefix('"')?.strip_suffix('"')?;
        Some(Tag { weak, value })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(if_match: Option<&str>, if_none_match: Option<&str>) -> Precondition {
        of_change(&Conditions {
            if_match: if_match.map(str::to_owned),
            if_none_match: if_none_match.map(str::to_owned),
        })
    }

    #[test]
    fn a_change_is_meant_for_the_tags_it_names() {
        let one_of = |tags: &[&str]| Precondition::OneOf(tags.iter().map(|tag| (*tag).to_owned()).collect());
        assert_eq!(change(None, None), Precondition::None);
        assert_eq!(change(Some("*"), None), Precondition::None);
        assert_eq!(change(None, Some("*")), Precondition::Absent);
        assert_eq!(change(Some("\"1.2\" , W/\"1.3\",\"1.4\""), None), one_of(&["1.2", "1.4"]));
        assert_eq!(change(Some("nonsense"), None), one_of(&[]));
    }
}
