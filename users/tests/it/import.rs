//! Users of another system, many at once.

use std::sync::Arc;

use kit::on_both_databases;
use serde_json::{Value, json};

use crate::service::{TestService, admin, anonymous, operator, user};

const IMPORT: &str = "/api_v1/users/import";
const BCRYPT: &str = "$2b$05$abcdefghijklmnopqrstuuTD5NfgSwyCrNff/C2OER6BVQthOVUs6";
const OF_BCRYPT: &str = "träumende Kühe 42";

fn outcomes(report: &Value) -> Vec<&str> {
    report["rows"].as_array().unwrap().iter().map(|row| row["outcome"].as_str().unwrap()).collect()
}

async fn count(service: &TestService) -> usize {
    service.get(&operator(), "/api_v1/users?limit=1000").await.ok(200).body.as_array().unwrap().len()
}

on_both_databases! {
    async fn each_row_is_created_there_already_or_refused_with_its_reason(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        service.role("editor").await;
        let rows = json!([
            { "email": "bob@example.com", "password_hash": BCRYPT, "first_name": "Bob", "roles": ["editor"], "must_change_password": true },
            { "email": "ANN@example.com", "password_hash": BCRYPT, "roles": ["admin"], "is_active": false },
            { "email": "carl@example.com" },
            { "email": "no address" },
            { "password_hash": BCRYPT },
            { "email": "x@example.com", "password_hash": "md5$S3NT$S3NT" },
            { "email": "x@example.com", "password_hash": "$2b$31$S3NTefghijklmnopqrstuuTD5NfgSwyCrNff/C2OER6BVQthOVUs6" },
            { "email": "x@example.com", "roles": ["auditor"] },
            { "email": "x@example.com", "roles": ["Not A Role"] },
            { "email": "x@example.com", "first_name": "a\tb" },
            { "email": "Carl@Example.com", "first_name": "again" },
            { "email": "dora@example.com", "is_active": false, "unknown": 1 },
        ]);
        let report = service.post(&operator(), IMPORT, rows.clone()).await.ok(200).body;
        let expected = ["created", "exists", "created", "refused", "refused", "refused", "refused", "refused", "refused", "refused", "exists", "created"];
        assert_eq!(outcomes(&report), expected);
        assert_eq!((&report["created"], &report["exists"], &report["refused"]), (&json!(3), &json!(2), &json!(7)));
        assert!(!report.to_string().contains("S3NT"), "no part of a hash is repeated");
        for (row, part) in [(3, "email"), (4, "email"), (5, "of no scheme"), (6, "cost must be 4 to 16"), (7, "no such role: auditor"), (8, "roles"), (9, "first_name")] {
            let reason = report["rows"][row]["reason"].as_str().unwrap();
            assert!(reason.contains(part), "{row}: {reason}");
        }
        assert_eq!(report["rows"][1]["id"], ann);
        let bob = service.get(&operator(), "/api_v1/users?email=bob@example.com").await.ok(200).body[0].clone();
        assert_eq!((&bob["id"], &bob["roles"], &bob["first_name"]), (&report["rows"][0]["id"], &json!(["editor", "user"]), &json!("Bob")));
        assert_eq!((&bob["must_change_password"], &bob["email_verified"]), (&json!(true), &json!(true)));
        // Who is there stays as they are.
        let kept = service.get(&operator(), &format!("/api_v1/users/{ann}")).await.ok(200).body;
        assert_eq!((&kept["roles"], &kept["is_active"]), (&json!(["user"]), &json!(true)));
        service.sign_in("bob@example.com", OF_BCRYPT).await.ok(200);
        service.sign_in("carl@example.com", "").await.problem(400);
        assert_eq!(count(&service).await, 4);
        // The same again creates nobody.
        let again = service.post(&operator(), IMPORT, rows).await.ok(200).body;
        assert_eq!((&again["created"], &again["exists"]), (&json!(0), &json!(5)));
        assert_eq!(count(&service).await, 4);
    }

    async fn a_dry_run_tells_the_same_and_changes_nothing(database: TestDatabase) {
        let service = TestService::start(database).await;
        service.user("ann@example.com").await;
        let rows = json!([{ "email": "bob@example.com" }, { "email": "bob@example.com" }, { "email": "ann@example.com" }, { "email": "x" }]);
        let path = format!("{IMPORT}?dry_run=true");
        let report = service.post(&operator(), &path, rows.clone()).await.ok(200).body;
        assert_eq!(outcomes(&report), ["created", "exists", "exists", "refused"]);
        assert_eq!(report["rows"][0]["id"], Value::Null);
        assert_eq!(count(&service).await, 1);
        assert_eq!(outcomes(&service.post(&operator(), IMPORT, rows).await.ok(200).body), ["created", "exists", "exists", "refused"]);
    }

    async fn only_admins_who_still_are_import(database: TestDatabase) {
        let service = TestService::start(database).await;
        let (root, ann) = (service.admin("root@example.com").await, service.user("ann@example.com").await);
        let rows = json!([{ "email": "bob@example.com" }]);
        service.post(&anonymous(), IMPORT, rows.clone()).await.problem(401);
        service.post(&user(ann), IMPORT, rows.clone()).await.problem(403);
        service.post(&admin(ann), IMPORT, rows.clone()).await.problem(403);
        service.post(&admin(4242), IMPORT, rows.clone()).await.problem(401);
        assert_eq!(count(&service).await, 2);
        service.post(&admin(root), IMPORT, rows).await.ok(200);
    }

    async fn a_thousand_rows_are_one_request_and_more_are_refused(database: TestDatabase) {
        let service = TestService::start(database).await;
        let rows = |count: usize| (0..count).map(|number| json!({ "email": format!("u{number}@example.com"), "password_hash": BCRYPT })).collect::<Value>();
        service.post(&operator(), IMPORT, rows(1001)).await.problem(422);
        assert_eq!(service.post(&operator(), IMPORT, json!([])).await.ok(200).body["rows"], json!([]));
        assert_eq!(service.post(&operator(), IMPORT, rows(1000)).await.ok(200).body["created"], 1000);
        assert_eq!(count(&service).await, 1000);
    }

    async fn rows_far_apart_are_told_as_rows_side_by_side(database: TestDatabase) {
        let service = TestService::start(database).await;
        let mut rows: Vec<Value> = (0..350).map(|number| json!({ "email": format!("u{number}@example.com") })).collect();
        rows[7] = json!({ "email": "U3@example.com", "first_name": "beside" });
        rows[310] = json!({ "email": "U5@EXAMPLE.com", "first_name": "far" });
        rows[20] = json!({ "email": "u20@example.com", "roles": ["nurse"] });
        rows[330] = json!({ "email": "U20@example.com" });
        let report = service.post(&operator(), IMPORT, json!(rows)).await.ok(200).body;
        let told = outcomes(&report);
        let other: Vec<(usize, &str)> = told.iter().copied().enumerate().filter(|(_, outcome)| *outcome != "created").collect();
        assert_eq!(other, [(7, "exists"), (20, "refused"), (310, "exists")]);
        assert_eq!((&report["rows"][7]["id"], &report["rows"][310]["id"]), (&report["rows"][3]["id"], &report["rows"][5]["id"]));
        // Each under its own id, with its own role.
        let last = service.get(&operator(), &format!("/api_v1/users/{}", report["rows"][349]["id"])).await.ok(200).body;
        assert_eq!((&last["email"], &last["roles"]), (&json!("u349@example.com"), &json!(["user"])));
        assert_eq!(service.get(&operator(), "/api_v1/users?role=user&limit=1").await.ok(200).header("x-total-count"), Some("347"));
    }

    async fn imports_and_registrations_of_the_same_people_at_once_create_each_once(database: TestDatabase) {
        let service = Arc::new(TestService::start(database).await);
        let mut tasks = tokio::task::JoinSet::new();
        for turned in [false, true, false, true] {
            let service = Arc::clone(&service);
            tasks.spawn(async move {
                let mut rows: Vec<Value> = (0..100).map(|number| json!({ "email": format!("u{number}@example.com") })).collect();
                if turned {
                    rows.reverse();
                }
                service.post(&operator(), IMPORT, json!(rows)).await.ok(200).body["created"].as_u64().unwrap()
            });
        }
        let service_too = Arc::clone(&service);
        tasks.spawn(async move {
            let mut registered = 0;
            for number in [0, 50, 99] {
                let body = json!({ "email": format!("U{number}@example.com"), "password": OF_BCRYPT });
                registered += u64::from(service_too.post(&anonymous(), "/api_v1/users", body).await.status == 201);
            }
            registered
        });
        assert_eq!(tasks.join_all().await.into_iter().sum::<u64>(), 100);
        assert_eq!(count(&service).await, 100);
    }
}
