//! A user's row as JSON by the bare driver: the query of the users service, on the server that it stands on, with no token, no contract
//! and no rules.
//!
//! `read-by-id LISTEN DATABASE_URL`

use std::net::SocketAddr;
use std::sync::Arc;

use contract::Timestamp;
use kit::server::{Limits, Server};
use poem::web::{Data, Json, Path};
use poem::{EndpointExt, Route, get, handler};
use serde::Serialize;
use sqlx::{FromRow, PgPool, SqlitePool};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As the users service asks for it; the place of the id is written differently.
macro_rules! query {
    ($place:literal) => {
        concat!(
            "SELECT id, email, password_hash, is_active, first_name, last_name, must_change_password, epoch, version, created_at, \
             updated_at, verified_email, (SELECT string_agg(user_roles.role, ' ') FROM user_roles WHERE user_roles.user_id = users.id) \
             AS roles FROM users WHERE id = ",
            $place
        )
    };
}

/// Connections to the database at once, as many as the platform has.
const CONNECTIONS: u32 = 10;

#[derive(FromRow)]
#[expect(dead_code, reason = "all columns are read, as the service reads them")]
struct Row {
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

#[derive(Serialize)]
struct User {
    id: i64,
    email: String,
    is_active: bool,
    email_verified: bool,
    first_name: Option<String>,
    last_name: Option<String>,
    roles: Vec<String>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    must_change_password: bool,
}

impl From<Row> for User {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            email_verified: row.verified_email.as_ref() == Some(&row.email),
            email: row.email,
            is_active: row.is_active,
            first_name: row.first_name,
            last_name: row.last_name,
            roles: row.roles.unwrap_or_default().split_whitespace().map(ToOwned::to_owned).collect(),
            created_at: Timestamp::from_microseconds(row.created_at),
            updated_at: Timestamp::from_microseconds(row.updated_at),
            must_change_password: row.must_change_password,
        }
    }
}

enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Pool {
    async fn open(url: &str) -> Result<Self, sqlx::Error> {
        if url.starts_with("postgres") {
            let options = sqlx::postgres::PgPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
            return Ok(Self::Postgres(options.connect(url).await?));
        }
        let options = sqlx::sqlite::SqlitePoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
        Ok(Self::Sqlite(options.connect(url).await?))
    }

    async fn find(&self, id: i64) -> Result<Row, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => sqlx::query_as(query!("?")).bind(id).fetch_one(pool).await,
            Self::Postgres(pool) => sqlx::query_as(query!("$1")).bind(id).fetch_one(pool).await,
        }
    }
}

#[handler]
async fn user(Path(id): Path<i64>, Data(pool): Data<&Arc<Pool>>) -> poem::Result<Json<User>> {
    let row = pool.find(id).await.map_err(poem::error::InternalServerError)?;
    Ok(Json(row.into()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [listen, url] = words.as_slice() else { return Err("usage: read-by-id LISTEN DATABASE_URL".into()) };
    let pool = Arc::new(Pool::open(url).await?);
    let server = Server::bind(listen.parse::<SocketAddr>()?, Limits::default()).await?;
    let app = Route::new().at("/api_v1/users/:id", get(user)).data(pool);
    server.run(app, CancellationToken::new()).await;
    Ok(())
}
