//! The roles that there are: the two built in, and those of the operator's own.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, text, text_null},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let roles = Table::create()
            .table("roles")
            .col(text("name").primary_key())
            .col(text_null("description"))
            .col(big_integer("created_at"))
            .take();
        manager.create_table(roles).await?;
        let now = kit::clock::now().microseconds();
        let connection = manager.get_connection();
        connection
            .execute_unprepared(&format!(
                "INSERT INTO roles (name, description, created_at) \
                 VALUES ('admin', 'May do everything', {now}), ('user', 'What every user has', {now})"
            ))
            .await?;
        // Until now a role was there as soon as somebody had it.
        connection
            .execute_unprepared(&format!(
                "INSERT INTO roles (name, created_at) SELECT DISTINCT role, {now} FROM user_roles \
                 WHERE role NOT IN ('admin', 'user')"
            ))
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("roles").take()).await
    }
}
