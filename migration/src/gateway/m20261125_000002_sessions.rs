//! Sign-ins and what ends them.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, binary_uniq, blob, text, text_null},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(sessions()).await?;
        for (name, column) in [
            ("sessions_user_id", "user_id"),
            ("sessions_expires_at", "expires_at"),
            ("sessions_absolute_expires_at", "absolute_expires_at"),
        ] {
            manager.create_index(Index::create().name(name).table("sessions").col(column).take()).await?;
        }
        let revocations = Table::create()
            .table("revocations")
            // Rises, so that a replica asks for what is newer than the last it has seen.
            .col(big_integer("id").primary_key().auto_increment())
            // "session" or "user".
            .col(text("kind"))
            .col(text("subject"))
            // Tokens issued before this moment are void.
            .col(big_integer("not_before"))
            // When the last such token has expired by itself, and the row can go.
            .col(big_integer("expires_at"))
            .take();
        manager.create_table(revocations).await?;
        let by_subject = Index::create()
            .name("revocations_subject")
            .table("revocations")
            .col("kind")
            .col("subject")
            .take();
        manager.create_index(by_subject).await?;
        let by_expiry =
            Index::create().name("revocations_expires_at").table("revocations").col("expires_at").take();
        manager.create_index(by_expiry).await?;
        let attempts = Table::create()
            .table("login_attempts")
            // "account:…" or "address:…".
            .col(text("subject").primary_key())
            .col(big_integer("failures"))
            .col(big_integer("first_failed_at"))
            .col(big_integer("last_failed_at"))
            .col(big_integer("retry_at"))
            .take();
        manager.create_table(attempts).await?;
        let by_age =
            Index::create().name("login_attempts_last").table("login_attempts").col("last_failed_at").take();
        manager.create_index(by_age).await?;
        let one_time = Table::create()
            .table("one_time_tokens")
            .col(big_integer("id").primary_key().auto_increment())
            .col(binary_uniq("token_hash"))
            // "password_reset" and the like.
            .col(text("purpose"))
            .col(big_integer("user_id"))
            .col(big_integer("created_at"))
            .col(big_integer("expires_at"))
            .col(big_integer_null("used_at"))
            .take();
        manager.create_table(one_time).await?;
        let by_user =
            Index::create().name("one_time_tokens_user_id").table("one_time_tokens").col("user_id").take();
        manager.create_index(by_user).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["one_time_tokens", "login_attempts", "revocations", "sessions"] {
            manager.drop_table(Table::drop().table(table).take()).await?;
        }
        Ok(())
    }
}

/// One row a session, however often its refresh token is rotated.
fn sessions() -> TableCreateStatement {
    Table::create()
        .table("sessions")
        // The `sid` claim, a UUID.
        .col(text("id").primary_key())
        .col(big_integer("user_id"))
        // The user's epoch at sign-in: a session of an older epoch is void.
        .col(big_integer("epoch"))
        // How often the refresh token has been rotated: compared and raised in one statement.
        .col(big_integer("generation"))
        .col(blob("salt"))
        // JSON: the rotations of the last seconds, for requests that crossed.
        .col(text("recent_rotations"))
        .col(text_null("device"))
        .col(text_null("address"))
        .col(big_integer("created_at"))
        .col(big_integer("last_used_at"))
        .col(big_integer("expires_at"))
        .col(big_integer("absolute_expires_at"))
        .col(big_integer_null("ended_at"))
        .col(text_null("ended_reason"))
        .take()
}
