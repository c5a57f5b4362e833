//! One process: forward, back, and what must be refused.

use kit::{database::DatabaseError, on_both_databases};
use migration::{MigrationError, Service, down, fresh, pending, status, up};

use crate::{execute, expected_schema, rows, schema_of};

on_both_databases! {
    async fn forward_and_back_and_forward_again_ends_in_the_same_schema(database: TestDatabase) {
        for service in Service::ALL.iter().copied() {
            let all = service.schema().migrations;
            assert_eq!(up(service, database.url(), None).await.unwrap(), all);
            assert_eq!(up(service, database.url(), None).await.unwrap(), Vec::<String>::new());
            let mut back = down(service, database.url(), None).await.unwrap();
            back.reverse();
            assert_eq!(back, all);
        }
        let open = database.open().await;
        let left: Vec<String> =
            schema_of(&open).await.into_iter().filter(|line| !line.contains("_migrations")).collect();
        assert_eq!(left, Vec::<String>::new());
        for service in Service::ALL.iter().copied() {
            up(service, database.url(), None).await.unwrap();
        }
        assert_eq!(schema_of(&open).await, expected_schema(&database).await);
    }

    async fn steps_are_counted_from_the_oldest_up_and_from_the_newest_down(database: TestDatabase) {
        let all = Service::Gateway.schema().migrations;
        assert_eq!(up(Service::Gateway, database.url(), Some(2)).await.unwrap(), all[..2]);
        assert_eq!(pending(Service::Gateway, database.url()).await.unwrap(), all[2..]);
        assert_eq!(down(Service::Gateway, database.url(), Some(1)).await.unwrap(), all[1..2]);
        assert_eq!(pending(Service::Gateway, database.url()).await.unwrap(), all[1..]);
        assert_eq!(up(Service::Gateway, database.url(), None).await.unwrap(), all[1..]);
    }

    async fn looking_at_the_status_changes_nothing(database: TestDatabase) {
        let found = status(Service::Users, database.url()).await.unwrap();
        assert!(found.iter().all(|migration| !migration.applied));
        assert_eq!(schema_of(&database.open().await).await, Vec::<String>::new());
    }

    async fn fresh_starts_from_nothing_and_leaves_the_other_service_alone(database: TestDatabase) {
        for service in Service::ALL.iter().copied() {
            up(service, database.url(), None).await.unwrap();
        }
        let open = database.open().await;
        execute(&open, "INSERT INTO login_attempts VALUES ('account:a', 1, 1, 1, 1)").await;
        execute(&open, "INSERT INTO users (email, email_canonical, password_hash, search_text, is_active, epoch, version, \
            created_at, updated_at) VALUES ('a', 'a', 'x', 'a', true, 1, 1, 1, 1)").await;
        assert_eq!(fresh(Service::Users, database.url()).await.unwrap(), Service::Users.schema().migrations);
        assert_eq!(rows(&open, "SELECT email FROM users").await, Vec::<String>::new());
        assert_eq!(rows(&open, "SELECT subject FROM login_attempts").await, ["account:a"]);
    }

    async fn an_older_binary_refuses_a_newer_schema(database: TestDatabase) {
        up(Service::Users, database.url(), None).await.unwrap();
        let open = database.open().await;
        execute(&open, "INSERT INTO users_migrations (version, applied_at) VALUES ('m99991231_000001_later', 1)").await;
        let before = schema_of(&open).await;
        for error in [
            up(Service::Users, database.url(), None).await.unwrap_err(),
            down(Service::Users, database.url(), None).await.unwrap_err(),
            fresh(Service::Users, database.url()).await.unwrap_err(),
            status(Service::Users, database.url()).await.unwrap_err(),
            open.require_schema(&Service::Users.schema()).await.unwrap_err().into(),
        ] {
            assert!(
                matches!(error, MigrationError::Database(DatabaseError::SchemaNewer { .. }))
                    && error.to_string().contains("m99991231_000001_later"),
                "{error}"
            );
        }
        assert_eq!(schema_of(&open).await, before);
    }

    async fn a_service_refuses_a_schema_that_is_not_migrated(database: TestDatabase) {
        let open = database.open().await;
        let error = open.require_schema(&Service::Gateway.schema()).await.unwrap_err();
        assert!(matches!(error, DatabaseError::SchemaOlder { .. }), "{error}");
        up(Service::Gateway, database.url(), None).await.unwrap();
        open.require_schema(&Service::Gateway.schema()).await.unwrap();
    }

    async fn a_migration_that_fails_leaves_the_schema_as_it_was(database: TestDatabase) {
        let open = database.open().await;
        // In the way of the last migration.
        execute(&open, "CREATE TABLE audit (n INTEGER)").await;
        let error = up(Service::Gateway, database.url(), None).await.unwrap_err();
        assert!(matches!(error, MigrationError::Failed { .. }), "{error}");
        assert_eq!(schema_of(&open).await.len(), 1);
        execute(&open, "DROP TABLE audit").await;
        up(Service::Gateway, database.url(), None).await.unwrap();
    }

    async fn a_user_number_is_never_given_out_twice(database: TestDatabase) {
        up(Service::Users, database.url(), None).await.unwrap();
        let open = database.open().await;
        let insert = "INSERT INTO users (email, email_canonical, password_hash, search_text, is_active, epoch, version, created_at, \
            updated_at) VALUES ('a', 'a', 'x', 'a', true, 1, 1, 1, 1)";
        execute(&open, insert).await;
        execute(&open, "DELETE FROM users").await;
        execute(&open, insert).await;
        assert_eq!(rows(&open, "SELECT CAST(id AS TEXT) FROM users").await, ["2"]);
    }
}
