//! Creating, reading and deleting widgets.

use kit::on_both_databases;
use serde_json::json;

use crate::service::{TestService, admin, anonymous, user};

on_both_databases! {
    async fn one_creates_reads_and_deletes_one_s_own(database: TestDatabase) {
        let service = TestService::start(database).await;
        let created = service.post(&user(7), "/api_v1/widgets", json!({ "name": "First" })).await.ok(201);
        let path = created.location.unwrap();
        assert_eq!((&created.body["name"], &created.body["owner"]), (&json!("First"), &json!(7)));
        assert_eq!(service.get(&user(7), &path).await.ok(200).body, created.body);
        service.delete(&user(7), &path).await.ok(204);
        service.get(&user(7), &path).await.ok(404);
        service.delete(&user(7), &path).await.ok(404);
    }

    async fn what_is_another_s_is_not_there_and_admins_reach_all(database: TestDatabase) {
        let service = TestService::start(database).await;
        let created = service.post(&user(7), "/api_v1/widgets", json!({ "name": "Mine" })).await.ok(201);
        let path = created.location.unwrap();
        service.get(&user(8), &path).await.ok(404);
        service.delete(&user(8), &path).await.ok(404);
        assert_eq!(service.get(&user(8), "/api_v1/widgets").await.ok(200).body, json!([]));
        assert_eq!(service.get(&admin(9), &path).await.ok(200).body, created.body);
        assert_eq!(service.get(&admin(9), "/api_v1/widgets").await.ok(200).body, json!([created.body]));
        service.delete(&admin(9), &path).await.ok(204);
    }

    async fn a_list_comes_in_pages(database: TestDatabase) {
        let service = TestService::start(database).await;
        let mut ids = Vec::new();
        for name in ["a", "b", "c"] {
            let created = service.post(&user(7), "/api_v1/widgets", json!({ "name": name })).await.ok(201);
            ids.push(created.body["id"].as_i64().unwrap());
        }
        let first = service.get(&user(7), "/api_v1/widgets?limit=2").await.ok(200).body;
        assert_eq!((&first[0]["id"], &first[1]["id"]), (&json!(ids[0]), &json!(ids[1])));
        let next = service.get(&user(7), &format!("/api_v1/widgets?limit=2&after={}", ids[1])).await.ok(200).body;
        assert_eq!((next.as_array().unwrap().len(), &next[0]["name"]), (1, &json!("c")));
    }

    async fn who_is_not_signed_in_is_401_and_what_does_not_fit_is_422(database: TestDatabase) {
        let service = TestService::start(database).await;
        service.get(&anonymous(), "/api_v1/widgets").await.ok(401);
        for body in [json!({}), json!({ "name": "" }), json!({ "name": 5 }), json!({ "name": "x".repeat(201) })] {
            let refused = service.post(&user(7), "/api_v1/widgets", body).await.ok(422);
            assert_eq!(refused.body["errors"][0]["pointer"], "/name");
        }
        service.get(&user(7), "/api_v1/widgets/abc").await.ok(422);
        service.get(&user(7), "/api_v1/widgets?limit=0").await.ok(422);
    }
}
