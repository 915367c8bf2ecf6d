use hull_functions::{MutationCtx, QueryCtx, Result, mutation, query};
use hull_model::Table;
use hull_model::value::Id;

#[derive(Table)]
#[table("notes")]
struct Note {
    owner: String,
    length: u32,
}

#[query]
async fn owner(_ctx: &QueryCtx) -> Result<String> {
    Ok("ada".into())
}

#[query]
async fn stale_in_a_query(ctx: &QueryCtx) -> Result<String> {
    ctx.use_stale_snapshot().run_query(owner {}).await
}

#[mutation]
async fn increments(ctx: &MutationCtx, id: Id<Note>) -> Result<()> {
    ctx.db.increment(id, Note::length, 1).await
}

fn main() {}
