//! Hull's side: the measured application's functions, called through the runner; each answer waits for its sync.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use hull::functions::{Identity, MutationRequest, Registry, Runner};
use hull_engine::{DirOptions, Engine, Group};
use hull_value::{Encode, Encoder, Packed, Timestamp};
use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use crate::report::{Counter, Figures};
use crate::{Failure, Settings, fresh};

/// Opens the application on real files.
pub(crate) fn open(directory: &Path, settings: &Settings) -> Result<Runner, Failure> {
    let options = DirOptions { memory_budget: settings.memory_mib << 20, ..DirOptions::default() };
    let engine = Engine::open_dir(directory, options)?;
    let app = benches::application::app();
    engine.apply_schema(app.tables(), &mut |_| {})?;
    let runner = Runner::new(engine, Arc::new(Registry::new(app)?), 1);
    runner.start_watchdog();
    Ok(runner)
}

/// Wakes those whose commits have become durable. One task does, so that the log's thread goes on with its next group.
#[derive(Default)]
struct Durable {
    now: AtomicU64,
    arrival: Notify,
    waiting: Mutex<Vec<(Timestamp, Waker)>>,
}

impl Durable {
    fn of(engine: &Engine, runtime: &Runtime) -> Arc<Durable> {
        let durable = Arc::new(Durable::default());
        let told = durable.clone();
        engine.on_group(Box::new(move |group| {
            if let Group::Durable { durable_to, .. } = group {
                told.now.store(durable_to.0, Ordering::Release);
                told.arrival.notify_one();
            }
        }));
        let waking = durable.clone();
        runtime.spawn(async move {
            loop {
                waking.arrival.notified().await;
                let now = waking.now.load(Ordering::Acquire);
                let ready: Vec<_> = waking.waiting.lock().extract_if(.., |(ts, _)| ts.0 <= now).collect();
                ready.into_iter().for_each(|(_, waker)| waker.wake());
            }
        });
        durable
    }

    /// Ends when everything up to `ts` is durable.
    async fn wait(&self, ts: Timestamp) {
        poll_fn(|context| {
            if self.now.load(Ordering::Acquire) >= ts.0 {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.lock();
            if self.now.load(Ordering::Acquire) >= ts.0 {
                return Poll::Ready(());
            }
            waiting.push((ts, context.waker().clone()));
            Poll::Pending
        })
        .await
    }
}

struct Transfer {
    amount: f64,
    from: f64,
    to: f64,
}

impl Encode for Transfer {
    fn encode<E: Encoder>(&self, e: &mut E) {
        e.begin_object();
        for (name, value) in [("amount", self.amount), ("from_id", self.from), ("to_id", self.to)] {
            e.key(name);
            e.float64(value);
        }
        e.end_object();
    }
}

pub(crate) struct Seed {
    pub(crate) start: f64,
    pub(crate) count: f64,
}

impl Encode for Seed {
    fn encode<E: Encoder>(&self, e: &mut E) {
        e.begin_object();
        for (name, value) in [("count", self.count), ("initial", 1e9), ("start", self.start)] {
            e.key(name);
            e.float64(value);
        }
        e.end_object();
    }
}

pub(crate) async fn call(runner: &Runner, path: &str, args: &impl Encode) -> Result<Timestamp, Failure> {
    let args = Packed::encode(args)?;
    let identity = &Identity::Anonymous;
    let request = MutationRequest { path, args: &args, identity, request: None, on_stuck: None };
    let outcome = runner.run_mutation(request).await?;
    match outcome.result {
        Ok(_) => Ok(outcome.ts),
        Err(error) => Err(format!("{error:?}").into()),
    }
}

/// Transfers at the settings' concurrency.
pub(crate) fn transfers(settings: &Settings, pairs: &Arc<Vec<(u32, u32)>>) -> Result<Figures, Failure> {
    let directory = fresh(settings)?;
    let runtime = Runtime::new()?;
    let runner = open(directory.path(), settings)?;
    runtime.block_on(fill(&runner, settings.accounts))?;
    let (pairs, in_flight) = (pairs.clone(), settings.in_flight);
    let stride = pairs.len() / settings.clients;
    let name = match settings.zipf {
        Some(zipf) => format!("Hull, {} x {in_flight}, Zipf {zipf}", settings.clients),
        None => format!("Hull, {} x {in_flight}", settings.clients),
    };
    measure(&runtime, runner, settings.clients, in_flight, &name, settings.window(), move |number| {
        let pairs = pairs.clone();
        let mut at = number * stride;
        move || {
            let (from, to) = pairs[at % pairs.len()];
            at += 1;
            ("transfer:transfer", Transfer { amount: 1.0, from: f64::from(from), to: f64::from(to) })
        }
    })
}

/// Distinct inserts, one a transaction, for the settings' minutes.
pub(crate) fn inserts(settings: &Settings) -> Result<Figures, Failure> {
    let directory = fresh(settings)?;
    let runtime = Runtime::new()?;
    let runner = open(directory.path(), settings)?;
    let next = Arc::new(AtomicU64::new(0));
    let window = Duration::from_secs_f64(settings.minutes * 60.0);
    let name = format!(
        "Hull, inserts for {} minutes, {} x {}",
        settings.minutes, settings.clients, settings.in_flight
    );
    measure(&runtime, runner, settings.clients, settings.in_flight, &name, window, move |_| {
        let next = next.clone();
        move || {
            let start = next.fetch_add(1, Ordering::Relaxed) as f64;
            ("seed:seed_range", Seed { start, count: 1.0 })
        }
    })
}

async fn fill(runner: &Runner, accounts: u32) -> Result<(), Failure> {
    for start in (0..accounts).step_by(2_000) {
        let count = f64::from((accounts - start).min(2_000));
        call(runner, "seed:seed_range", &Seed { start: f64::from(start), count }).await?;
    }
    Ok(())
}

/// Runs `clients` tasks, each with its own source of calls, as the window wants.
pub(crate) fn measure<A, Source, Sources>(
    runtime: &Runtime,
    runner: Runner,
    clients: usize,
    in_flight: usize,
    name: &str,
    window: Duration,
    sources: Sources,
) -> Result<Figures, Failure>
where
    A: Encode + Send + Sync + 'static,
    Source: FnMut() -> (&'static str, A) + Send + 'static,
    Sources: Fn(usize) -> Source,
{
    let engine = runner.engine().clone();
    let durable = Durable::of(&engine, runtime);
    let counter = Arc::new(Counter::default());
    let tasks: Vec<_> = (0..clients)
        .map(|number| {
            let (runner, durable, counter) = (runner.clone(), durable.clone(), counter.clone());
            let mut next = sources(number);
            runtime.spawn(async move {
                let mut waiting = VecDeque::with_capacity(in_flight);
                while !counter.stopping() {
                    while waiting.len() < in_flight {
                        let (path, args) = next();
                        waiting.push_back(call(&runner, path, &args).await?);
                    }
                    let mut done = 0;
                    if let Some(first) = waiting.front() {
                        durable.wait(*first).await;
                    }
                    let now = durable.now.load(Ordering::Acquire);
                    while waiting.front().is_some_and(|ts| ts.0 <= now) {
                        waiting.pop_front();
                        done += 1;
                    }
                    counter.add(done);
                }
                Ok::<(), Failure>(())
            })
        })
        .collect();
    let (syncs, retries, started) = (engine.metrics().log_syncs, runner.counts().1, Instant::now());
    let mut figures = counter.measure(name, window);
    let seconds = started.elapsed().as_secs_f64();
    figures.syncs_per_second = Some((engine.metrics().log_syncs - syncs) as f64 / seconds);
    figures.retries = Some(runner.counts().1 - retries);
    for task in tasks {
        runtime.block_on(task)??;
    }
    engine.shutdown();
    Ok(figures)
}
