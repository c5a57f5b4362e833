//! Guessing passwords: a hundred guesses at once are five, and nobody is locked out by somebody else.

use kit::{client_address::TrustedProxies, on_both_databases, testing::TestDatabase};
use serde_json::json;

use crate::support::{Gateway, PASSWORD, UsersDouble, config, problem};

async fn start(database: &TestDatabase) -> (Gateway, UsersDouble) {
    let users = UsersDouble::bind().await;
    let config = gateway::Config {
        trusted_proxies: TrustedProxies::parse(["127.0.0.1"]).unwrap(),
        upstream_time: std::time::Duration::from_secs(10),
        ..config(database, &users.url()).await
    };
    let gateway = Gateway::start(config).await;
    users.serve(&gateway.url(""));
    (gateway, users)
}

async fn attempt(gateway: &Gateway, email: &str, password: &str, client: &str) -> reqwest::Response {
    let post = gateway.post("/api_v1/auth/access").header("x-forwarded-for", client);
    post.json(&json!({ "email": email, "password": password })).send().await.unwrap()
}

async fn statuses(attempts: impl Iterator<Item = impl Future<Output = reqwest::Response>>) -> Vec<u16> {
    let answers = futures_util::future::join_all(attempts).await;
    answers.iter().map(|answer| answer.status().as_u16()).collect()
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|found| **found == status).count()
}

on_both_databases! {
    async fn a_hundred_guesses_at_once_over_two_gateways_are_five(database: TestDatabase) {
        let (first, users) = start(&database).await;
        let second = Gateway::start(first.config.clone()).await;
        let guesses = (0..100).map(|number| {
            let gateway = if number % 2 == 0 { &first } else { &second };
            attempt(gateway, "bob@example.com", "wrong", "192.0.2.1")
        });
        let found = statuses(guesses).await;
        assert_eq!((count(&found, 400), count(&found, 429)), (5, 95), "{found:?}");
        assert_eq!(users.checks(), 5);
        // Now the right password is no better than a wrong one, and the answer says when to come back.
        let answer = attempt(&first, "BOB@example.com ", PASSWORD, "192.0.2.1").await;
        assert_eq!(answer.status(), 429);
        assert!(answer.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
        problem(answer).await;
        // From elsewhere the owner signs in all the same, and others from there do too.
        assert_eq!(attempt(&second, "bob@example.com", PASSWORD, "192.0.2.2").await.status(), 200);
        assert_eq!(attempt(&second, "ann@example.com", PASSWORD, "192.0.2.1").await.status(), 200);
    }

    async fn fifty_right_log_ins_at_once_are_fifty_log_ins(database: TestDatabase) {
        let (gateway, _users) = start(&database).await;
        let found = statuses((0..50).map(|_| attempt(&gateway, "bob@example.com", PASSWORD, "192.0.2.1"))).await;
        assert_eq!(count(&found, 200), 50, "{found:?}");
    }

    async fn a_right_password_clears_the_count(database: TestDatabase) {
        let (gateway, _users) = start(&database).await;
        for _ in 0..4 {
            for _ in 0..4 {
                assert_eq!(attempt(&gateway, "bob@example.com", "wrong", "192.0.2.1").await.status(), 400);
            }
            assert_eq!(attempt(&gateway, "bob@example.com", PASSWORD, "192.0.2.1").await.status(), 200);
        }
    }
}

#[tokio::test]
async fn a_forged_forwarding_header_buys_no_guesses() {
    let database = TestDatabase::sqlite();
    let (trusting, users) = start(&database).await;
    let untrusting =
        gateway::Config { trusted_proxies: TrustedProxies::default(), ..trusting.config.clone() };
    let gateway = Gateway::start(untrusting).await;
    for number in 0..10 {
        let answer = attempt(&gateway, "bob@example.com", "wrong", &format!("1.2.3.{number}")).await;
        assert_eq!(answer.status(), if number < 5 { 400 } else { 429 });
    }
    assert_eq!(users.checks(), 5);
}

#[tokio::test]
async fn many_accounts_from_one_address_have_a_limit_too() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let mut found = Vec::new();
    for number in 0..60 {
        found.push(
            attempt(&gateway, &format!("user{number}@example.com"), "wrong", "192.0.2.9")
                .await
                .status()
                .as_u16(),
        );
    }
    assert_eq!((count(&found, 400), count(&found, 429)), (50, 10));
}

#[tokio::test]
async fn a_guess_whose_client_hangs_up_is_counted() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let body = json!({ "email": "bob@example.com", "password": "wrong" }).to_string();
    let request = format!(
        "POST /api_v1/auth/access HTTP/1.1\r\nhost: g\r\nx-forwarded-for: 192.0.2.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for _ in 0..5 {
        let mut stream = tokio::net::TcpStream::connect(gateway.address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
        drop(stream);
    }
    let refused =
        async { while attempt(&gateway, "bob@example.com", "wrong", "192.0.2.1").await.status() != 429 {} };
    tokio::time::timeout(std::time::Duration::from_secs(5), refused).await.expect("guesses are counted");
}

#[tokio::test]
async fn a_service_that_is_down_counts_against_nobody() {
    let database = TestDatabase::sqlite();
    let gateway = Gateway::start(config(&database, "http://127.0.0.1:1").await).await;
    for _ in 0..20 {
        assert_eq!(attempt(&gateway, "bob@example.com", "wrong", "192.0.2.1").await.status(), 503);
    }
}
