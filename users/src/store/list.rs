//! Pages of users: filtered, ordered, and by place, so that the hundredth page costs what the first does.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, Order as Direction, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, Value,
    sea_query::{Expr, ExprTrait, LikeExpr, SelectStatement},
};

use super::{
    entity::{role, user},
    failed,
    row::{self, Row},
    search_text,
};
use crate::domain::{
    Filters, Listed, Listing, User, UsersError,
    cursor::Place,
    listing::{By, Key},
};

/// The fewest letters that SQLite's index of them knows, and the most of their runs that are looked up: the rows found are
/// compared with the whole text all the same.
const LETTERS: usize = 3;
const MOST_RUNS: usize = 12;

/// So many rows are sorted sooner than others are passed over to find them in order.
const FEW: u64 = 10_000;

pub(super) async fn list(connection: &impl ConnectionTrait, listing: &Listing) -> Result<Listed, UsersError> {
    let backend = connection.get_database_backend();
    let total = match &listing.after {
        Some(cursor) => cursor.total,
        None => counted(&listing.filters, backend).count(connection).await.map_err(failed)?,
    };
    let rows = page(listing, backend, total).into_model::<Row>().all(connection).await.map_err(failed)?;
    let more = rows.len() as u64 > u64::from(listing.limit);
    let wanted = rows.into_iter().take(listing.limit as usize);
    let users = wanted.map(User::try_from).collect::<Result<_, _>>()?;
    Ok(Listed { users, total, more })
}

/// The rows of the page, and one more where there is one; `total` is how many rows the filters let through.
fn page(listing: &Listing, backend: DbBackend, total: u64) -> Select<user::Entity> {
    let mut query =
        row::select().filter(filter(&listing.filters, backend)).limit(u64::from(listing.limit) + 1);
    if let Some(cursor) = &listing.after {
        query = query.filter(after(listing.order.keys(), &cursor.places));
    }
    if listing.skip > 0 {
        query = query.offset(std::cmp::min(listing.skip, i64::MAX.unsigned_abs()));
    }
    // SQLite would go through the whole table by its id to find the few that are new.
    if backend == DbBackend::Sqlite
        && listing.filters.created_after.is_some()
        && total <= FEW
        && let [By { key: Key::Id, descending }] = listing.order.keys()
    {
        let direction = if *descending { Direction::Desc } else { Direction::Asc };
        return query.order_by(Expr::cust("+users.id"), direction);
    }
    ordered(query, listing.order.keys())
}

/// All rows that the filters let through.
fn counted(filters: &Filters, backend: DbBackend) -> Select<user::Entity> {
    user::Entity::find().select_only().column(user::Column::Id).filter(filter(filters, backend))
}

/// The ids of users with the role.
pub(super) fn with_role(name: &str) -> SelectStatement {
    role::Entity::find()
        .select_only()
        .column(role::Column::UserId)
        .filter(role::Column::Role.eq(name))
        .into_query()
}

fn filter(filters: &Filters, backend: DbBackend) -> Condition {
    let like = |text: &str| {
        let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        LikeExpr::new(format!("%{escaped}%")).escape('\\')
    };
    let text = filters.text.as_deref().map(search_text);
    Condition::all()
        .add_option(filters.email.as_ref().map(|email| user::Column::EmailCanonical.eq(email.canonical())))
        .add_option(text.as_deref().filter(|_| backend == DbBackend::Sqlite).and_then(letters))
        .add_option(text.as_deref().map(|text| user::Column::SearchText.like(like(text))))
        .add_option(filters.is_active.map(|is_active| user::Column::IsActive.eq(is_active)))
        .add_option(filters.role.as_ref().map(|name| user::Column::Id.in_subquery(with_role(name.as_str()))))
        .add_option(filters.created_after.map(|after| user::Column::CreatedAt.gt(after.microseconds())))
}

/// The rows that hold every run of three letters of the text, by SQLite's index of these. PostgreSQL has one that serves `LIKE`.
fn letters(text: &str) -> Option<Expr> {
    let letters: Vec<char> = text.chars().collect();
    let quoted = |run: &[char]| format!("\"{}\"", run.iter().collect::<String>().replace('"', "\"\""));
    let runs: Vec<String> = letters.windows(LETTERS).take(MOST_RUNS).map(quoted).collect();
    let found = "users.id IN (SELECT rowid FROM users_search WHERE users_search MATCH ?)";
    (!runs.is_empty()).then(|| Expr::cust_with_values(found, [runs.join(" AND ")]))
}

fn column(key: Key) -> user::Column {
    match key {
        Key::Id => user::Column::Id,
        Key::Email => user::Column::EmailCanonical,
        Key::CreatedAt => user::Column::CreatedAt,
        Key::UpdatedAt => user::Column::UpdatedAt,
    }
}

fn ordered(query: Select<user::Entity>, keys: &[By]) -> Select<user::Entity> {
    keys.iter().fold(query, |query, by| {
        query.order_by(column(by.key), if by.descending { Direction::Desc } else { Direction::Asc })
    })
}

/// The rows that stand after a place. With keys a, b and values x, y: `a >= x AND (a > x OR (a = x AND b > y))`. The first
/// half says nothing new; it is what lets both databases begin at the place in the index of `a`.
fn after(keys: &[By], places: &[Place]) -> Condition {
    let Some(((by, rest), (place, places))) = keys.split_first().zip(places.split_first()) else {
        return Condition::all().add(Expr::val(false));
    };
    let column = Expr::col(column(by.key));
    let value = match place {
        Place::Number(number) => Value::from(*number),
        Place::Text(text) => Value::from(text.clone()),
    };
    let beyond =
        if by.descending { column.clone().lt(value.clone()) } else { column.clone().gt(value.clone()) };
    if rest.is_empty() {
        return Condition::all().add(beyond);
    }
    let bound =
        if by.descending { column.clone().lte(value.clone()) } else { column.clone().gte(value.clone()) };
    let level = Condition::all().add(column.eq(value)).add(after(rest, places));
    Condition::all().add(bound).add(Condition::any().add(beyond).add(level))
}

#[cfg(test)]
mod tests;
