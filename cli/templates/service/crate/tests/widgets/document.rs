//! What the service says of itself, and the schema it was built for.

use contract::{
    document::{About, merge},
    operation::{Access, Operation},
    widgets as wire,
};

#[test]
fn every_operation_is_documented_with_its_access_and_its_scope() {
    let about = About { title: "Widgets".into(), version: "1".into(), description: "Widgets.".into() };
    let document = merge(&about, wire::documents().unwrap()).unwrap();
    let operations = Operation::all(&document).unwrap();
    let found: Vec<(&str, &str)> = operations
        .iter()
        .map(|operation| (operation.id.as_str(), operation.scope.as_ref().unwrap().as_str()))
        .collect();
    let declared = [
        ("list_widgets", "widgets:read"),
        ("create_widget", "widgets:write"),
        ("get_widget", "widgets:read"),
        ("delete_widget", "widgets:write"),
    ];
    assert_eq!(found.len(), declared.len());
    assert!(declared.iter().all(|one| found.contains(one)), "{found:?}");
    assert!(operations.iter().all(|operation| operation.access == Access::SignedIn));
}

#[test]
fn the_schema_it_was_built_for_is_the_one_the_migrations_make() {
    let made = migration::Service::Widgets.schema();
    assert_eq!((widgets::SCHEMA.table, widgets::SCHEMA.migrations), (made.table, made.migrations));
}
