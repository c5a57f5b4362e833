//! Users and their roles.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, boolean, text, text_null},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // By code point, so that both databases sort and compare alike, and the unique index serves the sort order too.
        let mut canonical = text("email_canonical");
        if manager.get_database_backend() == sea_orm::DbBackend::Postgres {
            canonical.extra("COLLATE \"C\"");
        }
        let users = Table::create()
            .table("users")
            // AUTOINCREMENT on SQLite, identity on PostgreSQL: a number is never given out twice.
            .col(big_integer("id").primary_key().auto_increment())
            .col(text("email"))
            // Trimmed, NFC, lower case, IDNA: the form by which addresses are compared.
            .col(canonical)
            .col(text("password_hash"))
            .col(boolean("is_active"))
            .col(text_null("first_name"))
            .col(text_null("last_name"))
            // Address and names in lower case, NFC: what `q` looks in.
            .col(text("search_text"))
            // Raised whenever every session of the user must end.
            .col(big_integer("epoch"))
            // Raised by every change: the ETag.
            .col(big_integer("version"))
            .col(boolean("must_change_password").default(false))
            .col(big_integer("created_at"))
            .col(big_integer("updated_at"))
            .take();
        manager.create_table(users).await?;
        let unique = Index::create()
            .name("users_email_canonical")
            .table("users")
            .col("email_canonical")
            .unique()
            .take();
        manager.create_index(unique).await?;
        // One index a sort order of the list, each ending in the id, so that a page costs the same at any depth.
        for (name, column) in [("users_created_at_id", "created_at"), ("users_updated_at_id", "updated_at")] {
            let index = Index::create().name(name).table("users").col(column).col("id").take();
            manager.create_index(index).await?;
        }
        let roles = Table::create()
            .table("user_roles")
            .col(big_integer("user_id"))
            .col(text("role"))
            .primary_key(Index::create().col("user_id").col("role"))
            .foreign_key(
                ForeignKey::create()
                    .name("user_roles_user_id")
                    .from("user_roles", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .take();
        manager.create_table(roles).await?;
        let by_role =
            Index::create().name("user_roles_role").table("user_roles").col("role").col("user_id").take();
        manager.create_index(by_role).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["user_roles", "users"] {
            manager.drop_table(Table::drop().table(table).take()).await?;
        }
        Ok(())
    }
}
