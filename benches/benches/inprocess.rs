//! Transfers without sockets, durable before they count, beside what sled does with the same writes in the same run.
//!
//! `cargo bench -p benches --bench inprocess -- [--seconds N] [--writers N] [--insert-seconds N]`

#![allow(clippy::unwrap_used, clippy::panic, reason = "a measuring program ends at the first surprise")]

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use benches::process::Watched;
use clap::Parser;
use hull::functions::{CACHE_BYTES, LiveQueries, MutationRequest, Registry, Runner};
use hull::prelude::*;
use hull_engine::{DirOptions, Engine};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ACCOUNTS: u32 = 100_000;

#[derive(Parser)]
struct Options {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Writers that each wait for their own write.
    #[arg(long, default_value_t = 64)]
    writers: usize,
    /// Seconds of inserting distinct documents; none when 0.
    #[arg(long, default_value_t = 0)]
    insert_seconds: u64,
    /// Cargo's own.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Table)]
#[table("accounts")]
#[index(by_account_id(id))]
struct Account {
    id: f64,
    balance: f64,
}

async fn find(ctx: &QueryCtx, id: f64) -> Result<Option<Doc<Account>>> {
    ctx.db.query::<Account>().with_index(Account::by_account_id, |q| q.eq(Account::id, id)).first().await
}

#[mutation]
async fn seed_range(ctx: &MutationCtx, start: f64, count: f64, initial: f64) -> Result<()> {
    for offset in 0..count as u32 {
        ctx.db.insert(Account { id: start + f64::from(offset), balance: initial }).await?;
    }
    Ok(())
}

#[mutation]
async fn transfer(ctx: &MutationCtx, amount: f64, from_id: f64, to_id: f64) -> Result<()> {
    let (Some(from), Some(to)) = (find(ctx, from_id).await?, find(ctx, to_id).await?) else {
        return Ok(());
    };
    if from_id == to_id || from.balance < amount {
        return Ok(());
    }
    ctx.db.patch(from._id, Patch::new().set(Account::balance, from.balance - amount)).await?;
    ctx.db.patch(to._id, Patch::new().set(Account::balance, to.balance + amount)).await
}

#[mutation]
async fn insert(ctx: &MutationCtx, id: f64) -> Result<Id<Account>> {
    ctx.db.insert(Account { id, balance: 0.0 }).await
}

/// Runs a mutation and waits until it is durable.
async fn call(runner: &Runner, live: &LiveQueries, path: &str, args: &Packed) {
    let identity = Identity::Anonymous;
    let request = MutationRequest { path, args, identity: &identity, request: None, on_stuck: None };
    let outcome = runner.run_mutation(request).await.unwrap();
    outcome.result.unwrap();
    assert!(live.wait_durable(outcome.ts).await);
}

fn report(name: &str, count: u64, elapsed: Duration, cpu: f64) -> f64 {
    let rate = count as f64 / elapsed.as_secs_f64();
    let (cpu, resident) = (cpu * 1e6 / count.max(1) as f64, Watched::own().resident_mib());
    println!("{name:<44}{rate:>10.0}/s{cpu:>10.2} us of CPU each{resident:>8.0} MiB");
    rate
}

/// Runs `writers` tasks for a while; each calls `path` with what `args` makes, again and again.
async fn measure(
    name: &str,
    runner: &Runner,
    live: &LiveQueries,
    path: &'static str,
    (writers, seconds): (usize, u64),
    args: impl Fn(&mut StdRng) -> Packed + Send + Sync + 'static,
) -> f64 {
    let args = Arc::new(args);
    let count = Arc::new(AtomicU64::new(0));
    let (start, cpu) = (Instant::now(), Watched::own().cpu_seconds());
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let (runner, live, args, count) = (runner.clone(), live.clone(), args.clone(), count.clone());
            tokio::spawn(async move {
                let mut random = StdRng::seed_from_u64(writer as u64);
                while start.elapsed() < Duration::from_secs(seconds) {
                    call(&runner, &live, path, &args(&mut random)).await;
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    report(name, count.load(Ordering::Relaxed), start.elapsed(), Watched::own().cpu_seconds() - cpu)
}

/// What sled does with two rows a batch, each writer syncing its own, for real: its flush alone is not durable.
fn sled_rate(options: &Options) -> f64 {
    let directory = tempfile::TempDir::new_in(".").unwrap();
    let db = sled::Config::new().path(directory.path()).flush_every_ms(None).open().unwrap();
    let row = [7u8; 60];
    for id in 0..ACCOUNTS {
        db.insert(id.to_be_bytes(), &row[..]).unwrap();
    }
    db.flush().unwrap();
    let file = File::open(directory.path().join("db")).unwrap();
    file.sync_data().unwrap();
    let count = AtomicU64::new(0);
    let (start, cpu) = (Instant::now(), Watched::own().cpu_seconds());
    std::thread::scope(|scope| {
        for writer in 0..options.writers {
            let (db, file, count) = (&db, &file, &count);
            scope.spawn(move || {
                let mut random = StdRng::seed_from_u64(writer as u64);
                while start.elapsed() < Duration::from_secs(options.seconds) {
                    let mut batch = sled::Batch::default();
                    for _ in 0..2 {
                        let id: u32 = random.random_range(0..ACCOUNTS);
                        let old = db.get(id.to_be_bytes()).unwrap().unwrap();
                        batch.insert(&id.to_be_bytes(), old);
                    }
                    db.apply_batch(batch).unwrap();
                    db.flush().unwrap();
                    file.sync_data().unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    report(
        "sled: apply_batch, flush, fdatasync",
        count.into_inner(),
        start.elapsed(),
        Watched::own().cpu_seconds() - cpu,
    )
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let directory = tempfile::TempDir::new_in(".").unwrap();
    let engine = Engine::open_dir(directory.path(), DirOptions::default()).unwrap();
    let bank = Module::new("bank").with(functions![seed_range, transfer, insert]);
    let app = App::new().schema(Schema::new().of::<Account>()).module(bank);
    engine.apply_schema(app.tables(), &mut |_| {}).unwrap();
    let runner = Runner::new(engine.clone(), Arc::new(Registry::new(app).unwrap()), 1);
    let live = LiveQueries::start(runner.clone(), CACHE_BYTES);
    for start in (0..ACCOUNTS).step_by(5_000) {
        let args = seed_range { start: f64::from(start), count: 5_000.0, initial: 1e9 };
        call(&runner, &live, "bank:seedRange", &Packed::encode(&args).unwrap()).await;
    }
    let load = (options.writers, options.seconds);
    let ours = measure("hull: transfers, durable", &runner, &live, "bank:transfer", load, |random| {
        let mut draw = || f64::from(random.random_range(0..ACCOUNTS));
        Packed::encode(&transfer { amount: 1.0, from_id: draw(), to_id: draw() }).unwrap()
    })
    .await;
    let theirs = sled_rate(&options);
    println!("{:<44}{:>10.1} times", "hull over sled", ours / theirs);
    if options.insert_seconds > 0 {
        let load = (options.writers, options.insert_seconds);
        let next = AtomicU64::new(u64::from(ACCOUNTS));
        measure("hull: distinct inserts, durable", &runner, &live, "bank:insert", load, move |_| {
            let id = next.fetch_add(1, Ordering::Relaxed) as f64;
            Packed::encode(&insert { id }).unwrap()
        })
        .await;
    }
    engine.shutdown();
}
