//! The databases: there, open to us, undamaged, of this version's schema, with enough connections, on the same clock; and an
//! administrator among the users.

use kit::database::{Database, DatabaseError, DatabaseUrl};
use users::SqlStore;

use super::Installation;
use super::finding::Finding;
use crate::services;
use crate::settings;

/// Clocks may differ by this much; tokens allow for half a minute.
const SKEW_SECONDS: i64 = 5;

/// Connections that a gateway holds beside its pool.
const BESIDE: i64 = 1;

/// Looks at that of each service.
pub(super) async fn examine(of: &Installation) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in &of.services {
        match settings::database(&of.settings, service) {
            Ok(url) => findings.extend(one(of, service, &url).await),
            Err(failure) => findings.push(Finding::fault(
                "database",
                failure.what,
                format!("{service} does not start."),
                "Write sqlite://FILE or postgres://user:password@host/database.",
            )),
        }
    }
    findings
}

async fn one(of: &Installation, service: &'static str, url: &DatabaseUrl) -> Vec<Finding> {
    if url.sqlite_path().is_some_and(|path| !path.exists()) {
        return vec![Finding::skipped(
            "database",
            format!("{service}: {url} is made by the first `platform serve` or by `platform migrate up`"),
        )];
    }
    let database = match Database::connect(url, 1, "platform-doctor").await {
        Ok(database) => database,
        Err(error) => return vec![closed(service, url, &error)],
    };
    let mut findings = vec![Finding::good("database", format!("{service}: {url} answers"))];
    let damage = damage(service, url, &database).await;
    let whole = damage.is_none();
    findings.extend(damage);
    if whole {
        let schema = schema(service, &database).await;
        let as_built = schema.as_ref().is_some_and(|finding| finding.mend.is_none());
        findings.extend(schema);
        findings.extend(clock(service, &database).await);
        findings.extend(connections(of, service, &database).await);
        if service == "users" && as_built {
            findings.push(administrator(SqlStore::new(database.clone())).await);
        }
    }
    // What is closed in disorder was told above.
    let _ = database.close().await;
    findings
}

/// It can't be opened.
fn closed(service: &str, url: &DatabaseUrl, error: &DatabaseError) -> Finding {
    let why = innermost(error);
    if let Some(path) = url.sqlite_path() {
        return if why.contains("not a database") || why.contains("malformed") {
            damaged(service, url, &why)
        } else {
            Finding::fault(
                "database",
                format!("the {service} database {url} can't be opened"),
                why,
                format!(
                    "Make {} and its folder writable for this user: SQLite writes beside the file.",
                    path.display()
                ),
            )
        };
    }
    if error.is_unavailable() {
        return Finding::fault(
            "database",
            format!("the {service} database {url} can't be reached"),
            why,
            format!(
                "Start the server, or correct {service}.database_url; look for a firewall between here and there."
            ),
        );
    }
    Finding::fault(
        "database",
        format!("the {service} database {url} does not let us in"),
        why,
        format!(
            "Correct user, password or database in {service}.database_url, or create them on the server."
        ),
    )
}

/// What a database itself said.
fn innermost(error: &DatabaseError) -> String {
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        told = error.to_string();
        cause = error.source();
    }
    told
}

async fn damage(service: &str, url: &DatabaseUrl, database: &Database) -> Option<Finding> {
    let told = match database.damage().await {
        Ok(told) => told?,
        Err(error) => innermost(&error),
    };
    Some(damaged(service, url, &told))
}

fn damaged(service: &str, url: &DatabaseUrl, told: &str) -> Finding {
    Finding::fault(
        "database-damage",
        format!("the {service} database {url} is damaged"),
        told.replace('\n', "; "),
        "Stop the platform, then `platform restore` a backup; look at the disk too (`dmesg`, `smartctl`).",
    )
}

/// Whether its schema is this version's; nothing where that can't be asked.
async fn schema(service: &str, database: &Database) -> Option<Finding> {
    const CHECK: &str = "schema";
    let wanted = services::schema(service)?.schema();
    Some(match database.require_schema(&wanted).await {
        Ok(()) => Finding::good(CHECK, format!("{service}: the schema is this version's")),
        Err(DatabaseError::SchemaOlder { missing, .. }) => Finding::fault(
            CHECK,
            format!("{service}: migrations are pending"),
            format!("Missing: {missing}. `platform serve {service}` refuses to start on it."),
            format!("platform migrate up --service {service}"),
        ),
        Err(DatabaseError::SchemaNewer { unknown, .. }) => Finding::fault(
            CHECK,
            format!("{service}: the schema is newer than this version ({})", env!("CARGO_PKG_VERSION")),
            format!("Unknown here: {unknown}. An older version never works on a newer schema."),
            "Run the newer version; to go back, first `platform migrate down` with the newer one, or restore a backup.",
        ),
        Err(error) => Finding::fault(
            CHECK,
            format!("{service}: the schema can't be read"),
            innermost(&error),
            "Give the database's user the rights on its own tables.",
        ),
    })
}

async fn clock(service: &str, database: &Database) -> Option<Finding> {
    const CHECK: &str = "clock";
    let ahead = database.clock_ahead().await.ok()??;
    let seconds = (ahead + ahead.signum() * 500_000) / 1_000_000;
    if seconds.abs() > SKEW_SECONDS {
        let way = if seconds > 0 { "ahead of" } else { "behind" };
        return Some(Finding::fault(
            CHECK,
            format!("{service}: the database server's clock is {} s {way} this machine's", seconds.abs()),
            "Tokens are refused before their end or taken after it once clocks differ by more than half a minute.",
            "Have both follow a time server (chrony, systemd-timesyncd): `timedatectl set-ntp true`.",
        ));
    }
    Some(Finding::good(CHECK, format!("{service}: the database server's clock agrees with this machine's")))
}

async fn connections(of: &Installation, service: &str, database: &Database) -> Option<Finding> {
    const CHECK: &str = "database-connections";
    let limit = database.connection_limit().await.ok()??;
    let wanted = i64::from(of.settings.database.max_connections)
        + if service == services::GATEWAY { BESIDE } else { 0 };
    if limit < wanted {
        return Some(Finding::fault(
            CHECK,
            format!("{service}: the database takes {limit} connections, and this process wants {wanted}"),
            "Under load requests wait for a connection and are then refused with 503.",
            "Raise the limit there (max_connections, ALTER DATABASE … CONNECTION LIMIT, ALTER ROLE …), or lower \
             database.max_connections; every replica takes as many.",
        ));
    }
    Some(Finding::good(CHECK, format!("{service}: the database takes {limit} connections")))
}

async fn administrator(store: SqlStore) -> Finding {
    const CHECK: &str = "administrator";
    match store.has_active_admin().await {
        Ok(true) => Finding::good(CHECK, "there is an administrator"),
        Ok(false) => Finding::fault(
            CHECK,
            "there is no active administrator",
            "Nobody can sign in to manage users, keys and service accounts.",
            "platform user create --admin, on the machine that holds this configuration",
        ),
        Err(error) => {
            Finding::skipped(CHECK, format!("whether there is an administrator can't be asked: {error}"))
        }
    }
}
