//! Pages: together they are the whole, they keep their ends while documents come and go, and their cursors are sealed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod app;
mod live;
mod sharing;

use std::sync::Arc;
use std::time::Duration;

use app::{
    List, Page, Two, add, add_large, all, page, page_distinct, page_down, page_even, page_ids, page_union,
    remove, shift, sweep,
};
use futures::FutureExt;
use hull_engine::log::MemoryLog;
use hull_engine::storage::MemoryStorage;
use hull_engine::{Engine, Options, ReadAt};
use hull_functions::{
    FunctionError, Identity, MutationRequest, PageStatus, PaginationOptions, PaginationResult, QueryRequest,
    QueryResult, Registry, Runner, TestApp,
};
use hull_value::{Decode, Encode, Nullable, Packed};
use live::{LivePages, WAYS};
use proptest::prelude::*;

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn first(items: u32) -> PaginationOptions {
    PaginationOptions::first(items)
}

/// Runs a query with a journal at the newest state.
async fn with_journal(
    runner: &Runner,
    path: &str,
    args: &impl Encode,
    journal: Option<&Arc<str>>,
) -> Arc<QueryResult> {
    let args = Packed::encode(args).unwrap();
    let request = QueryRequest { path, args: &args, journal, identity: &Identity::Anonymous };
    runner.run_query(request, ReadAt::Ordered, None).await.unwrap().result
}

fn read<T: Decode>(result: &QueryResult) -> Result<T, FunctionError> {
    result.value.as_ref().map(|value| T::decode(value.as_ref()).unwrap()).map_err(Clone::clone)
}

async fn fill(app: &TestApp, list: &str, count: u32) {
    for n in 0..count {
        // Ranks repeat, and do not follow the order of creation.
        let rank = f64::from(n * 7 % 5);
        app.mutation(add { list: list.into(), rank, n: f64::from(n) }).await.unwrap();
    }
}

fn is_invalid_cursor(error: &FunctionError) -> bool {
    let data = error.data.as_ref().map(Packed::to_json).unwrap_or_default();
    error.message.contains("InvalidCursor")
        && data.contains(r#""isConvexSystemError":true"#)
        && data.contains(r#""paginationError":"InvalidCursor""#)
}

#[test]
fn pages_of_any_size_are_together_the_whole() {
    run(async {
        let app = TestApp::new(app::app()).unwrap();
        fill(&app, "l", 23).await;
        fill(&app, "m", 3).await;
        let more = [
            ("items:pageEven", "items:allEven"),
            ("items:pageTable", "items:allEven"),
            ("items:pageIds", "items:allIds"),
        ];
        for (path, whole) in WAYS.into_iter().chain(more) {
            let list = List { list: "l".into() };
            let whole: Vec<f64> = read(&*with_journal(app.runner(), whole, &list, None).await).unwrap();
            assert!(!whole.is_empty());
            for items in [1, 2, 3, 7, 22, 23, 24, 100] {
                let mut options = first(items);
                let mut found: Vec<f64> = Vec::new();
                loop {
                    let args = Page { list: "l".into(), pagination_opts: options };
                    let outcome = with_journal(app.runner(), path, &args, None).await;
                    let page: PaginationResult<f64> = read(&outcome).unwrap();
                    assert!(page.page.len() <= items as usize);
                    assert!(page.is_done || page.page.len() == items as usize, "{path} {items}");

                    // With its own journal it is the same, and so is the journal.
                    let again = with_journal(app.runner(), path, &args, outcome.journal.as_ref()).await;
                    assert_eq!(again.value, outcome.value);
                    assert_eq!(again.journal, outcome.journal);
                    // So it is with its end as the end cursor.
                    let bounded = Page {
                        pagination_opts: args.pagination_opts.clone().until(page.continue_cursor.clone()),
                        ..args.clone()
                    };
                    let bounded = with_journal(app.runner(), path, &bounded, None).await;
                    assert_eq!(bounded.value, outcome.value);
                    assert_eq!(bounded.journal, outcome.journal);
                    // Its halves are the page.
                    if let Some(middle) = &page.split_cursor {
                        let mut halves = Vec::new();
                        let ends = [
                            args.pagination_opts.clone().until(middle.clone()),
                            args.pagination_opts.clone().after(middle.clone()).until(&*page.continue_cursor),
                        ];
                        for pagination_opts in ends {
                            let half = Page { pagination_opts, ..args.clone() };
                            let half = with_journal(app.runner(), path, &half, None).await;
                            halves.extend(read::<PaginationResult<f64>>(&half).unwrap().page);
                        }
                        assert_eq!(halves, page.page);
                    }

                    found.extend(&page.page);
                    if page.is_done {
                        break;
                    }
                    options = first(items).after(page.continue_cursor);
                }
                assert_eq!(found, whole, "{path} by {items}");
            }
        }
    });
}

#[test]
fn a_cursor_that_is_not_of_this_query_is_refused() {
    run(async {
        let app = TestApp::new(app::app()).unwrap();
        fill(&app, "l", 9).await;
        let page =
            async |list: &str, pagination_opts| app.query(page { list: list.into(), pagination_opts }).await;
        let cursor = page("l", first(3)).await.unwrap().continue_cursor;
        assert_eq!(page("l", first(3).after(&*cursor)).await.unwrap().page.len(), 3);

        let mut bad = vec![String::new(), "0".into(), "not a cursor".into(), cursor.to_lowercase()];
        for cut in 1..cursor.len() {
            bad.push(cursor[..cut].to_owned());
        }
        let letters: Vec<char> = cursor.chars().collect();
        for at in 0..letters.len() {
            let mut changed = letters.clone();
            changed[at] = if changed[at] == 'A' { 'B' } else { 'A' };
            bad.push(changed.into_iter().collect());
        }
        // A journal is no cursor.
        let args = Page { list: "l".into(), pagination_opts: first(3) };
        let journal = with_journal(app.runner(), "items:page", &args, None).await.journal.clone().unwrap();
        bad.push(journal.to_string());
        // That of another database.
        let elsewhere = TestApp::new(app::app()).unwrap();
        fill(&elsewhere, "l", 9).await;
        let foreign = app::page { list: "l".into(), pagination_opts: first(3) };
        bad.push(elsewhere.query(foreign).await.unwrap().continue_cursor);
        for bad in bad {
            let error = page("l", first(3).after(&*bad)).await.unwrap_err();
            assert!(is_invalid_cursor(&error), "{bad}: {error:?}");
            let error = page("l", first(3).until(&*bad)).await.unwrap_err();
            assert!(is_invalid_cursor(&error), "{bad}: {error:?}");
            let error = read::<PaginationResult<f64>>(
                &*with_journal(app.runner(), "items:page", &args, Some(&bad.as_str().into())).await,
            );
            assert!(bad == *journal || is_invalid_cursor(&error.unwrap_err()), "{bad}");
        }

        // Another range, another order, another index.
        assert!(is_invalid_cursor(&page("other", first(3).after(&*cursor)).await.unwrap_err()));
        let down = page_down { list: "l".into(), pagination_opts: first(3).after(&*cursor) };
        assert!(is_invalid_cursor(&app.query(down).await.unwrap_err()));
        let ids = page_ids { list: "l".into(), pagination_opts: first(3).after(&*cursor) };
        assert!(is_invalid_cursor(&app.query(ids).await.unwrap_err()));
        let merged = page_union { list: "l".into(), pagination_opts: first(3).after(&*cursor) };
        assert!(is_invalid_cursor(&app.query(merged).await.unwrap_err()));
        let distinct = page_distinct { list: "l".into(), pagination_opts: first(3).after(&*cursor) };
        assert!(is_invalid_cursor(&app.query(distinct).await.unwrap_err()));
        // Another filter of the same range is the same query.
        let even = page_even { list: "l".into(), pagination_opts: first(3).after(&*cursor) };
        app.query(even).await.unwrap();
    });
}

#[test]
fn what_is_asked_for_is_checked() {
    run(async {
        let app = TestApp::new(app::app()).unwrap();
        fill(&app, "l", 30).await;
        let ask = async |pagination_opts| app.query(page { list: "l".into(), pagination_opts }).await;
        for (options, code) in [
            (PaginationOptions { num_items: 0.0, ..first(1) }, "NoDocumentsForPagination"),
            (PaginationOptions { num_items: -3.0, ..first(1) }, "NoDocumentsForPagination"),
            (PaginationOptions { num_items: f64::NAN, ..first(1) }, "NoDocumentsForPagination"),
            (PaginationOptions { num_items: 32_001.0, ..first(1) }, "PageSizeTooLarge"),
            (PaginationOptions { maximum_rows_read: Some(0.0), ..first(1) }, "InvalidPaginationLimit"),
            (PaginationOptions { maximum_bytes_read: Some(0.0), ..first(1) }, "InvalidPaginationLimit"),
        ] {
            assert_eq!(ask(options).await.unwrap_err().code, Some(code));
        }
        assert!(ask(first(32_000)).await.unwrap().is_done);
        let null = PaginationOptions { end_cursor: Some(Nullable::Null), id: Some(7.0), ..first(4) };
        assert_eq!(ask(null).await.unwrap().page.len(), 4);

        // Limits count what a filter leaves out, and a page goes on where it was cut.
        let rows = |rows| PaginationOptions { maximum_rows_read: Some(rows), ..first(25) };
        let even = page_even { list: "l".into(), pagination_opts: rows(4.0) };
        let cut = app.query(even).await.unwrap();
        assert!(cut.page.len() < 4 && !cut.is_done);
        assert_eq!(cut.page_status, Some(PageStatus::SplitRecommended));
        let bytes = PaginationOptions { maximum_bytes_read: Some(1.0), ..first(25) };
        assert_eq!(ask(bytes).await.unwrap().page.len(), 1);
        // Without effect where the end is fixed.
        let end = ask(first(20)).await.unwrap().continue_cursor;
        assert_eq!(ask(rows(4.0).until(end)).await.unwrap().page.len(), 20);
        // Below three quarters of the limit there is nothing to say.
        assert_eq!(ask(rows(100.0)).await.unwrap().page_status, None);
    });
}

#[test]
fn a_page_with_more_than_a_function_may_read_must_be_split() {
    run(async {
        let app = TestApp::new(app::app()).unwrap();
        let args = |pagination_opts| Page { list: "l".into(), pagination_opts };
        let write = async |rank: f64, kib: u32| {
            app.mutation(add_large { list: "l".into(), rank, kib }).await.unwrap();
        };
        for n in 0..5 {
            write(f64::from(n), 900).await;
        }
        // The whole list is one page, to its end.
        let whole = with_journal(app.runner(), "items:page", &args(first(100)), None).await;
        let page: PaginationResult<f64> = read(&whole).unwrap();
        assert!(page.is_done && page.page_status.is_none());
        for n in 5..15 {
            write(f64::from(n), 900).await;
        }
        let grown = with_journal(app.runner(), "items:page", &args(first(100)), whole.journal.as_ref()).await;
        let page: PaginationResult<f64> = read(&grown).unwrap();
        assert!(page.is_done && page.page.len() == 15);
        assert_eq!(page.page_status, Some(PageStatus::SplitRecommended));
        for n in 15..25 {
            write(f64::from(n), 900).await;
        }
        let large = with_journal(app.runner(), "items:page", &args(first(100)), whole.journal.as_ref()).await;
        let page: PaginationResult<f64> = read(&large).unwrap();
        assert_eq!(page.page_status, Some(PageStatus::SplitRequired));
        assert_eq!(large.journal, whole.journal);
        let middle = page.split_cursor.unwrap();
        let (left, right) =
            (first(100).until(&*middle), first(100).after(&*middle).until(page.continue_cursor));
        let mut ranks = Vec::new();
        for options in [left, right] {
            let half = with_journal(app.runner(), "items:page", &args(options), None).await;
            let half: PaginationResult<f64> = read(&half).unwrap();
            assert_ne!(half.page_status, Some(PageStatus::SplitRequired));
            ranks.extend(half.page);
        }
        assert_eq!(ranks.len(), 25);

        // A first run ends its page where it can read no more, and the next goes on there.
        let cut = with_journal(app.runner(), "items:page", &args(first(100)), None).await;
        let page: PaginationResult<f64> = read(&cut).unwrap();
        assert!(!page.is_done && page.page.len() < 25);
        assert_eq!(page.page_status, Some(PageStatus::SplitRecommended));
        let rest =
            with_journal(app.runner(), "items:page", &args(first(100).after(page.continue_cursor)), None)
                .await;
        assert_eq!(page.page.len() + read::<PaginationResult<f64>>(&rest).unwrap().page.len(), 25);
    });
}

#[test]
fn several_pages_in_one_function_keep_their_own_ends() {
    run(async {
        let app = TestApp::new(app::app()).unwrap();
        fill(&app, "a", 6).await;
        fill(&app, "b", 6).await;
        let args = Two { left: "a".into(), right: "b".into(), items: 2 };
        let one = with_journal(app.runner(), "items:two", &args, None).await;
        for (list, rank) in [("a", -1.0), ("b", 9.0), ("b", 9.0)] {
            app.mutation(add { list: list.into(), rank, n: 100.0 }).await.unwrap();
        }
        let two = with_journal(app.runner(), "items:two", &args, one.journal.as_ref()).await;
        let pages: Vec<Vec<f64>> = read(&two).unwrap();
        assert_eq!((pages[0].len(), pages[1].len()), (3, 4));
        assert_eq!(one.journal, two.journal);
        let fresh = with_journal(app.runner(), "items:two", &args, None).await;
        let pages: Vec<Vec<f64>> = read(&fresh).unwrap();
        assert_eq!((pages[0].len(), pages[1].len()), (2, 2));
        // What reads no pages makes no journal, whatever it is handed.
        let list = List { list: "a".into() };
        assert_eq!(with_journal(app.runner(), "items:all", &list, one.journal.as_ref()).await.journal, None);
    });
}

#[test]
fn cursors_and_journals_outlive_the_process() {
    run(async {
        let (storage, log) = (Arc::new(MemoryStorage::new()), Arc::new(MemoryLog::new()));
        let open = || {
            let engine = Engine::open(Options::new(storage.clone(), log.clone())).unwrap();
            engine.apply_schema(app::app().tables(), &mut |_| {}).unwrap();
            Runner::new(engine, Arc::new(Registry::new(app::app()).unwrap()), 0)
        };
        let runner = open();
        let put = async |runner: &Runner, n: f64| {
            let args = Packed::encode(&add { list: "l".into(), rank: n, n }).unwrap();
            let (path, identity) = ("items:add", &Identity::Anonymous);
            let mutation = MutationRequest { path, args: &args, identity, request: None, on_stuck: None };
            runner.run_mutation(mutation).await.unwrap().result.unwrap();
        };
        for n in 0..9 {
            put(&runner, f64::from(n)).await;
        }
        let args = Page { list: "l".into(), pagination_opts: first(4) };
        let before = with_journal(&runner, "items:page", &args, None).await;
        let cursor = read::<PaginationResult<f64>>(&before).unwrap().continue_cursor;
        runner.engine().shutdown();
        drop(runner);

        let runner = open();
        let after = with_journal(&runner, "items:page", &args, before.journal.as_ref()).await;
        assert_eq!((&after.value, &after.journal), (&before.value, &before.journal));
        put(&runner, 2.5).await;
        let grown = with_journal(&runner, "items:page", &args, before.journal.as_ref()).await;
        let grown: PaginationResult<f64> = read(&grown).unwrap();
        assert_eq!(grown.page, [0.0, 1.0, 2.0, 2.5, 3.0]);
        let next = Page { pagination_opts: first(4).after(cursor), ..args };
        let next: PaginationResult<f64> =
            read(&*with_journal(&runner, "items:page", &next, None).await).unwrap();
        assert_eq!(next.page, [4.0, 5.0, 6.0, 7.0]);
    });
}

#[test]
fn a_mutation_reads_pages_with_what_it_has_written() {
    run(async {
        let app = TestApp::new(app::app()).unwrap();
        fill(&app, "l", 9).await;
        let whole = app.query(all { list: "l".into() }).await.unwrap();
        let seen = app.mutation(sweep { list: "l".into(), items: 4 }).await.unwrap();
        assert_eq!(seen[..9], whole);
        assert_eq!(seen[9..], [-4.0, -8.0]);
        assert_eq!(app.query(all { list: "l".into() }).await.unwrap(), [] as [f64; 0]);
    });
}

#[test]
fn a_page_runs_again_for_what_lies_in_it_alone() {
    run(async {
        let app = TestApp::new(app::app()).unwrap();
        for n in 0..9 {
            app.mutation(add { list: "l".into(), rank: f64::from(n), n: f64::from(n) }).await.unwrap();
        }
        // A first run sees what is durable by then, and decides where the page ends.
        app.settled().await;
        let mut session = app.session();
        let one = session.subscribe(page { list: "l".into(), pagination_opts: first(3) }).unwrap();
        session.step().await;
        let cursor = session.value::<PaginationResult<f64>>(one).unwrap().continue_cursor;
        let two = page { list: "l".into(), pagination_opts: first(3).after(cursor) };
        let two = session.subscribe(two).unwrap();
        session.step().await;
        app.take_reruns();
        for (rank, changed) in
            [(0.5, vec![one]), (2.5, vec![two]), (4.5, vec![two]), (5.5, vec![]), (7.0, vec![])]
        {
            app.mutation(add { list: "l".into(), rank, n: 100.0 + rank }).await.unwrap();
            assert_eq!(session.changed().await, changed, "{rank}");
            assert_eq!(app.take_reruns().len(), changed.len(), "{rank}");
        }
        assert_eq!(session.value::<PaginationResult<f64>>(one).unwrap().page, [0.0, 100.5, 1.0, 2.0]);
        assert_eq!(session.value::<PaginationResult<f64>>(two).unwrap().page, [102.5, 3.0, 4.0, 104.5, 5.0]);
    });
}

#[test]
fn a_page_of_groups_ends_behind_its_last_group_whoever_comes_first_there() {
    run(async {
        let app = TestApp::new(app::app()).unwrap();
        for (n, rank) in [(0.0, 0.0), (1.0, 1.0), (2.0, 1.0), (3.0, 2.0), (4.0, 3.0)] {
            app.advance(Duration::from_secs(1));
            app.mutation(add { list: "l".into(), rank, n }).await.unwrap();
        }
        app.settled().await;
        let mut session = app.session();
        let ask = |pagination_opts| page_distinct { list: "l".into(), pagination_opts };
        let one = session.subscribe(ask(first(2))).unwrap();
        session.step().await;
        let told: PaginationResult<f64> = session.value(one).unwrap();
        assert_eq!(told.page, [0.0, 1.0]);
        let two = session.subscribe(ask(first(2).after(told.continue_cursor))).unwrap();
        session.step().await;
        for (gone, expected) in [(1.0, vec![0.0, 2.0]), (2.0, vec![0.0])] {
            app.mutation(remove { n: gone }).await.unwrap();
            assert_eq!(session.changed().await, [one]);
            assert_eq!(session.value::<PaginationResult<f64>>(one).unwrap().page, expected);
            assert_eq!(session.value::<PaginationResult<f64>>(two).unwrap().page, [3.0, 4.0]);
        }
    });
}

/// What happens to a list that is read in live pages.
#[derive(Clone, Debug)]
enum Event {
    Add(u8),
    Remove(u8),
    Move(u8, u8),
    More,
    Split(u8),
    /// The connection is lost: a new session subscribes with the journals that the old one was told.
    Reconnect,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => any::<u8>().prop_map(Event::Add),
        3 => any::<u8>().prop_map(Event::Remove),
        3 => any::<(u8, u8)>().prop_map(|(at, to)| Event::Move(at, to)),
        3 => Just(Event::More),
        1 => any::<u8>().prop_map(Event::Split),
        1 => Just(Event::Reconnect),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn live_pages_have_no_gap_and_no_overlap(
        way in 0..WAYS.len(),
        items in 1u32..5,
        events in prop::collection::vec(event(), 1..60),
    ) {
        run(async {
            let app = TestApp::new(app::app()).unwrap();
            let mut pages = LivePages::new(&app, way, items);
            // Of groups there should be some with several rows.
            let ranks = if WAYS[way].0.contains("Distinct") { 4 } else { 16 };
            let mut n = 0.0;
            for event in events {
                let ranked = pages.ids().await;
                let pick = |at: u8| ranked.get(usize::from(at) % ranked.len().max(1)).copied();
                match event {
                    Event::Add(rank) => {
                        n += 1.0;
                        let list = if rank < 160 { "l" } else { "m" };
                        let rank = f64::from(rank % ranks);
                        app.mutation(add { list: list.into(), rank, n }).await.unwrap();
                    }
                    Event::Remove(at) => if let Some(n) = pick(at) {
                        app.mutation(remove { n }).await.unwrap();
                    }
                    Event::Move(at, to) => if let Some(n) = pick(at) {
                        app.mutation(shift { n, rank: f64::from(to % ranks) }).await.unwrap();
                    }
                    Event::More => pages.more(),
                    Event::Split(at) => pages.split(usize::from(at)),
                    Event::Reconnect => pages.reconnect(),
                }
                pages.check().await;
            }
        });
    }
}

#[test]
fn pages_need_no_durability_of_their_own_to_be_read_again() {
    // The first page of all waits for the key of cursors, later ones for nothing.
    run(async {
        let app = TestApp::new(app::app()).unwrap();
        let ask = || page { list: "l".into(), pagination_opts: first(3) };
        app.query(ask()).await.unwrap();
        let args = Packed::encode(&ask()).unwrap();
        let request =
            QueryRequest { path: "items:page", args: &args, journal: None, identity: &Identity::Anonymous };
        let outcome = app.runner().run_query(request, ReadAt::Ordered, None).now_or_never();
        assert!(outcome.unwrap().unwrap().result.value.is_ok());
    });
}
