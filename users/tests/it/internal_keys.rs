//! The gateway's internal keys, as a service keeps them: through rotation, outage, compromise, and made-up names of keys.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::{Role, Subject, users::SERVICE};
use kit::testing::{TestDatabase, TestGateway};
use serde_json::json;

use crate::service::TestService;

async fn start() -> TestService {
    TestService::start(TestDatabase::sqlite()).await
}

fn token(gateway: &TestGateway) -> String {
    gateway.token(SERVICE, &Subject::Operator, &[Role::ADMIN])
}

/// The status of a call with this token.
async fn call(service: &TestService, token: &str) -> u16 {
    let url = format!("http://{}/api_v1/users?limit=1", service.address);
    service.client.get(url).bearer_auth(token).send().await.unwrap().status().as_u16()
}

/// A good token under another name of its key.
fn renamed(token: &str, kid: &str) -> String {
    let (_, rest) = token.split_once('.').unwrap();
    let header = json!({ "typ": "int+jwt", "alg": "EdDSA", "kid": kid });
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

#[tokio::test]
async fn a_thousand_made_up_keys_cost_one_fetch_and_push_no_good_key_out() {
    let service = start().await;
    let good = token(&service.gateway);
    assert_eq!(call(&service, &good).await, 200);
    let before = service.gateway.fetches();
    let names = (0..1_000).map(|number| match number % 10 {
        0 => "../../dev/null".to_owned(),
        1 => "' OR 1=1".to_owned(),
        // As much as a head takes; 100 KB are refused by the listener itself.
        2 => "k".repeat(5_000),
        _ => format!("made-up-{number}"),
    });
    for name in names {
        assert_eq!(call(&service, &renamed(&good, &name)).await, 401, "{name:.60}");
    }
    assert!(service.gateway.fetches() <= before + 1, "{} more fetches", service.gateway.fetches() - before);
    assert_eq!(call(&service, &renamed(&good, &"k".repeat(100_000))).await, 431);
    assert_eq!(call(&service, &good).await, 200);
}

#[tokio::test]
async fn a_new_key_is_picked_up_and_the_old_one_goes_on_while_it_is_published() {
    let mut service = start().await;
    let old = token(&service.gateway);
    assert_eq!(call(&service, &old).await, 200);
    service.gateway.rotate();
    assert_eq!(call(&service, &token(&service.gateway)).await, 200);
    assert_eq!(call(&service, &old).await, 200);
}

#[tokio::test]
async fn the_last_good_keys_stay_while_the_gateway_serves_none() {
    let service = start().await;
    let good = token(&service.gateway);
    assert_eq!(call(&service, &good).await, 200);
    service.gateway.set_down(true);
    let before = service.gateway.fetches();
    // Until it has asked in vain, and thereafter.
    let asked = async {
        while service.gateway.fetches() == before {
            assert_eq!(call(&service, &good).await, 200);
        }
    };
    tokio::time::timeout(Duration::from_secs(10), asked).await.expect("the service asks again");
    assert_eq!(call(&service, &good).await, 200);
    assert_eq!(call(&service, &token(&service.gateway)).await, 200);
    assert_eq!(call(&service, &renamed(&good, "made-up")).await, 401);
}

#[tokio::test]
async fn a_service_that_never_got_keys_says_so_and_takes_calls_once_it_has_them() {
    let service = start().await;
    service.gateway.set_down(true);
    let good = token(&service.gateway);
    assert_eq!(call(&service, &good).await, 503);
    service.gateway.set_down(false);
    let taken = async { while call(&service, &good).await != 200 {} };
    tokio::time::timeout(Duration::from_secs(5), taken).await.expect("the service asks again");
}

#[tokio::test]
async fn a_withdrawn_key_verifies_nothing_within_a_second_also_for_a_remembered_token() {
    let mut service = start().await;
    let stolen = token(&service.gateway);
    assert_eq!(call(&service, &stolen).await, 200);
    service.gateway.rotate();
    service.gateway.withdraw_others();
    let refused = async { while call(&service, &stolen).await != 401 {} };
    tokio::time::timeout(Duration::from_secs(1), refused).await.expect("refused within a second");
    assert_eq!(call(&service, &token(&service.gateway)).await, 200);
}
