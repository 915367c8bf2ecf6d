//! One hot counter: every task increments the same document, beside as many tasks that each insert documents of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hull::functions::Runner;
use hull_engine::{KeyRange, Order};
use hull_value::{Encode, Encoder, ValueRef};
use tokio::runtime::Runtime;

use crate::hull_side::{Seed, call, measure, open};
use crate::report::Figures;
use crate::{Failure, Settings, fresh};

struct Credit {
    id: String,
    amount: f64,
}

impl Encode for Credit {
    fn encode<E: Encoder>(&self, e: &mut E) {
        e.begin_object();
        e.key("amount");
        e.float64(self.amount);
        e.key("id");
        e.string(&self.id);
        e.end_object();
    }
}

/// Inserts of one document each, in a directory of their own.
pub(crate) fn inserts(settings: &Settings) -> Result<Figures, Failure> {
    let directory = fresh(settings)?;
    let runtime = Runtime::new()?;
    let runner = open(directory.path(), settings)?;
    let next = Arc::new(AtomicU64::new(0));
    let name = format!("Hull, independent inserts, {} x {}", settings.clients, settings.in_flight);
    measure(&runtime, runner, settings.clients, settings.in_flight, &name, settings.window(), move |_| {
        let next = next.clone();
        move || {
            let start = next.fetch_add(1, Ordering::Relaxed) as f64;
            ("seed:seed_range", Seed { start, count: 1.0 })
        }
    })
}

/// Increments of one document by one each; fails unless the sum is exact and no task has run twice.
pub(crate) fn increments(settings: &Settings) -> Result<Figures, Failure> {
    let directory = fresh(settings)?;
    let runtime = Runtime::new()?;
    let runner = open(directory.path(), settings)?;
    runtime.block_on(call(&runner, "seed:seed_range", &Seed { start: 0.0, count: 1.0 }))?;
    let (id, before) = counter(&runner)?;
    let issued = Arc::new(AtomicU64::new(0));
    let name = format!("Hull, increments of one document, {} x {}", settings.clients, settings.in_flight);
    let (clients, in_flight, count) = (settings.clients, settings.in_flight, issued.clone());
    let figures =
        measure(&runtime, runner.clone(), clients, in_flight, &name, settings.window(), move |_| {
            let (count, id) = (count.clone(), id.clone());
            move || {
                count.fetch_add(1, Ordering::Relaxed);
                ("accounts:credit", Credit { id: id.clone(), amount: 1.0 })
            }
        })?;
    // Every call that was issued has been answered by now.
    let (_, after) = counter(&runner)?;
    let (issued, sum) = (issued.load(Ordering::Relaxed) as f64, after - before);
    if sum != issued {
        return Err(format!("{issued} increments have made {sum}").into());
    }
    println!("{issued} increments, exact; {} conflicts", runner.engine().metrics().conflicts);
    Ok(figures)
}

/// The only account: its id and what it holds.
fn counter(runner: &Runner) -> Result<(String, f64), Failure> {
    let mut transaction = runner.engine().begin();
    let mut scan = transaction.scan("accounts", "by_account_id", &KeyRange::all(), Order::Asc)?;
    let found = transaction.next(&mut scan)?.ok_or("there is no account")?;
    match found.value.as_object().and_then(|object| object.get("balance")) {
        Some(ValueRef::Float64(balance)) => Ok((found.id.to_string(), balance)),
        _ => Err("the account has no balance".into()),
    }
}
