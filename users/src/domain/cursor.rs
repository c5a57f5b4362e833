//! A place in a list: the sort values of the last user of a page, in a text that clients hand back as it is.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{
    error::UsersError,
    listing::{Filters, Key, Order},
    user::User,
};

/// One sort value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// A number: the id, or microseconds.
    Number(i64),
    /// A text: the address.
    Text(String),
}

/// A place in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The values of the user before, one a key of the order.
    pub places: Vec<Place>,
    /// How many users the filters let through, counted for the first page: counting again would cost every page the
    /// whole list.
    pub total: u64,
}

impl Cursor {
    /// The place after `user`.
    #[must_use]
    pub fn after(user: &User, order: &Order, total: u64) -> Self {
        let place = |key| match key {
            Key::Id => Place::Number(user.id.0),
            Key::Email => Place::Text(user.email.canonical().to_owned()),
            Key::CreatedAt => Place::Number(user.created_at.microseconds()),
            Key::UpdatedAt => Place::Number(user.updated_at.microseconds()),
        };
        Self { places: order.keys().iter().map(|by| place(by.key)).collect(), total }
    }

    /// The cursor as text, good for a list of the same filters and order.
    #[must_use]
    pub fn encode(&self, filters: &Filters, order: &Order) -> String {
        let body = serde_json::to_string(&(&self.places, self.total)).unwrap_or_default();
        let seal = seal(&body, filters, order);
        URL_SAFE_NO_PAD.encode(format!("{seal:016x}{body}"))
    }

    /// Reads a cursor's text.
    ///
    /// # Errors
    /// [`UsersError::Invalid`] where it was changed, or comes from a list of other filters or order.
    pub fn decode(text: &str, filters: &Filters, order: &Order) -> Result<Self, UsersError> {
        Self::read(text, filters, order).ok_or_else(|| {
            UsersError::invalid("after", "is no cursor of a list with these filters and this order")
        })
    }

    fn read(text: &str, filters: &Filters, order: &Order) -> Option<Self> {
        let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (sealed, body) = plain.split_at_checked(16)?;
        if sealed != format!("{:016x}", seal(body, filters, order)) {
            return None;
        }
        let (places, total): (Vec<Place>, u64) = serde_json::from_str(body).ok()?;
        let fits = places.len() == order.keys().len()
            && places.iter().zip(order.keys()).all(|(place, by)| {
                matches!((place, by.key), (Place::Text(text), Key::Email) if !text.contains('\0'))
                    || matches!(
                        (place, by.key),
                        (Place::Number(_), Key::Id | Key::CreatedAt | Key::UpdatedAt)
                    )
            });
        fits.then_some(Self { places, total })
    }
}

/// A checksum (FNV-1a) that finds a cursor mistyped or used with another list. Not a secret: a place in a list that the
/// caller may read gives nothing away.
fn seal(body: &str, filters: &Filters, order: &Order) -> u64 {
    let email = filters.email.as_ref().map(contract::Email::canonical);
    let list = format!(
        "{body}\n{email:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{order:?}",
        filters.text, filters.is_active, filters.role, filters.created_after
    );
    list.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order(text: &str) -> Order {
        Order::parse(text).unwrap()
    }

    proptest! {
        #[test]
        fn a_cursor_survives_its_text(at in any::<i64>(), id in any::<i64>(), total in 0..u64::MAX) {
            let cursor = Cursor { places: vec![Place::Number(at), Place::Number(id)], total };
            let order = order("-created_at");
            let text = cursor.encode(&Filters::default(), &order);
            prop_assert_eq!(Cursor::decode(&text, &Filters::default(), &order), Ok(cursor));
        }

        #[test]
        fn no_other_text_is_a_cursor(text in ".{0,80}") {
            prop_assert!(Cursor::decode(&text, &Filters::default(), &Order::default()).is_err());
        }

        #[test]
        fn a_changed_cursor_is_refused(index in 0_usize..30, with in "[A-Za-z0-9_-]") {
            let cursor = Cursor { places: vec![Place::Number(1_000_000)], total: 12 };
            let mut text = cursor.encode(&Filters::default(), &Order::default());
            let index = index.min(text.len() - 2);
            if text[index..=index] != with {
                text.replace_range(index..=index, &with);
                prop_assert!(Cursor::decode(&text, &Filters::default(), &Order::default()).is_err());
            }
        }
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let text =
            Cursor { places: vec![Place::Number(1)], total: 1 }.encode(&Filters::default(), &order("id"));
        let other = Filters { is_active: Some(true), ..Filters::default() };
        assert!(Cursor::decode(&text, &other, &order("id")).is_err());
        assert!(Cursor::decode(&text, &Filters::default(), &order("-id")).is_err());
    }
}
