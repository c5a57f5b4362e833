//! Two gateways over one database: how soon one knows what the other revoked, and what goes on when the database is gone.

use std::time::{Duration, Instant};

use gateway::Config;
use kit::{on_both_databases, testing::TestDatabase};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::json;

use crate::support::{Gateway, Tokens, UsersDouble, Wire, config, problem};

async fn two(database: &TestDatabase) -> (Gateway, Gateway, UsersDouble) {
    let users = UsersDouble::bind().await;
    let first = Gateway::start(config(database, &users.url()).await).await;
    users.serve(&first.url(""));
    let second = Gateway::start(first.config.clone()).await;
    (first, second, users)
}

/// How long `gateway` goes on taking a token.
async fn until_refused(gateway: &Gateway, token: &str) -> Duration {
    let begun = Instant::now();
    let refused = async { while gateway.me(token).await != 401 {} };
    tokio::time::timeout(Duration::from_secs(5), refused).await.expect("the token is refused at last");
    begun.elapsed()
}

/// Every way in which a user's access tokens end, by its name.
const ENDS: [&str; 7] =
    ["logout", "session end", "end of the others", "password", "disable", "lost role", "delete"];

/// Ends what `tokens` belong to, at `gateway`.
async fn end(gateway: &Gateway, how: &str, tokens: &Tokens, admin: &str) {
    let bearer = |request: reqwest::RequestBuilder, token: &str| request.bearer_auth(token.to_owned()).send();
    let put = |body| bearer(gateway.client.put(gateway.url("/api_v1/users/1")).json(&body), admin);
    let delete = |path: &str, token: &str| bearer(gateway.client.delete(gateway.url(path)), token);
    let answer = match how {
        "logout" => bearer(gateway.post("/api_v1/auth/logout"), &tokens.access).await,
        "session end" => {
            let listed = bearer(gateway.get("/api_v1/auth/sessions"), &tokens.access).await.unwrap();
            let listed: serde_json::Value = listed.json().await.unwrap();
            let current =
                listed.as_array().unwrap().iter().find(|session| session["current"] == true).unwrap();
            let path = format!("/api_v1/auth/sessions/{}", current["id"].as_str().unwrap());
            delete(&path, &tokens.access).await
        }
        "end of the others" => {
            let other = gateway.sign_in("ann@example.com").await;
            delete("/api_v1/auth/sessions", &other.access).await
        }
        "password" => put(json!({ "password": "another long pass phrase" })).await,
        "disable" => put(json!({ "is_active": false })).await,
        "lost role" => put(json!({ "roles": ["user"] })).await,
        _ => delete("/api_v1/users/1", admin).await,
    };
    let status = answer.unwrap().status().as_u16();
    assert!((200..300).contains(&status), "{how}: {status}");
}

on_both_databases! {
    async fn whatever_ends_a_token_at_one_gateway_ends_it_at_the_other_within_a_second(database: TestDatabase) {
        let (first, second, users) = two(&database).await;
        let admin = first.operator().await;
        let mut delays = Vec::new();
        for how in ENDS {
            users.change(1, |user, _| user.is_active = true);
            let tokens = first.sign_in("ann@example.com").await;
            assert_eq!(second.me(&tokens.access).await, 200, "{how}");
            end(&first, how, &tokens, &admin).await;
            assert_eq!(first.me(&tokens.access).await, 401, "{how}: at once where it was done");
            delays.push((how, until_refused(&second, &tokens.access).await));
        }
        tracing::info!(?delays, "until the other gateway refused");
        assert!(delays.iter().all(|(_, delay)| *delay < Duration::from_secs(1)), "{delays:?}");
    }
}

/// Ends every connection that listens to this database, over and over.
async fn keep_cutting_listeners(database: &TestDatabase) -> std::convert::Infallible {
    let database = database.open().await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND application_name = 'platform-listener'";
    let mut often = tokio::time::interval(Duration::from_millis(25));
    loop {
        often.tick().await;
        let statement = Statement::from_string(DbBackend::Postgres, sql);
        database.reader().query_all_raw(statement).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_every_listener_cut_off_the_poll_still_finds_what_was_revoked_within_a_second() {
    let database = TestDatabase::postgres().await;
    let (first, second, _users) = two(&database).await;
    let measured = async {
        let mut delays = Vec::new();
        for _ in 0..5 {
            let tokens = first.sign_in("bob@example.com").await;
            assert_eq!(second.me(&tokens.access).await, 200);
            end(&first, "logout", &tokens, "").await;
            delays.push(until_refused(&second, &tokens.access).await);
        }
        delays
    };
    let delays = tokio::select! {
        delays = measured => delays,
        never = keep_cutting_listeners(&database) => match never {},
    };
    tracing::info!(?delays, "until the other gateway refused, listeners cut off");
    assert!(delays.iter().all(|delay| *delay < Duration::from_secs(1)), "{delays:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_its_database_is_gone_a_gateway_reads_on_for_a_while_and_changes_nothing() {
    let database = TestDatabase::postgres().await;
    let wire = Wire::to(&database).await;
    let users = UsersDouble::bind().await;
    let direct = config(&database, &users.url()).await;
    let cut_off = Config {
        database_url: wire.url(&database),
        revocation_grace: Duration::from_secs(2),
        ..direct.clone()
    };
    let (whole, gateway) = (Gateway::start(direct).await, Gateway::start(cut_off).await);
    users.serve(&whole.url(""));
    let (bob, ann) = (gateway.sign_in("bob@example.com").await, gateway.sign_in("ann@example.com").await);
    // One token it has seen, and one that it has not.
    assert_eq!(gateway.me(&bob.access).await, 200);
    wire.cut();
    let until = |status: u16, path: &'static str| {
        let gateway = &gateway;
        let reached = async move {
            while gateway.client.get(format!("http://{}{path}", gateway.ops)).send().await.unwrap().status()
                != status
            {}
        };
        tokio::time::timeout(Duration::from_secs(10), reached)
    };
    until(503, "/readyz").await.expect("it says that it is not ready");
    // A change is refused before the service hears of it; what needs the database is refused.
    let name = json!({ "first_name": "Robert" });
    let change = gateway.client.put(gateway.url("/api_v1/users/me")).bearer_auth(&bob.access).json(&name);
    let login = json!({ "email": "bob@example.com", "password": crate::support::PASSWORD });
    let refused = [
        change,
        gateway.post("/api_v1/auth/access").json(&login),
        gateway.post("/api_v1/auth/refresh").bearer_auth(&bob.refresh),
        gateway.post("/api_v1/auth/logout").bearer_auth(&bob.access),
        gateway.get("/api_v1/auth/sessions").bearer_auth(&bob.access),
    ];
    let checks = users.checks();
    for request in refused {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 503, "{}", answer.url());
        problem(answer).await;
    }
    assert_eq!((users.checks(), users.name(2)), (checks, None));
    // Reads go on until the grace has passed, and not after it; what needs no token goes on throughout.
    let stale = async { while gateway.me(&ann.access).await != 503 {} };
    tokio::time::timeout(Duration::from_secs(10), stale).await.expect("tokens are refused after the grace");
    for path in ["/api_v1/openapi.json", "/.well-known/jwks.json", "/healthz"] {
        assert_eq!(gateway.get(path).send().await.unwrap().status(), 200, "{path}");
    }
    // What was revoked elsewhere meanwhile is refused from the first request after it is back.
    end(&whole, "logout", &bob, "").await;
    wire.mend();
    let back = async { while gateway.me(&ann.access).await != 200 {} };
    tokio::time::timeout(Duration::from_secs(10), back).await.expect("it comes back by itself");
    assert_eq!(gateway.me(&bob.access).await, 401);
    until(200, "/readyz").await.expect("it says that it is ready");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_outage_of_the_database_costs_no_read() {
    let database = TestDatabase::postgres().await;
    let wire = Wire::to(&database).await;
    let users = UsersDouble::bind().await;
    let direct = config(&database, &users.url()).await;
    let gateway = Gateway::start(Config { database_url: wire.url(&database), ..direct }).await;
    users.serve(&gateway.url(""));
    let (seen, unseen) = (gateway.sign_in("bob@example.com").await, gateway.sign_in("ann@example.com").await);
    assert_eq!(gateway.me(&seen.access).await, 200);
    wire.cut();
    let change = || {
        let name = json!({ "first_name": "Robert" });
        gateway.client.put(gateway.url("/api_v1/users/me")).bearer_auth(&seen.access).json(&name).send()
    };
    let noticed = async { while change().await.unwrap().status() != 503 {} };
    tokio::time::timeout(Duration::from_secs(10), noticed).await.expect("it notices");
    assert_eq!((gateway.me(&seen.access).await, gateway.me(&unseen.access).await), (200, 200));
    wire.mend();
    let mended = async { while change().await.unwrap().status() != 200 {} };
    tokio::time::timeout(Duration::from_secs(10), mended).await.expect("it comes back by itself");
    assert_eq!((gateway.me(&seen.access).await, gateway.me(&unseen.access).await), (200, 200));
}
