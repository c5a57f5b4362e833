//! Pages over many users of whom many are of one moment, while others come and go (case C38).

use std::collections::BTreeSet;

use kit::on_both_databases;
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::service::{PASSWORD, TestService, anonymous, operator};

/// 583 users, 300 of them created in the same microsecond.
async fn fill(service: &TestService) {
    let direct = service.database.open().await;
    let transaction = direct.begin_write().await.unwrap();
    let rows: Vec<String> = (1..=583)
        .map(|number| {
            let at = if number <= 300 { 1_000 } else { number * 1_000 };
            format!(
                "('u{number}@example.com', 'u{number}@example.com', 'x', true, 'u{number}', 1, 1, {at}, {at})"
            )
        })
        .collect();
    let columns = "email, email_canonical, password_hash, is_active, search_text, epoch, version, created_at, updated_at";
    let insert = format!("INSERT INTO users ({columns}) VALUES {}", rows.join(", "));
    transaction.execute_unprepared(&insert).await.unwrap();
    transaction.execute_unprepared("INSERT INTO user_roles SELECT id, 'user' FROM users").await.unwrap();
    transaction.commit().await.unwrap();
    direct.close().await.unwrap();
}

/// The ids of all pages, in order; between two pages `between` may change things.
async fn walk(service: &TestService, query: &str, mut between: impl AsyncFnMut(usize)) -> Vec<i64> {
    let mut path = format!("/api_v1/users?limit=100{query}");
    let mut ids = Vec::new();
    for page in 0.. {
        let answer = service.get(&operator(), &path).await.ok(200);
        ids.extend(answer.body.as_array().unwrap().iter().map(|user| user["id"].as_i64().unwrap()));
        let Some(link) = answer.header("link") else { break };
        path = link.strip_prefix('<').unwrap().split_once('>').unwrap().0.to_owned();
        between(page).await;
    }
    ids
}

on_both_databases! {
    async fn every_user_is_seen_once_whatever_the_order(database: TestDatabase) {
        let service = TestService::start(database).await;
        fill(&service).await;
        for query in ["", "&sort=created_at", "&sort=-created_at", "&sort=-updated_at,id", "&sort=email"] {
            let ids = walk(&service, query, async |_| {}).await;
            assert_eq!(ids.len(), 583, "{query}");
            assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 583, "{query}");
        }
    }

    async fn whoever_was_there_all_the_time_is_seen_once_while_others_come_and_go(database: TestDatabase) {
        let service = TestService::start(database).await;
        fill(&service).await;
        let first = service.get(&operator(), "/api_v1/users?limit=1").await.ok(200).body[0]["id"].as_i64().unwrap();
        let mut gone = BTreeSet::new();
        let ids = walk(&service, "&sort=created_at", async |page| {
            // One of a page that was seen, one of a page to come, and a new one at the end.
            for id in [first + i64::try_from(page).unwrap(), first + 570 - i64::try_from(page).unwrap()] {
                service.delete(&operator(), &format!("/api_v1/users/{id}")).await.ok(204);
                gone.insert(id);
            }
            let new = json!({ "email": format!("new{page}@example.com"), "password": PASSWORD });
            service.post(&anonymous(), "/api_v1/users", new).await.ok(201);
        })
        .await;
        let seen: BTreeSet<i64> = ids.iter().copied().collect();
        assert_eq!(seen.len(), ids.len(), "nobody twice");
        let stayed: BTreeSet<i64> = (first..first + 583).filter(|id| !gone.contains(id)).collect();
        assert!(stayed.is_subset(&seen), "{:?}", stayed.difference(&seen));
    }

    async fn no_limit_cursor_or_order_makes_a_500(database: TestDatabase) {
        let service = TestService::start(database).await;
        service.user("ann@example.com").await;
        for query in [
            "limit=0", "limit=-1", "limit=1001", "limit=1e9", "limit=99999999999999999999", "limit=abc", "limit=", "skip=-1",
            "skip=9223372036854775808", "after=tampered", "after=", "sort=password_hash", "sort=name;drop", "sort=",
        ] {
            let refused = service.get(&operator(), &format!("/api_v1/users?{query}")).await;
            refused.problem(422);
        }
    }
}
