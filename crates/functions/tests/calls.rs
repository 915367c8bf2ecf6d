//! Calls: arguments, results, errors, nesting, log lines, time, randomness, budget, panics.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::time::Duration;

use hull_functions::{
    App, ConvexError, Error, Identity, Module, MutationCtx, Order, QueryCtx, Result, TestApp, functions,
    internal_query, mutation, query,
};
use hull_model::{Doc, Patch, Schema, Table, v};
use hull_value::{Id, Packed, Value};

#[derive(Table, Clone, Debug, PartialEq)]
#[table("notes")]
#[index(by_owner(owner))]
struct Note {
    owner: String,
    text: String,
    stars: Option<f64>,
}

#[mutation]
async fn create(ctx: &MutationCtx, owner: String, text: String) -> Result<Id<Note>> {
    ctx.db.insert(Note { owner, text, stars: None }).await
}

#[mutation]
async fn rate(ctx: &MutationCtx, id: Id<Note>, stars: Option<f64>) -> Result<()> {
    ctx.db.patch(id, Patch::new().set(Note::stars, stars)).await
}

#[query]
async fn get(ctx: &QueryCtx, id: Id<Note>) -> Result<Option<String>> {
    Ok(ctx.db.get(id).await?.map(|note| Doc::into_value(note).text))
}

#[query]
async fn of(ctx: &QueryCtx, owner: String) -> Result<Vec<Doc<Note>>> {
    ctx.db
        .query::<Note>()
        .with_index(Note::by_owner, |q| q.eq(Note::owner, owner))
        .order(Order::Desc)
        .collect()
        .await
}

/// Notes as somebody sees them who does not know all fields.
#[derive(Table)]
#[table("notes")]
struct Card {
    text: String,
}

#[query]
async fn cards(ctx: &QueryCtx) -> Result<Vec<Doc<Card>>> {
    ctx.db.query::<Card>().collect().await
}

#[query]
async fn shouted(ctx: &QueryCtx) -> Result<Vec<Doc<Note>>> {
    let mut notes = ctx.db.query::<Note>().collect().await?;
    for note in notes.iter_mut().skip(1) {
        note.text.make_ascii_uppercase();
    }
    Ok(notes)
}

#[internal_query]
async fn count(ctx: &QueryCtx) -> Result<f64> {
    Ok(ctx.db.query::<Note>().collect().await?.len() as f64)
}

#[query]
async fn public_count(ctx: &QueryCtx) -> Result<f64> {
    ctx.run_query(count {}).await
}

#[mutation]
async fn create_then_fail(ctx: &MutationCtx, owner: String, data: bool) -> Result<()> {
    ctx.run_mutation(create { owner, text: "lost".into() }).await?;
    if data {
        return Err(ConvexError::new(Value::from(7.0)).into());
    }
    Err(Error::message("on purpose"))
}

/// Creates one, lets a nested mutation create another and fail, and creates a third.
#[mutation]
async fn recover(ctx: &MutationCtx, owner: String) -> Result<f64> {
    ctx.run_mutation(create { owner: owner.clone(), text: "first".into() }).await?;
    let failed = ctx.run_mutation(create_then_fail { owner: owner.clone(), data: true }).await;
    assert_eq!(failed.unwrap_err().data(), Some(&Packed::encode(&7.0).unwrap()));
    ctx.run_mutation(create { owner, text: "third".into() }).await?;
    ctx.run_query(count {}).await
}

/// Two nested mutations at once, one of which fails, and a read beside them.
#[mutation]
async fn at_once(ctx: &MutationCtx) -> Result<f64> {
    let (a, b, seen) = tokio::join!(
        ctx.run_mutation(create_then_fail { owner: "a".into(), data: false }),
        ctx.run_mutation(create { owner: "b".into(), text: "kept".into() }),
        ctx.db.query::<Note>().collect(),
    );
    assert!(a.is_err() && b.is_ok());
    Ok(seen?.len() as f64)
}

#[mutation]
async fn deep(ctx: &MutationCtx, levels: f64) -> Result<f64> {
    if levels == 0.0 { Ok(0.0) } else { Ok(1.0 + ctx.run_mutation(deep { levels: levels - 1.0 }).await?) }
}

#[mutation]
async fn std_error(_ctx: &MutationCtx) -> Result<f64> {
    Ok("x".parse::<f64>()?)
}

#[query]
async fn chatty(ctx: &QueryCtx, lines: f64) -> Result<()> {
    ctx.log("log");
    ctx.info(format!("info {}", 1));
    ctx.warn("warn");
    ctx.error("error");
    ctx.debug("debug");
    for n in 5..lines as u32 {
        ctx.log(n);
    }
    Ok(())
}

#[query]
async fn draw(ctx: &QueryCtx) -> Result<Vec<f64>> {
    Ok(vec![ctx.now(), ctx.random(), ctx.random()])
}

#[mutation]
async fn panics(ctx: &MutationCtx) -> Result<()> {
    ctx.db.insert(Note { owner: "p".into(), text: "lost".into(), stars: None }).await?;
    panic!("at the disco");
}

#[query]
async fn who(ctx: &QueryCtx) -> Result<Option<String>> {
    Ok(ctx.auth().map(|user| user.subject.clone()))
}

#[query(returns = v::array(v::number()))]
async fn dynamic(_ctx: &QueryCtx, value: Value) -> Result<Value> {
    Ok(value)
}

#[query]
async fn any_value(_ctx: &QueryCtx, value: Value) -> Result<Value> {
    Ok(value)
}

macro_rules! reader {
    ($name:ident = $table:ident::$index:ident($field:ident: $type:ty)) => {
        #[query]
        async fn $name(ctx: &QueryCtx, $field: $type) -> Result<Option<Doc<$table>>> {
            ctx.db.query().with_index($table::$index, |q| q.eq($table::$field, $field)).first().await
        }
    };
}

reader!(first_of = Note::by_owner(owner: String));

fn app() -> TestApp {
    let notes = Module::new("notes").with(functions![
        create,
        rate,
        get,
        of,
        cards,
        shouted,
        count,
        public_count,
        create_then_fail,
        recover,
        at_once,
        deep,
        std_error,
        chatty,
        draw,
        panics,
        who,
        dynamic,
        any_value,
        first_of
    ]);
    TestApp::new(App::new().schema(Schema::new().of::<Note>()).module(notes)).unwrap()
}

fn object(fields: &[(&str, Value)]) -> Value {
    Value::Object(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

#[tokio::test]
async fn what_is_written_is_read() {
    let app = app();
    let id = app.mutation(create { owner: "ada".into(), text: "engine".into() }).await.unwrap();
    assert_eq!(app.query(get { id }).await.unwrap().as_deref(), Some("engine"));
    app.mutation(rate { id, stars: Some(5.0) }).await.unwrap();
    let notes = app.query(of { owner: "ada".into() }).await.unwrap();
    assert_eq!((notes.len(), notes[0]._id, notes[0].stars), (1, id, Some(5.0)));
    let first = app.query(first_of { owner: "ada".into() }).await.unwrap();
    assert_eq!(first.as_ref(), notes.first(), "a function that a macro wrote");
    app.mutation(rate { id, stars: None }).await.unwrap();
    assert_eq!(app.query(of { owner: "ada".into() }).await.unwrap()[0].stars, None);
}

#[tokio::test]
async fn a_path_is_found_in_every_spelling_and_refused_in_the_same_words() {
    let app = app();
    for path in ["notes:publicCount", "notes.js:publicCount"] {
        assert_eq!(app.query_at(path, object(&[])).await.unwrap(), Value::from(0.0));
    }
    for (path, message) in [
        ("notes:nope", "Could not find public function for 'notes:nope'."),
        ("notes.js:nope", "Could not find public function for 'notes:nope'."),
        ("notes:count", "Could not find public function for 'notes:count'."),
        ("notes", "Could not find public function for 'notes'."),
        ("notes:create", "Trying to execute notes:create as Query, but it is defined as Mutation."),
    ] {
        assert_eq!(app.query_at(path, object(&[])).await.unwrap_err().message, message);
    }
    let admin = app.with_identity(Identity::Admin(None));
    assert_eq!(admin.query_at("notes:count", object(&[])).await.unwrap(), Value::from(0.0));
}

#[tokio::test]
async fn arguments_are_checked() {
    let app = app();
    let id = app.mutation(create { owner: "ada".into(), text: "engine".into() }).await.unwrap();
    for args in [
        object(&[]),
        object(&[("id", Value::from("nonsense"))]),
        object(&[("id", Value::from(1.0))]),
        object(&[("id", Value::from(id.to_string())), ("extra", Value::Null)]),
        Value::Array(Vec::new()),
    ] {
        let error = app.query_at("notes:get", args).await.unwrap_err();
        assert!(error.message.starts_with("ArgumentValidationError: "), "{error}");
    }
}

#[tokio::test]
async fn results_are_checked_where_that_is_asked_for() {
    let app = app();
    let list = Value::Array(vec![Value::from(1.0)]);
    assert_eq!(app.query_at("notes:dynamic", object(&[("value", list.clone())])).await.unwrap(), list);
    let error = app.query_at("notes:dynamic", object(&[("value", Value::from("x"))])).await.unwrap_err();
    assert!(error.message.starts_with("ReturnsValidationError: "), "{error}");
    assert_eq!(
        app.query_at("notes:anyValue", object(&[("value", Value::from("x"))])).await.unwrap(),
        Value::from("x")
    );
}

#[tokio::test]
async fn errors_say_what_they_were_told_to() {
    let app = app();
    let error = app.mutation(create_then_fail { owner: "x".into(), data: true }).await.unwrap_err();
    assert_eq!((error.data, error.message.as_str()), (Some(Packed::encode(&7.0).unwrap()), "7"));
    let error = app.mutation(create_then_fail { owner: "x".into(), data: false }).await.unwrap_err();
    assert_eq!((error.data, error.message.as_str()), (None, "on purpose"));
    assert_eq!(app.mutation(std_error {}).await.unwrap_err().message, "invalid float literal");
    assert_eq!(app.query(public_count {}).await.unwrap(), 0.0);
}

#[tokio::test]
async fn a_nested_mutation_that_fails_leaves_nothing_and_its_caller_goes_on() {
    let app = app();
    assert_eq!(app.mutation(recover { owner: "x".into() }).await.unwrap(), 2.0);
    let texts: Vec<String> = app
        .query(of { owner: "x".into() })
        .await
        .unwrap()
        .into_iter()
        .map(|note| Doc::into_value(note).text)
        .collect();
    assert_eq!(texts, ["third", "first"]);
}

#[tokio::test]
async fn nested_mutations_started_at_once_run_one_after_the_other() {
    let app = app();
    assert_eq!(app.mutation(at_once {}).await.unwrap(), 1.0);
    assert_eq!(app.query(public_count {}).await.unwrap(), 1.0);
}

#[tokio::test]
async fn calls_nest_eight_deep() {
    let app = app();
    assert_eq!(app.mutation(deep { levels: 8.0 }).await.unwrap(), 8.0);
    let error = app.mutation(deep { levels: 9.0 }).await.unwrap_err();
    assert_eq!(error.code, Some("MaximumCallDepthExceeded"));
}

#[tokio::test]
async fn log_lines_carry_their_level() {
    let app = app();
    let args = Packed::encode(&chatty { lines: 5.0 }).unwrap();
    let result = app.query_outcome("notes:chatty", &args).await.unwrap();
    assert_eq!(
        result.log_lines[..],
        ["[LOG] log", "[INFO] info 1", "[WARN] warn", "[ERROR] error", "[DEBUG] debug"]
    );
    let args = Packed::encode(&chatty { lines: 1000.0 }).unwrap();
    assert_eq!(app.query_outcome("notes:chatty", &args).await.unwrap().log_lines.len(), 256);
}

#[tokio::test]
async fn time_stands_still_and_randomness_follows_from_the_seed() {
    let (one, other) = (app(), app());
    let first = one.query(draw {}).await.unwrap();
    assert_eq!(first, other.query(draw {}).await.unwrap());
    assert_eq!(first[0], 1_767_225_600_000.0);
    assert_ne!(first[1], first[2]);
}

#[tokio::test]
async fn a_panic_is_an_error_of_that_call_alone() {
    let app = app();
    let error = app.mutation(panics {}).await.unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        (Some("FunctionPanicked"), "The function panicked: at the disco")
    );
    assert_eq!(app.query(public_count {}).await.unwrap(), 0.0);
    app.mutation(create { owner: "x".into(), text: "y".into() }).await.unwrap();
}

#[tokio::test]
async fn an_id_of_another_table_and_one_that_is_gone_are_told_apart() {
    let app = app();
    let id = app.mutation(create { owner: "x".into(), text: "y".into() }).await.unwrap();
    let mut gone = id.document_id();
    gone.internal.0[3] ^= 1;
    assert_eq!(app.query(get { id: Id::from(gone) }).await.unwrap(), None);
    let error = app.mutation(rate { id: Id::from(gone), stars: None }).await.unwrap_err();
    assert_eq!(error.code, Some("NonexistentDocument"));
    let mut other = id.document_id();
    other.table.0 += 1;
    let error = app.query(get { id: Id::from(other) }).await.unwrap_err();
    assert!(error.message.starts_with("ArgumentValidationError: "), "{error}");
}

#[tokio::test]
async fn the_clock_of_a_test_moves_when_it_is_told_to() {
    let app = app();
    app.advance(Duration::from_millis(1500));
    assert_eq!(app.query(draw {}).await.unwrap()[0], 1_767_225_601_500.0);
}

#[tokio::test]
async fn documents_are_handed_out_as_their_type_has_them() {
    let app = app();
    let mut ids = Vec::new();
    for text in ["one", "two"] {
        ids.push(app.mutation(create { owner: "ada".into(), text: text.into() }).await.unwrap());
        app.mutation(rate { id: ids[ids.len() - 1], stars: Some(5.0) }).await.unwrap();
    }
    let json = |list: Value| Packed::encode(&list).unwrap().to_json();
    let own = Packed::encode(&app.query(of { owner: "ada".into() }).await.unwrap()).unwrap().to_json();
    assert_eq!(json(app.query_at("notes:of", Value::object([("owner", "ada")])).await.unwrap()), own);
    let shouted = json(app.query_at("notes:shouted", Packed::empty_object()).await.unwrap());
    assert!(shouted.contains("\"one\"") && shouted.contains("\"TWO\""), "{shouted}");
    let cards = json(app.query_at("notes:cards", Packed::empty_object()).await.unwrap());
    assert!(cards.contains("\"text\":\"two\"") && !cards.contains("owner"), "{cards}");
}
