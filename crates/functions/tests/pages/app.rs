//! Lists that are read in pages.

use hull_functions::{
    App, Module, MutationCtx, Order, PaginationOptions, PaginationResult, Query, QueryCtx, Result, Whole,
    field, functions, literal, mutation, query,
};
use hull_model::{Doc, Object, Patch, Schema, Table};
use hull_value::{Packed, ValueRef};

#[derive(Table, Clone, Debug, PartialEq)]
#[table("items")]
#[index(by_list(list, rank))]
#[index(by_n(n))]
pub(crate) struct Item {
    pub(crate) list: String,
    pub(crate) rank: f64,
    pub(crate) n: f64,
    pub(crate) text: String,
}

#[derive(Object, Clone)]
pub(crate) struct Page {
    pub(crate) list: String,
    pub(crate) pagination_opts: PaginationOptions,
}

#[derive(Object, Clone)]
pub(crate) struct List {
    pub(crate) list: String,
}

#[derive(Object, Clone)]
pub(crate) struct Two {
    pub(crate) left: String,
    pub(crate) right: String,
    pub(crate) items: u32,
}

#[mutation]
pub(crate) async fn add(ctx: &MutationCtx, list: String, rank: f64, n: f64) -> Result<()> {
    ctx.db.insert(Item { list, rank, n, text: String::new() }).await?;
    Ok(())
}

#[mutation]
pub(crate) async fn add_large(ctx: &MutationCtx, list: String, rank: f64, kib: u32) -> Result<()> {
    ctx.db.insert(Item { list, rank, n: rank, text: "x".repeat(kib as usize * 1024) }).await?;
    Ok(())
}

async fn find(ctx: &QueryCtx, n: f64) -> Result<Doc<Item>> {
    let found = ctx.db.query::<Item>().with_index(Item::by_n, |q| q.eq(Item::n, n)).unique().await?;
    found.ok_or_else(|| hull_functions::Error::message("no such item"))
}

#[mutation]
pub(crate) async fn remove(ctx: &MutationCtx, n: f64) -> Result<()> {
    let item = find(ctx, n).await?;
    ctx.db.delete(item._id).await
}

#[mutation]
pub(crate) async fn shift(ctx: &MutationCtx, n: f64, rank: f64) -> Result<()> {
    let item = find(ctx, n).await?;
    ctx.db.patch(item._id, Patch::new().set(Item::rank, rank)).await
}

/// Removes all of a rank.
#[mutation]
pub(crate) async fn cut(ctx: &MutationCtx, list: String, rank: f64) -> Result<()> {
    let ranked = |q: hull_model::IndexRange<Item, _>| q.eq(Item::list, list).eq(Item::rank, rank);
    for item in ctx.db.query::<Item>().with_index(Item::by_list, ranked).collect().await? {
        ctx.db.delete(item._id).await?;
    }
    Ok(())
}

fn ranked(ctx: &QueryCtx, list: String, order: Order) -> Query<'_, Item, Whole> {
    ctx.db.query::<Item>().with_index(Item::by_list, |q| q.eq(Item::list, list)).order(order)
}

fn number(item: Doc<Item>) -> f64 {
    item.n
}

#[query]
pub(crate) async fn page(
    ctx: &QueryCtx,
    list: String,
    pagination_opts: PaginationOptions,
) -> Result<PaginationResult<f64>> {
    Ok(ranked(ctx, list, Order::Asc).paginate(pagination_opts).await?.map(number))
}

#[query]
pub(crate) async fn all(ctx: &QueryCtx, list: String) -> Result<Vec<f64>> {
    Ok(ranked(ctx, list, Order::Asc).collect().await?.into_iter().map(number).collect())
}

#[query]
pub(crate) async fn page_down(
    ctx: &QueryCtx,
    list: String,
    pagination_opts: PaginationOptions,
) -> Result<PaginationResult<f64>> {
    Ok(ranked(ctx, list, Order::Desc).paginate(pagination_opts).await?.map(number))
}

#[query]
pub(crate) async fn all_down(ctx: &QueryCtx, list: String) -> Result<Vec<f64>> {
    Ok(ranked(ctx, list, Order::Desc).collect().await?.into_iter().map(number).collect())
}

/// With a filter before and after fields are selected.
#[query]
pub(crate) async fn page_even(
    ctx: &QueryCtx,
    list: String,
    pagination_opts: PaginationOptions,
) -> Result<PaginationResult<f64>> {
    let rows = ranked(ctx, list, Order::Asc).filter(|item| item.rank > 0.0);
    let rows = rows.select((Item::n,)).filter(|row| row.0 % 2.0 == 0.0);
    Ok(rows.paginate(pagination_opts).await?.map(|row| row.0))
}

#[query]
pub(crate) async fn all_even(ctx: &QueryCtx, list: String) -> Result<Vec<f64>> {
    let all = ranked(ctx, list, Order::Asc).filter(|item| item.rank > 0.0 && item.n % 2.0 == 0.0);
    Ok(all.collect().await?.into_iter().map(number).collect())
}

/// Two lists as one.
fn merged(ctx: &QueryCtx, order: Order) -> Query<'_, Item, Whole> {
    let lists = ctx.db.query::<Item>().with_index(Item::by_list, |q| q.eq(Item::list, "l"));
    lists.union(Item::by_list, |q| q.eq(Item::list, "m")).order(order)
}

/// The first of each rank.
fn distinct(ctx: &QueryCtx, order: Order) -> Query<'_, Item, Whole> {
    ctx.db
        .query::<Item>()
        .with_index(Item::by_list, |q| q.eq(Item::list, "l").distinct(Item::rank))
        .order(order)
}

macro_rules! ways {
    ($($page:ident $all:ident: $rows:ident $order:ident;)*) => {
        $(
            #[query]
            pub(crate) async fn $page(
                ctx: &QueryCtx,
                list: String,
                pagination_opts: PaginationOptions,
            ) -> Result<PaginationResult<f64>> {
                let _ = list;
                Ok($rows(ctx, Order::$order).paginate(pagination_opts).await?.map(number))
            }

            #[query]
            pub(crate) async fn $all(ctx: &QueryCtx, list: String) -> Result<Vec<f64>> {
                let _ = list;
                Ok($rows(ctx, Order::$order).collect().await?.into_iter().map(number).collect())
            }
        )*
    };
}

ways! {
    page_union all_union: merged Asc;
    page_union_down all_union_down: merged Desc;
    page_distinct all_distinct: distinct Asc;
    page_distinct_down all_distinct_down: distinct Desc;
}

fn number_of(value: &Packed) -> f64 {
    match value.as_object().and_then(|object| object.get("n")) {
        Some(ValueRef::Float64(n)) => n,
        _ => f64::NAN,
    }
}

/// The same by the table's name.
#[query]
pub(crate) async fn page_table(
    ctx: &QueryCtx,
    list: String,
    pagination_opts: PaginationOptions,
) -> Result<PaginationResult<f64>> {
    let rows = ctx.db.table("items").query().with_index("by_list", |q| q.eq("list", &*list));
    let rows = rows.filter(field("rank").gt(literal(0.0))).select(["n"]);
    let rows = rows.filter(field("n").rem(literal(2.0)).eq(literal(0.0)));
    Ok(rows.paginate(pagination_opts).await?.map(|row| number_of(&row.value)))
}

/// All of the table, by id.
#[query]
pub(crate) async fn page_ids(
    ctx: &QueryCtx,
    list: String,
    pagination_opts: PaginationOptions,
) -> Result<PaginationResult<f64>> {
    let _ = list;
    let rows = ctx.db.table("items").query().with_index("by_id", |q| q);
    Ok(rows.paginate(pagination_opts).await?.map(|row| number_of(&row.value)))
}

#[query]
pub(crate) async fn all_ids(ctx: &QueryCtx, list: String) -> Result<Vec<f64>> {
    let _ = list;
    let rows = ctx.db.table("items").query().with_index("by_id", |q| q).collect().await?;
    Ok(rows.iter().map(|row| number_of(&row.value)).collect())
}

/// What the user may see: Bob only even numbers.
#[query]
pub(crate) async fn page_own(
    ctx: &QueryCtx,
    list: String,
    pagination_opts: PaginationOptions,
) -> Result<PaginationResult<f64>> {
    let bob = ctx.auth().is_some_and(|user| user.subject == "bob");
    let rows = ranked(ctx, list, Order::Asc).filter(move |item| !bob || item.n % 2.0 == 0.0);
    Ok(rows.paginate(pagination_opts).await?.map(number))
}

/// What is ranked before the time that it is.
#[query]
pub(crate) async fn page_now(
    ctx: &QueryCtx,
    list: String,
    pagination_opts: PaginationOptions,
) -> Result<PaginationResult<f64>> {
    let now = ctx.now();
    let rows = ranked(ctx, list, Order::Asc).filter(move |item| item.rank < now);
    Ok(rows.paginate(pagination_opts).await?.map(number))
}

/// Removes a list page by page, and writes a row behind each page: what has been written is seen.
#[mutation]
pub(crate) async fn sweep(ctx: &MutationCtx, list: String, items: u32) -> Result<Vec<f64>> {
    let mut seen = Vec::new();
    let mut options = PaginationOptions::first(items);
    loop {
        let page = ranked(ctx, list.clone(), Order::Asc).paginate(options).await?;
        for item in page.page {
            seen.push(item.n);
            ctx.db.delete(item._id).await?;
        }
        if page.is_done {
            return Ok(seen);
        }
        if seen.len() < 10 {
            let (rank, n) = (1e6, -(seen.len() as f64));
            ctx.db.insert(Item { list: list.clone(), rank, n, text: String::new() }).await?;
        }
        options = PaginationOptions::first(items).after(page.continue_cursor);
    }
}

/// The first pages of two lists.
#[query]
pub(crate) async fn two(ctx: &QueryCtx, left: String, right: String, items: u32) -> Result<Vec<Vec<f64>>> {
    let left = ranked(ctx, left, Order::Asc).paginate(PaginationOptions::first(items)).await?.map(number);
    let right = ranked(ctx, right, Order::Desc).paginate(PaginationOptions::first(items)).await?.map(number);
    Ok(vec![left.page, right.page])
}

pub(crate) fn app() -> App {
    App::new().schema(Schema::new().of::<Item>()).module(Module::new("items").with(functions![
        add,
        add_large,
        remove,
        shift,
        cut,
        page,
        all,
        page_down,
        all_down,
        page_even,
        all_even,
        page_table,
        page_ids,
        all_ids,
        page_own,
        page_now,
        sweep,
        two,
        page_union,
        all_union,
        page_union_down,
        all_union_down,
        page_distinct,
        all_distinct,
        page_distinct_down,
        all_distinct_down
    ]))
}
