//! What a search refuses, how far it reaches, and literal cases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use common::*;
use hull_engine::{Engine, SearchRequest, Transaction};
use hull_model::{Amount, Schema, define_table, v};
use hull_value::{DocumentId, ValueRef};

fn schema() -> Schema {
    let table = define_table("t").document(v::any());
    Schema::new().table(
        table.search_index("search_text", "text", ["user", "in.tag"]).search_index("plain", "text", [""; 0]),
    )
}

#[test]
fn at_most_1024_documents_can_be_reached() {
    let engine = Engine::open(options()).unwrap();
    engine.apply_schema(&schema(), &mut |_| {}).unwrap();
    let request = SearchRequest { table: "t", index: "plain", field: None, text: "wor", filters: &[] };
    let insert = |count: usize| {
        let mut tx = engine.begin();
        for _ in 0..count {
            tx.insert("t", &object(&[("text", "word".into())])).unwrap();
        }
        engine.commit(tx).unwrap();
    };
    insert(1024);
    let all = |tx: &mut Transaction| {
        let mut search = tx.search(&request).unwrap();
        let mut found = 0;
        loop {
            match tx.next_found(&mut search) {
                Ok(Some(_)) => found += 1,
                Ok(None) => return (found, None),
                Err(error) => return (found, Some(error.code())),
            }
        }
    };
    assert_eq!(all(&mut engine.begin()), (1024, None));
    insert(1);
    let mut tx = engine.begin();
    assert_eq!(all(&mut tx), (1024, Some("SearchQueryScannedTooManyDocumentsError")));
    let mut search = tx.search(&request).unwrap();
    let first = tx.next_found(&mut search).unwrap().unwrap();
    let newest = search.position().unwrap();
    let mut search = tx.search(&request).unwrap().between(None, Some(&newest));
    assert_eq!(tx.next_found(&mut search).unwrap(), Some(first.clone()));
    assert_eq!(tx.next_found(&mut search).unwrap(), None, "nothing beyond the end was wanted");
    tx.delete(first.id).unwrap();
    assert_eq!(all(&mut tx), (1024, None));
}

#[test]
fn what_lies_behind_a_position_stays_there_when_other_documents_change_the_ranks() {
    let engine = Engine::open(options()).unwrap();
    engine.apply_schema(&schema(), &mut |_| {}).unwrap();
    let insert = |texts: &[&str]| {
        let mut tx = engine.begin();
        for text in texts {
            tx.insert("t", &object(&[("text", (*text).into())])).unwrap();
        }
        engine.commit(tx).unwrap();
    };
    let request = SearchRequest { table: "t", index: "plain", field: None, text: "rain wor", filters: &[] };
    let ids = |tx: &mut Transaction, mut search: hull_engine::Search, most: usize| {
        let mut ids = Vec::new();
        while ids.len() < most
            && let Some(document) = tx.next_found(&mut search).unwrap()
        {
            ids.push(document.id);
        }
        (ids, search.position())
    };
    insert(&["word", "rain word", "word", "a word", "word", "rain", "words"]);
    for at in 1..=7 {
        let mut tx = engine.begin();
        let search = tx.search(&request).unwrap();
        let (all, _) = ids(&mut tx, search, 99);
        let search = tx.search(&request).unwrap();
        let (first, position) = ids(&mut tx, search, at);
        let position = position.as_deref();
        insert(&["snow", "snow and ice and more of it", "rainy rain rain"]);
        let mut tx = engine.begin();
        let search = tx.search_from(&request, position).unwrap().between(position, None);
        let (behind, end) = ids(&mut tx, search, 99);
        let search = tx.search_from(&request, position).unwrap().between(None, position);
        let (before, _) = ids(&mut tx, search, 99);
        let old = |ids: &[DocumentId]| ids.iter().copied().filter(|id| all.contains(id)).collect::<Vec<_>>();
        assert_eq!([old(&first), old(&behind)].concat(), all, "behind {at}");
        assert_eq!(old(&before), old(&first), "up to {at}");
        // A position behind that one is among the same ranks.
        assert_eq!(
            end.map(|end| end[32..].to_vec()),
            position.map(|at| at[32..].to_vec()).filter(|_| !behind.is_empty())
        );
    }
}

#[test]
fn what_a_search_finds_counts_as_documents_and_the_search_as_one_read() {
    let engine = Engine::open(options()).unwrap();
    engine.apply_schema(&schema(), &mut |_| {}).unwrap();
    let mut tx = engine.begin();
    let ids: Vec<_> = (0..20).map(|_| tx.insert("t", &object(&[("text", "word".into())])).unwrap()).collect();
    engine.commit(tx).unwrap();
    let mut tx = engine.begin();
    let mut limits = tx.limits();
    limits.intervals_read = 10;
    tx.set_limits(limits);
    for index in ["plain", "search_text"] {
        let request = SearchRequest { table: "t", index, field: None, text: "wor", filters: &[] };
        let mut search = tx.search(&request).unwrap();
        while tx.next_found(&mut search).unwrap().is_some() {}
    }
    assert_eq!((tx.usage().reads, tx.usage().documents_read), (2, 40));
    tx.get(ids[0]).unwrap();
    assert_eq!(tx.usage().reads, 3);
}

#[test]
fn requests_that_do_not_fit_the_index_are_refused() {
    let engine = Engine::open(options()).unwrap();
    engine.apply_schema(&schema(), &mut |_| {}).unwrap();
    let mut tx = engine.begin();
    let mut code = |index, field, filters: &[(&str, Option<ValueRef<'_>>)]| {
        let request = SearchRequest { table: "t", index, field, text: "x", filters };
        tx.search(&request).map(|_| ()).map_err(|error| error.code())
    };
    let one = Some(ValueRef::Int64(1));
    assert_eq!(code("plain", Some("text"), &[]), Ok(()));
    assert_eq!(code("search_text", None, &[("user", one), ("in.tag", None)]), Ok(()));
    assert_eq!(code("nowhere", None, &[]), Err("IndexNotFoundError"));
    assert_eq!(code("by_creation_time", None, &[]), Err("IndexNotFoundError"));
    assert_eq!(code("plain", Some("other"), &[]), Err("IncorrectSearchField"));
    assert_eq!(code("plain", None, &[("user", one)]), Err("IncorrectFilterFieldError"));
    assert_eq!(code("search_text", None, &[("text", one)]), Err("IncorrectFilterFieldError"));
    assert_eq!(code("search_text", None, &[("user", one); 8]), Ok(()));
    let nine = [("user", one); 9];
    assert_eq!(code("search_text", None, &nine), Err("TooManyFilterConditionsInSearchQueryError"));
    // A table that is not there is empty.
    let request = SearchRequest { table: "nowhere", index: "any", field: None, text: "x", filters: &[] };
    let mut search = tx.search(&request).unwrap();
    assert_eq!(tx.next_found(&mut search).unwrap(), None);
}

#[test]
fn an_index_that_is_being_filled_is_not_searched() {
    let engine = Engine::open(options()).unwrap();
    let mut tx = engine.begin();
    for _ in 0..500 {
        tx.insert("t", &object(&[("text", "word".into())])).unwrap();
    }
    engine.commit(tx).unwrap();
    let request = SearchRequest { table: "t", index: "plain", field: None, text: "wor", filters: &[] };
    let search = || {
        let mut tx = engine.begin();
        let mut search = tx.search(&request).map_err(|error| error.code())?;
        let mut found = 0;
        while tx.next_found(&mut search).unwrap().is_some() {
            found += 1;
        }
        Ok(found)
    };
    assert_eq!(search(), Err("IndexNotFoundError"));
    let mut meanwhile = Vec::new();
    engine.apply_schema(&schema(), &mut |_| meanwhile.push(search())).unwrap();
    assert!(meanwhile.contains(&Err("IndexBackfillingError")), "{meanwhile:?}");
    assert!(meanwhile.iter().all(|found| matches!(found, Err(_) | Ok(500))), "{meanwhile:?}");
    assert_eq!(search(), Ok(500));
}

#[test]
fn an_increment_of_a_filter_field_moves_its_document() {
    let engine = Engine::open(options()).unwrap();
    let table = define_table("t").document(v::any()).search_index("search", "text", ["rank"]);
    engine.apply_schema(&Schema::new().table(table), &mut |_| {}).unwrap();
    let mut tx = engine.begin();
    let id = tx.insert("t", &object(&[("text", "word".into()), ("rank", 1.0.into())])).unwrap();
    engine.commit(tx).unwrap();
    let found = |tx: &mut Transaction, rank: f64| {
        let filters = [("rank", Some(ValueRef::Float64(rank)))];
        let request =
            SearchRequest { table: "t", index: "search", field: None, text: "word", filters: &filters };
        let mut search = tx.search(&request).unwrap();
        tx.next_found(&mut search).unwrap().is_some()
    };
    let mut tx = engine.begin();
    tx.increment(id, "rank", Amount::Float64(1.0)).unwrap();
    assert_eq!((found(&mut tx, 1.0), found(&mut tx, 2.0)), (false, true));
    engine.commit(tx).unwrap();
    let mut reader = engine.begin();
    assert!(found(&mut reader, 2.0));
    let mut tx = engine.begin();
    tx.increment(id, "rank", Amount::Float64(1.0)).unwrap();
    engine.commit(tx).unwrap();
    assert_eq!((found(&mut engine.begin(), 2.0), found(&mut engine.begin(), 3.0)), (false, true));
    reader.insert("t", &object(&[])).unwrap();
    assert!(engine.commit(reader).is_err(), "what it found is there no more");
}
