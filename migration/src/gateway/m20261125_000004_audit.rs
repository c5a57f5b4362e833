//! The audit log: rows are added, never changed, each sealed with the hash of the one before.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, binary_uniq, blob, text, text_null},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let audit = Table::create()
            .table("audit")
            .col(big_integer("id").primary_key().auto_increment())
            .col(big_integer("at"))
            .col(text("actor"))
            .col(text("action"))
            .col(text_null("target"))
            .col(text_null("address"))
            .col(text_null("request_id"))
            .col(text("outcome"))
            .col(text_null("detail"))
            // Unique: two writers can't both follow the same row, so the chain never forks.
            .col(binary_uniq("previous_hash"))
            .col(blob("hash"))
            .take();
        manager.create_table(audit).await?;
        for (name, column) in [("audit_at", "at"), ("audit_actor", "actor"), ("audit_target", "target")] {
            manager
                .create_index(Index::create().name(name).table("audit").col(column).col("id").take())
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("audit").take()).await
    }
}
