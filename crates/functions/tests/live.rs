//! Live queries: which run again, who is told, and at which timestamp.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt;
use hull_functions::{
    App, Identity, LiveSession, Module, MutationCtx, Order, QueryCtx, Result, TestApp, TestSession,
    UserIdentity, functions, mutation, query,
};
use hull_model::{Doc, Patch, Schema, Table};
use hull_value::{Id, Packed, Value};
use tokio::sync::Semaphore;

#[derive(Table, Clone, Debug, PartialEq)]
#[table("notes")]
#[index(by_owner(owner, rank))]
struct Note {
    owner: String,
    rank: f64,
    text: String,
}

#[mutation]
async fn create(ctx: &MutationCtx, owner: String, rank: f64) -> Result<Id<Note>> {
    ctx.db.insert(Note { owner, rank, text: String::new() }).await
}

#[mutation]
async fn rewrite(ctx: &MutationCtx, id: Id<Note>, text: String) -> Result<()> {
    ctx.db.patch(id, Patch::new().set(Note::text, text)).await
}

#[mutation]
async fn give(ctx: &MutationCtx, id: Id<Note>, owner: String) -> Result<()> {
    ctx.db.patch(id, Patch::new().set(Note::owner, owner)).await
}

#[mutation]
async fn remove(ctx: &MutationCtx, id: Id<Note>) -> Result<()> {
    ctx.db.delete(id).await
}

#[mutation]
async fn post(ctx: &MutationCtx, table: String, text: String) -> Result<()> {
    let fields = [("text".to_owned(), Value::from(text))];
    ctx.db.table(&table).insert(Value::Object(fields.into())).await?;
    Ok(())
}

#[query]
async fn get(ctx: &QueryCtx, id: Id<Note>) -> Result<Option<String>> {
    Ok(ctx.db.get(id).await?.map(|note| Doc::into_value(note).text))
}

#[query]
async fn ranks(ctx: &QueryCtx, owner: String) -> Result<Vec<f64>> {
    let notes =
        ctx.db.query::<Note>().with_index(Note::by_owner, |q| q.eq(Note::owner, owner)).collect().await?;
    Ok(notes.iter().map(|note| note.rank).collect())
}

#[query]
async fn top(ctx: &QueryCtx, owner: String, count: u32) -> Result<Vec<f64>> {
    let query = ctx.db.query::<Note>().with_index(Note::by_owner, |q| q.eq(Note::owner, owner));
    Ok(query.order(Order::Desc).take(count as usize).await?.iter().map(|note| note.rank).collect())
}

#[query]
async fn between(ctx: &QueryCtx, owner: String, low: f64, high: f64) -> Result<Vec<f64>> {
    let range = ctx
        .db
        .query::<Note>()
        .with_index(Note::by_owner, |q| q.eq(Note::owner, owner).gte(Note::rank, low).lt(Note::rank, high));
    Ok(range.collect().await?.iter().map(|note| note.rank).collect())
}

#[query]
async fn posts(ctx: &QueryCtx, table: String) -> Result<f64> {
    Ok(ctx.db.table(&table).query().collect().await?.len() as f64)
}

/// Documents of this table are inserted by its name.
#[derive(Table)]
#[table("later")]
struct Later {
    text: String,
}

#[query]
async fn later(_ctx: &QueryCtx, id: Id<Later>) -> Result<Id<Later>> {
    Ok(id)
}

#[query]
async fn is_later(ctx: &QueryCtx, text: String) -> Result<bool> {
    Ok(ctx.db.table("later").normalize_id(&text).await?.is_some())
}

#[query]
async fn who(ctx: &QueryCtx) -> Result<Option<String>> {
    Ok(ctx.auth().map(|user| user.subject.clone()))
}

/// Looks at the identity only when there is a note of that owner.
#[query]
async fn who_if(ctx: &QueryCtx, owner: String) -> Result<Option<String>> {
    let found =
        ctx.db.query::<Note>().with_index(Note::by_owner, |q| q.eq(Note::owner, owner)).first().await?;
    Ok(found.and_then(|_| ctx.auth()).map(|user| user.subject.clone()))
}

#[query]
async fn now(ctx: &QueryCtx) -> Result<f64> {
    Ok(ctx.now())
}

#[query]
async fn fails(ctx: &QueryCtx, id: Id<Note>) -> Result<f64> {
    let note = ctx.db.get(id).await?.ok_or_else(|| hull_functions::ConvexError::new("gone"))?;
    Ok(note.rank)
}

/// The slow queries that have started, and those that may end.
static STARTED: AtomicU32 = AtomicU32::new(0);
static GATE: Semaphore = Semaphore::const_new(0);

#[query]
async fn slow(ctx: &QueryCtx, owner: String) -> Result<Vec<f64>> {
    let notes =
        ctx.db.query::<Note>().with_index(Note::by_owner, |q| q.eq(Note::owner, owner)).collect().await?;
    STARTED.fetch_add(1, Ordering::SeqCst);
    GATE.acquire().await?.forget();
    Ok(notes.iter().map(|note| note.rank).collect())
}

/// Two queries that are slow, each with its own gate.
static GATES: [(AtomicU32, Semaphore); 2] = [
    const { (AtomicU32::new(0), Semaphore::const_new(0)) },
    const { (AtomicU32::new(0), Semaphore::const_new(0)) },
];

#[query]
async fn gated(ctx: &QueryCtx, gate: u32) -> Result<Vec<f64>> {
    let notes =
        ctx.db.query::<Note>().with_index(Note::by_owner, |q| q.eq(Note::owner, "ada")).collect().await?;
    let (started, gate) = &GATES[gate as usize];
    started.fetch_add(1, Ordering::SeqCst);
    gate.acquire().await?.forget();
    Ok(notes.iter().map(|note| note.rank).collect())
}

fn app() -> TestApp {
    let notes = Module::new("notes").with(functions![
        create, rewrite, give, remove, post, get, ranks, top, between, posts, who, who_if, now, fails, slow,
        gated, later, is_later
    ]);
    TestApp::new(App::new().schema(Schema::new().of::<Note>()).module(notes)).unwrap()
}

fn woken(session: &LiveSession) -> bool {
    session.ready().now_or_never().is_some()
}

async fn seed(app: &TestApp) -> Vec<Id<Note>> {
    let mut ids = Vec::new();
    for (owner, rank) in [("ada", 1.0), ("ada", 2.0), ("ada", 3.0), ("bob", 1.0)] {
        ids.push(app.mutation(create { owner: owner.into(), rank }).await.unwrap());
    }
    app.settled().await;
    ids
}

#[tokio::test]
async fn only_the_queries_that_a_write_touches_run_again() {
    let app = app();
    let ids = seed(&app).await;
    let mut session = app.session();
    let ada = || "ada".to_owned();
    session.subscribe(get { id: ids[0] }).unwrap();
    session.subscribe(get { id: ids[1] }).unwrap();
    session.subscribe(ranks { owner: ada() }).unwrap();
    session.subscribe(ranks { owner: "bob".into() }).unwrap();
    session.subscribe(top { owner: ada(), count: 1 }).unwrap();
    session.subscribe(between { owner: ada(), low: 1.5, high: 2.5 }).unwrap();
    session.subscribe(posts { table: "other".into() }).unwrap();
    assert_eq!(session.changed().await, [0, 1, 2, 3, 4, 5, 6]);
    let (ranks_of_ada, top_of_ada) =
        (r#"notes:ranks {"owner":"ada"}"#, r#"notes:top {"count":1,"owner":"ada"}"#);
    let between_two = r#"notes:between {"high":2.5,"low":1.5,"owner":"ada"}"#;
    let ranks_of_bob = r#"notes:ranks {"owner":"bob"}"#;
    let get = |at: usize| format!(r#"notes:get {{"id":"{}"}}"#, ids[at]);
    app.take_reruns();

    // The lowest note: neither the top one nor the range depends on it.
    app.mutation(rewrite { id: ids[0], text: "x".into() }).await.unwrap();
    assert_eq!(session.changed().await, [0]);
    assert_eq!(app.take_reruns(), [get(0), ranks_of_ada.into()]);

    // Changing nothing is no write.
    app.mutation(rewrite { id: ids[0], text: "x".into() }).await.unwrap();
    assert_eq!(session.changed().await, [0; 0]);
    assert_eq!(app.take_reruns(), [""; 0]);

    // The one in the middle.
    app.mutation(rewrite { id: ids[1], text: "x".into() }).await.unwrap();
    assert_eq!(session.changed().await, [1]);
    assert_eq!(app.take_reruns(), [between_two.into(), get(1), ranks_of_ada.into()]);

    // A new one below the top, outside the range.
    app.mutation(create { owner: ada(), rank: 1.2 }).await.unwrap();
    assert_eq!(session.changed().await, [2]);
    assert_eq!(app.take_reruns(), [ranks_of_ada]);

    // A new top.
    app.mutation(create { owner: ada(), rank: 9.0 }).await.unwrap();
    assert_eq!(session.changed().await, [2, 4]);
    assert_eq!(app.take_reruns(), [ranks_of_ada, top_of_ada]);

    // From one owner to the other: both lists, and the range that it leaves.
    app.mutation(give { id: ids[1], owner: "bob".into() }).await.unwrap();
    assert_eq!(session.changed().await, [2, 3, 5]);
    assert_eq!(app.take_reruns(), [between_two.into(), get(1), ranks_of_ada.into(), ranks_of_bob.into()]);

    // Somebody nobody asked about.
    app.mutation(create { owner: "eve".into(), rank: 1.0 }).await.unwrap();
    assert_eq!(session.changed().await, [0; 0]);
    assert_eq!(app.take_reruns(), [""; 0]);

    // A table that comes into being, and then is written to.
    for count in 1..3 {
        app.mutation(post { table: "other".into(), text: "x".into() }).await.unwrap();
        assert_eq!(session.changed().await, [6]);
        assert_eq!(app.take_reruns(), [r#"notes:posts {"table":"other"}"#]);
        assert_eq!(session.value::<f64>(6), Ok(f64::from(count)));
    }

    // Nobody listens any more.
    session.unsubscribe(0);
    app.mutation(rewrite { id: ids[0], text: "y".into() }).await.unwrap();
    app.settled().await;
    assert_eq!(app.take_reruns(), [ranks_of_ada]);
}

#[tokio::test]
async fn a_query_runs_once_for_all_who_hold_it() {
    let app = app();
    seed(&app).await;
    app.take_reruns();
    let mut sessions: Vec<TestSession> = (0..10).map(|_| app.session()).collect();
    for session in &mut sessions {
        session.subscribe(ranks { owner: "ada".into() }).unwrap();
    }
    app.settled().await;
    assert_eq!(app.take_reruns().len(), 1);
    let first = sessions[0].step().await.unwrap().updates[0].1.clone();
    for session in &mut sessions[1..] {
        let step = session.step().await.unwrap();
        assert!(std::sync::Arc::ptr_eq(&step.updates[0].1, &first), "the same bytes for all");
    }
    app.mutation(create { owner: "ada".into(), rank: 4.0 }).await.unwrap();
    app.settled().await;
    assert_eq!(app.take_reruns().len(), 1);
    for session in &mut sessions {
        assert!(woken(session.live()));
        assert_eq!(session.changed().await, [0]);
        assert_eq!(session.json(0).as_deref(), Some("[1,2,3,4]"));
    }
}

#[tokio::test]
async fn an_equal_result_wakes_nobody() {
    let app = app();
    let ids = seed(&app).await;
    let mut session = app.session();
    session.subscribe(ranks { owner: "ada".into() }).unwrap();
    assert_eq!(session.changed().await, [0]);
    assert!(woken(session.live()));
    app.take_reruns();
    // The text is not in the result.
    app.mutation(rewrite { id: ids[0], text: "x".into() }).await.unwrap();
    app.settled().await;
    assert_eq!(app.take_reruns().len(), 1);
    assert!(!woken(session.live()));
    assert_eq!(session.changed().await, [0; 0]);
}

#[tokio::test]
async fn a_failure_is_a_result_like_others() {
    let app = app();
    let ids = seed(&app).await;
    let mut session = app.session();
    session.subscribe(fails { id: ids[0] }).unwrap();
    assert_eq!((session.changed().await, session.json(0).as_deref()), (vec![0], Some("1")));
    app.mutation(remove { id: ids[0] }).await.unwrap();
    assert_eq!(session.changed().await, [0]);
    assert_eq!(session.value::<f64>(0).unwrap_err().message, "gone");
    app.take_reruns();
    app.mutation(create { owner: "ada".into(), rank: 7.0 }).await.unwrap();
    assert_eq!((session.changed().await, app.take_reruns()), (vec![], vec![]));
}

#[tokio::test]
async fn what_is_no_id_becomes_one_with_its_table() {
    let app = app();
    let mut id = seed(&app).await[0].document_id();
    id.table.0 += 1;
    let mut session = app.session();
    session.subscribe(later { id: id.into() }).unwrap();
    session.subscribe(is_later { text: id.to_string() }).unwrap();
    assert_eq!(session.changed().await, [0, 1]);
    assert!(session.value::<Value>(0).is_err());
    assert_eq!(session.value(1), Ok(false));
    app.mutation(post { table: "later".into(), text: "x".into() }).await.unwrap();
    assert_eq!(session.changed().await, [0, 1]);
    assert_eq!((session.value(0), session.value(1)), (Ok(id.to_string()), Ok(true)));
}

#[tokio::test]
async fn a_session_that_is_busy_gets_the_newest_state() {
    let app = app();
    seed(&app).await;
    let mut session = app.session();
    session.subscribe(ranks { owner: "ada".into() }).unwrap();
    session.step().await.unwrap();
    for rank in 4..9 {
        app.mutation(create { owner: "ada".into(), rank: f64::from(rank) }).await.unwrap();
        app.settled().await;
    }
    assert_eq!(session.changed().await, [0]);
    assert_eq!(session.json(0).as_deref(), Some("[1,2,3,4,5,6,7,8]"));
    assert_eq!(session.changed().await, [0; 0]);
}

#[tokio::test]
async fn an_answer_wakes_its_session_once_it_is_durable() {
    let app = app();
    seed(&app).await;
    let mut session = app.session();
    assert!(!woken(session.live()));
    app.log().pause();
    let args = Packed::encode(&create { owner: "ada".into(), rank: 5.0 }).unwrap();
    let outcome = app.mutation_outcome("notes:create", &args).await.unwrap();
    session.live().answer(outcome.ts);
    assert!(!woken(session.live()));
    assert!(session.live().poll().unwrap().ts < outcome.ts);
    app.log().resume();
    session.live().ready().await;
    assert!(session.live().poll().unwrap().ts >= outcome.ts);
    // One that comes after its group was delivered is due at once.
    session.live().answer(outcome.ts);
    assert!(woken(session.live()));
}

fn user(name: &str) -> Identity {
    Identity::User(std::sync::Arc::new(UserIdentity {
        token_identifier: format!("test|{name}"),
        issuer: "test".into(),
        subject: name.into(),
        attributes: Packed::empty_object(),
    }))
}

#[tokio::test]
async fn results_are_shared_by_those_for_whom_they_are_the_same() {
    let app = app();
    seed(&app).await;
    app.take_reruns();
    let mut sessions: Vec<TestSession> =
        ["ada", "bob", "ada"].iter().map(|name| app.with_identity(user(name)).session()).collect();
    for session in &mut sessions {
        session.subscribe(who {}).unwrap();
        session.subscribe(ranks { owner: "ada".into() }).unwrap();
        session.subscribe(who_if { owner: "eve".into() }).unwrap();
    }
    app.settled().await;
    let expected =
        [r#"notes:ranks {"owner":"ada"}"#, "notes:who {}", "notes:who {}", r#"notes:whoIf {"owner":"eve"}"#];
    assert_eq!(app.take_reruns(), expected);
    for (session, name) in sessions.iter_mut().zip(["ada", "bob", "ada"]) {
        session.step().await.unwrap();
        assert_eq!(session.value::<Value>(0), Ok(Value::from(name)));
        assert_eq!(session.json(2).as_deref(), Some("null"));
    }
    // From now on it looks at the identity, and each gets its own.
    app.mutation(create { owner: "eve".into(), rank: 1.0 }).await.unwrap();
    for (session, name) in sessions.iter_mut().zip(["ada", "bob", "ada"]) {
        assert_eq!(session.changed().await, [2]);
        assert_eq!(session.value::<Value>(2), Ok(Value::from(name)));
    }
    assert_eq!(app.take_reruns().len(), 2);
    // Somebody else signs in: what does not depend on it is not run again.
    sessions[0].live().set_identity(user("bob"));
    assert_eq!(sessions[0].changed().await, [0, 2]);
    assert_eq!(app.take_reruns(), [""; 0]);
    sessions[0].live().set_identity(Identity::Anonymous);
    assert_eq!(sessions[0].changed().await, [0, 2]);
    assert_eq!(app.take_reruns(), ["notes:who {}", r#"notes:whoIf {"owner":"eve"}"#]);
}

#[tokio::test]
async fn one_off_queries_go_through_the_cache() {
    let app = app();
    let ids = seed(&app).await;
    app.take_reruns();
    for _ in 0..3 {
        app.query(ranks { owner: "ada".into() }).await.unwrap();
        app.query(fails { id: ids[0] }).await.unwrap();
    }
    assert_eq!(app.take_reruns().len(), 2);
    app.mutation(remove { id: ids[0] }).await.unwrap();
    app.settled().await;
    assert_eq!(app.take_reruns(), [""; 0], "what nobody holds does not run by itself");
    for _ in 0..3 {
        assert_eq!(app.query(ranks { owner: "ada".into() }).await.unwrap(), [2.0, 3.0]);
        app.query(fails { id: ids[0] }).await.unwrap_err();
    }
    assert_eq!(app.take_reruns().len(), 4, "failures are not kept");
}

#[tokio::test]
async fn what_depends_on_the_time_is_not_kept_for_long() {
    let app = app();
    app.take_reruns();
    let first = app.query(now {}).await.unwrap();
    app.advance(Duration::from_secs(16));
    assert_eq!(app.query(now {}).await.unwrap(), first);
    app.advance(Duration::from_secs(2));
    assert_eq!(app.query(now {}).await.unwrap(), first + 18_000.0);
    assert_eq!(app.take_reruns().len(), 2);
    // A subscriber is not told because time passes, but when somebody asks anew.
    let mut session = app.session();
    session.subscribe(now {}).unwrap();
    assert_eq!(session.changed().await, [0]);
    app.advance(Duration::from_secs(100));
    assert_eq!(session.changed().await, [0; 0]);
    app.query(now {}).await.unwrap();
    assert_eq!(session.changed().await, [0]);
}

async fn until_started(count: u32) {
    while STARTED.load(Ordering::SeqCst) < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_slow_query_delays_only_those_who_hold_it() {
    let app = app();
    let ids = seed(&app).await;
    let (mut holder, mut other) = (app.session(), app.session());
    let slow_one = holder.subscribe(slow { owner: "ada".into() }).unwrap();
    let list = holder.subscribe(ranks { owner: "bob".into() }).unwrap();
    other.subscribe(ranks { owner: "bob".into() }).unwrap();
    GATE.add_permits(1);
    assert_eq!(holder.changed().await, [slow_one, list]);
    assert_eq!(other.changed().await, [0]);
    assert!(woken(other.live()));
    let start = STARTED.load(Ordering::SeqCst);

    // The slow one runs again, and meanwhile the list changes twice.
    app.mutation(create { owner: "ada".into(), rank: 4.0 }).await.unwrap();
    until_started(start + 1).await;
    for rank in [2.0, 3.0] {
        app.mutation(create { owner: "bob".into(), rank }).await.unwrap();
        other.live().ready().await;
        let step = other.live().poll().unwrap();
        assert_eq!(step.updates.len(), 1);
        assert!(holder.live().poll().is_none(), "the slow one has no result yet");
    }
    GATE.add_permits(1);
    assert_eq!(holder.changed().await, [slow_one, list]);
    assert_eq!(
        (holder.json(slow_one).as_deref(), holder.json(list).as_deref()),
        (Some("[1,2,3,4]"), Some("[1,2,3]"))
    );

    // It is touched again each time while it runs: its holder gets on all the same, at the timestamps it ran at.
    app.mutation(create { owner: "ada".into(), rank: 5.0 }).await.unwrap();
    let mut seen = Vec::new();
    for round in 0..3 {
        until_started(start + 2 + round).await;
        app.mutation(create { owner: "ada".into(), rank: 6.0 + f64::from(round) }).await.unwrap();
        app.mutation(rewrite { id: ids[3], text: round.to_string() }).await.unwrap();
        app.mutation(create { owner: "bob".into(), rank: 4.0 + f64::from(round) }).await.unwrap();
        while app.live().durable() < app.runner().engine().ordered() {
            tokio::task::yield_now().await;
        }
        GATE.add_permits(1);
        until_started(start + 3 + round).await;
        let step = holder.live().poll().expect("it moves while it is still behind");
        for (query, result) in step.updates {
            seen.push((query, result.value.clone().unwrap().to_json()));
        }
    }
    GATE.add_permits(1);
    let expected = [
        (slow_one, "[1,2,3,4,5]"),
        (slow_one, "[1,2,3,4,5,6]"),
        (list, "[1,2,3,4]"),
        (slow_one, "[1,2,3,4,5,6,7]"),
        (list, "[1,2,3,4,5]"),
    ];
    let expected: Vec<(u32, String)> =
        expected.iter().map(|(query, json)| (*query, (*json).to_owned())).collect();
    assert_eq!(seen, expected);
    holder.step().await.unwrap();
    assert_eq!(
        (holder.json(slow_one).as_deref(), holder.json(list).as_deref()),
        (Some("[1,2,3,4,5,6,7,8]"), Some("[1,2,3,4,5,6]"))
    );
}

#[tokio::test]
async fn two_slow_queries_of_a_session_meet() {
    let app = app();
    seed(&app).await;
    let mut session = app.session();
    session.subscribe(gated { gate: 0 }).unwrap();
    session.subscribe(gated { gate: 1 }).unwrap();
    let mut counts = [1, 1];
    let mut moves = 0;
    // Each ends in turn, and is touched while it runs, so that neither is ever up to date.
    for round in 0..12 {
        for (at, count) in counts.iter().enumerate() {
            while GATES[at].0.load(Ordering::SeqCst) < *count {
                tokio::task::yield_now().await;
            }
        }
        app.mutation(create { owner: "ada".into(), rank: 4.0 + f64::from(round) }).await.unwrap();
        while app.live().durable() < app.runner().engine().ordered() {
            tokio::task::yield_now().await;
        }
        let at = round as usize % 2;
        GATES[at].1.add_permits(1);
        counts[at] += 1;
        while GATES[at].0.load(Ordering::SeqCst) < counts[at] {
            tokio::task::yield_now().await;
        }
        if let Some(step) = session.live().poll() {
            moves += 1;
            let values: Vec<_> =
                step.updates.iter().map(|(_, result)| result.value.clone().unwrap()).collect();
            assert_eq!(values.len(), 2);
            assert_eq!(values[0], values[1], "both of the same timestamp");
        }
    }
    assert!(moves >= 3, "{moves}");
    for gate in &GATES {
        gate.1.add_permits(10);
    }
    session.step().await.unwrap();
    assert_eq!(session.json(0), session.json(1));
}
