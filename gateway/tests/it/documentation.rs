//! Examples that the documentation shows are bound as they stand there.

use std::collections::BTreeMap;

use kit::config::{Composed, ComposedSettings, Origin};
use serde_json::{Value, json};

use crate::support::named;

const COMPOSING: &str = include_str!("../../../docs/COMPOSING.md");

/// A document of one operation that answers such an object.
fn document(path: &str, id: &str, parameters: &Value, answer: &Value) -> Value {
    let ok = json!({ "description": "", "content": { "application/json": { "schema": answer } } });
    json!({ "openapi": "3.1.0", "info": { "title": id, "version": "1" }, "paths": { path: { "get": {
        "operationId": id, "parameters": parameters, "responses": { "200": ok } } } } })
}

fn object(properties: &Value) -> Value {
    let required: Vec<&String> = properties.as_object().unwrap().keys().collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

#[tokio::test]
async fn the_first_example_of_composing_is_bound_and_answers_as_it_says() {
    let (_, rest) = COMPOSING.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let mut tables: BTreeMap<String, Vec<ComposedSettings>> = toml_edit::de::from_str(example).unwrap();
    let at = |line| Origin::File { path: "platform.toml".into(), line };
    let composed: Vec<Composed> = tables
        .remove("compose")
        .unwrap()
        .into_iter()
        .map(|settings| Composed {
            origin: at(1),
            parts: settings.parts.iter().map(|_| at(2)).collect(),
            settings,
        })
        .collect();
    assert!(tables.is_empty(), "{tables:?}");

    let integer = json!({ "type": "integer" });
    let id = json!([{ "name": "id", "in": "path", "required": true, "schema": integer }]);
    let customer = object(&json!({ "id": integer }));
    let order =
        document("/orders/{id}", "getOrder", &id, &object(&json!({ "id": integer, "customer": customer })));
    let buyer =
        document("/customers/{id}", "getCustomer", &id, &object(&json!({ "name": { "type": "string" } })));
    let filters = json!([
        { "name": "limit", "in": "query", "schema": integer },
        { "name": "sort", "in": "query", "schema": { "enum": ["newest", "oldest"] } },
    ]);
    let items = object(&json!({ "items": { "type": "array", "items": { "type": "object" } } }));
    let reviews = document("/reviews", "listReviews", &filters, &items);
    let folder = tempfile::tempdir().unwrap();
    let services: Vec<_> = [("orders", order), ("customers", buyer), ("reviews", reviews)]
        .iter()
        .map(|(name, document)| named(name, folder.path(), "http://127.0.0.1:1", document, ""))
        .collect();

    let published = gateway::published(&services, &composed).await.unwrap_or_else(|error| panic!("{error}"));
    let path = &published.document["paths"]["/api/order-pages/{order}"]["get"];
    assert_eq!(path["operationId"], "orderPage");
    let schema = path["responses"]["200"]["content"]["application/json"]["schema"].to_string();
    for member in ["\"customer\"", "\"buyer\"", "\"lastReviews\""] {
        assert!(schema.contains(member), "{member}: {schema}");
    }
}
