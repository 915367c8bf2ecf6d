//! `practiceActivities:*`: the steps of a project's run.

use hull::prelude::*;
use schema::practice_zone::{PracticeActivity, PracticeItemTemplate, PracticeProject};

use crate::table_functions::{documents, list_by};

/// The steps that a project may have.
const MAX_STEPS: usize = 1000;

documents!(PracticeActivity);
list_by! {
    /// The steps that use a template, newest first.
    list_by_template = PracticeActivity::by_template(template_id: Id<PracticeItemTemplate>)
}

/// A project's steps by their `order`; the first 1,000 that were made.
#[query]
async fn list_by_project(
    ctx: &QueryCtx,
    project_id: Id<PracticeProject>,
) -> Result<Vec<Doc<PracticeActivity>>> {
    let steps = ctx
        .db
        .query()
        .with_index(PracticeActivity::by_project, |q| q.eq(PracticeActivity::project_id, project_id));
    let mut steps = steps.take(MAX_STEPS).await?;
    steps.sort_by(|a, b| a.order.total_cmp(&b.order));
    Ok(steps)
}

pub(super) fn module() -> Module {
    Module::new("practiceActivities").with(functions![create, get, list, list_by_project, list_by_template])
}
