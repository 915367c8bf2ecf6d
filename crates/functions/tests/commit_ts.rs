//! The timestamp of a commit in documents and answers, and queries at a snapshot that nothing depends on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use hull_engine::{Limits, ReadAt};
use hull_functions::{
    App, Error, Identity, Module, MutationCtx, MutationRequest, Order, QueryCtx, RequestId, Result, TestApp,
    functions, mutation, query,
};
use hull_model::{Doc, Object, Patch, Schema, Table, define_table, v};
use hull_value::{CommitTs, Id, Packed, Timestamp, Value};
use tokio::sync::Notify;

#[derive(Object, Clone, Debug, PartialEq)]
struct Change {
    by: String,
    at: CommitTs,
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table("events")]
#[index(by_at(at))]
struct Event {
    at: CommitTs,
    name: String,
    last: Option<CommitTs>,
    changes: Vec<Change>,
    big: i64,
}

fn event(at: CommitTs, name: &str) -> Event {
    Event { at, name: name.into(), last: None, changes: Vec::new(), big: i64::MAX }
}

#[mutation]
async fn add(ctx: &MutationCtx, name: String) -> Result<Id<Event>> {
    ctx.db.insert(event(ctx.db.vars().commit_ts(), &name)).await
}

#[derive(Object, Clone, Debug, PartialEq)]
struct Touched {
    at: CommitTs,
    big: i64,
    read: Vec<Doc<Event>>,
}

/// Everything that stands for the commit, in one mutation.
#[mutation]
async fn touch(ctx: &MutationCtx, id: Id<Event>) -> Result<Touched> {
    let now = ctx.db.vars().commit_ts();
    ctx.db.patch(id, Patch::new().set(Event::last, now)).await?;
    ctx.run_mutation(note { id, at: now }).await?;
    let newest = ctx.db.query::<Event>().with_index(Event::by_at, |q| q).order(Order::Desc).first().await?;
    let own = ctx.db.insert(event(now, "own")).await?;
    let newer = ctx.db.query::<Event>().with_index(Event::by_at, |q| q).order(Order::Desc).first().await?;
    assert!(newer.is_some_and(|newer| newer._id == own && newer.at.is_pending()));
    assert!(newest.is_some_and(|newest| !newest.at.is_pending()));
    let read = ctx.db.get(id).await?.ok_or_else(|| Error::message("gone"))?;
    assert!(read.last == Some(now) && read.changes[0].at == now && !read.at.is_pending());
    Ok(Touched { at: now, big: i64::MAX, read: vec![read] })
}

#[mutation]
async fn note(ctx: &MutationCtx, id: Id<Event>, at: CommitTs) -> Result<CommitTs> {
    ctx.db.patch(id, Patch::new().set(Event::changes, vec![Change { by: "ada".into(), at }])).await?;
    Ok(at)
}

#[query]
async fn all(ctx: &QueryCtx) -> Result<Vec<Doc<Event>>> {
    ctx.db.query::<Event>().with_index(Event::by_at, |q| q).collect().await
}

#[query]
async fn names(ctx: &QueryCtx) -> Result<Vec<String>> {
    Ok(ctx.run_query(all {}).await?.into_iter().map(|event| Doc::into_value(event).name).collect())
}

#[query]
async fn count(ctx: &QueryCtx) -> Result<u32> {
    ctx.db.query::<Event>().count().await
}

#[mutation]
async fn ask_for_own(ctx: &MutationCtx) -> Result<String> {
    add_one(ctx).await?;
    let error = ctx.run_query(all {}).await.err().and_then(|error| error.code());
    Ok(error.unwrap_or("none").to_owned())
}

async fn add_one(ctx: &MutationCtx) -> Result<Id<Event>> {
    ctx.db.insert(event(ctx.db.vars().commit_ts(), "one")).await
}

/// Without a write.
#[mutation]
async fn now(ctx: &MutationCtx) -> Result<CommitTs> {
    Ok(ctx.db.vars().commit_ts())
}

#[mutation]
async fn untyped(ctx: &MutationCtx) -> Result<()> {
    let at = || Value::from(ctx.db.vars().commit_ts());
    let list = Value::Array(vec![at(), Value::Int64(1), at()]);
    let object = BTreeMap::from([("list".to_owned(), list), ("big".to_owned(), at())]);
    ctx.db.table("lists").insert(Value::Object(object)).await?;
    Ok(())
}

#[query]
async fn lists(ctx: &QueryCtx) -> Result<Vec<Packed>> {
    Ok(ctx.db.table("lists").query().collect().await?.into_iter().map(|list| list.value).collect())
}

/// Reads stale, lets others go first, and writes; `by_path` and the other way give the same.
#[mutation]
async fn slow(ctx: &MutationCtx, stale: bool) -> Result<Vec<u32>> {
    add_one(ctx).await?;
    let mut counts = Vec::new();
    for _ in 0..2 {
        if stale {
            counts.push(ctx.use_stale_snapshot().run_query(count {}).await?);
            let again =
                ctx.use_stale_snapshot().run_query_at("e:count", Value::Object(BTreeMap::new())).await?;
            assert_eq!(again, Value::Float64(f64::from(counts[counts.len() - 1])));
        } else {
            counts.push(ctx.run_query(count {}).await?);
        }
        REACHED.notify_one();
        RELEASED.notified().await;
    }
    Ok(counts)
}

static REACHED: Notify = Notify::const_new();
static RELEASED: Notify = Notify::const_new();

#[query]
async fn fails(ctx: &QueryCtx) -> Result<()> {
    ctx.log("about to fail");
    Err(Error::message("on purpose"))
}

#[mutation]
async fn stale_failure(ctx: &MutationCtx) -> Result<String> {
    ctx.log("before");
    let failed = ctx.use_stale_snapshot().run_query(fails {}).await;
    ctx.log("after");
    let none = ctx.use_stale_snapshot().run_query_at("e:add", Value::Object(BTreeMap::new())).await;
    let code = none.err().and_then(|error| error.code()).unwrap_or("none");
    Ok(format!("{} {code}", failed.err().map_or("none".to_owned(), |error| error.to_string())))
}

fn app() -> TestApp {
    let module = Module::new("e").with(functions![
        add,
        touch,
        note,
        all,
        names,
        count,
        ask_for_own,
        now,
        untyped,
        lists,
        slow,
        fails,
        stale_failure
    ]);
    let lists = define_table("lists").field("list", v::array(v::commit_ts())).field("big", v::int64());
    TestApp::new(App::new().schema(Schema::new().of::<Event>().table(lists)).module(module)).unwrap()
}

fn ordered(app: &TestApp) -> CommitTs {
    CommitTs::from(app.runner().engine().ordered())
}

#[tokio::test]
async fn a_commit_puts_its_timestamp_where_the_validator_says_so() {
    let app = app();
    let id = app.mutation(add { name: "first".into() }).await.unwrap();
    let first = ordered(&app);
    assert_eq!(app.query(all {}).await.unwrap()[0].at, first);
    assert_eq!(app.query(all {}).await.unwrap()[0].big, i64::MAX);
    let Touched { at, big, read } = app.mutation(touch { id }).await.unwrap();
    let second = ordered(&app);
    assert!(second > first && !second.is_pending());
    assert_eq!((at, big), (second, i64::MAX));
    let stored = app.query(all {}).await.unwrap();
    assert_eq!(stored.iter().map(|event| event.at).collect::<Vec<_>>(), [first, second]);
    assert_eq!((stored[0].last, stored[0].changes[0].at, stored[0].big), (Some(second), second, i64::MAX));
    // What it returned is what was stored.
    assert_eq!(read, stored[..1]);
    app.mutation(untyped {}).await.unwrap();
    let list = app.query(lists {}).await.unwrap();
    let fields = list[0].as_object().unwrap();
    let third = Value::from(ordered(&app));
    let expected = Packed::encode(&Value::Array(vec![third.clone(), Value::Int64(1), third])).unwrap();
    assert_eq!(Packed::encode(&fields.get("list").unwrap()).unwrap(), expected);
    assert_eq!(fields.get("big").unwrap().to_value(), Value::Int64(i64::MAX));
}

#[tokio::test]
async fn a_query_does_not_return_what_is_still_to_come() {
    let app = app();
    assert_eq!(app.mutation(ask_for_own {}).await.unwrap(), "CommitTsInQueryResult");
    assert_eq!(app.query(names {}).await.unwrap(), ["one"]);
    let before = ordered(&app);
    assert_eq!(app.mutation(now {}).await.unwrap(), before);
}

#[tokio::test]
async fn an_answer_that_is_asked_for_again_has_the_same_timestamp() {
    let app = app();
    let id = app.mutation(add { name: "first".into() }).await.unwrap();
    let args = Packed::encode(&note { id, at: CommitTs::PENDING }).unwrap();
    let request = MutationRequest {
        path: "e:note",
        args: &args,
        identity: &Identity::Anonymous,
        request: Some(RequestId { session: 1, request: 1 }),
        on_stuck: None,
    };
    let first = app.runner().run_mutation(request.clone()).await.unwrap();
    app.mutation(add { name: "other".into() }).await.unwrap();
    let again = app.runner().run_mutation(request).await.unwrap();
    assert_eq!(first.result, again.result);
    let at: CommitTs = Packed::from_json(&first.result.unwrap()).unwrap().decode().unwrap();
    assert_eq!(at, CommitTs::from(first.ts));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_is_in_the_order_of_commits() {
    let app = Arc::new(app());
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let app = app.clone();
            tokio::spawn(async move {
                let mut seen = Vec::new();
                for n in 0..50 {
                    let args = Packed::encode(&add { name: format!("{task}:{n}") }).unwrap();
                    seen.push((
                        app.mutation_outcome("e:add", &args).await.unwrap().ts,
                        format!("{task}:{n}"),
                    ));
                }
                seen
            })
        })
        .collect();
    let mut seen: Vec<(Timestamp, String)> = Vec::new();
    for task in tasks {
        seen.extend(task.await.unwrap());
    }
    seen.sort();
    let stored = app.query(all {}).await.unwrap();
    let found: Vec<_> = stored.into_iter().map(|event| (event.at, Doc::into_value(event).name)).collect();
    let seen: Vec<_> = seen.into_iter().map(|(ts, name)| (CommitTs::from(ts), name)).collect();
    assert_eq!(found, seen);
    assert_eq!(app.runner().counts().1, 0);
}

/// Runs `slow`, with another mutation between its reads and its commit; what it saw, and how often it ran again.
async fn slow_run(app: &Arc<TestApp>, stale: bool) -> (Vec<u32>, u64) {
    let before = app.runner().counts().1;
    let task = tokio::spawn({
        let app = app.clone();
        async move { app.mutation(slow { stale }).await.unwrap() }
    });
    REACHED.notified().await;
    app.mutation(add { name: "between".into() }).await.unwrap();
    RELEASED.notify_one();
    let going_on = tokio::spawn(async {
        loop {
            REACHED.notified().await;
            RELEASED.notify_one();
        }
    });
    let result = task.await.unwrap();
    going_on.abort();
    (result, app.runner().counts().1 - before)
}

#[tokio::test]
async fn what_was_read_stale_does_not_conflict() {
    let app = Arc::new(app());
    app.mutation(add { name: "first".into() }).await.unwrap();
    // The snapshot stands still, and own writes are not seen.
    assert_eq!(slow_run(&app, true).await, (vec![1, 1], 0));
    // An ordinary query conflicts with the other insert, and sees the own one.
    assert_eq!(slow_run(&app, false).await, (vec![5, 5], 1));
    assert_eq!(app.query(count {}).await.unwrap(), 5);
}

#[tokio::test]
async fn what_was_read_stale_counts_and_logs_as_any_other() {
    let app = app();
    let args = Packed::empty_object();
    let outcome = app.mutation_outcome("e:staleFailure", &args).await.unwrap();
    assert_eq!(outcome.result.unwrap(), "\"on purpose FunctionPathWrongType\"");
    assert_eq!(outcome.log_lines, ["[LOG] before", "[LOG] about to fail", "[LOG] after"]);

    app.mutation(add { name: "first".into() }).await.unwrap();
    let engine = app.runner().engine();
    let mut transaction = engine.begin();
    transaction.set_limits(Limits { documents_read: 2, ..Limits::default() });
    let count = |tx: &mut hull_engine::Transaction| {
        let range = hull_engine::KeyRange::all();
        let mut scan = tx.scan("events", "by_creation_time", &range, Order::Asc)?;
        tx.next(&mut scan).map(|document| document.is_some())
    };
    for expected in [None, None, Some("TooManyDocumentsRead")] {
        let mut stale = transaction.stale().unwrap();
        let before = stale.usage();
        let read = count(&mut stale);
        assert_eq!(read.err().map(|error| error.code()), expected);
        let used = transaction.use_up(&before, &stale.usage());
        assert_eq!(used.err().map(|error| error.code()), expected);
    }
    assert!(transaction.read_set().is_empty());
    assert!(engine.begin_read(ReadAt::Ordered).unwrap().stale().unwrap().insert("events", &args).is_err());
}
