//! Five hundred sign-ins at once: as many as hashing can take are let in, the rest is told to come back, and nobody else waits.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::{PASSWORD, Place};

/// Sign-ins at once.
const STORM: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_sign_ins_at_once_stop_no_read_and_none_is_left_without_an_answer() {
    // The throttle of one account is another test's matter.
    let place = Place::new().with("PLATFORM__GATEWAY__LOGIN_ATTEMPTS", "1000");
    let platform = tokio::task::spawn_blocking(move || {
        let platform = place.serve(&[]);
        platform.create("ada@example.com", &["--admin"]);
        platform
    })
    .await
    .unwrap();
    let base = format!("http://{}/api_v1", platform.gateway());
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap();
    let sign_in = || {
        let body = json!({ "email": "ada@example.com", "password": PASSWORD });
        client
            .post(format!("{base}/auth/access"))
            .header("content-type", "application/json")
            .body(body.to_string())
    };
    let answer = sign_in().send().await.unwrap().text().await.unwrap();
    let token = serde_json::from_str::<Value>(&answer).unwrap()["access_token"].as_str().unwrap().to_owned();

    let mut storm = tokio::task::JoinSet::new();
    for _ in 0..STORM {
        let request = sign_in();
        storm.spawn(async move { request.send().await.unwrap() });
    }
    let (mut done, mut refused, mut reads, mut slowest) = (0, 0, 0, Duration::ZERO);
    while !storm.is_empty() {
        let begun = Instant::now();
        let read = client.get(format!("{base}/users/me")).bearer_auth(&token).send().await.unwrap();
        assert_eq!(read.status(), 200);
        (reads, slowest) = (reads + 1, slowest.max(begun.elapsed()));
        while let Some(answer) = storm.try_join_next() {
            let answer = answer.unwrap();
            match answer.status().as_u16() {
                200 => done += 1,
                503 => {
                    let wait = answer.headers()["retry-after"].to_str().unwrap().to_owned();
                    assert!(wait.parse::<u32>().unwrap() >= 1);
                    refused += 1;
                }
                other => panic!("{other}: {}", answer.text().await.unwrap()),
            }
        }
    }
    assert_eq!(done + refused, STORM);
    // The queue takes 64 and those being hashed.
    assert!(
        done >= 64 && reads >= 10,
        "{done} signed in, {refused} refused, {reads} reads, the slowest {slowest:?}"
    );
    assert!(slowest < Duration::from_secs(3), "{reads} reads, the slowest {slowest:?}");
    assert_eq!(sign_in().send().await.unwrap().status(), 200, "the storm is over");
}
