//! Between a row and a user.

use std::{collections::BTreeSet, sync::OnceLock};

use contract::{Role, Timestamp, UserId};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QuerySelect,
    QueryTrait, Select, Statement, sea_query::Expr,
};
use unicode_normalization::UnicodeNormalization;

use super::{entity::user, gathered::MOST};
use crate::domain::{User, UsersError, password::PasswordHash};

/// The roles of the row's user, in one text: one statement a user, not two.
const ROLES: &str =
    "(SELECT string_agg(user_roles.role, ' ') FROM user_roles WHERE user_roles.user_id = users.id)";

/// A user's row with its roles.
#[derive(Debug, FromQueryResult)]
pub(super) struct Row {
    id: i64,
    email: String,
    password_hash: String,
    is_active: bool,
    first_name: Option<String>,
    last_name: Option<String>,
    must_change_password: bool,
    epoch: i64,
    version: i64,
    created_at: i64,
    updated_at: i64,
    verified_email: Option<String>,
    roles: Option<String>,
}

/// Selects what [`Row`] holds.
pub(super) fn select() -> Select<user::Entity> {
    user::Entity::find()
        .select_only()
        .columns([
            user::Column::Id,
            user::Column::Email,
            user::Column::PasswordHash,
            user::Column::IsActive,
            user::Column::FirstName,
            user::Column::LastName,
            user::Column::MustChangePassword,
            user::Column::Epoch,
            user::Column::Version,
            user::Column::CreatedAt,
            user::Column::UpdatedAt,
            user::Column::VerifiedEmail,
        ])
        .expr_as(Expr::cust(ROLES), "roles")
}

/// The statement that reads some users.
pub(super) struct ByIds {
    pub(super) text: &'static str,
    pub(super) parameters: Vec<i64>,
}

/// By far the most frequent statement of all: its texts are made once, for powers of two of ids, so that a connection keeps few of them
/// prepared. The last id stands in the places that are left.
pub(super) fn by_ids(backend: DbBackend, ids: &[UserId]) -> ByIds {
    static SQLITE: Texts = Texts([const { OnceLock::new() }; SIZES]);
    static POSTGRES: Texts = Texts([const { OnceLock::new() }; SIZES]);
    let texts = if backend == DbBackend::Postgres { &POSTGRES } else { &SQLITE };
    let places = ids.len().next_power_of_two();
    let left = std::iter::repeat(ids.last().unwrap_or(&UserId(0)));
    let parameters = ids.iter().chain(left).take(places).map(|id| id.0).collect();
    ByIds { text: texts.of(backend, places), parameters }
}

impl ByIds {
    pub(super) fn statement(self, backend: DbBackend) -> Statement {
        Statement::from_sql_and_values(backend, self.text, self.parameters.into_iter().map(Into::into))
    }
}

/// Of statements for 1, 2, 4 ids and so on.
struct Texts([OnceLock<String>; SIZES]);

/// How many of them there are up to [`MOST`].
const SIZES: usize = MOST.ilog2() as usize + 1;

impl Texts {
    fn of(&'static self, backend: DbBackend, places: usize) -> &'static str {
        self.0[places.ilog2() as usize].get_or_init(|| {
            let ids = std::iter::repeat_n(0_i64, places);
            select().filter(user::Column::Id.is_in(ids)).build(backend).sql
        })
    }
}

impl TryFrom<Row> for User {
    type Error = UsersError;

    fn try_from(row: Row) -> Result<Self, UsersError> {
        let broken = |what: &str| UsersError::Failed(format!("the row of user {} holds no {what}", row.id));
        let roles = row.roles.as_deref().unwrap_or_default().split_whitespace().map(str::parse);
        Ok(Self {
            id: UserId(row.id),
            email: row.email.parse().map_err(|_| broken("e-mail address"))?,
            is_active: row.is_active,
            roles: roles.collect::<Result<BTreeSet<Role>, _>>().map_err(|_| broken("roles"))?,
            created_at: Timestamp::from_microseconds(row.created_at)
                .ok_or_else(|| broken("creation time"))?,
            updated_at: Timestamp::from_microseconds(row.updated_at)
                .ok_or_else(|| broken("time of change"))?,
            must_change_password: row.must_change_password,
            epoch: row.epoch,
            version: row.version,
            first_name: row.first_name,
            last_name: row.last_name,
            password_hash: PasswordHash::from(row.password_hash),
            verified_email: row.verified_email,
        })
    }
}

/// Every column that a change can touch. Not the id, not the time of creation.
pub(super) fn columns(user: &User) -> user::ActiveModel {
    user::ActiveModel {
        email: Set(user.email.as_written().to_owned()),
        email_canonical: Set(user.email.canonical().to_owned()),
        password_hash: Set(user.password_hash.expose().to_owned()),
        is_active: Set(user.is_active),
        first_name: Set(user.first_name.clone()),
        last_name: Set(user.last_name.clone()),
        search_text: Set(search_text_of(user)),
        must_change_password: Set(user.must_change_password),
        epoch: Set(user.epoch),
        version: Set(user.version),
        verified_email: Set(user.verified_email.clone()),
        updated_at: Set(user.updated_at.microseconds()),
        ..Default::default()
    }
}

fn search_text_of(user: &User) -> String {
    let names = [&user.first_name, &user.last_name].into_iter().flatten().map(String::as_str);
    let parts: Vec<&str> =
        [user.email.canonical(), user.email.as_written()].into_iter().chain(names).collect();
    search_text(&parts.join(" "))
}

/// The form in which texts are searched: lower case by Unicode, NFC. SQLite's own `lower` knows ASCII alone.
pub(super) fn search_text(text: &str) -> String {
    text.to_lowercase().nfc().collect()
}
