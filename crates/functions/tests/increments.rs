//! Increments in functions: many at once, those that fail, and what queries see of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::sync::Arc;

use hull_functions::{
    App, Error, Module, MutationCtx, QueryCtx, Result, TestApp, functions, mutation, query,
};
use hull_model::{Patch, Schema, Table, define_table, v};
use hull_value::{DocumentId, Id, Packed, Value};
use tokio::sync::Notify;

#[derive(Table, Clone, Debug, PartialEq)]
#[table("counters")]
#[index(by_points(points))]
struct Counter {
    points: f64,
    visits: Option<i64>,
    name: String,
}

#[mutation]
async fn create(ctx: &MutationCtx, name: String) -> Result<Id<Counter>> {
    ctx.db.insert(Counter { points: 0.0, visits: None, name }).await
}

#[mutation]
async fn add(ctx: &MutationCtx, id: Id<Counter>, amount: f64) -> Result<()> {
    ctx.db.increment(id, Counter::points, amount).await
}

#[mutation]
async fn remove(ctx: &MutationCtx, id: Id<Counter>) -> Result<()> {
    ctx.db.delete(id).await
}

#[mutation]
async fn rename(ctx: &MutationCtx, id: Id<Counter>, name: String) -> Result<()> {
    ctx.db.patch(id, Patch::new().set(Counter::name, name)).await
}

#[query]
async fn points(ctx: &QueryCtx, id: Id<Counter>) -> Result<Option<f64>> {
    Ok(ctx.db.get_fields(id, Counter::points).await?.map(|row| row.0))
}

#[query]
async fn name(ctx: &QueryCtx, id: Id<Counter>) -> Result<Option<String>> {
    Ok(ctx.db.get_fields(id, Counter::name).await?.map(|row| row.0.clone()))
}

#[query]
async fn ranking(ctx: &QueryCtx) -> Result<Vec<f64>> {
    let rows = ctx.db.query::<Counter>().with_index(Counter::by_points, |q| q);
    Ok(rows.collect().await?.iter().map(|row| row.points).collect())
}

/// Lets others go first, and handles what goes wrong.
#[mutation]
async fn pause(ctx: &MutationCtx, id: Id<Counter>, visits: i64) -> Result<String> {
    let done = match visits {
        0 => ctx.db.increment(id, Counter::points, 5).await,
        visits => ctx.db.increment(id, Counter::visits, visits).await,
    };
    REACHED.notify_one();
    RELEASED.notified().await;
    Ok(done.map_or_else(|error| error.code().unwrap_or("?").to_owned(), |()| "done".to_owned()))
}

static REACHED: Notify = Notify::const_new();
static RELEASED: Notify = Notify::const_new();

#[mutation]
async fn visit(ctx: &MutationCtx, id: Id<Counter>, visits: i64) -> Result<()> {
    ctx.db.increment(id, Counter::visits, visits).await
}

#[mutation]
async fn rate(ctx: &MutationCtx, id: DocumentId, stars: i64) -> Result<String> {
    let done = ctx.db.table("reviews").increment(id, "stars", stars).await;
    Ok(done.map_or_else(|error| error.to_string(), |()| "done".to_owned()))
}

#[mutation]
async fn review(ctx: &MutationCtx) -> Result<DocumentId> {
    ctx.db.table("reviews").insert(Value::Object([("stars".to_owned(), Value::Int64(4))].into())).await
}

#[mutation]
async fn add_and_fail(ctx: &MutationCtx, id: Id<Counter>) -> Result<()> {
    ctx.db.increment(id, Counter::points, 100).await?;
    Err(Error::message("on purpose"))
}

/// What a nested mutation that fails has added is taken back.
#[mutation]
async fn attempt(ctx: &MutationCtx, id: Id<Counter>) -> Result<f64> {
    ctx.db.increment(id, Counter::points, 1).await?;
    let failed = ctx.run_mutation(add_and_fail { id }).await.is_err();
    ctx.run_mutation(add { id, amount: 10.0 }).await?;
    assert!(failed);
    Ok(ctx.run_query(points { id }).await?.unwrap_or_default())
}

fn app() -> TestApp {
    let module = Module::new("c").with(functions![
        create,
        add,
        remove,
        rename,
        points,
        name,
        ranking,
        pause,
        visit,
        rate,
        review,
        add_and_fail,
        attempt
    ]);
    let stars = v::union((1..6).map(|n| v::literal(i64::from(n))));
    let schema = Schema::new().of::<Counter>().table(define_table("reviews").field("stars", stars));
    TestApp::new(App::new().schema(schema).module(module)).unwrap()
}

async fn counter(app: &TestApp) -> Id<Counter> {
    app.mutation(create { name: "n".into() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_tasks_add_to_one_field_without_a_conflict() {
    let app = Arc::new(app());
    let id = counter(&app).await;
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move {
                for _ in 0..1000 {
                    app.mutation(add { id, amount: 1.0 }).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(app.query(points { id }).await.unwrap(), Some(64_000.0));
    assert_eq!(app.query(ranking {}).await.unwrap(), [64_000.0]);
    assert_eq!((app.runner().engine().metrics().conflicts, app.runner().counts().1), (0, 0));
}

#[tokio::test]
async fn queries_on_the_field_are_told_of_each_sum_and_others_of_none() {
    let app = app();
    let id = counter(&app).await;
    let mut session = app.session();
    let points = session.subscribe(points { id }).unwrap();
    let name = session.subscribe(name { id }).unwrap();
    let ranking = session.subscribe(ranking {}).unwrap();
    session.step().await;
    for sum in 1..20 {
        app.mutation(add { id, amount: 1.0 }).await.unwrap();
        assert_eq!(session.changed().await, [points, ranking]);
        assert_eq!(session.value::<f64>(points).unwrap(), f64::from(sum));
        assert_eq!(session.value::<Vec<f64>>(ranking).unwrap(), [f64::from(sum)]);
    }
    assert_eq!(session.value::<String>(name).unwrap(), "n");
}

/// Runs `pause`, with `between` after its increment and before its commit; what it makes of it, and how often it ran again.
async fn paused(app: &Arc<TestApp>, call: pause, between: impl AsyncFnOnce()) -> (String, u64) {
    let before = app.runner().counts().1;
    let task = tokio::spawn({
        let app = app.clone();
        async move { app.mutation(call).await.unwrap() }
    });
    REACHED.notified().await;
    between().await;
    RELEASED.notify_one();
    // When it runs again.
    let again = tokio::spawn(async {
        REACHED.notified().await;
        RELEASED.notify_one();
    });
    let result = task.await.unwrap();
    again.abort();
    (result, app.runner().counts().1 - before)
}

#[tokio::test]
async fn what_fails_in_the_commit_fails_in_the_function() {
    let app = Arc::new(app());
    let id = counter(&app).await;
    let call = |visits| pause { id, visits };
    let result = paused(&app, call(0), async || {
        app.mutation(rename { id, name: "m".into() }).await.unwrap();
        app.mutation(add { id, amount: 2.0 }).await.unwrap();
    });
    assert_eq!(result.await, ("done".to_owned(), 0));
    assert_eq!(app.query(points { id }).await.unwrap(), Some(7.0));

    let result = paused(&app, call(1), async || {
        app.mutation(visit { id, visits: i64::MAX }).await.unwrap();
    });
    assert_eq!(result.await, ("InvalidIncrementError".to_owned(), 1));

    let result = paused(&app, call(0), async || app.mutation(remove { id }).await.unwrap());
    assert_eq!(result.await, ("NonexistentDocument".to_owned(), 1));
    assert_eq!(app.query(points { id }).await.unwrap(), None);
    assert_eq!(app.runner().engine().metrics().conflicts, 0);
}

#[tokio::test]
async fn a_validator_bounds_what_a_field_grows_to() {
    let app = app();
    let id = app.mutation(review {}).await.unwrap();
    assert_eq!(app.mutation(rate { id, stars: 1 }).await.unwrap(), "done");
    let refused = app.mutation(rate { id, stars: 1 }).await.unwrap();
    assert!(refused.contains("v.literal(5n)") && refused.contains("Value: 6n"), "{refused}");
    let args = Packed::encode(&rate { id, stars: -4 }).unwrap();
    assert_eq!(app.mutation_outcome("c:rate", &args).await.unwrap().result.unwrap(), "\"done\"");
}

#[tokio::test]
async fn a_nested_mutation_that_fails_adds_nothing() {
    let app = app();
    let id = counter(&app).await;
    assert_eq!(app.mutation(attempt { id }).await.unwrap(), 11.0);
    assert_eq!(app.query(points { id }).await.unwrap(), Some(11.0));
}
