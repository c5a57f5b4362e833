//! What can be wrong with a composed operation is found before anything is served.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;

fn document() -> Value {
    let of = |schema: Value| json!({ "200": { "description": "", "content": { "application/json": { "schema": schema } } } });
    let id = json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "integer" } });
    json!({
        "openapi": "3.0.3",
        "paths": {
            "/api/a/orders/{id}": { "parameters": [id], "get": { "operationId": "order", "x-platform-access": "role:clerk",
                "parameters": [{ "name": "x-tenant", "in": "header", "required": true, "schema": { "type": "string" } }],
                "responses": of(json!({ "$ref": "#/components/schemas/Order" })) } },
            "/api/a/lines/{id}": { "parameters": [id], "get": { "operationId": "lines", "x-platform-access": "public",
                "parameters": [
                    { "name": "size", "in": "query", "required": true, "schema": { "type": "integer", "maximum": 9 } },
                    { "name": "tags", "in": "query", "explode": false, "schema": { "type": "array", "items": { "type": "string" } } },
                ],
                "responses": of(json!({ "type": "array", "items": {} })) } },
            "/api/a/open": { "get": { "operationId": "open", "x-platform-access": "public", "responses": of(json!({})) },
                "post": { "operationId": "make", "x-platform-access": "public", "responses": {} } },
            "/api/a/text": { "get": { "operationId": "text", "x-platform-access": "public",
                "responses": { "200": { "description": "", "content": { "text/plain": {} } } } } },
        },
        "components": { "schemas": { "Order": { "type": "object", "required": ["id"], "properties": {
            "id": { "type": "integer" }, "note": { "type": "string" }, "to": { "type": "object", "properties": { "city": { "type": "string" } } } } } } },
    })
}

struct Fixed(BTreeMap<String, Operation>);

impl Known for Fixed {
    fn operation(&self, service: &str, id: &str) -> Option<&Operation> {
        self.0.get(id).filter(|_| service == "a")
    }

    fn ids(&self, service: &str) -> Option<Vec<&str>> {
        (service == "a").then(|| self.0.keys().map(String::as_str).collect())
    }

    fn services(&self) -> Vec<&str> {
        vec!["a"]
    }
}

fn plan(text: &str) -> Result<Plan, Vec<Placed>> {
    let document = document();
    let operations = Operation::all(&document).unwrap();
    let known = Fixed(operations.into_iter().map(|operation| (operation.id.clone(), operation)).collect());
    let settings =
        toml_edit::de::from_str(&format!("name = \"page\"\npath = \"/api/p/{{order}}\"\n{text}")).unwrap();
    Plan::new(&settings, &document, &known)
}

fn part(name: &str, operation: &str, more: &str) -> String {
    format!("[[part]]\nname = \"{name}\"\nservice = \"a\"\noperation = \"{operation}\"\n{more}\n")
}

const ORDER: &str = "parameters.id = { path = \"order\" }";

/// Two good parts.
fn good() -> String {
    let lines = "parameters.id = { from = \"order\", pointer = \"/id\" }\nparameters.size = { value = \"3\" }\nparameters.tags = { query = \"t\" }";
    part("order", "order", &format!("{ORDER}\nmerge = true")) + &part("lines", "lines", lines)
}

#[test]
fn a_good_one_is_planned_with_what_waits_for_what_and_the_schema_of_it_all() {
    let plan = plan(&good()).unwrap();
    assert_eq!(plan.access.text(), "role:clerk");
    assert_eq!(plan.parts[1].after, BTreeSet::from([0]));
    assert_eq!(plan.parts[0].put, Put::Merged(vec!["id".to_owned(), "note".to_owned(), "to".to_owned()]));
    let parameters: Vec<String> = plan
        .parameters
        .iter()
        .map(|parameter| format!("{} {} {}", parameter["in"], parameter["name"], parameter["required"]))
        .collect();
    assert_eq!(parameters, [r#""path" "order" true"#, r#""query" "t" false"#, r#""header" "x-tenant" true"#]);
    assert_eq!(plan.parameters[1]["explode"], false);
    assert_eq!(plan.schema["required"], json!(["id", "lines"]));
    assert_eq!(plan.schema["properties"]["to"]["type"], "object");
}

#[test]
fn what_is_optional_may_be_null_or_not_there_and_asks_for_no_more_than_it_gets() {
    let optional = good().replace("operation = \"order\"", "operation = \"order\"\nrequired = false");
    let faults = plan(&optional).unwrap_err();
    assert!(matches!(faults.as_slice(), [(Some(1), ComposeFault::WaitsForOptional(..))]), "{faults:?}");
    let both = optional.replace("operation = \"lines\"", "operation = \"lines\"\nrequired = false");
    let plan = plan(&both).unwrap();
    assert_eq!(plan.access.text(), "optional", "a token must be looked at for the part that needs one");
    assert_eq!(plan.schema["required"], json!(["lines"]));
    assert_eq!(plan.schema["properties"]["lines"]["nullable"], true);
    assert_eq!(plan.parameters[2]["required"], false);
}

#[test]
fn everything_that_is_wrong_is_told_with_its_part_and_what_mends_it() {
    let lines = |more: &str| {
        good() + &part("more", "lines", &format!("parameters.id = {{ path = \"order\" }}\n{more}"))
    };
    for (text, at, told) in [
        (String::new(), None, "write [[compose.part]]"),
        (good() + &part("x", "orders", ""), Some(2), "a has no operation orders; did you mean order?"),
        (
            good() + &part("x", "order", "").replace("\"a\"", "\"b\""),
            Some(2),
            "no service called b is declared",
        ),
        (good() + &part("lines", "open", ""), Some(2), "two parts are called lines"),
        (good() + &part("x", "make", ""), Some(2), "make is POST"),
        (good() + &part("x", "text", ""), Some(2), "text answers no JSON"),
        (lines(""), Some(2), "parameters.size is required: fill it"),
        (lines("parameters.size = { value = \"10\" }"), Some(2), "parameters.size: the value does not fit"),
        (
            lines("parameters.size = { value = \"1\" }\nparameters.sizes = { value = \"1\" }"),
            Some(2),
            "parameters.sizes: the operation has no such parameter; did you mean size?",
        ),
        (
            lines("parameters.size = { path = \"orders\" }"),
            Some(2),
            "the composed path has no {orders}; did you mean order?",
        ),
        (
            lines("parameters.size = { from = \"ordr\", pointer = \"/id\" }"),
            Some(2),
            "there is no part ordr; did you mean order?",
        ),
        (lines("parameters.size = { from = \"order\", pointer = \"id\" }"), Some(2), "is no JSON Pointer"),
        (
            lines("parameters.size = { from = \"order\", pointer = \"/idd\" }"),
            Some(2),
            "the answer of order has nothing at /idd",
        ),
        (
            lines("parameters.size = { from = \"order\", pointer = \"/to\" }"),
            Some(2),
            "is an object or a list",
        ),
        (
            lines("parameters.size = { value = \"1\" }\nselect = \"/first\""),
            Some(2),
            "select: the answer of more has nothing at /first",
        ),
        (
            lines("parameters.size = { value = \"1\" }\nas = \"note\""),
            Some(2),
            "the member note of the composed answer is there already, by order",
        ),
        (lines("parameters.size = { value = \"1\" }\nas = \"x\"\nmerge = true"), Some(2), "take one out"),
        (lines("parameters.size = { value = \"1\" }\nmerge = true"), Some(2), "does not name the members"),
        (
            good()
                + &part(
                    "x",
                    "order",
                    &format!("{ORDER}\nparameters.x-tenant = {{ value = \"1\" }}\nas = \"x\""),
                ),
            Some(2),
            "header fields of a request go on",
        ),
        (part("open", "open", ""), None, "no part uses {order}"),
        (
            format!("access = \"signed-in\"\n{}", good()),
            None,
            "access: signed-in is weaker than role:clerk, which the required part order",
        ),
        (
            format!("access = \"public\"\n{}", part("o", "order", &format!("{ORDER}\nrequired = false"))),
            None,
            "set access = \"optional\"",
        ),
        (
            good().replace("{ path = \"order\" }", "{ from = \"lines\", pointer = \"/0\" }"),
            None,
            "wait for each other: order → lines → order",
        ),
        (
            part("o", "order", "parameters.id = { from = \"o\", pointer = \"/id\" }"),
            None,
            "wait for each other: o → o",
        ),
    ] {
        let faults = plan(&text).unwrap_err();
        assert!(
            faults.iter().any(|(part, fault)| *part == at && fault.to_string().contains(told)),
            "{told} at {at:?} in {faults:?}"
        );
    }
}
