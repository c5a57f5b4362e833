//! How many sessions are open, for `/metrics`: counted now and then, so that no scrape waits for the table.

use std::time::Duration;

use kit::{database::Database, metrics};
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::store::sessions;

/// Between two counts.
const EVERY: Duration = Duration::from_secs(5);

/// Counts until `shutdown`. While the database is gone the last count stays.
pub(crate) async fn keep(database: Database, shutdown: CancellationToken) {
    let counting = async {
        loop {
            match sessions::count_open(&database, kit::clock::now()).await {
                Ok(count) => metrics::sessions_open("gateway", count),
                Err(error) => tracing::debug!(%error, "the sessions could not be counted"),
            }
            time::sleep(EVERY).await;
        }
    };
    shutdown.run_until_cancelled(counting).await;
}
