//! A function that takes and returns a value of every type, for clients that check types.

use std::collections::BTreeMap;

use hull::prelude::*;

use crate::app::Message;

/// How something is.
#[derive(Object)]
enum Mood {
    Good,
    VeryBad,
}

/// What something is.
#[derive(Object)]
#[hull(tag = "kind")]
enum Shape {
    Circle { radius: f64 },
    Path { points: Vec<f64>, closed: Option<bool> },
}

/// A value of every type.
#[derive(Object)]
struct Every {
    truth: bool,
    /// A 64-bit float.
    float: f64,
    whole: i32,
    /// A 64-bit integer.
    big: i64,
    text: String,
    bytes: Bytes,
    message: Id<Message>,
    list: Vec<Nullable<String>>,
    record: BTreeMap<String, f64>,
    mood: Mood,
    shape: Shape,
    any: Value,
    maybe: Option<String>,
    nullable: Nullable<bool>,
    #[hull(rename = "with space")]
    spaced: Option<f64>,
}

/// Gives back what it is given.
#[query]
async fn every(_ctx: &QueryCtx, #[hull(flatten)] value: Every) -> Result<Every> {
    Ok(value)
}

/// The same inside a module of a function's name.
#[query(returns = v::union([v::literal(1i64), v::literal(0.5)]))]
async fn exactly(_ctx: &QueryCtx, whole: bool) -> Result<Value> {
    Ok(if whole { Value::Int64(1) } else { Value::Float64(0.5) })
}

pub(crate) fn modules() -> [Module; 2] {
    [Module::new("types").with(functions![every]), Module::new("types/every").with(functions![exactly])]
}
