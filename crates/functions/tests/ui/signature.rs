use hull_functions::{MutationCtx, QueryCtx, Result, mutation, query};

#[query]
fn not_async(ctx: &QueryCtx) -> Result<f64> {
    Ok(ctx.now())
}

#[query]
async fn no_context(name: String) -> Result<String> {
    Ok(name)
}

#[mutation]
async fn nothing_at_all() -> Result<()> {
    Ok(())
}

#[query]
async fn wrong_context(ctx: &MutationCtx) -> Result<f64> {
    Ok(ctx.now())
}

#[query]
async fn borrowed(ctx: &QueryCtx, name: &str) -> Result<f64> {
    Ok(ctx.now() + name.len() as f64)
}

#[query]
async fn pattern(ctx: &QueryCtx, (a, b): (f64, f64)) -> Result<f64> {
    Ok(ctx.now() + a + b)
}

#[query]
async fn generic<T>(ctx: &QueryCtx, value: T) -> Result<f64> {
    drop(value);
    Ok(ctx.now())
}

#[query]
async fn no_result(ctx: &QueryCtx) -> f64 {
    ctx.now()
}

#[query(nam = "x")]
async fn wrong_option(ctx: &QueryCtx) -> Result<f64> {
    Ok(ctx.now())
}

#[query]
async fn one_name_twice(ctx: &QueryCtx, user_name: f64, #[hull(rename = "userName")] name: f64) -> Result<f64> {
    Ok(ctx.now() + user_name + name)
}

#[query]
struct NotAFunction;

fn main() {}
