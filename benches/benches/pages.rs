//! Pages of a hundred rows through a table of a hundred thousand, beside the same rows as queries of a range and as one
//! walk of the engine: what a page costs more, and whether a deep page costs more than the first.

#![allow(clippy::unwrap_used, missing_docs, reason = "a measuring program ends at the first surprise")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use hull::functions::{PaginationResult, QueryRequest, Registry, Runner};
use hull::prelude::*;
use hull_engine::log::MemoryLog;
use hull_engine::storage::MemoryStorage;
use hull_engine::{Document, Engine, KeyRange, Limits, Options, ReadAt};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROWS: u32 = 100_000;
const PAGE: u32 = 100;

#[derive(Table)]
#[table("rows")]
#[index(by_number(number))]
#[index(by_half(half, number))]
struct Row {
    number: f64,
    half: f64,
    body: String,
}

#[derive(Object, Clone)]
struct Page {
    pagination_opts: PaginationOptions,
}

#[derive(Object, Clone)]
struct From {
    number: f64,
}

/// The page is not kept: the rows that it has are counted, and its cursor is handed out.
#[query]
async fn page(ctx: &QueryCtx, pagination_opts: PaginationOptions) -> Result<PaginationResult<Id<Row>>> {
    let rows = ctx.db.query::<Row>().with_index(Row::by_number, |q| q);
    Ok(rows.paginate(pagination_opts).await?.map(|row| row._id))
}

/// The same rows from two ranges.
#[query]
async fn page_union(ctx: &QueryCtx, pagination_opts: PaginationOptions) -> Result<PaginationResult<Id<Row>>> {
    let rows =
        ctx.db.query::<Row>().with_index_each(Row::by_half, [0.0, 1.0], |q, half| q.eq(Row::half, half));
    Ok(rows.paginate(pagination_opts).await?.map(|row| row._id))
}

/// As many rows as a page has, from a number on.
#[query]
async fn some(ctx: &QueryCtx, number: f64) -> Result<Vec<Id<Row>>> {
    let rows = ctx.db.query::<Row>().with_index(Row::by_number, |q| q.gte(Row::number, number));
    Ok(rows.take(PAGE as usize).await?.into_iter().map(|row| row._id).collect())
}

#[query]
async fn groups(ctx: &QueryCtx) -> Result<Vec<Id<Row>>> {
    let rows = ctx.db.query::<Row>().with_index(Row::by_half, |q| q.distinct(Row::half));
    Ok(rows.collect().await?.into_iter().map(|row| row._id).collect())
}

struct World {
    runtime: tokio::runtime::Runtime,
    runner: Runner,
}

impl World {
    fn new() -> World {
        let app = || {
            let module = Module::new("rows").with(functions![page, page_union, some, groups]);
            App::new().schema(Schema::new().of::<Row>()).module(module)
        };
        let options = Options::new(Arc::new(MemoryStorage::new()), Arc::new(MemoryLog::new()));
        let engine = Engine::open(options).unwrap();
        engine.apply_schema(app().tables(), &mut |_| {}).unwrap();
        for start in (0..ROWS).step_by(500) {
            let mut transaction = engine.begin();
            for number in start..start + 500 {
                let row =
                    Row { number: f64::from(number), half: f64::from(number % 2), body: "x".repeat(60) };
                transaction.insert("rows", &Packed::encode(&row).unwrap()).unwrap();
            }
            engine.commit(transaction).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let runner = Runner::new(engine, Arc::new(Registry::new(app()).unwrap()), 0);
        World { runtime, runner }
    }

    fn run<T: Decode>(&self, path: &str, args: &impl Encode) -> T {
        let args = Packed::encode(args).unwrap();
        let request = QueryRequest { path, args: &args, journal: None, identity: &Identity::Anonymous };
        let outcome = self.runtime.block_on(self.runner.run_query(request, ReadAt::Ordered, None)).unwrap();
        T::decode(outcome.result.value.as_ref().unwrap().as_ref()).unwrap()
    }

    fn page(&self, path: &str, cursor: Option<&str>) -> PaginationResult<Id<Row>> {
        let first = PaginationOptions::first(PAGE);
        let pagination_opts = cursor.map_or(first.clone(), |cursor| first.after(cursor));
        let page: PaginationResult<Id<Row>> = self.run(path, &Page { pagination_opts });
        assert_eq!(page.page.len(), PAGE as usize);
        page
    }

    /// All pages; the cursors that they begin behind.
    fn pages(&self, path: &str) -> Vec<String> {
        let mut cursors = Vec::new();
        let mut page = self.page(path, None);
        while !page.is_done && cursors.len() + 1 < (ROWS / PAGE) as usize {
            cursors.push(page.continue_cursor);
            page = self.page(path, cursors.last().map(String::as_str));
        }
        cursors
    }

    /// The time of `iterations` walks through all rows.
    fn walk(&self, iterations: u64) -> Duration {
        let started = Instant::now();
        for _ in 0..iterations {
            let mut transaction = self.runner.engine().begin_read(ReadAt::Ordered).unwrap();
            transaction.set_limits(Limits::none());
            let range = KeyRange::all();
            let mut scan = transaction.scan("rows", "by_number", &range, hull_engine::Order::Asc).unwrap();
            let mut found = 0;
            let each = |document: &Document| {
                black_box(document.value.decode::<Doc<Row>>().unwrap());
                found += 1;
                true
            };
            transaction.for_each(&mut scan, usize::MAX, each).unwrap();
            assert_eq!(found, ROWS);
        }
        started.elapsed()
    }
}

fn pages(c: &mut Criterion) {
    let world = World::new();
    let deep = world.pages("rows:page").pop();
    let mut group = c.benchmark_group("a page of 100");
    for (name, path) in [("one range", "rows:page"), ("union of two", "rows:pageUnion")] {
        let deep = world.pages(path).pop();
        group.bench_function(format!("{name}, the first"), |b| b.iter(|| world.page(path, None)));
        group.bench_function(format!("{name}, the last"), |b| b.iter(|| world.page(path, deep.as_deref())));
    }
    for (name, number) in [("the first 100", 0), ("the last 100", ROWS - PAGE)] {
        let args = From { number: f64::from(number) };
        group.bench_function(format!("a range, {name}"), |b| {
            b.iter(|| world.run::<Vec<Id<Row>>>("rows:some", &args));
        });
    }
    drop((group, deep));

    let mut group = c.benchmark_group("all 100,000 rows");
    group.sample_size(10);
    group.bench_function("pages of 100", |b| b.iter(|| world.pages("rows:page")));
    group.bench_function("ranges of 100", |b| {
        b.iter(|| {
            for number in (0..ROWS).step_by(PAGE as usize) {
                world.run::<Vec<Id<Row>>>("rows:some", &From { number: f64::from(number) });
            }
        });
    });
    group.bench_function("a walk of the engine, decoded", |b| b.iter_custom(|n| world.walk(n)));
    group.bench_function("the first of two groups", |b| {
        b.iter(|| world.run::<Vec<Id<Row>>>("rows:groups", &Packed::empty_object()));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2)).without_plots();
    targets = pages
}
criterion_main!(benches);
