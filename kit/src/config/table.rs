//! The one table of all settings. Loading, checking, the commented file, the listing and the JSON Schema are made from it;
//! a new setting is a row here and a field in [`super::settings`] (a test holds the two together).

use super::{
    kind::Kind,
    setting::{DAY, MINUTE, SECOND, derived, duration, integer, plain, secret},
};

pub use super::setting::{Fallback, Setting, variable};

/// The setting with this full key.
#[must_use]
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// What a section is for; the order is that of the written file.
pub const SECTIONS: &[(&str, &str)] = &[
    ("log", "What the processes write to standard error."),
    ("gateway", "The public door: addresses, tokens, limits and time-outs."),
    ("users", "The service that owns users and their passwords."),
    ("database", "Connections to the databases, for each service."),
    ("compat", "What old clients need and a fresh installation should not have."),
    ("ops", "Readiness, on a listener that is not public."),
];

/// Every setting, in the order of the written file.
pub const SETTINGS: &[Setting] = &[
    plain(
        "data_dir",
        Kind::Path,
        "./platform-data",
        "Folder of the embedded databases and keys (mode 0700).",
        "Put it on a disk that is backed up. Relative to the working folder.",
    ),
    plain(
        "log.level",
        Kind::Directive,
        "info",
        "Least severe level written: error, warn, info, debug or trace.",
        "Also takes per-module directives, such as \"info,gateway=debug\". RUST_LOG wins over it.",
    ),
    plain(
        "log.format",
        Kind::Choice(&["auto", "pretty", "json"]),
        "auto",
        "Form of a log line.",
        "auto writes lines for people on a terminal and JSON elsewhere.",
    ),
    plain(
        "gateway.listen",
        Kind::Address,
        "127.0.0.1:8001",
        "Address of the public API.",
        "0.0.0.0:8001 opens it to other machines; port 0 picks a free one.",
    ),
    secret(
        "gateway.database_url",
        Kind::DatabaseUrl,
        "sqlite file gateway.db in data_dir",
        "Database of the gateway: sessions, keys, audit.",
        "postgres://user:password@host/name for more than one replica.",
    ),
    derived(
        "gateway.public_url",
        Kind::Url,
        "http://<gateway.listen>",
        "Address by which clients reach the gateway; the issuer in tokens.",
        "Set it behind a load balancer or TLS proxy: changing it later ends every access token.",
    ),
    plain(
        "gateway.audience",
        Kind::Text { maximum_length: 200 },
        "platform",
        "Audience (`aud`) of access tokens.",
        "Other systems that verify our tokens must expect the same word.",
    ),
    secret(
        "gateway.master_key",
        Kind::Base64Key { bytes: 32 },
        "file master.key in data_dir, made by the first serve",
        "Key that seals the private signing keys at rest: 32 bytes in Base64.",
        "Needed by every gateway replica. Losing it ends sessions, not users. `openssl rand -base64 32` makes one.",
    ),
    plain(
        "gateway.access_token_ttl",
        duration(30 * SECOND, DAY),
        "15m",
        "Life of an access token.",
        "Disabling a user ends tokens at once whatever this says; it bounds what an offline verifier believes.",
    ),
    plain(
        "gateway.refresh_sliding",
        duration(5 * MINUTE, 400 * DAY),
        "30d",
        "A session ends after this long without use.",
        "Shorter signs people out sooner on devices they left.",
    ),
    plain(
        "gateway.refresh_absolute",
        duration(5 * MINUTE, 3650 * DAY),
        "90d",
        "A session ends after this long in any case.",
        "No shorter than gateway.refresh_sliding makes sense.",
    ),
    plain(
        "gateway.login_attempts",
        Kind::Integer { minimum: 1, maximum: 1000, unit: "" },
        "5",
        "Wrong passwords for one account from one address before the next has to wait.",
        "Ten times as many count against an address whatever the account, twenty times against an account whatever the address.",
    ),
    plain(
        "gateway.login_window",
        duration(MINUTE, DAY),
        "15m",
        "Failed log-ins are forgotten after this long without another; no wait is longer.",
        "The first wait is a sixtieth of it, and doubles with each further failure.",
    ),
    plain(
        "gateway.revocation_grace",
        duration(SECOND, 60 * MINUTE),
        "30s",
        "How long access tokens are taken while the gateway's database can't be asked what was revoked; 503 after it.",
        "Longer rides out longer outages of the database; shorter bounds what a replica cut off from it still lets through.",
    ),
    plain(
        "gateway.request_body_limit",
        Kind::Bytes { minimum: 1024, maximum: 1 << 30 },
        "1MiB",
        "Largest request body; 413 past it.",
        "Bodies of typed operations are held in memory while they are checked.",
    ),
    plain(
        "gateway.body_timeout",
        duration(SECOND, 60 * MINUTE),
        "30s",
        "From a request's head to the last byte of its body; 408 past it.",
        "A client that sends slowly on purpose must not hold a connection for ever.",
    ),
    plain(
        "gateway.head_limit",
        Kind::Bytes { minimum: 8192, maximum: 1 << 20 },
        "32KiB",
        "Largest block of request headers; 431 past it.",
        "Large cookies or tokens of other systems may want more.",
    ),
    plain(
        "gateway.max_connections",
        integer(1, 1_000_000, "connections"),
        "10000",
        "Client connections held at once.",
        "Each takes a file descriptor: raise `ulimit -n` with it.",
    ),
    plain(
        "gateway.header_timeout",
        duration(100, 10 * MINUTE),
        "10s",
        "Time a client has to send its request's head.",
        "Cuts off clients that hold connections by sending slowly.",
    ),
    plain(
        "gateway.idle_timeout",
        duration(SECOND, 60 * MINUTE),
        "75s",
        "An idle keep-alive connection is closed after this.",
        "Keep it above the idle time-out of a load balancer in front.",
    ),
    plain(
        "gateway.drain_timeout",
        duration(0, 60 * MINUTE),
        "8s",
        "Time that running requests have to end after a stop signal.",
        "Below the 10 s after which container runtimes kill.",
    ),
    plain(
        "gateway.upstream_connect_timeout",
        duration(10, MINUTE),
        "500ms",
        "Time to connect to a service; 503 past it.",
        "Longer only where services are far away.",
    ),
    plain(
        "gateway.upstream_timeout",
        duration(10, 60 * MINUTE),
        "5s",
        "Time a service has to answer; 504 past it.",
        "A client waits this long at the most.",
    ),
    plain(
        "gateway.trusted_proxies",
        Kind::Networks,
        "",
        "Networks whose X-Forwarded-For is believed.",
        "Only those of your own load balancers, such as [\"10.0.0.0/8\"]: anyone else could write any address there.",
    ),
    plain(
        "gateway.docs",
        Kind::Bool,
        "true",
        "Serve /docs, /redoc and the OpenAPI document.",
        "Off where the API should not describe itself to the outside.",
    ),
    plain(
        "users.listen",
        Kind::Address,
        "127.0.0.1:8002",
        "Address of the users service.",
        "Only gateways need to reach it; a call without a gateway's token is 401.",
    ),
    secret(
        "users.database_url",
        Kind::DatabaseUrl,
        "sqlite file users.db in data_dir",
        "Database of the users service.",
        "postgres://user:password@host/name for more than one replica. May not be the gateway's.",
    ),
    derived(
        "users.url",
        Kind::Url,
        "http://<users.listen>",
        "Where the gateway finds the users service.",
        "Set it where the two run apart.",
    ),
    derived(
        "users.gateway_url",
        Kind::Url,
        "http://<gateway.listen>",
        "Where the users service fetches the gateway's internal keys.",
        "Set it where the two run apart.",
    ),
    plain(
        "users.registration",
        Kind::Choice(&["open", "closed"]),
        "open",
        "Who may create users: everyone, or admins.",
        "open is how the replaced system was; closed for a system of invited users.",
    ),
    plain(
        "users.visibility",
        Kind::Choice(&["admins", "members"]),
        "admins",
        "Who may list users and read others.",
        "members lets every signed-in user do so, as the replaced system did.",
    ),
    plain(
        "users.password_policy",
        Kind::Choice(&["asvs", "nist"]),
        "asvs",
        "Rule for new passwords.",
        "asvs: 8 characters and not guessable; nist: 15 characters (SP 800-63B-4, single factor).",
    ),
    derived(
        "users.hash_workers",
        integer(1, 1024, "threads"),
        "number of processors",
        "Threads that hash passwords.",
        "More than processors only adds latency.",
    ),
    plain(
        "users.hash_queue",
        integer(1, 100_000, "requests"),
        "64",
        "Password checks that may wait; 503 with Retry-After past it.",
        "Bounds the wait of the last in the queue.",
    ),
    plain(
        "users.argon2_memory_kib",
        integer(19_456, 1_048_576, "KiB"),
        "19456",
        "Memory of one Argon2id hash.",
        "The floor is OWASP's advice; each worker needs this much.",
    ),
    plain(
        "users.argon2_iterations",
        integer(2, 64, "passes"),
        "2",
        "Passes of one Argon2id hash.",
        "A sign-in costs in proportion.",
    ),
    plain(
        "users.argon2_parallelism",
        integer(1, 16, "lanes"),
        "1",
        "Lanes of one Argon2id hash.",
        "Stays 1 unless the memory is large.",
    ),
    plain(
        "database.max_connections",
        integer(1, 10_000, "connections"),
        "10",
        "Connections each service holds to its database.",
        "The sum over all replicas must fit max_connections of PostgreSQL.",
    ),
    plain(
        "compat.fastapi",
        Kind::Bool,
        "false",
        "Behave as the replaced system where old clients need it.",
        "Every signed-in user lists and reads users, and PUT /users/me takes a new password without the current one.",
    ),
    plain(
        "ops.listen",
        Kind::Address,
        "127.0.0.1:9001",
        "Address of /readyz.",
        "Not public: it tells about the inside.",
    ),
];
