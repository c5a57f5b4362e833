//! The users of another system, read out of the PostgreSQL table in which it keeps them. Nothing is ever written there.

use std::collections::BTreeMap;

use kit::database::{Database, DatabaseError, DatabaseUrl};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value};

/// What a user may have, and how other systems name the column.
const COLUMNS: [(&str, &[&str]); 5] = [
    ("email", &["email"]),
    ("password_hash", &["hashed_password", "password_hash", "password"]),
    ("first_name", &["first_name"]),
    ("last_name", &["last_name"]),
    ("is_active", &["is_active"]),
];

/// The tables that are looked for where none is named.
const TABLES: [&str; 2] = ["users", "\"user\""];

/// Why users can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Not a PostgreSQL server.
    #[error("only tables of a PostgreSQL server can be read")]
    NotPostgres,
    /// The database can't be opened, or failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// No such table, or no right to see it.
    #[error("there is no table {0}")]
    NoTable(String),
    /// A user can't be named by one value.
    #[error("the table {0} has no primary key of one column")]
    NoKey(String),
    /// A column that is needed, or was named, is not there.
    #[error("the table {table} has no column {column}")]
    NoColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
}

impl From<DbErr> for SourceError {
    fn from(error: DbErr) -> Self {
        Self::Database(error.into())
    }
}

/// A user as the table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceUser {
    /// Its primary key.
    pub key: String,
    /// A JSON object of the members that an import reads. It holds the hash of a password.
    pub user: String,
}

/// A user whose address another one has too, as this platform compares addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namesake {
    /// The user's primary key.
    pub key: String,
    /// The address as the table has it.
    pub email: String,
    /// The primary key of the first user with the address.
    pub first: String,
}

/// A table of users.
#[derive(Debug)]
pub struct Source {
    database: Database,
    /// All of these are as PostgreSQL quotes them.
    table: String,
    key: String,
    key_type: String,
    columns: BTreeMap<&'static str, String>,
}

impl Source {
    /// Opens the database, finds the table and its columns. `named` are columns of other names: `("password_hash", "passwd")`.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub async fn open(
        url: &DatabaseUrl,
        table: Option<&str>,
        named: &[(String, String)],
    ) -> Result<Self, SourceError> {
        let DatabaseUrl::Postgres(_) = url else { return Err(SourceError::NotPostgres) };
        let database = Database::connect_single(url, "platform-import").await?;
        database.reader().execute_unprepared("SET default_transaction_read_only = on").await?;
        let candidates = table.map_or_else(|| TABLES.to_vec(), |table| vec![table]);
        let mut found = None;
        for candidate in &candidates {
            // As PostgreSQL writes the name: with its schema where that is needed, and quoted.
            let sql = "SELECT to_regclass($1)::text";
            let row = one(&database, sql, [(*candidate).into()]).await?;
            found = row.try_get_by_index::<Option<String>>(0)?;
            if found.is_some() {
                break;
            }
        }
        let table = found.ok_or_else(|| SourceError::NoTable(candidates.join(" or ")))?;
        let key = "SELECT quote_ident(a.attname), format_type(a.atttypid, NULL) FROM pg_index i \
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
            WHERE i.indrelid = to_regclass($1) AND i.indisprimary AND i.indnkeyatts = 1";
        let key = all(&database, key, [table.clone().into()]).await?;
        let key = key.first().ok_or_else(|| SourceError::NoKey(table.clone()))?;
        let columns = columns(&database, &table, named).await?;
        Ok(Self {
            key: key.try_get_by_index(0)?,
            key_type: key.try_get_by_index(1)?,
            database,
            table,
            columns,
        })
    }

    /// The table's name.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// How many users follow the one with this key, all for none.
    ///
    /// # Errors
    /// As any query.
    pub async fn count(&self, after: Option<&str>) -> Result<u64, SourceError> {
        let sql = format!("SELECT count(*) FROM {} {}", self.table, self.beyond(after));
        let row = one(&self.database, &sql, after.map(Value::from)).await?;
        Ok(row.try_get_by_index::<i64>(0)?.unsigned_abs())
    }

    /// The next `limit` users after the one with this key, in the order of their keys: a page costs the same at any depth, and no
    /// transaction of the other system's waits for it.
    ///
    /// # Errors
    /// As any query.
    pub async fn page(&self, after: Option<&str>, limit: u32) -> Result<Vec<SourceUser>, SourceError> {
        let members: Vec<String> =
            self.columns.iter().map(|(name, column)| format!("'{name}', {}", member(name, column))).collect();
        let sql = format!(
            "SELECT {key}::text, json_build_object({members})::text FROM {table} theirs {beyond} \
             ORDER BY theirs.{key} LIMIT {limit}",
            key = self.key,
            members = members.join(", "),
            table = self.table,
            beyond = self.beyond(after),
        );
        let rows = all(&self.database, &sql, after.map(Value::from)).await?;
        let read = |row: &QueryResult| {
            Ok(SourceUser { key: row.try_get_by_index(0)?, user: row.try_get_by_index(1)? })
        };
        rows.iter().map(read).collect()
    }

    /// The users whose address an earlier one has already, as this platform compares addresses: that other system took
    /// `a@example.com` and `A@Example.com` for two people.
    ///
    /// # Errors
    /// As any query.
    pub async fn namesakes(&self) -> Result<Vec<Namesake>, SourceError> {
        let email = &self.columns["email"];
        let sql = format!(
            "SELECT key::text, email, first::text FROM (SELECT {key} AS key, {email}::text AS email, \
             first_value({key}) OVER (PARTITION BY lower(btrim({email}::text)) ORDER BY {key}) AS first FROM {table}) theirs \
             WHERE theirs.key <> first ORDER BY theirs.key",
            key = self.key,
            table = self.table,
        );
        let rows = all(&self.database, &sql, []).await?;
        let read = |row: &QueryResult| {
            Ok(Namesake {
                key: row.try_get_by_index(0)?,
                email: row.try_get_by_index::<Option<String>>(1)?.unwrap_or_default(),
                first: row.try_get_by_index(2)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Closes the connection.
    pub async fn close(self) {
        // Nothing was written: there is nothing to lose.
        let _ = self.database.close().await;
    }

    fn beyond(&self, after: Option<&str>) -> String {
        after.map_or_else(String::new, |_| format!("WHERE {} > $1::text::{}", self.key, self.key_type))
    }
}

/// What an import reads, in SQL. An empty text is none, and whoever is neither active nor inactive could not sign in there.
fn member(name: &str, column: &str) -> String {
    match name {
        "is_active" => format!("coalesce({column}::boolean, false)"),
        _ => format!("nullif({column}::text, '')"),
    }
}

async fn columns(
    database: &Database,
    table: &str,
    named: &[(String, String)],
) -> Result<BTreeMap<&'static str, String>, SourceError> {
    let sql = "SELECT attname::text, quote_ident(attname) FROM pg_attribute \
        WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped";
    let there: BTreeMap<String, String> = all(database, sql, [table.into()])
        .await?
        .iter()
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
        .collect::<Result<_, DbErr>>()?;
    let missing = |column: &str| SourceError::NoColumn { table: table.to_owned(), column: column.to_owned() };
    let mut columns = BTreeMap::new();
    for (member, usual) in COLUMNS {
        let column = match named.iter().find(|(name, _)| name == member) {
            Some((_, column)) => Some(there.get(column).ok_or_else(|| missing(column))?),
            None => usual.iter().find_map(|name| there.get(*name)),
        };
        if let Some(column) = column {
            columns.insert(member, column.clone());
        }
    }
    // Whoever forgets the hashes of all passwords does so by name.
    for needed in ["email", "password_hash"] {
        if !columns.contains_key(needed) {
            return Err(missing(needed));
        }
    }
    Ok(columns)
}

async fn all(
    database: &Database,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    database.reader().query_all_raw(statement).await
}

async fn one(
    database: &Database,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<QueryResult, DbErr> {
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    let row = database.reader().query_one_raw(statement).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("the database answered without a row".to_owned()))
}
