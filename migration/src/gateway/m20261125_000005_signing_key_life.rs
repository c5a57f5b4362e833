//! What a signing key lives through: published before it signs, and verifying until the last token it signed has expired.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Of a retired key: from this moment it verifies nothing any more.
        manager.alter_table(keys().add_column(big_integer_null("verifies_until")).take()).await?;
        // In seconds: the life of the longest token that a replica may have signed with it.
        manager.alter_table(keys().add_column(big_integer("longest_token").default(0)).take()).await?;
        // Keys retired by an older version said nothing of their end.
        let ended = "UPDATE signing_keys SET verifies_until = retired_at WHERE state = 'retired'";
        manager.get_connection().execute_unprepared(ended).await?;
        // Two replicas that rotate at once: one of them makes the next key, the other reads it.
        let one_next = match manager.get_database_backend() {
            sea_orm::DbBackend::Postgres | sea_orm::DbBackend::Sqlite => {
                "CREATE UNIQUE INDEX signing_keys_one_next ON signing_keys (purpose) WHERE state = 'next'"
            }
            other => return Err(DbErr::Migration(format!("{other:?} is not supported"))),
        };
        manager.get_connection().execute_unprepared(one_next).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_index(Index::drop().name("signing_keys_one_next").table("signing_keys").to_owned())
            .await?;
        for column in ["longest_token", "verifies_until"] {
            manager.alter_table(keys().drop_column(column).take()).await?;
        }
        // Older versions know no next key, and make an active one where there is none.
        manager
            .get_connection()
            .execute_unprepared("DELETE FROM signing_keys WHERE state <> 'active'")
            .await?;
        Ok(())
    }
}

fn keys() -> TableAlterStatement {
    Table::alter().table("signing_keys").take()
}
