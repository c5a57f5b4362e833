//! Listing users.

use kit::on_both_databases;
use serde_json::{Value, json};

use crate::service::{Answer, TestService, operator, user};

fn emails(answer: &Answer) -> Vec<&str> {
    answer.body.as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap()).collect()
}

/// Where `Link: <…>; rel="next"` leads.
fn next(answer: &Answer) -> Option<String> {
    let link = answer.header("link")?;
    Some(link.strip_prefix('<')?.strip_suffix(">; rel=\"next\"")?.to_owned())
}

async fn people(service: &TestService) {
    service.role("editor").await;
    for name in ["dora", "anna", "carl", "Bert", "emil"] {
        let id = service.user(&format!("{name}@example.com")).await;
        let body = json!({ "first_name": format!("{name} Ö%_\\"), "roles": if name == "carl" { vec!["editor"] } else { vec![] } });
        service.put(&operator(), &format!("/api_v1/users/{id}"), body).await.ok(200);
    }
}

on_both_databases! {
    async fn the_list_is_for_admins_and_in_the_order_of_ids(database: TestDatabase) {
        let service = TestService::start(database).await;
        people(&service).await;
        service.get(&user(1), "/api_v1/users").await.problem(403);
        let all = service.get(&operator(), "/api_v1/users/").await.ok(200);
        assert_eq!(emails(&all), ["dora@example.com", "anna@example.com", "carl@example.com", "Bert@example.com", "emil@example.com"]);
        assert_eq!((all.header("x-total-count"), next(&all)), (Some("5"), None));
        let part = service.get(&operator(), "/api_v1/users?skip=1&limit=2").await.ok(200);
        assert_eq!(emails(&part), ["anna@example.com", "carl@example.com"]);
        assert_eq!(part.header("x-total-count"), Some("5"));
        assert_eq!(emails(&service.get(&operator(), "/api_v1/users?skip=99").await.ok(200)), Vec::<&str>::new());
        let far = service.get(&operator(), &format!("/api_v1/users?skip={}", u64::MAX)).await;
        assert!(far.status == 200 || far.status == 422, "{far:?}");
    }

    async fn pages_follow_each_other_in_every_order_and_miss_and_repeat_nobody(database: TestDatabase) {
        let service = TestService::start(database).await;
        people(&service).await;
        for sort in ["id", "-id", "email", "-email", "created_at", "-created_at", "-created_at,id", "updated_at,-id", "-updated_at,email"] {
            let whole = service.get(&operator(), &format!("/api_v1/users?sort={sort}")).await.ok(200);
            let mut path = format!("/api_v1/users?limit=2&sort={sort}");
            let mut found: Vec<Value> = Vec::new();
            loop {
                let page = service.get(&operator(), &path).await.ok(200);
                assert_eq!(page.header("x-total-count"), Some("5"));
                found.extend(page.body.as_array().unwrap().iter().cloned());
                let Some(following) = next(&page) else { break };
                path = following;
            }
            assert_eq!(Value::from(found), whole.body, "{sort}");
        }
        let by_address = service.get(&operator(), "/api_v1/users?sort=email").await.ok(200);
        assert_eq!(emails(&by_address)[..2], ["anna@example.com", "Bert@example.com"]);
    }

    async fn a_page_does_not_shift_when_users_come_and_go(database: TestDatabase) {
        let service = TestService::start(database).await;
        people(&service).await;
        let first = service.get(&operator(), "/api_v1/users?limit=2").await.ok(200);
        service.delete(&operator(), "/api_v1/users/1").await.ok(204);
        let second = service.get(&operator(), &next(&first).unwrap()).await.ok(200);
        assert_eq!(emails(&second), ["carl@example.com", "Bert@example.com"]);
    }

    async fn filters_narrow_the_list(database: TestDatabase) {
        let service = TestService::start(database).await;
        people(&service).await;
        service.put(&operator(), "/api_v1/users/2", json!({ "is_active": false })).await.ok(200);
        for (query, expected) in [
            ("email=BERT@example.com", vec!["Bert@example.com"]),
            ("email=nobody@example.com", vec![]),
            ("q=ER", vec!["Bert@example.com"]),
            ("q=EMIL%20%C3%B6", vec!["emil@example.com"]),
            ("q=%25_%5C&limit=1", vec!["dora@example.com"]),
            ("q=%25%25", vec![]),
            ("q='%20OR%201=1", vec![]),
            ("is_active=false", vec!["anna@example.com"]),
            ("is_active=true&role=editor", vec!["carl@example.com"]),
            ("role=user&is_active=false", vec!["anna@example.com"]),
            ("role=nobody", vec![]),
            ("created_after=2100-01-01T00:00:00Z", vec![]),
        ] {
            let answer = service.get(&operator(), &format!("/api_v1/users?{query}")).await.ok(200);
            assert_eq!(emails(&answer), expected, "{query}");
        }
        let third = service.get(&operator(), "/api_v1/users/3").await.ok(200);
        let after = third.body["created_at"].as_str().unwrap();
        let younger = service.get(&operator(), &format!("/api_v1/users?created_after={after}")).await.ok(200);
        assert_eq!(emails(&younger), ["Bert@example.com", "emil@example.com"]);
        assert_eq!(younger.header("x-total-count"), Some("2"));
    }

    async fn what_does_not_fit_is_422_by_the_parameters_name(database: TestDatabase) {
        let service = TestService::start(database).await;
        people(&service).await;
        let cursor = next(&service.get(&operator(), "/api_v1/users?limit=2").await).unwrap();
        let cursor = cursor.split("after=").nth(1).unwrap().to_owned();
        for (query, pointer) in [
            ("skip=-1".to_owned(), "/skip"),
            ("skip=abc".to_owned(), "/skip"),
            ("limit=0".to_owned(), "/limit"),
            ("limit=1001".to_owned(), "/limit"),
            ("is_active=perhaps".to_owned(), "/is_active"),
            ("created_after=yesterday".to_owned(), "/created_after"),
            ("sort=password_hash".to_owned(), "/sort"),
            ("email=nope".to_owned(), "/email"),
            ("role=Not+A+Role".to_owned(), "/role"),
            ("q=a%00b".to_owned(), "/q"),
            ("after=nonsense".to_owned(), "/after"),
            (format!("after=A{cursor}"), "/after"),
            (format!("sort=-id&after={cursor}"), "/after"),
            (format!("is_active=true&after={cursor}"), "/after"),
        ] {
            let answer = service.get(&operator(), &format!("/api_v1/users?{query}")).await;
            assert_eq!(answer.pointers(), [pointer], "{query}");
            assert_eq!(answer.body["errors"][0]["in"], "query", "{query}");
        }
        service.get(&operator(), "/api_v1/users?limit=1&limit=2").await.problem(400);
    }
}
