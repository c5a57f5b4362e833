//! Keys under which users were created, so that a repeated request creates nobody twice.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, binary, integer, text, text_null},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let keys = Table::create()
            .table("idempotency_keys")
            // Whose key it is: the subject of the token, or `anonymous`.
            .col(text("caller"))
            .col(text("key"))
            // SHA-256 of the request without its password, which stands beside it only as the slow hash that its user has.
            .col(binary("fingerprint"))
            .col(text_null("password_hash"))
            .col(text_null("answer"))
            .col(big_integer_null("user_id"))
            .col(integer("repeats").default(0))
            .col(big_integer("created_at"))
            .primary_key(Index::create().col("caller").col("key"))
            .take();
        manager.create_table(keys).await?;
        for (name, column) in
            [("idempotency_keys_user_id", "user_id"), ("idempotency_keys_created_at", "created_at")]
        {
            let index = Index::create().name(name).table("idempotency_keys").col(column).take();
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("idempotency_keys").take()).await
    }
}
