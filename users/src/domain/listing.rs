//! What to list, in which order, and which page.

use contract::{Email, Role, Timestamp};

use super::{cursor::Cursor, error::UsersError, user::User};

/// Which users.
#[derive(Debug, Clone, Default)]
pub struct Filters {
    /// The one with this address.
    pub email: Option<Email>,
    /// Those whose address or name holds this text, in lower case, NFC.
    pub text: Option<String>,
    /// Active or inactive ones.
    pub is_active: Option<bool>,
    /// Those with this role.
    pub role: Option<Role>,
    /// Those created after this moment.
    pub created_after: Option<Timestamp>,
}

/// A field to order by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The id.
    Id,
    /// The address's canonical form.
    Email,
    /// When the user was created.
    CreatedAt,
    /// When the user was last changed.
    UpdatedAt,
}

/// A field to order by, and which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct By {
    /// The field.
    pub key: Key,
    /// From the greatest to the least.
    pub descending: bool,
}

/// The order of a list. It always ends in a field that no two users share, so that no page repeats or misses one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order(Vec<By>);

impl Default for Order {
    fn default() -> Self {
        Self(vec![By { key: Key::Id, descending: false }])
    }
}

impl Order {
    /// Reads `-created_at,id`. What stands after a unique field changes nothing and is left out.
    ///
    /// # Errors
    /// [`UsersError::Invalid`] for an unknown field.
    pub fn parse(text: &str) -> Result<Self, UsersError> {
        let mut order: Vec<By> = Vec::new();
        for part in text.split(',') {
            let (descending, name) = part.strip_prefix('-').map_or((false, part), |name| (true, name));
            let key = match name {
                "id" => Key::Id,
                "email" => Key::Email,
                "created_at" => Key::CreatedAt,
                "updated_at" => Key::UpdatedAt,
                _ => return Err(UsersError::invalid("sort", format!("has no field {name:?}"))),
            };
            if !order.iter().any(|by| by.key == key) {
                order.push(By { key, descending });
            }
            if matches!(key, Key::Id | Key::Email) {
                return Ok(Self(order));
            }
        }
        order.push(By { key: Key::Id, descending: false });
        Ok(Self(order))
    }

    /// The fields, the first deciding first.
    #[must_use]
    pub fn keys(&self) -> &[By] {
        &self.0
    }
}

/// A page to be fetched.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Which users.
    pub filters: Filters,
    /// In which order.
    pub order: Order,
    /// After which user.
    pub after: Option<Cursor>,
    /// How many to pass over.
    pub skip: u64,
    /// How many at most.
    pub limit: u32,
}

/// A page as the store gives it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The users.
    pub users: Vec<User>,
    /// How many the filters let through in all.
    pub total: u64,
    /// Whether more follow.
    pub more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_ends_in_a_unique_field() {
        let keys = |text: &str| -> Vec<(Key, bool)> {
            Order::parse(text).unwrap().keys().iter().map(|by| (by.key, by.descending)).collect()
        };
        assert_eq!(keys("-created_at"), [(Key::CreatedAt, true), (Key::Id, false)]);
        assert_eq!(keys("-id,created_at"), [(Key::Id, true)]);
        assert_eq!(keys("created_at,-created_at,email"), [(Key::CreatedAt, false), (Key::Email, false)]);
        assert!(Order::parse("password_hash").is_err() && Order::parse("").is_err());
    }
}
