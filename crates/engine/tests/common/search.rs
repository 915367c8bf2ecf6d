//! A table `t` with search indexes, random documents, and what their postings must be.
#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use std::collections::BTreeSet;

use hull_engine::storage::{Batch, MemoryStorage, Storage};
use hull_engine::{Document, Engine, KeyRange, Order, SearchRequest, VerifiedIndex, VerifyReport};
use hull_model::{Schema, TableDef, define_table, v};
use hull_value::{DocumentId, Packed, Value, ValueRef};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::{object, wait_durable};

pub fn table(name: &str) -> TableDef {
    define_table(name).document(v::any())
}

/// A schema whose table `t` has a search index for each of these lists of filters, named `search_0` and so on.
pub fn schema(searches: &[&[&str]]) -> Schema {
    let mut t = table("t").index("by_user", ["user"]);
    for (n, filters) in searches.iter().enumerate() {
        t = t.search_index(format!("search_{n}"), "body.text", filters.iter().copied());
    }
    Schema::new().table(t)
}

/// One index over everything there is.
pub fn one() -> Schema {
    schema(&[&["user", "body.kind"]])
}

/// Few words that are common and many that are rare.
pub fn text(rng: &mut SmallRng) -> String {
    let mut text = String::new();
    for _ in 0..rng.random_range(0..12) {
        let common = rng.random_range(1..40_u32);
        let word = rng.random_range(0..common);
        text.push_str(["Word", "word", "wörd"][word as usize % 3]);
        text.push_str(&format!("{word}{}", [" ", ", ", "! "][rng.random_range(0..3)]));
    }
    text
}

/// A document's fields: usually with text, sometimes without or with something else.
pub fn fields(rng: &mut SmallRng) -> Vec<(&'static str, Value)> {
    let text = match rng.random_range(0..12) {
        0 => None,
        1 => Some(Value::Float64(1.0)),
        _ => Some(Value::String(text(rng))),
    };
    let mut body: Vec<(String, Value)> = vec![("kind".into(), f64::from(rng.random_range(0..2_u8)).into())];
    body.extend(text.map(|text| ("text".into(), text)));
    let mut fields = vec![("body", Value::Object(body.into_iter().collect()))];
    if rng.random_bool(0.8) {
        fields.push(("user", ["ann", "bob", "eve"][rng.random_range(0..3)].into()));
    }
    fields
}

pub fn documents(engine: &Engine) -> Vec<Document> {
    let mut tx = engine.begin();
    let mut scan = tx.scan("t", "by_creation_time", &KeyRange::all(), Order::Asc).unwrap();
    let mut all = Vec::new();
    while let Some(document) = tx.next(&mut scan).unwrap() {
        all.push(document);
    }
    all
}

pub fn random_id(engine: &Engine, rng: &mut SmallRng) -> Option<DocumentId> {
    let all = documents(engine);
    (!all.is_empty()).then(|| all[rng.random_range(0..all.len())].id)
}

/// One commit of some inserts, edits and deletions.
pub fn write(engine: &Engine, rng: &mut SmallRng, most: u32) {
    let ids: Vec<DocumentId> = documents(engine).iter().map(|d| d.id).collect();
    let mut tx = engine.begin();
    for _ in 0..rng.random_range(1..=most) {
        let fields = fields(rng);
        let at = rng.random_range(0..ids.len().max(1));
        match (rng.random_range(0..5), ids.get(at)) {
            (0 | 1, Some(id)) if tx.get(*id).unwrap().is_some() => {
                let value = Packed::encode(&fields[0].1).unwrap();
                let changes = [
                    ("body", Some(value.as_ref())),
                    ("user", fields.get(1).map(|_| ValueRef::String("new"))),
                    ("other", Some(ValueRef::Float64(2.0))),
                ];
                let from = rng.random_range(0..3);
                tx.patch(*id, &changes[from..]).unwrap();
            }
            (2, Some(id)) if tx.get(*id).unwrap().is_some() => tx.delete(*id).unwrap(),
            _ => drop(tx.insert("t", &object(&fields)).unwrap()),
        }
    }
    engine.commit(tx).unwrap();
}

pub fn insert(engine: &Engine, rng: &mut SmallRng, documents: u32) {
    for _ in 0..documents.div_ceil(100) {
        let mut tx = engine.begin();
        for _ in 0..100 {
            tx.insert("t", &object(&fields(rng))).unwrap();
        }
        engine.commit(tx).unwrap();
    }
}

/// The distinct words of a document, in lower case.
pub fn words(document: &Document) -> BTreeSet<String> {
    let text = document.value.as_object().and_then(|o| match o.get_path(&"body.text".parse().unwrap()) {
        Some(ValueRef::String(text)) => Some(text.to_lowercase()),
        _ => None,
    });
    let text = text.unwrap_or_default();
    text.split([' ', ',', '!']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The postings that an index over these documents has.
pub fn postings(documents: &[Document]) -> u64 {
    documents.iter().map(|document| words(document).len() as u64).sum()
}

/// A search for a word, in any of so many search indexes, finds the documents that have it.
pub fn search(engine: &Engine, rng: &mut SmallRng, searches: usize) {
    let word = ["word0", "wörd2", "word3", "word33", "wörd38"][rng.random_range(0..5)];
    let documents = documents(engine);
    let expected =
        documents.iter().filter(|d| words(d).contains(word)).map(|d| d.id).collect::<BTreeSet<_>>();
    for n in 0..searches {
        let mut tx = engine.begin();
        // The last token is a beginning, too.
        let (index, text) = (format!("search_{n}"), format!("{word} nothing"));
        let request = SearchRequest { table: "t", index: &index, field: None, text: &text, filters: &[] };
        let mut search = tx.search(&request).unwrap();
        let mut found = BTreeSet::new();
        while let Some(document) = tx.next_found(&mut search).unwrap() {
            assert!(found.insert(document.id), "found twice");
        }
        assert_eq!(found, expected, "{word} in {index}");
    }
}

pub fn verify(engine: &Engine) -> VerifyReport {
    wait_durable(engine);
    engine.verify(&engine.hold().unwrap(), &mut |_| {}).unwrap()
}

pub fn found(report: &VerifyReport, index: &str) -> VerifiedIndex {
    let t = report.tables.iter().find(|t| t.name == "t").unwrap();
    t.indexes.iter().find(|i| i.name == index).unwrap().clone()
}

/// Storage holds the postings of the documents, in each of so many search indexes, and nothing else.
pub fn check(engine: &Engine, searches: usize) {
    let report = verify(engine);
    assert_eq!(report.findings, []);
    let expected = postings(&documents(engine));
    search(engine, &mut SmallRng::seed_from_u64(expected), searches);
    for n in 0..searches {
        let name = format!("search_{n}");
        assert_eq!(found(&report, &name), VerifiedIndex { name, entries: expected, missing: 0, orphaned: 0 });
    }
}

pub fn change(storage: &MemoryStorage, key: &[u8], value: Option<Vec<u8>>) {
    let mut batch = Batch::new();
    match value {
        Some(value) => batch.put(key.to_vec(), value),
        None => batch.delete(key.to_vec()),
    }
    storage.apply(batch).unwrap();
    storage.sync().unwrap();
}
