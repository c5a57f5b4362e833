//! Accounts of services, with secrets that overlap while one is replaced.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, binary_uniq, text, text_uniq},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let accounts = Table::create()
            .table("service_accounts")
            .col(big_integer("id").primary_key().auto_increment())
            .col(text_uniq("name"))
            // JSON: the roles its tokens carry.
            .col(text("roles"))
            .col(big_integer("created_at"))
            .col(big_integer_null("disabled_at"))
            .take();
        manager.create_table(accounts).await?;
        let secrets = Table::create()
            .table("service_account_secrets")
            .col(big_integer("id").primary_key().auto_increment())
            .col(big_integer("service_account_id"))
            .col(binary_uniq("secret_hash"))
            .col(big_integer("created_at"))
            .col(big_integer_null("expires_at"))
            .col(big_integer_null("last_used_at"))
            .col(big_integer_null("revoked_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("service_account_secrets_account")
                    .from("service_account_secrets", "service_account_id")
                    .to("service_accounts", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .take();
        manager.create_table(secrets).await?;
        let by_account = Index::create()
            .name("service_account_secrets_account")
            .table("service_account_secrets")
            .col("service_account_id")
            .take();
        manager.create_index(by_account).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["service_account_secrets", "service_accounts"] {
            manager.drop_table(Table::drop().table(table).take()).await?;
        }
        Ok(())
    }
}
