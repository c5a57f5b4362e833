//! Indexes for what a list is narrowed by: a part of an address or name, and whether users are active.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend, sea_orm::Statement};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Three letters in a row are what is looked up. Of a text only its rows are kept, not the places in them: the list compares the
/// rows it finds. The triggers keep the table in step with `users`, whose columns it does not repeat.
const SQLITE: &str = "
    CREATE VIRTUAL TABLE users_search USING fts5(
        search_text, content='users', content_rowid='id', tokenize='trigram case_sensitive 1', detail='none', columnsize=0);
    INSERT INTO users_search(users_search) VALUES ('rebuild');
    CREATE TRIGGER users_search_insert AFTER INSERT ON users BEGIN
        INSERT INTO users_search(rowid, search_text) VALUES (new.id, new.search_text);
    END;
    CREATE TRIGGER users_search_delete AFTER DELETE ON users BEGIN
        INSERT INTO users_search(users_search, rowid, search_text) VALUES ('delete', old.id, old.search_text);
    END;
    CREATE TRIGGER users_search_update AFTER UPDATE OF search_text ON users WHEN old.search_text <> new.search_text BEGIN
        INSERT INTO users_search(users_search, rowid, search_text) VALUES ('delete', old.id, old.search_text);
        INSERT INTO users_search(rowid, search_text) VALUES (new.id, new.search_text);
    END;";

const SQLITE_BACK: &str = "
    DROP TRIGGER users_search_update; DROP TRIGGER users_search_delete; DROP TRIGGER users_search_insert;
    DROP TABLE users_search;";

/// Whether the extension is there, or may be made here: a role that may create in its database makes a trusted one.
const MAY_HAVE_TRIGRAMS: &str = "
    SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm')
        OR EXISTS (SELECT FROM pg_available_extension_versions v
            WHERE v.name = 'pg_trgm' AND ((v.trusted AND has_database_privilege(current_database(), 'CREATE'))
                OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)))";

/// In which schema it is.
const SCHEMA: &str = "SELECT quote_ident(n.nspname) FROM pg_extension e \
    JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm'";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index =
            Index::create().name("users_is_active_id").table("users").col("is_active").col("id").take();
        manager.create_index(index).await?;
        let connection = manager.get_connection();
        if manager.get_database_backend() != DbBackend::Postgres {
            connection.execute_unprepared(SQLITE).await?;
            return Ok(());
        }
        let ask = async |sql: &str| {
            connection.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await
        };
        let may = ask(MAY_HAVE_TRIGRAMS).await?.map(|row| row.try_get_by_index(0)).transpose()?;
        if may != Some(true) {
            // Right all the same, only slow.
            tracing::warn!("PostgreSQL has no pg_trgm for us: a search by a part of a name reads every user");
            return Ok(());
        }
        connection.execute_unprepared("CREATE EXTENSION IF NOT EXISTS pg_trgm").await?;
        let Some(row) = ask(SCHEMA).await? else { return Ok(()) };
        let schema: String = row.try_get_by_index(0)?;
        let index =
            format!("CREATE INDEX users_search_text ON users USING gin (search_text {schema}.gin_trgm_ops)");
        connection.execute_unprepared(&index).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // The extension stays: others may use it.
        let back = match manager.get_database_backend() {
            DbBackend::Postgres => "DROP INDEX IF EXISTS users_search_text",
            _ => SQLITE_BACK,
        };
        manager.get_connection().execute_unprepared(back).await?;
        manager.drop_index(Index::drop().name("users_is_active_id").table("users").to_owned()).await
    }
}
