//! Several ranges read as one, and the first document of each group: the same as brute force finds, also with what the
//! function writes meanwhile; and what runs again for which change.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use hull_functions::{
    App, Error, Module, MutationCtx, Order, PaginationOptions, QueryCtx, Result, TestApp, functions,
    mutation, query,
};
use hull_model::{Doc, Object, Patch, Schema, Table};
use hull_value::ValueRef;
use proptest::prelude::*;

#[derive(Table, Clone, Debug, PartialEq)]
#[table("items")]
#[index(by_list(list, rank))]
#[index(by_n(n))]
struct Item {
    list: String,
    rank: f64,
    n: f64,
    text: String,
}

/// Ranks of a list, both ends included.
#[derive(Object, Clone, Debug, PartialEq)]
struct Range {
    list: String,
    low: f64,
    high: f64,
}

#[derive(Object, Clone, Debug, PartialEq)]
#[hull(tag = "kind")]
enum Edit {
    Add { list: String, rank: f64, n: f64 },
    Remove { n: f64 },
    Move { n: f64, rank: f64 },
}

async fn edit(ctx: &MutationCtx, edit: Edit) -> Result<()> {
    let find =
        async |n: f64| ctx.db.query::<Item>().with_index(Item::by_n, |q| q.eq(Item::n, n)).unique().await;
    match edit {
        Edit::Add { list, rank, n } => {
            ctx.db.insert(Item { list, rank, n, text: String::new() }).await?;
        }
        Edit::Remove { n } => {
            if let Some(found) = find(n).await? {
                ctx.db.delete(found._id).await?;
            }
        }
        Edit::Move { n, rank } => {
            if let Some(found) = find(n).await? {
                ctx.db.patch(found._id, Patch::new().set(Item::rank, rank)).await?;
            }
        }
    }
    Ok(())
}

#[mutation]
async fn apply(ctx: &MutationCtx, edits: Vec<Edit>) -> Result<()> {
    for each in edits {
        edit(ctx, each).await?;
    }
    Ok(())
}

#[mutation]
async fn write(ctx: &MutationCtx, n: f64, text: String) -> Result<()> {
    let found = ctx.db.query::<Item>().with_index(Item::by_n, |q| q.eq(Item::n, n)).unique().await?;
    let found = found.ok_or_else(|| Error::message("no such item"))?;
    ctx.db.patch(found._id, Patch::new().set(Item::text, text)).await
}

fn order(down: bool) -> Order {
    if down { Order::Desc } else { Order::Asc }
}

fn number(item: Doc<Item>) -> f64 {
    item.n
}

fn numbers(found: &[hull_engine::Document]) -> Vec<f64> {
    let number = |row: &hull_engine::Document| match row.value.as_object().and_then(|row| row.get("n")) {
        Some(ValueRef::Float64(n)) => n,
        _ => f64::NAN,
    };
    found.iter().map(number).collect()
}

macro_rules! merged {
    ($ctx:ident, $ranges:expr, $down:expr) => {
        $ctx.db
            .query::<Item>()
            .with_index_each(Item::by_list, $ranges, |q, range: Range| {
                q.eq(Item::list, range.list).gte(Item::rank, range.low).lte(Item::rank, range.high)
            })
            .order(order($down))
    };
}

/// The same rows in every way that there is to read them.
#[query]
async fn union(ctx: &QueryCtx, ranges: Vec<Range>, down: bool, most: u32) -> Result<Vec<f64>> {
    let most = most as usize;
    let rows = || merged!(ctx, ranges.clone(), down);
    let all: Vec<f64> = rows().collect().await?.into_iter().map(number).collect();
    let some: Vec<f64> = rows().take(most).await?.into_iter().map(number).collect();
    assert_eq!(some, all[..most.min(all.len())]);
    assert_eq!(rows().first().await?.map(number), all.first().copied());
    assert_eq!(rows().count().await? as usize, all.len());
    assert_eq!(rows().exists().await?, !all.is_empty());
    let even = rows().select(Item::n).filter(|row| row.0 % 2.0 == 0.0).collect().await?;
    let even: Vec<f64> = even.iter().map(|row| row.0).collect();
    assert_eq!(even, all.iter().copied().filter(|n| n % 2.0 == 0.0).collect::<Vec<f64>>());

    let (mut found, mut options) = (Vec::new(), PaginationOptions::first(most.max(1) as u32));
    loop {
        let page = rows().paginate(options.clone()).await?;
        found.extend(page.page.into_iter().map(number));
        if page.is_done {
            break;
        }
        options = options.after(page.continue_cursor);
    }
    assert_eq!(found, all);

    let untyped = ctx.db.table("items").query().with_index_each("by_list", ranges.clone(), |q, range| {
        q.eq("list", range.list).gte("rank", range.low).lte("rank", range.high)
    });
    assert_eq!(numbers(&untyped.order(order(down)).collect().await?), all);
    let mut ranges = ranges.iter();
    if let Some(first) = ranges.next() {
        let by = |q: hull_functions::Conditions, range: &Range| {
            q.eq("list", &*range.list).gte("rank", range.low).lte("rank", range.high)
        };
        let one = ctx.db.table("items").query().with_index("by_list", |q| by(q, first));
        let several = ranges.fold(one, |several, range| several.union("by_list", |q| by(q, range)));
        assert_eq!(numbers(&several.order(order(down)).collect().await?), all);
    }
    Ok(all)
}

/// The rows one by one, with a write after each.
#[mutation]
async fn union_and_edit(
    ctx: &MutationCtx,
    ranges: Vec<Range>,
    down: bool,
    edits: Vec<Edit>,
) -> Result<Vec<f64>> {
    let mut rows = merged!(ctx, ranges, down).documents().await?;
    let (mut found, mut edits) = (Vec::new(), edits.into_iter());
    while let Some(row) = rows.next().await? {
        found.push(number(row));
        if let Some(next) = edits.next() {
            edit(ctx, next).await?;
        }
    }
    Ok(found)
}

/// By what rows are told apart: the list, the list and the rank, the ranks of a list, those above a rank.
#[query]
async fn distinct(ctx: &QueryCtx, by: u32, down: bool, most: u32) -> Result<Vec<f64>> {
    let most = most as usize;
    macro_rules! every_way {
        ($range:expr, $untyped:expr) => {{
            let rows = || {
                let rows = ctx.db.query::<Item>().with_index(Item::by_list, $range);
                rows.order(order(down))
            };
            let all: Vec<f64> = rows().collect().await?.into_iter().map(number).collect();
            let some: Vec<f64> = rows().take(most).await?.into_iter().map(number).collect();
            assert_eq!(some, all[..most.min(all.len())]);
            assert_eq!(rows().count().await? as usize, all.len());
            assert_eq!(rows().exists().await?, !all.is_empty());
            let (mut found, mut options) = (Vec::new(), PaginationOptions::first(most.max(1) as u32));
            loop {
                let page = rows().paginate(options.clone()).await?;
                found.extend(page.page.into_iter().map(number));
                if page.is_done {
                    break;
                }
                options = options.after(page.continue_cursor);
            }
            assert_eq!(found, all);
            let untyped = ctx.db.table("items").query().with_index("by_list", $untyped);
            assert_eq!(numbers(&untyped.order(order(down)).collect().await?), all);
            Ok(all)
        }};
    }
    match by {
        0 => every_way!(|q| q.distinct(Item::list), |q| q.distinct(["list"])),
        1 => every_way!(|q| q.distinct((Item::list, Item::rank)), |q| q.distinct(["list", "rank"])),
        2 => every_way!(|q| q.eq(Item::list, "b").distinct(Item::rank), |q| q
            .eq("list", "b")
            .distinct(["rank"])),
        _ => every_way!(|q| q.eq(Item::list, "b").gt(Item::rank, 1.0).distinct(Item::rank), |q| q
            .eq("list", "b")
            .gt("rank", 1.0)
            .distinct(["rank"])),
    }
}

/// The first of each rank of a list one by one, with a write after each.
#[mutation]
async fn distinct_and_edit(ctx: &MutationCtx, down: bool, edits: Vec<Edit>) -> Result<Vec<f64>> {
    let rows =
        ctx.db.query::<Item>().with_index(Item::by_list, |q| q.eq(Item::list, "b").distinct(Item::rank));
    let mut rows = rows.order(order(down)).documents().await?;
    let (mut found, mut edits) = (Vec::new(), edits.into_iter());
    while let Some(row) = rows.next().await? {
        found.push(number(row));
        if let Some(next) = edits.next() {
            edit(ctx, next).await?;
        }
    }
    Ok(found)
}

fn app() -> App {
    App::new().schema(Schema::new().of::<Item>()).module(Module::new("items").with(functions![
        apply,
        write,
        union,
        union_and_edit,
        distinct,
        distinct_and_edit,
        newest,
        heads,
        heads_by_text,
        refused
    ]))
}

/// What there is by brute force: list and rank by number, which follows the order of creation.
#[derive(Clone, Default)]
struct Model(BTreeMap<u32, (String, f64)>);

impl Model {
    fn edit(&mut self, edit: &Edit) {
        match edit {
            Edit::Add { list, rank, n } => {
                self.0.insert(*n as u32, (list.clone(), *rank));
            }
            Edit::Remove { n } => {
                self.0.remove(&(*n as u32));
            }
            Edit::Move { n, rank } => {
                if let Some(row) = self.0.get_mut(&(*n as u32)) {
                    row.1 = *rank;
                }
            }
        }
    }

    /// Those that are kept, by what `key` makes of them.
    fn sorted<K: PartialOrd>(
        &self,
        down: bool,
        keep: impl Fn(&str, f64) -> bool,
        key: impl Fn(&str, f64, u32) -> K,
    ) -> Vec<(K, u32)> {
        let kept = self.0.iter().filter(|(_, (list, rank))| keep(list, *rank));
        let mut found: Vec<(K, u32)> = kept.map(|(n, (list, rank))| (key(list, *rank, *n), *n)).collect();
        let order = |a: &K, b: &K| a.partial_cmp(b).unwrap();
        found.sort_by(|(a, _), (b, _)| if down { order(b, a) } else { order(a, b) });
        found
    }

    fn union(&self, ranges: &[Range], down: bool) -> Vec<((f64, u32), u32)> {
        let within =
            |list: &str, rank: f64| ranges.iter().any(|r| r.list == list && r.low <= rank && rank <= r.high);
        self.sorted(down, within, |_, rank, n| (rank, n))
    }

    /// With the group of each.
    fn distinct(&self, by: u32, down: bool) -> Vec<((String, f64), u32)> {
        let keep = |list: &str, rank: f64| match by {
            0 | 1 => true,
            2 => list == "b",
            _ => list == "b" && rank > 1.0,
        };
        let rows = self.sorted(down, keep, |list, rank, n| (list.to_owned(), rank, n));
        let group = |(list, rank, _): (String, f64, u32)| (list, if by == 0 { 0.0 } else { rank });
        let mut groups: Vec<((String, f64), u32)> =
            rows.into_iter().map(|(key, n)| (group(key), n)).collect();
        groups.dedup_by(|next, kept| next.0 == kept.0);
        groups
    }
}

/// Steps through what `rows` gives of a model that changes after each step.
fn stepped<K: PartialOrd>(
    mut model: Model,
    down: bool,
    edits: &[Edit],
    rows: impl Fn(&Model) -> Vec<(K, u32)>,
) -> Vec<f64> {
    let (mut found, mut last, mut edits) = (Vec::new(), None, edits.iter());
    let order = if down { Ordering::Less } else { Ordering::Greater };
    loop {
        let behind = |key: &K| last.as_ref().is_none_or(|last| key.partial_cmp(last) == Some(order));
        let Some((key, n)) = rows(&model).into_iter().find(|(key, _)| behind(key)) else { return found };
        found.push(f64::from(n));
        last = Some(key);
        if let Some(next) = edits.next() {
            model.edit(next);
        }
    }
}

fn rank() -> impl Strategy<Value = f64> {
    (0u8..6).prop_map(f64::from)
}

fn list() -> impl Strategy<Value = String> {
    prop_oneof![Just("a"), Just("b"), Just("b\0"), Just("c")].prop_map(str::to_owned)
}

fn ranges() -> impl Strategy<Value = Vec<Range>> {
    let range = (list(), rank(), rank()).prop_map(|(list, low, high)| Range { list, low, high });
    prop::collection::vec(range, 0..6)
}

fn edits(count: usize) -> impl Strategy<Value = Vec<Edit>> {
    let n = || (0u32..40).prop_map(f64::from);
    let edit = prop_oneof![
        2 => (list(), rank()).prop_map(|(list, rank)| Edit::Add { list, rank, n: 0.0 }),
        1 => n().prop_map(|n| Edit::Remove { n }),
        1 => (n(), rank()).prop_map(|(n, rank)| Edit::Move { n, rank }),
    ];
    prop::collection::vec(edit, 0..count)
}

/// Gives those that are added their numbers.
fn numbered(mut edits: Vec<Edit>, first: u32) -> Vec<Edit> {
    let mut next = first;
    for edit in &mut edits {
        if let Edit::Add { n, .. } = edit {
            *n = f64::from(next);
            next += 1;
        }
    }
    edits
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ranges_and_groups_are_read_as_brute_force_finds_them(
        before in edits(60),
        ranges in ranges(),
        down in any::<bool>(),
        by in 0u32..4,
        most in 0u32..9,
        meanwhile in edits(12),
    ) {
        run(async {
            let app = TestApp::new(app()).unwrap();
            let mut model = Model::default();
            let before = numbered(before, 0);
            before.iter().for_each(|edit| model.edit(edit));
            for edits in before.chunks(20) {
                // Numbers follow the order of creation times.
                app.advance(Duration::from_secs(1));
                app.mutation(apply { edits: edits.to_vec() }).await.unwrap();
            }
            app.advance(Duration::from_secs(1));

            let numbers = |rows: Vec<u32>| rows.into_iter().map(f64::from).collect::<Vec<f64>>();
            let merged = model.union(&ranges, down).into_iter().map(|(_, n)| n).collect();
            let asked = union { ranges: ranges.clone(), down, most };
            assert_eq!(app.query(asked).await.unwrap(), numbers(merged));
            let groups = model.distinct(by, down).into_iter().map(|(_, n)| n).collect();
            assert_eq!(app.query(distinct { by, down, most }).await.unwrap(), numbers(groups));

            let edits = numbered(meanwhile.clone(), 100);
            let asked = union_and_edit { ranges: ranges.clone(), down, edits: edits.clone() };
            let expected = stepped(model.clone(), down, &edits, |model| model.union(&ranges, down));
            assert_eq!(app.mutation(asked).await.unwrap(), expected);
            let done = edits.iter().take(expected.len());
            done.for_each(|edit| model.edit(edit));
            app.advance(Duration::from_secs(1));

            let edits = numbered(meanwhile, 200);
            let expected = stepped(model.clone(), down, &edits, |model| model.distinct(2, down));
            let asked = distinct_and_edit { down, edits };
            assert_eq!(app.mutation(asked).await.unwrap(), expected);
        });
    }
}

/// The two newest of two lists.
#[query]
async fn newest(ctx: &QueryCtx) -> Result<Vec<f64>> {
    let rows = ctx.db.query::<Item>().with_index(Item::by_list, |q| q.eq(Item::list, "a"));
    let rows = rows
        .union(Item::by_list, |q| q.eq(Item::list, "b"))
        .union(Item::by_list, |q| q.eq(Item::list, "never"));
    let rows = rows.order(Order::Desc).select(Item::n).take(2).await?;
    Ok(rows.iter().map(|row| row.0).collect())
}

/// The first of each list.
#[query]
async fn heads(ctx: &QueryCtx) -> Result<Vec<f64>> {
    let rows = ctx.db.query::<Item>().with_index(Item::by_list, |q| q.distinct(Item::list));
    let rows = rows.select(Item::n).collect().await?;
    Ok(rows.iter().map(|row| row.0).collect())
}

#[query]
async fn heads_by_text(ctx: &QueryCtx) -> Result<Vec<String>> {
    let rows = ctx.db.query::<Item>().with_index(Item::by_list, |q| q.distinct(Item::list));
    Ok(rows.collect().await?.into_iter().map(|item| item.text.clone()).collect())
}

#[test]
fn live_unions_and_distinct_queries_run_again_for_what_they_looked_at() {
    run(async {
        let app = TestApp::new(app()).unwrap();
        let add = |list: &str, rank: f64, n: f64| Edit::Add { list: list.into(), rank, n };
        // Numbers are in the order of the ranks: a 1 3 5 7, b 2 4 6 8, c 9.
        let rows = (1..=8u32).map(|n| {
            let (list, n) = (if n % 2 == 1 { "a" } else { "b" }, f64::from(n));
            add(list, n, n)
        });
        let edits = rows.chain([add("c", 1.0, 9.0)]).collect();
        app.mutation(apply { edits }).await.unwrap();
        app.settled().await;
        let mut session = app.session();
        let newest = session.subscribe(newest {}).unwrap();
        let heads = session.subscribe(heads {}).unwrap();
        let texts = session.subscribe(heads_by_text {}).unwrap();
        session.step().await;
        assert_eq!(session.value::<Vec<f64>>(newest).unwrap(), [8.0, 7.0]);
        assert_eq!(session.value::<Vec<f64>>(heads).unwrap(), [1.0, 2.0, 9.0]);
        app.take_reruns();

        let add = |list: &str, rank: f64| vec![add(list, rank, 100.0 + rank)];
        for (edits, reruns, why) in [
            // The newest two are 8 of b and 7 of a: each list is read down to 7.
            (add("a", 6.5), vec![], "behind what was read of a"),
            (add("b", 6.5), vec![], "behind what was read of b, whose 6 was next"),
            (
                add("never", 6.5),
                vec!["heads", "headsByText"],
                "below the place reached of a list without rows; a group more",
            ),
            (vec![Edit::Remove { n: 6.0 }], vec![], "which would have been next"),
            (add("b", 7.5), vec!["newest"], "of b above 7, though 7 is of a"),
            (add("never", 8.5), vec!["newest"], "of the list that had no rows"),
            (vec![Edit::Remove { n: 107.5 }], vec![], "below 8, which is the second now"),
            (
                vec![Edit::Move { n: 9.0, rank: 0.0 }],
                vec!["heads", "headsByText"],
                "the only one of c, in front of its place",
            ),
            (add("b", 2.5), vec![], "behind the first of b"),
            (add("b", 1.5), vec!["heads", "headsByText"], "before the first of b"),
            (add("bb", 5.0), vec!["heads", "headsByText"], "a group between b and c"),
        ] {
            app.mutation(apply { edits }).await.unwrap();
            session.step().await;
            let mut found: Vec<String> = app
                .take_reruns()
                .iter()
                .map(|run| run.trim_start_matches("items:").trim_end_matches(" {}").to_owned())
                .collect();
            found.sort();
            assert_eq!(found, reruns, "{why}");
        }
        // Of the first of a group the fields that are looked at count, of others nothing.
        for (n, reruns) in [(1.0, 1), (3.0, 0), (5.0, 0)] {
            app.mutation(write { n, text: "new".into() }).await.unwrap();
            session.step().await;
            assert_eq!(app.take_reruns().len(), reruns, "{n}");
        }
        assert_eq!(session.value::<Vec<String>>(texts).unwrap()[0], "new");
    });
}

/// Runs a query that is to be refused, or of which the documents that were read are counted.
#[query]
async fn refused(ctx: &QueryCtx, case: u32) -> Result<u32> {
    let items = || ctx.db.table("items").query();
    let by_list = || items().with_index("by_list", |q| q.eq("list", "a"));
    let distinct = |by: &[&'static str]| {
        let by = by.to_vec();
        items().with_index("by_list", |q| q.eq("list", "a").distinct(by))
    };
    let typed = || ctx.db.query::<Item>().with_index(Item::by_list, |q| q.eq(Item::list, "a"));
    match case {
        0 => typed().union(Item::by_list, |q| q.gt(Item::list, "b")).count().await,
        1 => by_list().union("by_list", |q| q).count().await,
        2 => items().union("by_list", |q| q.eq("list", "a")).count().await,
        3 => typed().union(Item::by_n, |q| q.eq(Item::n, 1.0)).count().await,
        4 => by_list().union("by_n", |q| q.eq("n", 1.0)).count().await,
        5 => by_list().union("by_list", |q| q.eq("n", 1.0)).count().await,
        6 => distinct(&["list"]).count().await,
        7 => distinct(&["rank", "n"]).count().await,
        8 => distinct(&[]).count().await,
        9 => distinct(&["rank"]).union("by_list", |q| q.eq("list", "a")).count().await,
        10 => by_list().union("by_list", |q| q.eq("list", "b").distinct(["rank"])).count().await,
        11 => {
            let groups = ctx.db.query::<Item>().with_index(Item::by_list, |q| q.distinct(Item::list));
            groups.union(Item::by_list, |q| q.eq(Item::list, "b")).count().await
        }
        // By id every document is a group, and the order is that of ids.
        12 => items().with_index("by_id", |q| q.distinct(["_id"])).count().await,
        13 => {
            let ids: Vec<_> = items().collect().await?.into_iter().map(|row| row.id.to_string()).collect();
            let page = |options| {
                let ids = ids.iter().take(4).chain(&ids[..2]);
                items().with_index_each("by_id", ids, |q, id| q.eq("_id", &**id)).paginate(options)
            };
            let first = page(PaginationOptions::first(3)).await?;
            let rest = page(PaginationOptions::first(3).after(first.continue_cursor)).await?;
            let mut found: Vec<_> = first.page.iter().chain(&rest.page).map(|row| row.id).collect();
            assert!(rest.is_done && found.is_sorted_by_key(|id| id.internal.0));
            found.dedup();
            Ok(found.len() as u32)
        }
        14 => {
            let nothing = ctx.db.table("nothing").query().with_index("by_a", |q| q.eq("a", 1.0));
            nothing.union("by_a", |q| q).count().await
        }
        _ => ctx.db.table("nothing").query().with_index("by_a", |q| q.distinct(["a"])).count().await,
    }
}

#[test]
fn what_can_not_be_merged_or_told_apart_is_refused() {
    run(async {
        let app = TestApp::new(app()).unwrap();
        let edits = numbered(vec![Edit::Add { list: "a".into(), rank: 1.0, n: 0.0 }; 5], 0);
        app.mutation(apply { edits }).await.unwrap();
        for case in 0..12 {
            let error = app.query(refused { case }).await.unwrap_err();
            let code = match case {
                0..=4 => "InvalidIndexRange",
                5 => "FieldNotInIndex",
                _ => "InvalidDistinct",
            };
            assert_eq!(error.code, Some(code), "{case}: {error:?}");
        }
        for (case, count) in [(12, 5), (13, 4), (14, 0), (15, 0)] {
            assert_eq!(app.query(refused { case }).await.unwrap(), count, "{case}");
        }
    });
}
