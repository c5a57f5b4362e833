//! Keys that sign tokens.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, blob, text, text_uniq},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let keys = Table::create()
            .table("signing_keys")
            .col(big_integer("id").primary_key().auto_increment())
            .col(text_uniq("kid"))
            // "access" or "internal".
            .col(text("purpose"))
            .col(text("algorithm"))
            // "next", "active" or "retired".
            .col(text("state"))
            .col(text("public_jwk"))
            // Encrypted under the master key.
            .col(blob("private_sealed"))
            .col(big_integer("created_at"))
            .col(big_integer_null("activated_at"))
            .col(big_integer_null("retired_at"))
            .take();
        manager.create_table(keys).await?;
        let index = Index::create()
            .name("signing_keys_purpose_state")
            .table("signing_keys")
            .col("purpose")
            .col("state")
            .take();
        manager.create_index(index).await?;
        // Two replicas that start at once on an empty database: one of them makes the active key, the other reads it.
        let one_active = match manager.get_database_backend() {
            sea_orm::DbBackend::Postgres | sea_orm::DbBackend::Sqlite => {
                "CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (purpose) WHERE state = 'active'"
            }
            other => return Err(DbErr::Migration(format!("{other:?} is not supported"))),
        };
        manager.get_connection().execute_unprepared(one_active).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("signing_keys").take()).await
    }
}
