//! Mutations under contention, replayed, over their budget, and on a disk that is full.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use hull_functions::{
    App, Identity, Module, MutationCtx, MutationOutcome, MutationRequest, OnStuck, QueryCtx, QueryRequest,
    RequestId, Result, RunError, Runner, SessionSweep, TestApp, functions, mutation, query,
};
use hull_model::{Patch, Schema, Table};
use hull_value::{Id, Packed};
use parking_lot::Mutex;

#[derive(Table, Clone, Debug, PartialEq)]
#[table("counters")]
#[index(by_name(name))]
struct Counter {
    name: String,
    count: f64,
}

#[mutation]
async fn create(ctx: &MutationCtx, name: String) -> Result<Id<Counter>> {
    ctx.db.insert(Counter { name, count: 0.0 }).await
}

/// Lets others run between its read and its write.
#[mutation]
async fn increment(ctx: &MutationCtx, id: Id<Counter>) -> Result<f64> {
    let counter = ctx.db.get(id).await?.ok_or_else(|| hull_functions::ConvexError::new("gone"))?;
    tokio::task::yield_now().await;
    ctx.db.patch(id, Patch::new().set(Counter::count, counter.count + 1.0)).await?;
    ctx.log(format!("now {}", counter.count + 1.0));
    Ok(counter.count + 1.0)
}

#[mutation]
async fn fail(ctx: &MutationCtx, id: Id<Counter>) -> Result<()> {
    ctx.run_mutation(increment { id }).await?;
    Err(hull_functions::Error::message("on purpose"))
}

#[query]
async fn total(ctx: &QueryCtx) -> Result<f64> {
    Ok(ctx.db.query::<Counter>().collect().await?.iter().fold(0.0, |sum, counter| sum + counter.count))
}

#[mutation]
async fn look(ctx: &MutationCtx) -> Result<f64> {
    ctx.run_query(total {}).await
}

/// Asks the database again and again, whatever it answers.
#[mutation]
async fn insist(ctx: &MutationCtx, id: Id<Counter>) -> Result<()> {
    for _ in 0..10 {
        CLOCK.lock().as_ref().unwrap()();
        let _ = ctx.db.get(id).await;
    }
    ctx.db.patch(id, Patch::new().set(Counter::count, 100.0)).await.ok();
    Ok(())
}

#[mutation]
async fn wait_forever(_ctx: &MutationCtx) -> Result<()> {
    WAITING.store(true, Ordering::SeqCst);
    std::future::pending().await
}

/// Keeps its thread until it is told to stop.
#[mutation]
async fn spin(ctx: &MutationCtx, id: Id<Counter>) -> Result<()> {
    ctx.db.patch(id, Patch::new().set(Counter::count, 100.0)).await?;
    SPINNING.store(true, Ordering::SeqCst);
    while SPINNING.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    Ok(())
}

static CLOCK: Mutex<Option<Box<dyn Fn() + Send>>> = Mutex::new(None);
static WAITING: AtomicBool = AtomicBool::new(false);
static SPINNING: AtomicBool = AtomicBool::new(false);

fn app() -> TestApp {
    let module = Module::new("counters").with(functions![
        create,
        increment,
        fail,
        total,
        look,
        insist,
        wait_forever,
        spin
    ]);
    TestApp::new(App::new().schema(Schema::new().of::<Counter>()).module(module)).unwrap()
}

async fn counter(app: &TestApp, name: &str) -> Id<Counter> {
    app.mutation(create { name: name.into() }).await.unwrap()
}

async fn send(
    app: &TestApp,
    path: &str,
    id: Id<Counter>,
    request: u32,
) -> std::result::Result<MutationOutcome, RunError> {
    let args = Packed::encode(&increment { id }).unwrap();
    let request = Some(RequestId { session: 7, request });
    let mutation =
        MutationRequest { path, args: &args, identity: &Identity::Anonymous, request, on_stuck: None };
    app.runner().run_mutation(mutation).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hot_row_makes_mutations_queue_and_never_fail() {
    let app = Arc::new(app());
    let ids = [counter(&app, "hot").await, counter(&app, "cold").await];
    let tasks: Vec<_> = (0..32)
        .map(|task| {
            let app = app.clone();
            tokio::spawn(async move {
                let mut seen = Vec::new();
                for round in 0..25 {
                    let id = ids[usize::from((task + round) % 10 == 0)];
                    let value = app.mutation(increment { id }).await.unwrap();
                    seen.push((id, value as u32));
                }
                seen
            })
        })
        .collect();
    let mut seen = Vec::new();
    for task in tasks {
        seen.extend(task.await.unwrap());
    }
    assert_eq!(app.query(total {}).await.unwrap(), 800.0);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 800, "every increment saw the one before");
}

#[tokio::test]
async fn what_idle_sessions_left_is_swept_after_14_days_and_what_others_left_is_kept() {
    let app = app();
    let id = counter(&app, "c").await;
    let day = Duration::from_secs(24 * 60 * 60);
    let send = |session, request| {
        let args = Packed::encode(&increment { id }).unwrap();
        let app = &app;
        async move {
            let mutation = MutationRequest {
                path: "counters:increment",
                args: &args,
                identity: &Identity::Anonymous,
                request: Some(RequestId { session, request }),
                on_stuck: None,
            };
            app.runner().run_mutation(mutation).await.unwrap().result.unwrap()
        }
    };
    let sweep = || {
        let mut sweep = SessionSweep::default();
        while app.runner().sweep_sessions(&mut sweep, 2).unwrap() {}
        sweep.removed()
    };
    assert_eq!(sweep(), 0);
    for session in [0, 1, 5, u128::MAX] {
        for request in 0..3 {
            send(session, request).await;
        }
    }
    assert_eq!(app.query(total {}).await.unwrap(), 12.0);
    app.advance(7 * day);
    send(5, 3).await;
    assert_eq!(sweep(), 0);
    app.advance(7 * day - Duration::from_secs(1));
    assert_eq!(sweep(), 0, "not one second early");
    app.advance(Duration::from_secs(2));
    assert_eq!(sweep(), 9, "of all but the one that came again");
    assert_eq!(sweep(), 0);
    assert_eq!(send(5, 0).await, "7", "answered, not run again: the session was idle for 7 days");
    assert_eq!(app.query(total {}).await.unwrap(), 13.0);
    send(1, 3).await;
    send(1, 3).await;
    assert_eq!(app.query(total {}).await.unwrap(), 14.0, "a swept session goes on");
    app.advance(7 * day);
    assert_eq!(sweep(), 4, "of the session that came again once");
    app.advance(7 * day + Duration::from_secs(1));
    assert_eq!(sweep(), 1);
}

#[tokio::test]
async fn a_request_is_applied_once_and_answered_the_same_every_time() {
    let app = app();
    let id = counter(&app, "c").await;
    let first = send(&app, "counters:increment", id, 5).await.unwrap();
    for _ in 0..2 {
        let again = send(&app, "counters:increment", id, 5).await.unwrap();
        assert_eq!((again.ts, &again.result, &again.log_lines), (first.ts, &first.result, &first.log_lines));
    }
    assert_eq!(first.log_lines, ["[LOG] now 1"]);
    assert_eq!(app.query(total {}).await.unwrap(), 1.0);
    // Another request of the session, and one that takes the same slot.
    assert_eq!(send(&app, "counters:increment", id, 6).await.unwrap().result, Ok("2".into()));
    assert_eq!(send(&app, "counters:increment", id, 5 + 1024).await.unwrap().result, Ok("3".into()));
    let late = send(&app, "counters:increment", id, 5).await.unwrap().result.unwrap_err();
    assert_eq!(late.code, Some("RequestSuperseded"));
    assert_eq!(app.query(total {}).await.unwrap(), 3.0);
    // Whoever has forgotten the session, as after a restart, finds the same.
    let runner = Runner::new(app.runner().engine().clone(), app.runner().registry().clone(), 0);
    let args = Packed::encode(&increment { id }).unwrap();
    for (request, expected) in [(6, Ok("2")), (5 + 1024, Ok("3")), (5, Err(Some("RequestSuperseded")))] {
        let request = Some(RequestId { session: 7, request });
        let (path, identity) = ("counters:increment", &Identity::Anonymous);
        let mutation = MutationRequest { path, args: &args, identity, request, on_stuck: None };
        let result = runner.run_mutation(mutation).await.unwrap().result;
        assert_eq!(result.as_deref().map_err(|error| error.code), expected);
    }
    // A failure leaves nothing: it runs again.
    for _ in 0..2 {
        assert_eq!(
            send(&app, "counters:fail", id, 9).await.unwrap().result.unwrap_err().message,
            "on purpose"
        );
    }
    assert_eq!(send(&app, "counters:increment", id, 9).await.unwrap().result, Ok("4".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_sent_twice_at_once_is_applied_once() {
    let app = Arc::new(app());
    let id = counter(&app, "c").await;
    for request in 0..50 {
        let (one, other) = (app.clone(), app.clone());
        let one = tokio::spawn(async move { send(&one, "counters:increment", id, request).await.unwrap() });
        let other =
            tokio::spawn(async move { send(&other, "counters:increment", id, request).await.unwrap() });
        let (one, other) = (one.await.unwrap(), other.await.unwrap());
        assert_eq!((one.ts, one.result), (other.ts, other.result));
    }
    assert_eq!(app.query(total {}).await.unwrap(), 50.0);
}

#[tokio::test]
async fn one_that_only_reads_is_answered_at_its_snapshot() {
    let app = app();
    let before = app.runner().engine().ordered();
    let outcome = app.mutation_outcome("counters:look", &Packed::empty_object()).await.unwrap();
    assert_eq!((outcome.ts, outcome.result), (before, Ok("0".into())));
    assert_eq!(app.runner().engine().ordered(), before);
}

#[tokio::test]
async fn the_budget_ends_a_function_even_if_it_does_not_listen() {
    let app = app();
    let id = counter(&app, "c").await;
    let clock = app.clock().clone();
    *CLOCK.lock() = Some(Box::new(move || clock.advance(150_000_000)));
    let error = app.mutation(insist { id }).await.unwrap_err();
    assert_eq!(error.code, Some("FunctionTimeout"));
    assert_eq!(app.query(total {}).await.unwrap(), 0.0);
}

#[tokio::test]
async fn a_function_that_waits_for_something_else_is_dropped() {
    let app = Arc::new(app());
    let other = app.clone();
    let call = tokio::spawn(async move { other.mutation(wait_forever {}).await });
    while !WAITING.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    app.runner().look_for_stuck();
    app.advance(Duration::from_millis(1001));
    app.runner().look_for_stuck();
    assert_eq!(call.await.unwrap().unwrap_err().code, Some("FunctionTimeout"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_keeps_its_thread_is_answered_for() {
    let app = Arc::new(app());
    let id = counter(&app, "c").await;
    let told = Arc::new(AtomicU32::new(0));
    let (other, tell) = (app.clone(), told.clone());
    let call = tokio::spawn(async move {
        let args = Packed::encode(&spin { id }).unwrap();
        let on_stuck = OnStuck {
            token: 42,
            tell: Arc::new(move |token, error| {
                assert_eq!((token, error.code), (42, Some("FunctionTimeout")));
                tell.fetch_add(1, Ordering::SeqCst);
            }),
        };
        let mutation = MutationRequest {
            path: "counters:spin",
            args: &args,
            identity: &Identity::Anonymous,
            request: None,
            on_stuck: Some(on_stuck),
        };
        other.runner().run_mutation(mutation).await.unwrap()
    });
    while !SPINNING.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    app.advance(Duration::from_millis(1001));
    app.runner().look_for_stuck();
    app.runner().look_for_stuck();
    assert_eq!(told.load(Ordering::SeqCst), 1);
    SPINNING.store(false, Ordering::SeqCst);
    assert_eq!(call.await.unwrap().result.unwrap_err().code, Some("FunctionTimeout"));
    assert_eq!(app.query(total {}).await.unwrap(), 0.0, "what it wrote is not committed");
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_keeps_reads() {
    let app = app();
    let id = counter(&app, "c").await;
    app.log().set_disk_full(true);
    assert_eq!(app.mutation(increment { id }).await.unwrap_err().code, Some("DiskFull"));
    assert_eq!(app.query(total {}).await.unwrap(), 0.0);
    assert_eq!(app.mutation(look {}).await.unwrap(), 0.0);
    app.log().set_disk_full(false);
    assert_eq!(app.mutation(increment { id }).await.unwrap(), 1.0);
}

#[tokio::test]
async fn a_log_that_fails_ends_everything() {
    let app = app();
    let id = counter(&app, "c").await;
    app.settled().await;
    app.log().fail();
    app.live().failed().await;
    let query = QueryRequest {
        path: "counters:total",
        args: &Packed::empty_object(),
        journal: None,
        identity: &Identity::Anonymous,
    };
    assert_eq!(app.live().query(query).await.unwrap_err().code(), "LogFailed");
    let outcome = app.mutation(increment { id }).await;
    assert_eq!(outcome.unwrap_err().code, Some("LogFailed"));
    assert!(!app.live().wait_durable(hull_value::Timestamp(u64::MAX)).await);
}
