//! Imports: ids and references survive, rules hold for every row, and a replacing import shows whole or not at all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use common::*;
use hull_engine::{
    Engine, Import, ImportError, ImportMode, ImportOptions, ImportRow, ImportTable, Imported, KeyRange,
    Order, Pushed, ReadAt, Transaction,
};
use hull_model::{Schema, define_table, v};
use hull_value::{DocumentId, InternalId, Packed, TableNumber, Value};

fn schema() -> Schema {
    Schema::new()
        .table(define_table("users").field("name", v::string()).index("by_name", ["name"]))
        .table(
            define_table("posts")
                .field("author", v::id("users"))
                .field("text", v::string())
                .index("by_author", ["author"]),
        )
        .table(define_table("tags").field("name", v::string()))
}

fn id(table: u32, n: u128) -> DocumentId {
    DocumentId { table: TableNumber(table), internal: InternalId(n.to_be_bytes()) }
}

fn user(name: &str) -> Packed {
    object(&[("name", name.into())])
}

fn user_with(id: DocumentId, time: f64, name: &str) -> Packed {
    object(&[("_id", id.to_string().as_str().into()), ("_creationTime", time.into()), ("name", name.into())])
}

fn post(author: DocumentId, text: &str) -> Packed {
    object(&[("author", author.to_string().as_str().into()), ("text", text.into())])
}

fn rows(values: Vec<Packed>) -> Vec<ImportRow> {
    values.into_iter().zip(1..).map(|(value, number)| ImportRow { number, value }).collect()
}

fn table(name: &str, number: Option<u32>) -> ImportTable {
    ImportTable { name: name.into(), number: number.map(TableNumber) }
}

fn mode(mode: ImportMode) -> ImportOptions {
    ImportOptions { mode, ..ImportOptions::default() }
}

fn begin(engine: &Engine, how: ImportMode, tables: &[(&str, Option<u32>)]) -> Result<Import, ImportError> {
    let tables: Vec<_> = tables.iter().map(|(name, number)| table(name, *number)).collect();
    engine.begin_import(mode(how), &tables)
}

/// Imports one table.
fn import(
    engine: &Engine,
    how: ImportMode,
    name: &str,
    values: Vec<Packed>,
) -> Result<Imported, ImportError> {
    let mut import = begin(engine, how, &[(name, None)])?;
    import.push(name, rows(values))?;
    import.finish()
}

fn code<T: std::fmt::Debug>(result: Result<T, ImportError>) -> &'static str {
    result.unwrap_err().code()
}

fn names(tx: &mut Transaction, table: &str) -> Vec<String> {
    let index = if table == "users" { "by_name" } else { "by_creation_time" };
    let mut scan = tx.scan(table, index, &KeyRange::all(), Order::Asc).unwrap();
    let mut names = Vec::new();
    while let Some(document) = tx.next(&mut scan).unwrap() {
        let object = document.value.as_object().unwrap();
        names.push(object.get("name").and_then(|v| v.as_str()).unwrap().to_owned());
    }
    names
}

fn now(engine: &Engine, table: &str) -> Vec<String> {
    names(&mut engine.begin(), table)
}

fn insert(engine: &Engine, table: &str, value: &Packed) -> DocumentId {
    let mut tx = engine.begin();
    let id = tx.insert(table, value).unwrap();
    engine.commit(tx).unwrap();
    id
}

/// Lets the background do all it can.
fn settle(engine: &Engine) {
    for _ in 0..100 {
        wait_durable(engine);
        engine.checkpoint().unwrap();
        engine.maintain().unwrap();
    }
}

#[test]
fn ids_creation_times_and_references_survive() {
    let engine = open(&schema());
    // Other numbers than this database has given, in an order where the reference comes first.
    let (ada, bob) = (id(10_007, 1), id(10_007, 2));
    let mut import =
        begin(&engine, ImportMode::RequireEmpty, &[("posts", Some(10_001)), ("users", Some(10_007))])
            .unwrap();
    import.push("posts", rows(vec![post(ada, "hi"), post(bob, "ho")])).unwrap();
    import.push("users", rows(vec![user_with(ada, 5.25, "ada"), user_with(bob, 4.0, "bob")])).unwrap();
    assert!(now(&engine, "users").is_empty());
    let done = import.finish().unwrap();
    assert_eq!(done.tables.len(), 2);
    assert_eq!((done.tables[1].number, done.tables[1].rows), (Some(TableNumber(10_007)), 2));
    let mut tx = engine.begin();
    assert_eq!(names(&mut tx, "users"), ["ada", "bob"]);
    let document = tx.get(ada).unwrap().unwrap();
    assert_eq!((document.id, document.creation_time), (ada, 5.25));
    assert_eq!(document.value, user_with(ada, 5.25, "ada"));
    assert_eq!(engine.count("posts").unwrap(), 2);
    // What comes later knows the new numbers, and no number is given twice.
    tx.insert("posts", &post(bob, "later")).unwrap();
    let other = tx.insert("another", &object(&[])).unwrap();
    assert!(other.table.0 > 10_007);
    engine.commit(tx).unwrap();
}

#[test]
fn rows_without_ids_get_new_ones_in_their_order() {
    let engine = open(&schema());
    let many: Vec<_> = (0..1700).map(|i| object(&[("name", format!("{i:05}").as_str().into())])).collect();
    let done = import(&engine, ImportMode::RequireEmpty, "tags", many).unwrap();
    assert_eq!(done.tables[0].rows, 1700);
    let found = now(&engine, "tags");
    assert_eq!(found.len(), 1700);
    assert!(found.is_sorted());
    assert_eq!(engine.count("tags").unwrap(), 1700);
    assert_eq!(engine.count("nothing").unwrap(), 0);
}

#[test]
fn each_mode_does_with_the_old_documents_what_it_says() {
    for (how, expected) in [
        (ImportMode::Append, vec!["new", "old"]),
        (ImportMode::Replace, vec!["new"]),
        (ImportMode::ReplaceAll, vec!["new"]),
    ] {
        let engine = open(&schema());
        insert(&engine, "users", &user("old"));
        insert(&engine, "tags", &user("tag"));
        insert(&engine, "loose", &user("x"));
        assert_eq!(
            code(import(&engine, ImportMode::RequireEmpty, "users", vec![user("new")])),
            "TableExists"
        );
        let done = import(&engine, how, "users", vec![user("new")]).unwrap();
        assert_eq!(now(&engine, "users"), expected);
        let all = how == ImportMode::ReplaceAll;
        assert_eq!(now(&engine, "tags").is_empty(), all, "{how:?}");
        assert_eq!(engine.tables().contains(&"loose".to_owned()), !all);
        let others: (Vec<String>, Vec<String>) =
            if all { (vec!["tags".into()], vec!["loose".into()]) } else { Default::default() };
        assert_eq!((done.emptied, done.deleted), others);
        settle(&engine);
        assert_eq!(now(&engine, "users"), expected);
    }
}

#[test]
fn a_table_that_no_schema_declares_is_made_and_not_validated() {
    for how in [ImportMode::RequireEmpty, ImportMode::Append, ImportMode::Replace] {
        let engine = open(&schema());
        let mut import = begin(&engine, how, &[("free", Some(12_345))]).unwrap();
        import.push("free", rows(vec![object(&[("anything", Value::Null)])])).unwrap();
        import.finish().unwrap();
        let mut tx = engine.begin();
        assert_eq!(tx.insert("free", &object(&[])).unwrap().table, TableNumber(12_345));
    }
}

#[test]
fn tables_without_rows_are_emptied() {
    let engine = open(&schema());
    insert(&engine, "users", &user("old"));
    begin(&engine, ImportMode::Replace, &[("users", None), ("fresh", None)]).unwrap().finish().unwrap();
    assert!(now(&engine, "users").is_empty());
    assert!(engine.tables().contains(&"fresh".to_owned()));
}

#[test]
fn every_rule_holds_for_every_row() {
    let engine = open(&schema());
    let number = insert(&engine, "users", &user("live")).table.0;
    let with_id = |id: Value| object(&[("_id", id), ("name", "x".into())]);
    let cases: Vec<(Packed, &str, &str)> = vec![
        (object(&[("name", 1.0.into())]), "SchemaEnforcementError", ".name"),
        (object(&[]), "SchemaEnforcementError", ""),
        (object(&[("name", "x".into()), ("more", Value::Null)]), "SchemaEnforcementError", ""),
        (Packed::null(), "NotAnObject", ""),
        (with_id("nonsense".into()), "InvalidId", "._id"),
        (with_id(1.0.into()), "InvalidId", "._id"),
        (user_with(id(10_003, 1), 1.0, "of another table"), "InvalidId", "._id"),
        (user_with(id(number, 1), 1.0, "twice"), "DuplicateId", "._id"),
        (user_with(id(number, 3), f64::NAN, "never"), "InvalidCreationTimeError", "._creationTime"),
        (
            object(&[("_creationTime", 5_i64.into()), ("name", "x".into())]),
            "InvalidCreationTimeError",
            "._creationTime",
        ),
        (object(&[("_other", Value::Null), ("name", "x".into())]), "ReservedField", ""),
        (object(&[("name", "x".repeat(1 << 20).as_str().into())]), "ValueTooLargeError", ""),
    ];
    for how in [ImportMode::Append, ImportMode::Replace] {
        for (bad, expected, path) in &cases {
            let mut import = begin(&engine, how, &[("users", Some(number))]).unwrap();
            import.push("users", rows(vec![user("0")])).unwrap();
            let good = user_with(id(number, 1), 1.0, "good");
            let all = vec![user("1"), good, bad.clone(), user("3")];
            let Err(ImportError::Row { table, row }) = import.push("users", rows(all)) else {
                panic!("{bad:?} was taken")
            };
            assert_eq!(
                (table.as_str(), row.row, row.code, row.path.as_str()),
                ("users", 3, *expected, *path)
            );
            // The row of 1 MiB begins a batch of its own.
            let before = if *expected == "ValueTooLargeError" { 3 } else { 1 };
            assert_eq!(import.applied(), before);
            assert_eq!(code(import.push("users", rows(vec![user("4")]))), "ImportFailed");
            assert_eq!(code(import.finish()), "ImportFailed");
        }
        // Nothing of a replace; of an append the batches before the bad one.
        let kept = cases.len() + 3;
        assert_eq!(now(&engine, "users").len(), kept);
    }
    for dry_run in [true, false] {
        let options = ImportOptions { mode: ImportMode::Replace, skip_invalid: true, dry_run };
        let mut import = engine.begin_import(options, &[table("users", Some(number))]).unwrap();
        let mut all = vec![user_with(id(number, 1), 1.0, "good")];
        all.extend(cases.iter().map(|(bad, ..)| bad.clone()));
        all.push(user("last"));
        let Pushed { applied, refused, .. } = import.push("users", rows(all)).unwrap();
        assert_eq!(applied, 2);
        let found: Vec<_> = refused.iter().map(|r| (r.row, r.code, r.path.as_str())).collect();
        let expected: Vec<_> =
            cases.iter().zip(2..).map(|((_, code, path), row)| (row, *code, *path)).collect();
        assert_eq!(found, expected);
        let before = now(&engine, "users");
        import.finish().unwrap();
        let after = if dry_run { before } else { vec!["good".to_owned(), "last".to_owned()] };
        assert_eq!(now(&engine, "users"), after);
    }
}

#[test]
fn a_dry_run_checks_everything_and_changes_nothing() {
    for how in [ImportMode::RequireEmpty, ImportMode::Append, ImportMode::Replace, ImportMode::ReplaceAll] {
        let engine = open(&schema());
        let there = insert(&engine, "users", &user("old"));
        let tables = engine.tables();
        let options = ImportOptions { mode: how, dry_run: true, ..ImportOptions::default() };
        let target = if how == ImportMode::RequireEmpty { "tags" } else { "users" };
        let mut import = engine.begin_import(options, &[table(target, None), table("made", None)]).unwrap();
        import.push(target, rows(vec![user("new")])).unwrap();
        if how == ImportMode::Append {
            let again = vec![user_with(there, 1.0, "again")];
            assert_eq!(code(import.push("users", rows(again))), "DuplicateId");
        } else {
            import.push("made", rows(vec![user("new")])).unwrap();
            assert_eq!(import.finish().unwrap().tables.len(), 2);
        }
        settle(&engine);
        assert_eq!(now(&engine, "users"), ["old"]);
        assert!(now(&engine, "tags").is_empty());
        assert_eq!(engine.tables(), tables);
    }
}

#[test]
fn appending_refuses_ids_that_are_there() {
    let engine = open(&schema());
    let there = insert(&engine, "users", &user("old"));
    let again = user_with(there, 1.0, "again");
    assert_eq!(code(import(&engine, ImportMode::Append, "users", vec![again])), "DuplicateId");
    let other = DocumentId { internal: InternalId([7; 16]), ..there };
    import(&engine, ImportMode::Append, "users", vec![user_with(other, 1.0, "new")]).unwrap();
    assert_eq!(now(&engine, "users"), ["new", "old"]);
    assert_eq!(engine.begin().get(other).unwrap().unwrap().creation_time, 1.0);
}

#[test]
fn numbers_are_given_or_that_of_the_first_id_or_the_tables_own() {
    let engine = open(&schema());
    let number = |imported: &Imported| imported.tables[0].number.unwrap().0;
    let own = number(&import(&engine, ImportMode::Replace, "tags", vec![user("a")]).unwrap());
    assert_eq!(own, 10_003);
    let first = user_with(id(10_050, 1), 1.0, "a");
    assert_eq!(
        number(&import(&engine, ImportMode::Replace, "tags", vec![user("b"), first]).unwrap()),
        10_050
    );
    assert_eq!(number(&import(&engine, ImportMode::Replace, "tags", vec![]).unwrap()), 10_050);
    assert!(number(&import(&engine, ImportMode::Replace, "fresh", vec![user("c")]).unwrap()) > 10_050);
}

#[test]
fn a_number_that_another_table_keeps_is_refused() {
    let engine = open(&schema());
    let users = 10_001;
    for how in [ImportMode::RequireEmpty, ImportMode::Append, ImportMode::Replace] {
        assert_eq!(code(begin(&engine, how, &[("tags", Some(users))])), "TableNumberConflict", "{how:?}");
        let row = user_with(id(users, 1), 1.0, "x");
        let expected = if how == ImportMode::Append { "InvalidId" } else { "TableNumberConflict" };
        assert_eq!(code(import(&engine, how, "tags", vec![row])), expected, "{how:?}");
    }
    for bad in [0, u32::MAX] {
        assert_eq!(code(begin(&engine, ImportMode::Replace, &[("a", Some(bad))])), "TableNumberConflict");
    }
    let twice = [("a", Some(11_000)), ("b", Some(11_000))];
    assert_eq!(code(begin(&engine, ImportMode::Replace, &twice)), "TableNumberConflict");
    // Two imported tables may change places; and who loses all documents gets another number.
    let swap = [("users", Some(10_003)), ("tags", Some(users))];
    let mut swapping = begin(&engine, ImportMode::Replace, &swap).unwrap();
    swapping.push("tags", rows(vec![user_with(id(users, 1), 1.0, "x")])).unwrap();
    swapping.finish().unwrap();
    let mut tx = engine.begin();
    assert_eq!(tx.insert("users", &user("a")).unwrap().table.0, 10_003);
    engine.commit(tx).unwrap();
    let done =
        import(&engine, ImportMode::ReplaceAll, "tags", vec![user_with(id(10_003, 1), 1.0, "x")]).unwrap();
    assert_eq!(done.emptied, ["users"]);
    let mut tx = engine.begin();
    let made = tx.insert("users", &user("a")).unwrap().table.0;
    assert!(made != 10_003 && made != users);
}

#[test]
fn documents_that_stay_keep_their_references() {
    let engine = open(&schema());
    let ada = insert(&engine, "users", &user("ada"));
    insert(&engine, "posts", &post(ada, "hi"));
    let renumber = [("users", Some(10_077))];
    assert_eq!(code(begin(&engine, ImportMode::Replace, &renumber)), "ReferencedTableRenumbered");
    let by_row = vec![user_with(id(10_077, 1), 1.0, "x")];
    assert_eq!(code(import(&engine, ImportMode::Replace, "users", by_row)), "ReferencedTableRenumbered");
    // With the same number, or with the table that refers, it may.
    import(&engine, ImportMode::Replace, "users", vec![user_with(ada, 1.0, "ada")]).unwrap();
    let both = [("users", Some(10_077)), ("posts", None)];
    begin(&engine, ImportMode::Replace, &both).unwrap().finish().unwrap();
    // Documents that come while the import runs count too.
    let mut import = begin(&engine, ImportMode::Replace, &[("users", Some(10_088))]).unwrap();
    import.push("users", rows(vec![user("x")])).unwrap();
    insert(&engine, "posts", &post(id(10_077, 5), "meanwhile"));
    assert_eq!(code(import.finish()), "ReferencedTableRenumbered");
}

#[test]
fn a_number_that_comes_after_rows_that_refer_to_it_is_refused() {
    let engine = open(&schema());
    let mut import = begin(&engine, ImportMode::Replace, &[("users", None), ("posts", None)]).unwrap();
    import.push("posts", rows(vec![post(id(10_001, 1), "hi")])).unwrap();
    let late = vec![user_with(id(10_077, 1), 1.0, "x")];
    assert_eq!(code(import.push("users", rows(late))), "TableNumberConflict");
    let mut import =
        begin(&engine, ImportMode::Replace, &[("users", Some(10_077)), ("posts", None)]).unwrap();
    assert_eq!(code(import.push("posts", rows(vec![post(id(10_001, 1), "hi")]))), "SchemaEnforcementError");
}

#[test]
fn names_are_checked() {
    let engine = open(&schema());
    for bad in ["_storage", "a b", "", "1"] {
        assert_eq!(code(begin(&engine, ImportMode::Append, &[(bad, None)])), "InvalidName", "{bad}");
    }
    assert_eq!(code(begin(&engine, ImportMode::Append, &[("a", None), ("a", None)])), "InvalidName");
    let mut import = begin(&engine, ImportMode::Append, &[("a", None)]).unwrap();
    assert_eq!(code(import.push("b", rows(vec![user("x")]))), "TableNotInImport");
}

#[test]
fn the_flip_touches_readers_once_and_conflicts_with_writers() {
    let engine = open(&schema());
    let old = insert(&engine, "users", &user("old"));
    let mut reader = engine.begin_read(ReadAt::Ordered).unwrap();
    assert_eq!(names(&mut reader, "users"), ["old"]);
    let mut earlier = engine.begin_read(ReadAt::Ordered).unwrap();
    let (at, reads) = (reader.snapshot(), reader.into_read_set());
    let mut import = begin(&engine, ImportMode::Replace, &[("users", None)]).unwrap();
    for batch in 0..5 {
        import.push("users", rows(vec![user(&batch.to_string())])).unwrap();
        assert_eq!(engine.is_unchanged(&reads, at), Some(true), "touched before the flip");
    }
    let mut writer = engine.begin();
    writer.insert("users", &user("in between")).unwrap();
    let mut patcher = engine.begin();
    patcher.patch(old, &[("name", Some(hull_value::ValueRef::String("changed")))]).unwrap();
    let mut same = engine.begin();
    assert_eq!(names(&mut same, "users"), ["old"]);
    let finished = import.finish().unwrap();
    assert_eq!(engine.is_unchanged(&reads, at), Some(false));
    assert_eq!(engine.is_unchanged(&reads, finished.ts), Some(true));
    for late in [writer, patcher] {
        assert!(engine.commit(late).unwrap_err().is_retryable());
    }
    // Older snapshots read on, whatever the background does.
    settle(&engine);
    assert_eq!(names(&mut same, "users"), ["old"]);
    assert_eq!(names(&mut earlier, "users"), ["old"]);
    assert!(earlier.get(old).unwrap().is_some());
    assert_eq!(now(&engine, "users"), ["0", "1", "2", "3", "4"]);
    assert!(engine.begin().get(old).unwrap().is_none());
}

#[test]
fn a_changed_schema_ends_an_import() {
    let engine = open(&schema());
    let mut import = begin(&engine, ImportMode::Replace, &[("users", None)]).unwrap();
    import.push("users", rows(vec![user("x")])).unwrap();
    let wider = schema().table(define_table("more").field("x", v::number()));
    engine.apply_schema(&wider, &mut |_| {}).unwrap();
    assert_eq!(code(import.finish()), "SchemaChanged");
}
