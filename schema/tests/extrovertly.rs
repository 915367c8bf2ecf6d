//! The typed tables are the document's: their exported JSON equals the one written from it by hand.

use hull_model::Schema;
use serde_json::Value;

#[test]
fn the_export_is_the_document() {
    let golden: Value = serde_json::from_str(include_str!("extrovertly.json")).unwrap();
    let schema = schema::extrovertly::schema();
    schema.check().unwrap();
    let exported = schema.to_json();
    for (found, expected) in
        exported["tables"].as_array().unwrap().iter().zip(golden["tables"].as_array().unwrap())
    {
        assert_eq!(found, expected, "table {}", expected["tableName"]);
    }
    assert_eq!(exported, golden);
    let read = Schema::from_json(&golden).unwrap();
    assert_eq!(read.to_json(), golden);
    read.check().unwrap();
}

#[test]
fn comments_are_kept() {
    let schema = schema::schema();
    let users = schema.get("users").unwrap();
    assert_eq!(users.field_docs.get("dateOfBirth").map(String::as_str), Some("ISO date string."));
}
