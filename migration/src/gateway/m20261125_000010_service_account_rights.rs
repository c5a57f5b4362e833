//! What a service's account may do: the scopes of its tokens and the services that it may call.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, text, text_null},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            text_null("description"),
            // JSON: the scopes its tokens may carry.
            text("scopes").default("[]").take(),
            // JSON: the services for which it may get internal tokens.
            text("audiences").default("[]").take(),
            big_integer("updated_at").default(0).take(),
        ];
        // SQLite adds one column at a time.
        for column in columns {
            let alter = Table::alter().table("service_accounts").add_column(column).take();
            manager.alter_table(alter).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["updated_at", "audiences", "scopes", "description"] {
            let alter = Table::alter().table("service_accounts").drop_column(column).take();
            manager.alter_table(alter).await?;
        }
        Ok(())
    }
}
