//! Random schedules of subscriptions and mutations, from seeds.
//!
//! Whatever the schedule: the state of a session is what fresh runs at its timestamp give; and the queries that ran
//! again are exactly those that were held and whose read ranges were touched.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hull_engine::{CommitKeys, Group, ReadAt, ReadSet};
use hull_functions::{
    App, Identity, LiveSession, Module, MutationCtx, MutationRequest, Order, QueryCtx, QueryRequest, Result,
    Step, TestApp, functions, mutation, query,
};
use hull_model::{Patch, Schema, Table};
use hull_value::{Id, Packed, Timestamp, Value};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

#[derive(Table, Clone, Debug, PartialEq)]
#[table("items")]
#[index(by_owner(owner, rank))]
#[index(by_rank(rank))]
struct Item {
    owner: f64,
    rank: f64,
    text: f64,
}

#[mutation]
async fn create(ctx: &MutationCtx, owner: f64, rank: f64) -> Result<Id<Item>> {
    ctx.db.insert(Item { owner, rank, text: 0.0 }).await
}

#[mutation]
async fn change(ctx: &MutationCtx, owner: f64, rank: f64, to: f64) -> Result<()> {
    let found =
        ctx.db.query::<Item>().with_index(Item::by_owner, |q| q.eq(Item::owner, owner).gte(Item::rank, rank));
    if let Some(item) = found.first().await? {
        let patch = match to as u32 % 3 {
            0 => Patch::new().set(Item::owner, to),
            1 => Patch::new().set(Item::rank, to),
            _ => Patch::new().set(Item::text, to),
        };
        ctx.db.patch(item._id, patch).await?;
    }
    Ok(())
}

#[mutation]
async fn remove(ctx: &MutationCtx, owner: f64) -> Result<()> {
    let found = ctx.db.query::<Item>().with_index(Item::by_owner, |q| q.eq(Item::owner, owner));
    match found.first().await? {
        Some(item) => ctx.db.delete(item._id).await,
        None => Ok(()),
    }
}

/// Lets others run, so that runs overlap.
async fn dawdle(ctx: &QueryCtx, rounds: f64) -> Result<()> {
    for _ in 0..rounds as u32 {
        tokio::task::yield_now().await;
    }
    ctx.db.table("items").normalize_id("").await.map(|_| ())
}

#[query]
async fn of(ctx: &QueryCtx, owner: f64, slow: f64) -> Result<Vec<Vec<f64>>> {
    let items =
        ctx.db.query::<Item>().with_index(Item::by_owner, |q| q.eq(Item::owner, owner)).collect().await?;
    dawdle(ctx, slow).await?;
    Ok(items.iter().map(|item| vec![item.rank, item.text]).collect())
}

#[query]
async fn top(ctx: &QueryCtx, count: f64, slow: f64) -> Result<Vec<f64>> {
    let items = ctx
        .db
        .query::<Item>()
        .with_index(Item::by_rank, |q| q)
        .order(Order::Desc)
        .take(count as usize)
        .await?;
    dawdle(ctx, slow).await?;
    Ok(items.iter().map(|item| item.rank).collect())
}

#[query]
async fn between(ctx: &QueryCtx, low: f64, high: f64, slow: f64) -> Result<f64> {
    let range = |q: hull_model::IndexRange<Item, _>| q.gte(Item::rank, low).lt(Item::rank, high);
    let count = ctx.db.query::<Item>().with_index(Item::by_rank, range).collect().await?.len();
    dawdle(ctx, slow).await?;
    Ok(count as f64)
}

#[query]
async fn texts(ctx: &QueryCtx, owner: f64, slow: f64) -> Result<Vec<f64>> {
    let items = ctx.db.query::<Item>().with_index(Item::by_owner, |q| q.eq(Item::owner, owner));
    let rows = items.select((Item::text, Item::rank)).filter(|row| row.1 > 2.0).collect().await?;
    dawdle(ctx, slow).await?;
    Ok(rows.iter().map(|row| row.0).collect())
}

#[query]
async fn count(ctx: &QueryCtx, low: f64, high: f64, slow: f64) -> Result<f64> {
    let range = |q: hull_model::IndexRange<Item, _>| q.gte(Item::rank, low).lt(Item::rank, high);
    let count = ctx.db.query::<Item>().with_index(Item::by_rank, range).count().await?;
    dawdle(ctx, slow).await?;
    Ok(f64::from(count))
}

#[query]
async fn exists(ctx: &QueryCtx, low: f64, high: f64, slow: f64) -> Result<bool> {
    let range = |q: hull_model::IndexRange<Item, _>| q.gte(Item::rank, low).lt(Item::rank, high);
    let exists = ctx.db.query::<Item>().with_index(Item::by_rank, range).order(Order::Desc).exists().await?;
    dawdle(ctx, slow).await?;
    Ok(exists)
}

fn app(seed: u64) -> TestApp {
    let module =
        Module::new("items").with(functions![create, change, remove, of, top, between, texts, count, exists]);
    TestApp::with_seed(App::new().schema(Schema::new().of::<Item>()).module(module), seed).unwrap()
}

const IDENTITY: Identity = Identity::Anonymous;

fn object<const N: usize>(fields: [(&str, f64); N]) -> Packed {
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value)));
    Packed::encode(&Value::Object(fields.collect())).unwrap()
}

type Key = (&'static str, Packed);

fn a_query(rng: &mut StdRng, slow: f64) -> Key {
    match rng.random_range(0..6) {
        0 => ("items:of", object([("owner", f64::from(rng.random_range(0..4))), ("slow", slow)])),
        1 => ("items:top", object([("count", f64::from(rng.random_range(1..4))), ("slow", slow)])),
        2 => ("items:texts", object([("owner", f64::from(rng.random_range(0..4))), ("slow", slow)])),
        other => {
            let low = f64::from(rng.random_range(0..9));
            let fields = [("high", low + f64::from(rng.random_range(1..4))), ("low", low), ("slow", slow)];
            let path = ["items:between", "items:count", "items:exists"][other - 3];
            (path, object(fields))
        }
    }
}

fn a_mutation(rng: &mut StdRng) -> Key {
    let owner = f64::from(rng.random_range(0..4));
    let rank = f64::from(rng.random_range(0..12));
    match rng.random_range(0..8) {
        0..3 => ("items:create", object([("owner", owner), ("rank", rank)])),
        3..7 => (
            "items:change",
            object([("owner", owner), ("rank", rank / 2.0), ("to", f64::from(rng.random_range(0..12)))]),
        ),
        _ => ("items:remove", object([("owner", owner)])),
    }
}

async fn mutate(app: &TestApp, (path, args): &Key) {
    let mutation = MutationRequest { path, args, identity: &IDENTITY, request: None, on_stuck: None };
    app.runner().run_mutation(mutation).await.unwrap().result.unwrap();
}

async fn fresh(app: &TestApp, (path, args): &Key, ts: Timestamp) -> (String, Arc<ReadSet>) {
    let query = QueryRequest { path, args, journal: None, identity: &IDENTITY };
    let outcome = app.runner().run_query(query, ReadAt::Exactly(ts), None).await.unwrap();
    (outcome.result.value.clone().unwrap().to_json(), outcome.reads)
}

/// A session as a client sees it.
struct Client {
    session: LiveSession,
    queries: BTreeMap<u32, Key>,
    state: BTreeMap<u32, String>,
    ts: Timestamp,
    next: u32,
}

impl Client {
    fn new(app: &TestApp) -> Client {
        let session = app.live().session(IDENTITY);
        Client { session, queries: BTreeMap::new(), state: BTreeMap::new(), ts: Timestamp(0), next: 0 }
    }

    fn subscribe(&mut self, key: Key) {
        assert!(self.session.subscribe(self.next, key.0, &key.1, None));
        self.queries.insert(self.next, key);
        self.next += 1;
    }

    fn unsubscribe(&mut self, query: u32) {
        assert!(self.session.unsubscribe(query));
        self.queries.remove(&query);
        self.state.remove(&query);
    }

    /// Takes a step, and checks that all results are those of its timestamp.
    async fn take(&mut self, app: &TestApp, step: Step) {
        assert!(step.ts >= self.ts);
        self.ts = step.ts;
        for (query, result) in step.updates {
            let json = result.value.clone().unwrap().to_json();
            assert_ne!(
                self.state.insert(query, json.clone()),
                Some(json),
                "what has not changed is not sent"
            );
        }
        for (query, key) in &self.queries {
            assert_eq!(self.state[query], fresh(app, key, self.ts).await.0, "{key:?} at {:?}", self.ts);
        }
    }
}

#[tokio::test]
async fn exactly_the_touched_queries_run_again() {
    for seed in 0..60 {
        let mut rng = StdRng::seed_from_u64(seed);
        let app = app(seed);
        let groups: Arc<Mutex<(Timestamp, Vec<Arc<CommitKeys>>)>> =
            Arc::new(Mutex::new((app.runner().engine().durable(), Vec::new())));
        let seen = groups.clone();
        app.runner().engine().on_group(Box::new(move |group| {
            if let Group::Durable { commits, durable_to } = group {
                let mut seen = seen.lock();
                seen.0 = seen.0.max(*durable_to);
                seen.1.extend(commits.iter().cloned());
            }
        }));
        app.take_reruns();
        let mut clients: Vec<Client> = (0..3).map(|_| Client::new(&app)).collect();
        // What is kept, by what it read.
        let mut kept: BTreeMap<String, Arc<ReadSet>> = BTreeMap::new();
        let name = |(path, args): &Key| format!("{path} {}", args.to_clean_json());
        for _ in 0..40 {
            let mut expected = Vec::new();
            app.log().pause();
            for _ in 0..rng.random_range(0..4) {
                mutate(&app, &a_mutation(&mut rng)).await;
            }
            app.log().resume();
            app.settled().await;
            let durable = app.live().durable();
            let held: BTreeMap<String, Key> = clients
                .iter()
                .flat_map(|client| client.queries.values())
                .map(|key| (name(key), key.clone()))
                .collect();
            while groups.lock().0 < durable {
                tokio::task::yield_now().await;
            }
            let commits = std::mem::take(&mut groups.lock().1);
            kept.retain(|name, reads| {
                let touched = commits.iter().any(|commit| reads.touches(commit));
                if touched && held.contains_key(name) {
                    expected.push(name.clone());
                }
                !touched
            });
            for name in &expected {
                kept.insert(name.clone(), fresh(&app, &held[name], durable).await.1);
            }
            for client in &mut clients {
                if rng.random_bool(0.3) {
                    let key = a_query(&mut rng, 0.0);
                    if let Entry::Vacant(free) = kept.entry(name(&key)) {
                        expected.push(name(&key));
                        free.insert(fresh(&app, &key, durable).await.1);
                    }
                    client.subscribe(key);
                }
                if rng.random_bool(0.2)
                    && let Some(query) = client.queries.keys().next().copied()
                {
                    client.unsubscribe(query);
                }
            }
            app.settled().await;
            expected.sort();
            assert_eq!(app.take_reruns(), expected, "seed {seed}");
            for client in &mut clients {
                if rng.random_bool(0.7) {
                    let step = client.session.poll().expect("nothing runs");
                    assert_eq!(step.ts, durable);
                    client.take(&app, step).await;
                }
            }
        }
        let names: BTreeSet<String> =
            clients.iter().flat_map(|client| client.queries.values()).map(name).collect();
        assert_eq!(app.live().metrics().held, names.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_state_of_a_session_is_that_of_one_timestamp() {
    for seed in 0..20 {
        let app = Arc::new(app(seed));
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let app = app.clone();
                tokio::spawn(async move {
                    let mut rng = StdRng::seed_from_u64(seed * 100 + writer);
                    for _ in 0..60 {
                        mutate(&app, &a_mutation(&mut rng)).await;
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let readers: Vec<_> = (0..3)
            .map(|reader| {
                let app = app.clone();
                tokio::spawn(async move {
                    let mut rng = StdRng::seed_from_u64(seed * 100 + 50 + reader);
                    let mut client = Client::new(&app);
                    for _ in 0..30 {
                        if rng.random_bool(0.3) {
                            let slow = f64::from(rng.random_range(0..3) * rng.random_range(0..20));
                            client.subscribe(a_query(&mut rng, slow));
                        }
                        if rng.random_bool(0.1)
                            && let Some(query) = client.queries.keys().next().copied()
                        {
                            client.unsubscribe(query);
                        }
                        if let Some(step) = client.session.poll() {
                            client.take(&app, step).await;
                        }
                        tokio::task::yield_now().await;
                    }
                    client
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        for reader in readers {
            let mut client = reader.await.unwrap();
            app.settled().await;
            let step = client.session.poll().unwrap();
            assert_eq!(step.ts, app.runner().engine().ordered());
            client.take(&app, step).await;
        }
    }
}
