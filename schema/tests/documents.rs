//! The typed tables are the documents': their exported JSON equals the one written from each document by hand.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeSet;

use hull_model::Schema;
use serde_json::Value;

/// Compares a module's tables with its document's, one by one and as a whole, and reads the document's back.
fn is_the_document(schema: &Schema, golden: &str) {
    let golden: Value = serde_json::from_str(golden).unwrap();
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
fn the_export_is_the_document() {
    is_the_document(&schema::practice_zone::schema(), include_str!("practice_zone.json"));
    is_the_document(&schema::skill_deconstruction::schema(), include_str!("skill_deconstruction.json"));
    is_the_document(&schema::extrovertly::schema(), include_str!("extrovertly.json"));
    is_the_document(&schema::scenarios::schema(), include_str!("scenarios.json"));
    is_the_document(&schema::lms::schema(), include_str!("lms.json"));
}

#[test]
fn all_documents_are_one_schema() {
    let schema = schema::schema();
    schema.check().unwrap();
    let names: BTreeSet<&str> = schema.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!((schema.tables.len(), names.len()), (43, 43), "no two tables share a name");
    let exported = schema.to_json().to_string();
    let mut references: BTreeSet<&str> =
        exported.split(r#""tableName":""#).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    references.retain(|table| !names.contains(table));
    assert!(references.is_empty(), "ids of tables that are nowhere: {references:?}");
}

#[test]
fn comments_are_kept() {
    let schema = schema::schema();
    for (table, field, doc) in [
        ("users", "dateOfBirth", "ISO date string."),
        ("practiceProjects", "version", "semver e.g. \"1.0.0\"."),
        ("milestone_progress", "practice_attempts", "DEFAULT 0."),
        ("scenario_metadata", "averageTimeSpent", "seconds."),
        ("contentItems", "quizData", "For quiz type."),
    ] {
        let docs = &schema.get(table).unwrap().field_docs;
        assert_eq!(docs.get(field).map(String::as_str), Some(doc), "{table}.{field}");
    }
}
