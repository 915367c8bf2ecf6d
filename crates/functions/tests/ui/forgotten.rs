use hull_functions::{QueryCtx, Result, functions, query};

#[query]
async fn listed(ctx: &QueryCtx) -> Result<f64> {
    Ok(ctx.now())
}

#[query]
async fn forgotten(ctx: &QueryCtx) -> Result<f64> {
    Ok(ctx.now())
}

fn main() {
    let _ = functions![listed];
}
