//! However many at once try to take away the last admins, exactly one stays.

use std::sync::Arc;

use kit::on_both_databases;
use serde_json::{Value, json};

use crate::service::{As, TestService, admin, operator};

const ROUNDS: usize = 20;

async fn left(service: &TestService) -> Vec<i64> {
    let listed = service.get(&operator(), "/api_v1/users?role=admin&is_active=true").await.ok(200).body;
    listed.as_array().unwrap().iter().map(|user| user["id"].as_i64().unwrap()).collect()
}

/// What is done to an admin: a change, or where there is none, the deletion.
async fn act(service: &TestService, who: &As, id: i64, body: Option<Value>) -> u16 {
    let path = format!("/api_v1/users/{id}");
    match body {
        Some(body) => service.put(who, &path, body).await.status,
        None => service.delete(who, &path).await.status,
    }
}

/// In each round there are two active admins, `first` and a new one; both acts run at once, and one admin stays.
async fn one_stays(database: kit::testing::TestDatabase, by_each_other: bool, body: Option<Value>) {
    let service = Arc::new(TestService::start(database).await);
    let mut first = service.admin("first@example.com").await;
    for round in 0..ROUNDS {
        let second = service.admin(&format!("second{round}@example.com")).await;
        let tasks = [(first, second), (second, first)].map(|(actor, target)| {
            let (service, body) = (Arc::clone(&service), body.clone());
            let who = if by_each_other { admin(actor) } else { operator() };
            tokio::spawn(async move { act(&service, &who, target, body).await })
        });
        let mut statuses = Vec::new();
        for task in tasks {
            statuses.push(task.await.unwrap());
        }
        let left = left(&service).await;
        assert_eq!(left.len(), 1, "round {round}: {statuses:?}");
        let done = statuses.iter().filter(|status| matches!(status, 200 | 204)).count();
        assert_eq!(done, 1, "round {round}: {statuses:?}");
        // The other act is refused for the rule, or because its actor is no admin any more.
        assert!(statuses.iter().all(|status| matches!(status, 200 | 204 | 409 | 403 | 401)), "{statuses:?}");
        first = left[0];
    }
}

on_both_databases! {
    async fn two_admins_who_demote_each_other_at_once_leave_one(database: TestDatabase) {
        one_stays(database, true, Some(json!({ "roles": [] }))).await;
    }

    async fn two_admins_who_disable_each_other_at_once_leave_one(database: TestDatabase) {
        one_stays(database, true, Some(json!({ "is_active": false }))).await;
    }

    async fn two_admins_who_delete_each_other_at_once_leave_one(database: TestDatabase) {
        one_stays(database, true, None).await;
    }

    async fn two_demotions_at_once_leave_one_admin(database: TestDatabase) {
        one_stays(database, false, Some(json!({ "roles": [] }))).await;
    }

    async fn two_disablings_at_once_leave_one_admin(database: TestDatabase) {
        one_stays(database, false, Some(json!({ "is_active": false }))).await;
    }

    async fn two_deletions_at_once_leave_one_admin(database: TestDatabase) {
        one_stays(database, false, None).await;
    }
}
