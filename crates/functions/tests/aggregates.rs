//! Counts, sums, extremes, places and rankings in functions, typed and by name, live.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::time::Duration;

use hull_engine::ReadAt;
use hull_functions::{
    App, Identity, Module, MutationCtx, Order, QueryCtx, QueryRequest, Ranked, Result, TestApp, TestSession,
    functions, mutation, query,
};
use hull_model::{Doc, Patch, Schema, Table};
use hull_value::{Id, Packed, Value};

#[derive(Table, Clone, Debug, PartialEq)]
#[table("entries")]
#[count(by_user(user))]
#[count(by_mood(mood, user), ranked)]
#[sum(points_by_user(user), points, ranked)]
#[sum(steps_by_points(points), steps)]
struct Entry {
    user: String,
    mood: Option<String>,
    points: Option<f64>,
    steps: i64,
    note: String,
}

fn entry(user: &str, points: Option<f64>) -> Entry {
    Entry { user: user.into(), mood: None, points, steps: 1, note: "n".into() }
}

#[mutation]
async fn add(ctx: &MutationCtx, user: String, points: Option<f64>) -> Result<Id<Entry>> {
    ctx.db.insert(entry(&user, points)).await
}

#[mutation]
async fn set_points(ctx: &MutationCtx, id: Id<Entry>, points: f64) -> Result<()> {
    ctx.db.patch(id, Patch::new().set(Entry::points, Some(points))).await
}

#[mutation]
async fn set_note(ctx: &MutationCtx, id: Id<Entry>, note: String) -> Result<()> {
    ctx.db.patch(id, Patch::new().set(Entry::note, note)).await
}

#[mutation]
async fn set_user(ctx: &MutationCtx, id: Id<Entry>, user: String) -> Result<()> {
    ctx.db.patch(id, Patch::new().set(Entry::user, user)).await
}

#[mutation]
async fn remove(ctx: &MutationCtx, id: Id<Entry>) -> Result<()> {
    ctx.db.delete(id).await
}

#[query]
async fn count(ctx: &QueryCtx, user: String) -> Result<u32> {
    ctx.db.count(Entry::by_user, |q| q.eq(Entry::user, user)).await
}

/// By a query: the index has counters, so no document is read.
#[query]
async fn rows(ctx: &QueryCtx, user: String) -> Result<u32> {
    ctx.db.query::<Entry>().with_index(Entry::by_user, |q| q.eq(Entry::user, user)).count().await
}

#[query]
async fn points(ctx: &QueryCtx, user: String) -> Result<f64> {
    ctx.db.sum(Entry::points_by_user, |q| q.eq(Entry::user, user)).await
}

#[query]
async fn most(ctx: &QueryCtx, user: String) -> Result<Option<f64>> {
    ctx.db.max(Entry::points_by_user, |q| q.eq(Entry::user, user)).await
}

#[query]
async fn best(ctx: &QueryCtx, user: String) -> Result<Option<Doc<Entry>>> {
    ctx.db.at(Entry::by_user, |q| q.eq(Entry::user, user), 0).order(Order::Desc).await
}

#[query]
async fn leaders(ctx: &QueryCtx) -> Result<Vec<String>> {
    let best = ctx.db.ranking(Entry::points_by_user).order(Order::Desc).take(2).await?;
    Ok(best.iter().map(|best| format!("{} {} {}", best.group, best.total, best.count)).collect())
}

#[query]
async fn all(ctx: &QueryCtx) -> Result<u32> {
    ctx.db.table_count::<Entry>().await
}

fn app() -> TestApp {
    let module = Module::new("m").with(functions![
        add, set_points, set_note, set_user, remove, count, rows, points, most, best, leaders, all, check
    ]);
    TestApp::new(App::new().schema(Schema::new().of::<Entry>()).module(module)).unwrap()
}

/// Everything that ada's page and bob's count ask, live.
struct World {
    app: TestApp,
    session: TestSession,
    calls: Vec<(String, Packed)>,
}

impl World {
    async fn new(app: TestApp) -> World {
        let mut session = app.session();
        let of = |user: &str| Packed::encode(&Value::Object([("user".into(), user.into())].into())).unwrap();
        let mut calls: Vec<(String, Packed)> =
            ["count", "rows", "points", "most", "best"].map(|name| (format!("m:{name}"), of("ada"))).to_vec();
        calls.extend(["leaders", "all"].map(|name| (format!("m:{name}"), Packed::empty_object())));
        for (path, args) in &calls {
            session.subscribe_at(path, args.as_ref()).unwrap();
        }
        session.step().await.unwrap();
        app.take_reruns();
        World { app, session, calls }
    }

    /// The queries that ran since the last time. Whether they did or not, what they say is what is there.
    async fn reran(&mut self) -> Vec<String> {
        self.session.step().await;
        let reran = self.app.take_reruns();
        for (number, (path, args)) in self.calls.iter().enumerate() {
            let request = QueryRequest { path, args, journal: None, identity: &Identity::Anonymous };
            let fresh = self.app.runner().run_query(request, ReadAt::Ordered, None).await.unwrap();
            assert_eq!(
                self.session.json(number as u32),
                fresh.result.value.as_ref().ok().map(Packed::to_json),
                "{path}"
            );
        }
        reran.iter().map(|rerun| rerun[2..].split(' ').next().unwrap().to_owned()).collect()
    }
}

const NOBODY: [&str; 0] = [];

#[tokio::test]
async fn answers_run_again_for_their_range_and_their_field() {
    let app = app();
    let add = |user: &str, points| add { user: user.into(), points };
    let mut ids = Vec::new();
    for points in [3.0, 1.0, 2.0] {
        // In the order of their creation.
        app.advance(Duration::from_secs(1));
        ids.push(app.mutation(add("ada", Some(points))).await.unwrap());
    }
    let bobs = app.mutation(add("bob", Some(10.0))).await.unwrap();
    app.advance(Duration::from_secs(1));
    app.settled().await;
    let mut world = World::new(app).await;
    assert_eq!(world.session.value(0), Ok(3.0));
    assert_eq!(world.session.value(2), Ok(6.0));

    // Another field: nobody has looked at it but who was given the document.
    world.app.mutation(set_note { id: ids[0], note: "x".into() }).await.unwrap();
    assert_eq!(world.reran().await, NOBODY);
    world.app.mutation(set_note { id: ids[2], note: "x".into() }).await.unwrap();
    assert_eq!(world.reran().await, ["best"]);

    // The field that is added up.
    world.app.mutation(set_points { id: ids[0], points: 4.0 }).await.unwrap();
    assert_eq!(world.reran().await, ["leaders", "most", "points"]);
    world.app.mutation(set_points { id: ids[0], points: 4.0 }).await.unwrap();
    assert_eq!(world.reran().await, NOBODY);

    // What is another's.
    world.app.mutation(set_points { id: bobs, points: 11.0 }).await.unwrap();
    assert_eq!(world.reran().await, ["leaders"]);
    world.app.mutation(add("bob", None)).await.unwrap();
    assert_eq!(world.reran().await, ["all", "leaders"]);

    // One comes, goes, and becomes another's.
    let of_a_member = ["all", "best", "count", "leaders", "most", "points", "rows"];
    let last = world.app.mutation(add("ada", Some(0.5))).await.unwrap();
    assert_eq!(world.reran().await, of_a_member);
    world.app.mutation(remove { id: last }).await.unwrap();
    assert_eq!(world.reran().await, of_a_member);
    world.app.mutation(set_user { id: ids[1], user: "bob".into() }).await.unwrap();
    // The last one, which `best` has seen, is still the last.
    assert_eq!(world.reran().await, ["count", "leaders", "most", "points", "rows"]);
    assert_eq!(world.session.value(0), Ok(2.0));
    assert_eq!(world.session.value(2), Ok(6.0));
}

#[mutation]
async fn check(ctx: &MutationCtx) -> Result<()> {
    let db = &ctx.db;
    let of = |user: &'static str| move |q: hull_model::IndexRange<Entry, _>| q.eq(Entry::user, user);
    // Nothing yet.
    assert_eq!(db.count(Entry::by_user, of("ada")).await?, 0);
    assert_eq!(db.sum(Entry::points_by_user, of("ada")).await?, 0.0);
    assert_eq!(db.sum(Entry::steps_by_points, |q| q).await?, 0);
    assert_eq!(db.min(Entry::points_by_user, of("ada")).await?, None);
    assert_eq!(db.at(Entry::by_user, |q| q, 0).await?, None);
    assert_eq!(db.table_count::<Entry>().await?, 0);
    assert_eq!(db.ranking(Entry::by_mood).take(5).await?, []);

    let mut ids = Vec::new();
    for (user, mood, points, steps) in [
        ("ada", Some("calm"), Some(1.5), 1_i64 << 62),
        ("bob", Some("calm"), Some(7.0), 1),
        ("ada", None, None, 2),
        ("ada", Some("calm"), Some(-2.0), 3),
    ] {
        let mood = mood.map(str::to_owned);
        ids.push(db.insert(Entry { user: user.into(), mood, points, steps, note: String::new() }).await?);
    }
    assert_eq!(db.count(Entry::by_user, of("ada")).await?, 3);
    assert_eq!(db.count(Entry::points_by_user, |q| q.gt(Entry::user, "ada")).await?, 1);
    assert_eq!(db.sum(Entry::points_by_user, of("ada")).await?, -0.5);
    assert_eq!(db.min(Entry::points_by_user, of("ada")).await?, Some(-2.0));
    assert_eq!(db.max(Entry::points_by_user, |q| q).await?, Some(7.0));
    assert_eq!(db.sum(Entry::steps_by_points, |q| q.gte(Entry::points, 0.0)).await?, (1 << 62) + 1);
    assert_eq!(db.max(Entry::steps_by_points, |q| q.eq(Entry::points, None)).await?, Some(2));
    assert_eq!(db.rank_of(Entry::by_user, of("ada"), ids[2]).await?, Some(1));
    assert_eq!(db.rank_of(Entry::by_user, |q| q, ids[1]).order(Order::Desc).await?, Some(0));
    assert_eq!(db.rank_of(Entry::by_user, of("ada"), ids[1]).await?, None);
    assert_eq!(db.at(Entry::by_user, |q| q, 3).await?.unwrap()._id, ids[1]);
    assert_eq!(db.at(Entry::by_user, of("ada"), 0).order(Order::Desc).await?.unwrap()._id, ids[3]);
    assert_eq!(db.at(Entry::by_user, of("ada"), 3).await?, None);
    assert_eq!(db.table_count::<Entry>().await?, 4);
    assert_eq!(db.query::<Entry>().with_index(Entry::by_user, of("ada")).count().await?, 3);

    let ranked = |group: &str, total: f64, count| Ranked { group: group.to_owned(), total, count };
    let best = db.ranking(Entry::points_by_user).order(Order::Desc).take(9).await?;
    assert_eq!(best, [ranked("bob", 7.0, 1), ranked("ada", -0.5, 3)]);
    let moods = db.ranking(Entry::by_mood).order(Order::Desc).take(1).await?;
    let calm = ("calm".to_owned(), "ada".to_owned());
    let first = moods.into_iter().next().map(|best| (best.group, best.total));
    assert_eq!(first, Some(((Some(calm.0), calm.1), 2)));

    // The same by name.
    let table = db.table("entries");
    assert_eq!(table.count("by_user", |q| q.eq("user", "ada")).await?, 3);
    assert_eq!(table.sum("points_by_user", |q| q.eq("user", "ada")).await?, Value::Float64(-0.5));
    assert_eq!(table.sum("steps_by_points", |q| q.absent("points")).await?, Value::Int64(2));
    assert_eq!(table.min("points_by_user", |q| q).await?, Some(Value::Float64(-2.0)));
    assert_eq!(table.max("points_by_user", |q| q.eq("user", "eve")).await?, None);
    let id = ids[3].document_id();
    assert_eq!(table.rank_of("by_user", |q| q.eq("user", "ada"), id).order(Order::Desc).await?, Some(0));
    assert_eq!(table.at("by_user", |q| q.eq("user", "ada"), 2).await?.unwrap().id, id);
    assert_eq!(table.table_count().await?, 4);
    assert_eq!(table.query().with_index("by_user", |q| q.eq("user", "ada")).count().await?, 3);
    let best = table.ranking("points_by_user", Order::Desc, 1).await?;
    assert_eq!(best[0].values, [Some(Value::String("bob".into()))]);
    assert_eq!(db.table("nothing").count("by_user", |q| q).await?, 0);
    assert_eq!(db.table("nothing").sum("by_user", |q| q).await?, Value::Float64(0.0));

    let code = |error: hull_functions::Error| error.code().map(str::to_owned);
    assert_eq!(code(table.sum("by_user", |q| q).await.unwrap_err()).as_deref(), Some("IndexNotAggregated"));
    assert_eq!(code(table.count("no", |q| q).await.unwrap_err()).as_deref(), Some("IndexNotFoundError"));
    let wrong = table.count("by_user", |q| q.eq("mood", "calm")).await.unwrap_err();
    assert_eq!(code(wrong).as_deref(), Some("FieldNotInIndex"));
    db.insert(Entry { steps: i64::MAX, ..entry("eve", Some(1.0)) }).await?;
    let overflow = db.sum(Entry::steps_by_points, |q| q).await.unwrap_err();
    assert_eq!(code(overflow).as_deref(), Some("SumOverflow"));
    Ok(())
}

#[tokio::test]
async fn every_answer_sees_own_writes_typed_and_by_name() {
    app().mutation(check {}).await.unwrap();
}

/// An increment of the field that is added up is seen by a sum in the same mutation, and commutes otherwise.
#[mutation]
async fn earn(ctx: &MutationCtx, id: Id<Entry>, points: f64, look: bool) -> Result<Option<f64>> {
    ctx.db.increment(id, Entry::points, points).await?;
    if !look {
        return Ok(None);
    }
    Ok(Some(ctx.db.sum(Entry::points_by_user, |q| q.eq(Entry::user, "ada")).await?))
}

#[tokio::test]
async fn increments_are_added_up() {
    let module = Module::new("m").with(functions![add, earn, points, most, leaders]);
    let app = TestApp::new(App::new().schema(Schema::new().of::<Entry>()).module(module)).unwrap();
    let id = app.mutation(add { user: "ada".into(), points: Some(1.0) }).await.unwrap();
    let mut session = app.session();
    session.subscribe(points { user: "ada".into() }).unwrap();
    session.subscribe(most { user: "ada".into() }).unwrap();
    session.step().await.unwrap();
    for round in 1..20 {
        let look = round % 3 == 0;
        let sum = app.mutation(earn { id, points: 0.5, look }).await.unwrap();
        let expected = 1.0 + 0.5 * f64::from(round);
        assert_eq!(sum, look.then_some(expected));
        assert_eq!(session.changed().await, [0, 1]);
        assert_eq!((session.value(0), session.value(1)), (Ok(expected), Ok(Some(expected))));
    }
}
