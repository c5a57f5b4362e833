//! Requests and answers against the users contract: one engine for both sides.

use contract::{
    Problem, ProblemKind,
    operation::{Answer, Breach, Operation},
    users,
};
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

fn operation(id: &str) -> Operation {
    let document = contract::document::merge(
        &contract::document::About { title: "t".into(), version: "1".into(), description: "d".into() },
        [users::document().unwrap()],
    )
    .unwrap();
    Operation::all(&document).unwrap().into_iter().find(|operation| operation.id == id).unwrap()
}

fn body(id: &str, text: &[u8]) -> Result<(), Problem> {
    operation(id).check_request_body(Some("application/json"), text)
}

fn pointers(problem: &Problem) -> Vec<&str> {
    problem.violations.iter().map(|violation| violation.pointer.as_str()).collect()
}

fn user() -> Value {
    json!({
        "id": 7, "email": "a@example.com", "is_active": true, "email_verified": true, "first_name": null, "last_name": "A", "roles": ["user"],
        "created_at": "2026-11-25T08:30:00Z", "updated_at": "2026-11-25T08:30:00Z", "must_change_password": false,
    })
}

#[test]
fn all_faults_of_a_body_are_told_at_once() {
    let fault = body("create_user", br#"{"email": "nope", "first_name": 5, "roles": ["A b"], "id": "x"}"#)
        .unwrap_err();
    assert_eq!(fault.kind, ProblemKind::InvalidValues);
    assert_eq!(pointers(&fault), ["/email", "/first_name", "/roles/0", "/id", "/password"]);
}

#[test]
fn a_bad_address_and_a_short_password_are_told_together() {
    let fault = body("create_user", br#"{"email": "nope", "password": "short"}"#).unwrap_err();
    assert_eq!(pointers(&fault), ["/email", "/password"]);
}

#[test]
fn a_string_is_not_made_of_a_number() {
    assert_eq!(
        pointers(&body("create_user", br#"{"email": 1, "password": true}"#).unwrap_err()),
        ["/email", "/password"]
    );
}

#[test]
fn json_that_two_readers_could_read_differently_is_malformed() {
    let deep = [b"{\"first_name\":".as_slice(), "[".repeat(100_000).as_bytes()].concat();
    for text in [
        br#"{"email":"#.as_slice(),
        br#"{"email": "a@example.com", "email": "b@example.com", "password": "x"}"#,
        br#"{"email": "a@example.com", "\u0065mail": "b@example.com"}"#,
        br#"{"foo": {"a": 1, "a": 2}}"#,
        br#"{"first_name": "a\u0000b"}"#,
        b"{\"first_name\": \"a\0b\"}",
        br#"{"a\u0000b": 1}"#,
        b"{\"a\0b\": 1}",
        br#"{"first_name": "\ud800"}"#,
        b"{\"first_name\": \"\xff\xfe\"}",
        b"\xef\xbb\xbf{}",
        b"{}x",
        br#"{"id": NaN}"#,
        br#"{"id": 1e400}"#,
        deep.as_slice(),
    ] {
        let fault = body("create_user", text).unwrap_err();
        assert_eq!(
            fault.kind,
            ProblemKind::MalformedRequest,
            "{}",
            String::from_utf8_lossy(&text[..text.len().min(60)])
        );
    }
}

#[test]
fn another_media_type_or_charset_is_refused() {
    for given in [
        None,
        Some("text/plain"),
        Some("application/json; charset=latin1"),
        Some("application/x-www-form-urlencoded"),
    ] {
        let fault = operation("create_user").check_request_body(given, b"{}").unwrap_err();
        assert_eq!(fault.kind, ProblemKind::UnsupportedMediaType, "{given:?}");
    }
}

#[test]
fn a_body_may_be_left_out_where_the_contract_says_so() {
    assert!(operation("update_me").check_request_body(None, b"").is_ok());
    assert_eq!(
        operation("create_user").check_request_body(None, b"").unwrap_err().kind,
        ProblemKind::InvalidValues
    );
}

#[test]
fn an_id_is_an_integer_of_any_length() {
    let check = |id: &'static str| {
        operation("get_user").check_parameters(move |_| Some(id.into()), None, &HeaderMap::new())
    };
    for good in ["1", "0", "-1", "99999999999999999999"] {
        assert!(check(good).is_ok(), "{good}");
    }
    for bad in ["abc", "1.0", "1e3", "+1", "true", " ", "%31"] {
        let fault = check(bad).unwrap_err();
        assert_eq!(pointers(&fault), ["/user_id"], "{bad}");
    }
}

#[test]
fn query_values_out_of_range_are_named() {
    let check = |query: &'static str| {
        operation("list_users").check_parameters(|_| None, Some(query), &HeaderMap::new())
    };
    assert!(check("skip=0&limit=1000&sort=-created_at,id&is_active=true&other=1").is_ok());
    for (query, pointer) in [
        ("limit=0", "/limit"),
        ("limit=1001", "/limit"),
        ("limit=99999999999999999999", "/limit"),
        ("limit=abc", "/limit"),
        ("limit=", "/limit"),
        ("skip=-1", "/skip"),
        ("sort=password_hash", "/sort"),
        ("is_active=yes", "/is_active"),
        ("created_after=yesterday", "/created_after"),
    ] {
        assert_eq!(pointers(&check(query).unwrap_err()), [pointer], "{query}");
    }
    assert_eq!(check("limit=1&limit=2").unwrap_err().kind, ProblemKind::MalformedRequest);
}

#[test]
fn an_answer_that_keeps_the_contract_goes_on_as_received() {
    let text = serde_json::to_vec(&user()).unwrap();
    let answer = operation("get_user").check_answer(StatusCode::OK, Some("application/json"), &text);
    assert_eq!(answer, Ok(Answer::AsReceived));
}

#[test]
fn what_the_contract_does_not_declare_never_leaves() {
    let mut secret = user();
    secret["hashed_password"] = json!("$argon2id$");
    let listed = serde_json::to_vec(&json!([user(), secret])).unwrap();
    let answer =
        operation("list_users").check_answer(StatusCode::OK, Some("application/json"), &listed).unwrap();
    let Answer::Pruned(text) = answer else { panic!("the field went through") };
    assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), json!([user(), user()]));
}

#[test]
fn an_answer_that_breaks_the_contract_is_told_by_rule() {
    let check = |status: u16, media: Option<&str>, text: &[u8]| {
        operation("get_user")
            .check_answer(StatusCode::from_u16(status).unwrap(), media, text)
            .unwrap_err()
            .rule()
    };
    let mut misfit = user();
    misfit["id"] = json!("7");
    let misfit = serde_json::to_vec(&misfit).unwrap();
    assert_eq!(check(200, Some("application/json"), &misfit), "schema");
    assert_eq!(check(200, Some("application/json"), b"null"), "schema");
    assert_eq!(check(200, Some("application/json"), b"{"), "syntax");
    assert_eq!(check(200, Some("text/html"), b"<html>"), "media_type");
    assert_eq!(check(200, None, b"{}"), "media_type");
    assert_eq!(check(202, Some("application/json"), b"{}"), "status");
    assert!(matches!(
        operation("delete_user").check_answer(StatusCode::NO_CONTENT, None, b"x"),
        Err(Breach::MediaType(..))
    ));
}

proptest! {
    #[test]
    fn no_bytes_make_the_checker_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = body("create_user", &text);
    }

    #[test]
    fn pruning_leaves_declared_values_alone(extra in "[a-z]{1,8}", id in 1_i64..i64::MAX) {
        let mut value = user();
        value["id"] = json!(id);
        let declared = value.clone();
        if value.get(&extra).is_none() {
            value[&extra] = json!({"a": [1]});
            let text = serde_json::to_vec(&value).unwrap();
            let Ok(Answer::Pruned(kept)) = operation("get_user").check_answer(StatusCode::OK, Some("application/json"), &text) else {
                return Err(TestCaseError::fail("not pruned"));
            };
            prop_assert_eq!(serde_json::from_slice::<Value>(&kept).unwrap(), declared);
        }
    }
}
