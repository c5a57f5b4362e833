//! Widgets, each with the user who created it.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, text},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let widgets = Table::create()
            .table("widgets")
            // AUTOINCREMENT on SQLite, identity on PostgreSQL: a number is never given out twice.
            .col(big_integer("id").primary_key().auto_increment())
            .col(text("name"))
            .col(big_integer_null("owner"))
            .col(big_integer("created_at"))
            .take();
        manager.create_table(widgets).await?;
        // A page of one user's costs the same at any depth.
        let by_owner =
            Index::create().name("widgets_owner_id").table("widgets").col("owner").col("id").take();
        manager.create_index(by_owner).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("widgets").take()).await
    }
}
