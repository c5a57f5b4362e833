//! The one document: the gateway's own part reviewed, that of each service equal to the service's own.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use contract::document::About;
use serde_json::Value;

/// What a service's operations say is reviewed where its contract is.
#[test]
fn the_gateway_s_own_document_is_the_reviewed_one() {
    let documents = gateway::documents().unwrap();
    let own = documents
        .into_iter()
        .filter(|(service, _)| *service == contract::caller::GATEWAY)
        .map(|(_, document)| document);
    let about = About { title: "Gateway".into(), version: "1".into(), description: "The gateway.".into() };
    insta::assert_json_snapshot!("gateway", contract::document::merge(&about, own).unwrap());
}

#[test]
fn the_operations_of_a_service_are_documented_as_in_its_own_document() {
    let public = gateway::public_document().unwrap();
    let documents = gateway::documents().unwrap();
    for service in gateway::SERVICES {
        let own: Vec<&Value> =
            documents.iter().filter(|(name, _)| name == service).map(|(_, document)| document).collect();
        assert!(!own.is_empty(), "{service}");
        for (path, item) in own.iter().flat_map(|document| document["paths"].as_object().unwrap()) {
            assert_eq!(public["paths"][path], *item, "{path}");
        }
        for (name, schema) in
            own.iter().flat_map(|document| document["components"]["schemas"].as_object().unwrap())
        {
            assert_eq!(public["components"]["schemas"][name], *schema, "{name}");
        }
    }
}
