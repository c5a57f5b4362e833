//! Second factors: the secrets of code generators, and recovery codes.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, blob, blob_null, boolean},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let factors = Table::create()
            .table("second_factors")
            .col(big_integer("user_id").primary_key())
            // Both encrypted under the master key. The pending one asks for nothing until a code of it was shown.
            .col(blob_null("active_sealed"))
            .col(blob_null("pending_sealed"))
            // The last time step whose code was taken: a code is good once (RFC 6238 §5.2).
            .col(big_integer("last_step"))
            .col(big_integer("changed_at"))
            .take();
        manager.create_table(factors).await?;
        let codes = Table::create()
            .table("recovery_codes")
            .col(big_integer("id").primary_key().auto_increment())
            .col(big_integer("user_id"))
            .col(blob("code_hash"))
            .col(big_integer_null("used_at"))
            .take();
        manager.create_table(codes).await?;
        let by_user =
            Index::create().name("recovery_codes_user_id").table("recovery_codes").col("user_id").take();
        manager.create_index(by_user).await?;
        let add = Table::alter().table("sessions").add_column(boolean("second_factor").default(false)).take();
        manager.alter_table(add).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("sessions").drop_column("second_factor").take()).await?;
        for table in ["recovery_codes", "second_factors"] {
            manager.drop_table(Table::drop().table(table).take()).await?;
        }
        Ok(())
    }
}
