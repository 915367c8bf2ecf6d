//! Calls: arguments, results, errors, nesting, log lines, time and randomness.

use hull_functions::value::Value;
use hull_functions::{
    App, ConvexError, Error, Module, MutationCtx, QueryCtx, Result, TestApp, functions, internal_query,
    mutation, query,
};
use hull_model::{Doc, Patch, Schema, Table};
use hull_value::Id;

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

#[query]
async fn get(ctx: &QueryCtx, id: Id<Note>) -> Result<Option<String>> {
    Ok(ctx.db.get(id).await?.map(|note| note.value.text))
}

#[query]
async fn of(ctx: &QueryCtx, owner: String) -> Result<Vec<Doc<Note>>> {
    ctx.db.query::<Note>().with_index(Note::by_owner, |q| q.eq(Note::owner, owner)).collect().await
}

#[internal_query]
async fn count(ctx: &QueryCtx) -> Result<f64> {
    Ok(ctx.db.query::<Note>().collect().await?.len() as f64)
}

fn app() -> App {
    App::new()
        .schema(Schema::new().of::<Note>())
        .module(Module::new("notes").with(functions![create, get, of, count]))
}

#[tokio::test]
async fn what_is_written_is_read() {
    let app = TestApp::new(app()).unwrap();
    let id = app.mutation(create { owner: "ada".into(), text: "engine".into() }).await.unwrap();
    assert_eq!(app.query(get { id }).await.unwrap().as_deref(), Some("engine"));
    assert_eq!(app.query(of { owner: "ada".into() }).await.unwrap().len(), 1);
}
