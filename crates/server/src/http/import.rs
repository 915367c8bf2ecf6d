//! Import over HTTP, for admins: begin, rows in as many requests as it takes, finish.
//!
//! Guarantee: rows that were answered for are durable, and so is the whole once `finish` is answered; until then a
//! replacing import has changed nothing. The credentials are checked before a body is read.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hull_engine::{ImportError, ImportMode, ImportOptions, ImportTable, RefusedRow};
use hull_value::{RowForm, TableNumber, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::admin::Admin;
use super::body::Body;
use super::error::ApiError;
use crate::backend::Backend;
use crate::imports::{Imports, ImportsError, Lines};

/// `{mode, tables: [{name, number?}], skipInvalid?, dryRun?}`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BeginBody {
    #[serde(default)]
    mode: Mode,
    tables: Vec<TableBody>,
    #[serde(default)]
    skip_invalid: bool,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Mode {
    #[default]
    RequireEmpty,
    Append,
    Replace,
    ReplaceAll,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableBody {
    name: String,
    number: Option<u32>,
}

/// What a query string says of rows.
#[derive(Deserialize)]
pub(super) struct RowsOf {
    table: String,
    #[serde(default)]
    form: Form,
    first: Option<u64>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Form {
    #[default]
    Export,
    Wire,
    Plain,
}

/// `POST /api/hull/import`
pub(super) async fn begin(Admin { backend, .. }: Admin, body: Body) -> Result<Response, ApiError> {
    let body: BeginBody = body.json()?;
    let mode = match body.mode {
        Mode::RequireEmpty => ImportMode::RequireEmpty,
        Mode::Append => ImportMode::Append,
        Mode::Replace => ImportMode::Replace,
        Mode::ReplaceAll => ImportMode::ReplaceAll,
    };
    let options = ImportOptions { mode, skip_invalid: body.skip_invalid, dry_run: body.dry_run };
    let tables = body.tables.into_iter();
    let tables: Vec<_> =
        tables.map(|t| ImportTable { name: t.name, number: t.number.map(TableNumber) }).collect();
    let work = Arc::clone(&backend);
    let begun = blocking(move || work.imports().begin(work.engine(), options, &tables)).await?;
    let begun = match begun {
        Ok(begun) => begun,
        Err(error) => return refuse(error),
    };
    tokio::spawn(Imports::watch(Arc::downgrade(backend.imports()), begun.id.clone()));
    let table = |(name, existing): (String, u64)| json!({"name": name, "existing": existing});
    let other = |(name, existing, goes): (String, u64, bool)| {
        let fate = if goes { "deleted" } else { "emptied" };
        json!({"name": name, "existing": existing, "fate": fate})
    };
    answer(json!({
        "importId": begun.id,
        "tables": begun.tables.into_iter().map(table).collect::<Vec<_>>(),
        "others": begun.others.into_iter().map(other).collect::<Vec<_>>(),
    }))
}

/// `POST /api/hull/import/{id}/rows?table=&form=&first=`
pub(super) async fn rows(
    Admin { backend, .. }: Admin,
    id: Result<Path<String>, PathRejection>,
    of: Result<Query<RowsOf>, QueryRejection>,
    body: Body,
) -> Result<Response, ApiError> {
    let id = id_of(id)?;
    let Query(of) =
        of.map_err(|error| ApiError::bad_request("BadQueryString", format!("{}.", error.body_text())))?;
    let form = match of.form {
        Form::Export => RowForm::Export,
        Form::Wire | Form::Plain => RowForm::Wire,
    };
    let work = Arc::clone(&backend);
    let pushed = blocking(move || {
        let lines = Lines { table: &of.table, form, first: of.first, body: &body.0 };
        work.imports().push(&id, &lines)
    });
    match pushed.await? {
        Ok(pushed) => {
            durable(&backend, pushed.ts).await?;
            let refused: Vec<Value> = pushed.refused.iter().map(row_json).collect();
            answer(json!({"applied": pushed.applied, "refused": refused}))
        }
        Err(error) => refuse(error),
    }
}

/// `POST /api/hull/import/{id}/finish`
pub(super) async fn finish(
    Admin { backend, .. }: Admin,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let id = id_of(id)?;
    let work = Arc::clone(&backend);
    match blocking(move || work.imports().finish(&id)).await? {
        Ok((imported, dry_run)) => {
            durable(&backend, imported.ts).await?;
            let tables: Vec<Value> = imported
                .tables
                .iter()
                .map(|t| json!({"name": t.name, "number": t.number.map(|n| n.0), "rows": t.rows}))
                .collect();
            let (emptied, deleted) = (imported.emptied, imported.deleted);
            answer(json!({"tables": tables, "emptied": emptied, "deleted": deleted, "dryRun": dry_run}))
        }
        Err(error) => refuse(error),
    }
}

/// `DELETE /api/hull/import/{id}`
pub(super) async fn cancel(
    Admin { backend, .. }: Admin,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let id = id_of(id)?;
    match blocking(move || backend.imports().cancel(&id)).await? {
        Ok(()) => answer(json!({})),
        Err(error) => refuse(error),
    }
}

fn id_of(id: Result<Path<String>, PathRejection>) -> Result<String, ApiError> {
    id.map(|Path(id)| id).map_err(|error| ApiError::bad_request("BadPath", format!("{}.", error.body_text())))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", error.to_string())
    })
}

async fn durable(backend: &Backend, ts: Timestamp) -> Result<(), ApiError> {
    backend.wait_durable(ts).await.map_err(ApiError::from)
}

fn answer(body: Value) -> Result<Response, ApiError> {
    Ok(Json(body).into_response())
}

fn row_json(row: &RefusedRow) -> Value {
    json!({"row": row.row, "code": row.code, "path": row.path, "message": row.message})
}

/// What a refused request gets. Of a bad row: which one it is, and how many rows of the import hold.
fn refuse(error: ImportsError) -> Result<Response, ApiError> {
    let message = error.to_string();
    let (table, row, applied) = match error {
        ImportsError::Refused { error: ImportError::Row { table, row }, applied } => (table, *row, applied),
        ImportsError::Line { table, row, applied } => (table, row, applied),
        ImportsError::NotFound(_) => {
            return Err(ApiError::new(StatusCode::NOT_FOUND, "ImportNotFound", message));
        }
        ImportsError::TooMany => return Err(ApiError::unavailable("TooManyImports", message)),
        ImportsError::TooManyRefused(_) => {
            return Err(ApiError::bad_request("TooManyInvalidRows", message));
        }
        ImportsError::Read(error) => return Err(ApiError::unavailable(error.code(), message)),
        ImportsError::Refused { error, .. } if error.is_user() => {
            return Err(ApiError::bad_request(error.code(), message));
        }
        ImportsError::Refused { error, .. } => return Err(ApiError::unavailable(error.code(), message)),
    };
    let body = json!({
        "code": row.code, "message": message, "table": table, "row": row.row, "path": row.path, "applied": applied,
    });
    Ok((StatusCode::BAD_REQUEST, Json(body)).into_response())
}
