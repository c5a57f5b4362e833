//! The served documents, and what must hold for every operation in them.

use contract::{
    Scope,
    document::{About, merge},
    operation::{Access, Operation},
    users,
};
use http::{Method, StatusCode};

fn about() -> About {
    About { title: "Users".into(), version: "1".into(), description: "Users.".into() }
}

#[test]
fn the_users_document_is_the_reviewed_one() {
    let document = merge(&about(), users::documents().unwrap()).unwrap();
    insta::assert_json_snapshot!("users", document);
}

#[test]
fn the_internal_document_is_the_reviewed_one() {
    let document = merge(&about(), [users::internal_document().unwrap()]).unwrap();
    insta::assert_json_snapshot!("users_internal", document);
}

#[test]
fn every_operation_compiles_with_its_access_and_its_problems() {
    let document = merge(&about(), users::documents().unwrap()).unwrap();
    let operations = Operation::all(&document).unwrap();
    assert_eq!(
        operations.len(),
        users::policies().len() + users::roles::policies().len() + users::import::policies().len()
    );
    for operation in &operations {
        for status in [400, 405, 500, 502, 503, 504] {
            assert!(operation.declares(StatusCode::from_u16(status).unwrap()), "{} {status}", operation.id);
        }
        assert!(operation.scope.is_some(), "{}", operation.id);
        if operation.access == Access::SignedIn {
            assert!(operation.declares(StatusCode::UNAUTHORIZED), "{}", operation.id);
        }
    }
    let create = operations.iter().find(|operation| operation.id == "create_user").unwrap();
    assert_eq!((create.access.clone(), create.method.clone()), (Access::Optional, Method::POST));
}

#[test]
fn an_operation_that_looks_at_tokens_needs_a_scope() {
    let mut policies = users::policies();
    for bad in [None, Some(Scope::named("Users\""))] {
        policies[0].scope = bad;
        let fault = contract::document::of::<users::UsersApi<users::Described>>(&policies).unwrap_err();
        assert!(fault.to_string().contains("list_users"), "{fault}");
    }
}

#[test]
fn the_document_is_the_same_each_time_it_is_written() {
    let write = || serde_json::to_string(&merge(&about(), [users::document().unwrap()]).unwrap()).unwrap();
    assert_eq!(write(), write());
}

#[test]
fn documents_that_hold_the_same_path_are_not_merged() {
    let document = users::document().unwrap();
    let fault = merge(&about(), [document.clone(), document]).unwrap_err();
    assert!(fault.to_string().contains("/api_v1/users"), "{fault}");
}
