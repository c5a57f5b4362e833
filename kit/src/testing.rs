//! What tests of every crate stand on (feature `testing`). Whatever is missing fails the test, with what to do about it.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test that can't be set up must fail, and say why"
)]

mod database;
mod faults;
mod gateway;
mod log;
mod postgres;
mod server;
mod valkey;

pub use self::{
    database::{TestDatabase, execute},
    faults::{Fault, FaultServer},
    gateway::TestGateway,
    log::log,
    server::TestPostgres,
    valkey::TestValkey,
};

/// Writes each test twice, on SQLite and on a real PostgreSQL: `mod <name> { on_sqlite, on_postgres }`.
#[macro_export]
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($database:ident: TestDatabase) $body:block)*) => {$(
        mod $name {
            use super::*;

            $(#[$meta])*
            async fn run($database: $crate::testing::TestDatabase) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                run($crate::testing::TestDatabase::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                run($crate::testing::TestDatabase::postgres().await).await;
            }
        }
    )*};
}
