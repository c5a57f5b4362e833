//! Deletes what has ended, so that no table grows with use alone.

use std::time::Duration;

use contract::Timestamp;
use kit::database::{Database, DatabaseError};

use crate::store::{keys, login_attempts, one_time_tokens, revocations, sessions};

/// How long a count of failed log-ins stays after the last of them.
const ATTEMPTS_KEPT: Duration = Duration::from_hours(24);

/// How long an ended session stays in the table.
const SESSIONS_KEPT: Duration = Duration::from_hours(30 * 24);

/// How long a key that verifies nothing any more stays in the list.
const KEYS_KEPT: Duration = Duration::from_hours(30 * 24);

/// Deletes expired revocations and links, sessions long ended, old counts of failed log-ins, and keys of no use.
pub(crate) async fn purge(database: &Database) -> Result<(), DatabaseError> {
    let now = kit::clock::now();
    let before = |age: Duration| Timestamp::new(now.date_time() - age);
    let revocations = revocations::purge(database, now).await?;
    let sessions = sessions::purge(database, before(SESSIONS_KEPT)).await?;
    let attempts = login_attempts::purge(database, before(ATTEMPTS_KEPT)).await?;
    let links = one_time_tokens::purge(database, now).await?;
    let keys = keys::purge(database, before(KEYS_KEPT).microseconds()).await?;
    if revocations + sessions + attempts + links + keys > 0 {
        tracing::debug!(revocations, sessions, attempts, links, keys, "what has expired was deleted");
    }
    Ok(())
}
