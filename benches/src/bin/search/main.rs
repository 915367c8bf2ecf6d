//! Full-text search beside tantivy: the same corpus of 200,000 short documents, the same pairs of words with the same
//! filter, in the same process. How fast both are written, committed durably every 100 documents, and what memory Hull
//! takes meanwhile; then searches, alternating, as they were committed and with everything merged.
//!
//! The last word of a search in Hull is also the beginning of others, as in Convex; to tantivy both are whole words. So
//! the same is measured with pairs whose second word is the beginning of no other: then both do the same, and should find
//! as many documents; searches of which that is not so are counted.

#![allow(clippy::unwrap_used, reason = "a measuring program ends at the first surprise")]

mod corpus;
mod hull_side;
mod tantivy_side;

use std::error::Error;
use std::time::{Duration, Instant};

use benches::process::Watched;
use clap::Parser;
use corpus::{Class, Corpus, USERS};
use hull_side::Hull;
use rustix::time::{ClockId, clock_gettime};
use tantivy_side::Tantivy;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The best so many documents are wanted.
const TOP: usize = 10;
/// Documents of a commit.
const BATCH: usize = 100;

/// Full-text search beside tantivy.
#[derive(Parser)]
struct Options {
    /// Documents of the corpus.
    #[arg(long, default_value_t = 200_000)]
    documents: u32,
    /// Pairs of words of each kind.
    #[arg(long, default_value_t = 40)]
    pairs: usize,
    /// How often all are searched for; the median counts.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Hull's memory budget, in MiB.
    #[arg(long, default_value_t = 256)]
    memory_mib: u64,
    /// Hull alone, for a profile.
    #[arg(long)]
    hull_only: bool,
}

/// What documents must have.
enum Filter {
    /// `is_private` is false: seven of ten documents.
    Public,
    /// One of a thousand users.
    User(String),
}

/// Searches that are measured together.
struct Kind<'a> {
    name: String,
    searches: Vec<((&'a str, &'a str), Filter)>,
    whole: bool,
}

/// Elapsed time and CPU time of this thread.
#[derive(Clone, Copy, Default)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

fn cpu() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

fn measured<R>(work: impl FnOnce() -> R) -> (Cost, R) {
    let (started, before) = (Instant::now(), cpu());
    let result = work();
    (Cost { wall: started.elapsed(), cpu: cpu() - before }, result)
}

fn kinds(corpus: &Corpus, pairs: usize) -> Vec<Kind<'_>> {
    let mut kinds = Vec::new();
    for whole in [true, false] {
        for class in Class::ALL {
            for by_user in [false, true] {
                let filter = |at: usize| match by_user {
                    false => Filter::Public,
                    true => Filter::User(format!("user{}", at as u32 * 37 % USERS)),
                };
                let pairs = corpus.pairs(class, whole, pairs).into_iter().enumerate();
                let last = if whole { "whole words" } else { "last word a prefix" };
                let by = if by_user { "user_id" } else { "is_private" };
                let name = format!("{class:?}, {by}, {last}");
                kinds.push(Kind {
                    name,
                    searches: pairs.map(|(at, pair)| (pair, filter(at))).collect(),
                    whole,
                });
            }
        }
    }
    kinds
}

fn median(mut costs: Vec<Cost>, of: usize) -> (f64, f64) {
    let each = |time: Duration| time.as_secs_f64() * 1e6 / of as f64;
    costs.sort_by_key(|cost| cost.wall);
    let wall = each(costs[costs.len() / 2].wall);
    costs.sort_by_key(|cost| cost.cpu);
    (wall, each(costs[costs.len() / 2].cpu))
}

/// Measures all kinds, the two in turn, and prints a row for each.
fn searches(
    title: &str,
    kinds: &[Kind<'_>],
    rounds: usize,
    hull: &Hull,
    tantivy: Option<&Tantivy>,
) -> Result<(), Box<dyn Error>> {
    println!("\n{title}\n");
    println!(
        "| words, filter, last word | Hull us | tantivy us | ratio | Hull CPU us | tantivy CPU us | CPU ratio |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut differ = 0;
    for kind in kinds {
        let mut costs = [Vec::new(), Vec::new()];
        // The first round is for the caches.
        for round in 0..=rounds {
            let (ours, found) = measured(|| -> Result<Vec<usize>, Box<dyn Error>> {
                kind.searches.iter().map(|(pair, filter)| hull.search(*pair, filter)).collect()
            });
            let found = found?;
            let (theirs, expected) = measured(|| -> Result<Option<Vec<usize>>, Box<dyn Error>> {
                let Some(tantivy) = tantivy else { return Ok(None) };
                let searches = kind.searches.iter();
                searches
                    .map(|(pair, filter)| tantivy.search(*pair, filter))
                    .collect::<Result<_, _>>()
                    .map(Some)
            });
            if let Some(expected) = expected?
                && kind.whole
                && round == 0
            {
                differ += found.iter().zip(&expected).filter(|(found, expected)| found != expected).count();
            }
            if round > 0 {
                costs[0].push(ours);
                costs[1].push(theirs);
            }
        }
        let [ours, theirs] = costs.map(|costs| median(costs, kind.searches.len()));
        println!(
            "| {} | {:.0} | {:.0} | {:.2} | {:.0} | {:.0} | {:.2} |",
            kind.name,
            ours.0,
            theirs.0,
            ours.0 / theirs.0,
            ours.1,
            theirs.1,
            ours.1 / theirs.1
        );
    }
    if differ > 0 {
        println!(
            "\nIn {differ} searches for whole words Hull and tantivy found different numbers of documents."
        );
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let corpus = Corpus::new();
    let kinds = kinds(&corpus, options.pairs);
    let watched = Watched::own();
    let directory = tempfile::tempdir_in("/tmp")?;
    let before = watched.resident_mib();
    let count = options.documents;
    let rate = |elapsed: Duration| f64::from(count) / elapsed.as_secs_f64();

    let hull = Hull::open(&directory.path().join("hull"), options.memory_mib << 20)?;
    watched.forget_peak()?;
    let cpu_before = watched.cpu_seconds();
    let (cost, done) = measured(|| hull.index(&corpus, count, BATCH));
    done?;
    let hull_rate = rate(cost.wall);
    println!(
        "Hull: {hull_rate:.0} documents a second, {:.1} CPU s, {:.0} MiB at most of a budget of {} MiB ({before:.0} MiB before)",
        watched.cpu_seconds() - cpu_before,
        watched.peak_mib(),
        options.memory_mib,
    );

    let mut tantivy = None;
    if !options.hull_only {
        let path = directory.path().join("tantivy");
        std::fs::create_dir(&path)?;
        let tantivy = tantivy.insert(Tantivy::create(&path)?);
        let cpu_before = watched.cpu_seconds();
        let (cost, done) = measured(|| tantivy.index(&corpus, count, BATCH));
        done?;
        println!(
            "tantivy: {:.0} documents a second, {:.1} CPU s; Hull's rate is {:.2} of it",
            rate(cost.wall),
            watched.cpu_seconds() - cpu_before,
            hull_rate / rate(cost.wall)
        );
    }
    let segments = tantivy.as_ref().map_or(0, Tantivy::segments);
    let title = format!("As committed (tantivy: {segments} segments)");
    searches(&title, &kinds, options.rounds, &hull, tantivy.as_ref())?;

    hull.engine.checkpoint()?;
    if let Some(tantivy) = &mut tantivy {
        tantivy.merge()?;
    }
    let segments = tantivy.as_ref().map_or(0, Tantivy::segments);
    let title = format!("Hull after a checkpoint, tantivy merged (segments: {segments})");
    searches(&title, &kinds, options.rounds, &hull, tantivy.as_ref())?;
    println!("\nresident in the end: {:.0} MiB", watched.resident_mib());
    Ok(())
}
