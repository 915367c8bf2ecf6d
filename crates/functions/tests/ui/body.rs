use std::time::SystemTime;

use hull_functions::{MutationCtx, QueryCtx, Result, functions, mutation, query};
use hull_model::value::Id;
use hull_model::{Doc, Table};

#[derive(Table)]
#[table("notes")]
#[index(by_owner(owner))]
struct Note {
    owner: String,
}

struct Plain;

#[query]
async fn insert_in_a_query(ctx: &QueryCtx, owner: String) -> Result<Id<Note>> {
    ctx.db.insert(Note { owner }).await
}

#[query]
async fn table_that_is_none(ctx: &QueryCtx) -> Result<Vec<Doc<Plain>>> {
    ctx.db.query::<Plain>().collect().await
}

#[mutation]
async fn argument_without_validator(_ctx: &MutationCtx, at: SystemTime) -> Result<()> {
    drop(at);
    Ok(())
}

#[query]
async fn result_without_value(_ctx: &QueryCtx) -> Result<SystemTime> {
    Ok(SystemTime::now())
}

fn main() {
    functions![insert_in_a_query, table_that_is_none, argument_without_validator, result_without_value, unknown];
}
