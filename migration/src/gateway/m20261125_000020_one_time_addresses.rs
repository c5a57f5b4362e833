//! Which address a one-time token was sent to.

use sea_orm_migration::{prelude::*, schema::blob_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Encrypted under the master key: this database tells nobody's address.
        let add = Table::alter().table("one_time_tokens").add_column(blob_null("address_sealed")).take();
        manager.alter_table(add).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .alter_table(Table::alter().table("one_time_tokens").drop_column("address_sealed").take())
            .await
    }
}
