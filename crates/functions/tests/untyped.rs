//! Tables by name: conditions on indexes, filter expressions, and what each refuses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use hull_functions::{
    App, Error, Expression, Module, MutationCtx, Order, QueryCtx, Result, TestApp, field, functions, literal,
    mutation, query, undefined,
};
use hull_model::{Schema, define_table, v};
use hull_value::{DocumentId, Packed, Value, ValueRef};

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn ranks(documents: Vec<hull_engine::Document>) -> Vec<f64> {
    let rank = |document: &hull_engine::Document| match document.value.as_ref() {
        ValueRef::Object(fields) => match fields.get("rank") {
            Some(ValueRef::Float64(rank)) => rank,
            _ => -1.0,
        },
        _ => unreachable!(),
    };
    documents.iter().map(rank).collect()
}

#[mutation]
async fn fill(ctx: &MutationCtx) -> Result<()> {
    let items = ctx.db.table("items");
    for rank in 0..6 {
        items
            .insert(object([
                ("kind", Value::from(if rank % 2 == 0 { "even" } else { "odd" })),
                ("rank", Value::from(f64::from(rank))),
            ]))
            .await?;
    }
    items.insert(object([("kind", Value::from("odd"))])).await?;
    Ok(())
}

#[mutation]
async fn edit(ctx: &MutationCtx) -> Result<()> {
    let items = ctx.db.table("items");
    let id = items.insert(object([("kind", Value::from("new")), ("rank", Value::from(1.0))])).await?;
    items.patch(id, &[("rank", None), ("note", Some(ValueRef::Boolean(true)))]).await?;
    let note = Packed::encode(&true)?;
    let found = items.get(id).await?.ok_or_else(|| Error::message("gone"))?;
    let ValueRef::Object(fields) = found.value.as_ref() else { return Err(Error::message("no object")) };
    assert_eq!((fields.get("rank"), fields.get("note")), (None, Some(note.as_ref())));
    items.replace(id, object([("kind", Value::from("replaced"))])).await?;
    assert_eq!(items.normalize_id(&id.to_string()).await?, Some(id));
    assert_eq!(items.normalize_id("nonsense").await?, None);
    items.delete(id).await?;
    assert_eq!(items.get(id).await?, None);
    let gone = items.delete(id).await.unwrap_err();
    assert_eq!(gone.code(), Some("NonexistentDocument"));
    let other = DocumentId { table: hull_value::TableNumber(id.table.0 + 1), ..id };
    assert_eq!(items.get(other).await?, None, "of no table");
    Ok(())
}

/// Runs the numbered query of the list below.
#[query]
async fn run(ctx: &QueryCtx, case: u32) -> Result<Vec<f64>> {
    let items = || ctx.db.table("items").query();
    let by_kind = |kind: &'static str| items().with_index("by_kind", move |q| q.eq("kind", kind));
    let filtered = |keep: Expression| by_kind("odd").filter(keep).collect();
    let found = match case {
        0 => by_kind("even").collect().await?,
        1 => by_kind("odd").order(Order::Desc).take(2).await?,
        2 => {
            items()
                .with_index("by_kind", |q| q.eq("kind", "even").gt("rank", 0.0).lte("rank", 4.0))
                .collect()
                .await?
        }
        3 => items().with_index("by_kind", |q| q.eq("rank", 3.0).eq("kind", "odd")).collect().await?,
        4 => items().with_index("by_kind", |q| q.eq("kind", "odd").absent("rank")).collect().await?,
        5 => items().with_index("by_kind", |q| q.eq("kind", "odd").present("rank")).collect().await?,
        6 => items().with_index("by_kind", |q| q.eq("kind", "odd").lt("rank", 2.0)).collect().await?,
        7 => filtered(field("rank").eq(undefined())).await?,
        8 => {
            filtered(field("rank").mul(literal(2.0)).gt(literal(5.0)).or(field("rank").eq(literal(1.0))))
                .await?
        }
        9 => {
            filtered(Expression::all([
                field("kind").eq(literal("odd")),
                field("rank").gte(literal(3.0)).not(),
            ]))
            .await?
        }
        10 => ctx.db.table("nowhere").query().with_index("by_kind", |q| q.eq("kind", 1.0)).collect().await?,
        11 => items().with_index("by_kind", |q| q.gt("rank", 1.0)).collect().await?,
        12 => items().with_index("by_kind", |q| q.eq("color", 1.0)).collect().await?,
        13 => items().with_index("by_kind", |q| q.gt("kind", 1.0).gte("kind", 1.0)).collect().await?,
        14 => items().with_index("by_kind", |q| q.gt("kind", 1.0).lt("rank", 1.0)).collect().await?,
        15 => items().with_index("by_color", |q| q).collect().await?,
        16 => filtered(field("rank")).await?,
        17 => filtered(field("rank").add(literal(1_i64)).eq(literal(1.0))).await?,
        18 => filtered(literal(1_i64).div(literal(0_i64)).eq(literal(1_i64))).await?,
        19 => by_kind("even").unique().await?.into_iter().collect(),
        20 => items()
            .with_index("by_kind", |q| q.eq("kind", "odd").eq("rank", 5.0))
            .unique()
            .await?
            .into_iter()
            .collect(),
        21 => {
            let mut documents = by_kind("even").documents().await?;
            let mut found = Vec::new();
            while let Some(document) = documents.next().await? {
                found.push(document);
            }
            found
        }
        _ => by_kind("even").first().await?.into_iter().collect(),
    };
    Ok(ranks(found))
}

fn app() -> TestApp {
    let items = define_table("items").document(v::any()).index("by_kind", ["kind", "rank"]);
    let module = Module::new("items").with(functions![fill, edit, run]);
    TestApp::new(App::new().schema(Schema::new().table(items)).module(module)).unwrap()
}

#[tokio::test]
async fn conditions_and_filters_find_what_they_describe_or_say_what_is_wrong() {
    let app = app();
    app.mutation(fill {}).await.unwrap();
    let cases: [std::result::Result<&[f64], &str>; 23] = [
        Ok(&[0.0, 2.0, 4.0]),
        Ok(&[5.0, 3.0]),
        Ok(&[2.0, 4.0]),
        Ok(&[3.0]),
        Ok(&[-1.0]),
        Ok(&[1.0, 3.0, 5.0]),
        Ok(&[-1.0, 1.0]),
        Ok(&[-1.0]),
        Err("EvalError"),
        Ok(&[-1.0, 1.0]),
        Ok(&[]),
        Err("InvalidIndexRange"),
        Err("FieldNotInIndex"),
        Err("AlreadyDefinedBound"),
        Err("BoundsOnMultipleFields"),
        Err("IndexNotFoundError"),
        Err("EvalError"),
        Err("EvalError"),
        Err("EvalError"),
        Err("NotUnique"),
        Ok(&[5.0]),
        Ok(&[0.0, 2.0, 4.0]),
        Ok(&[0.0]),
    ];
    for (case, expected) in (0..).zip(cases) {
        let found = app.query(run { case }).await;
        let found = found.as_deref().map_err(|error| error.code.unwrap_or(&error.message));
        assert_eq!(found, expected, "case {case}");
    }
}

#[tokio::test]
async fn documents_are_written_by_table_name() {
    app().mutation(edit {}).await.unwrap();
}
