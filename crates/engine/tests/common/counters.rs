//! A table of documents with numbers, which the tests of increments share.

use hull_model::{Aggregate, IndexDef, Schema, define_table, v};
use hull_value::{Packed, ValueRef};

use super::{number, object};

/// `stars` may be absent, and is at most three. `total` is counted and added up.
pub fn counters() -> Schema {
    let few = v::union((0..4).map(|n| v::literal(i64::from(n))));
    let mut table = define_table("counters")
        .field("total", v::number())
        .field("big", v::optional(v::int64()))
        .field("stars", v::optional(few))
        .field("name", v::string())
        .index("by_total", ["total"])
        .index("by_name", ["name"])
        .search_index("search_name", "name", ["total"]);
    for (name, field, sum) in [("count_by_total", "total", None), ("sum_by_name", "name", Some("total"))] {
        let sum = sum.map(|sum| sum.parse().unwrap());
        let aggregate = Some(Aggregate { sum, ranked: false });
        table.indexes.push(IndexDef { name: name.into(), fields: vec![field.parse().unwrap()], aggregate });
    }
    Schema::new().table(table)
}

/// A counter at zero.
pub fn counter(name: &str) -> Packed {
    object(&[("total", 0.0.into()), ("name", name.into())])
}

/// A document as the oracle has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub total: f64,
    pub big: Option<i64>,
    pub stars: Option<i64>,
    pub name: String,
}

/// What the oracle has for a document.
pub fn row(document: &hull_engine::Document) -> Row {
    let object = document.value.as_object().unwrap();
    let int = |name| object.get(name).and_then(|v| if let ValueRef::Int64(n) = v { Some(n) } else { None });
    Row {
        total: number(document, "total"),
        big: int("big"),
        stars: int("stars"),
        name: object.get("name").and_then(|v| v.as_str().map(str::to_owned)).unwrap(),
    }
}
