//! Backups: begin, fetch the file, say that it is safe.
//!
//! ```text
//! POST   /api/hull/backup              {"backupId": id, "ts": "nanoseconds"}
//! GET    /api/hull/backup/{id}         the file
//! POST   /api/hull/backup/{id}/finish  {}   the log is kept from the backup on
//! DELETE /api/hull/backup/{id}         {}   it was not wanted after all
//! ```

use std::io;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{Admin, beside};
use crate::http::error::ApiError;

/// Pieces of about 1 MiB that wait for the client.
const WAITING: usize = 2;

/// Holds a snapshot.
pub(super) async fn begin(admin: Admin) -> Result<Json<Value>, ApiError> {
    let engine = admin.backend.engine().clone();
    let hold = beside(move || Ok(engine.hold()?)).await?;
    let ts = hold.ts();
    let id = admin.backend.backups().begin(hold).ok_or_else(|| {
        ApiError::unavailable("TooManyBackups", "As many backups are under way as there may be.")
    })?;
    Ok(Json(json!({ "backupId": id, "ts": ts.0.to_string() })))
}

/// The file, as fast as the client takes it. A stream that breaks ends without its last chunk.
pub(super) async fn fetch(admin: Admin, Path(id): Path<String>) -> Result<Response, ApiError> {
    let backups = Arc::clone(admin.backend.backups());
    let hold = backups.stream(&id).ok_or_else(|| unknown(&id))?;
    let (sender, mut receiver) = mpsc::channel::<io::Result<Bytes>>(WAITING);
    let (shared, runtime) = (admin.shared, tokio::runtime::Handle::current());
    tokio::task::spawn_blocking(move || {
        let mut backup = hold.backup();
        loop {
            let piece = match backup.next_piece() {
                Ok(None) => break,
                Ok(Some(_)) if shared.is_stopping() => Err(io::Error::other("the server is stopping")),
                Ok(Some(piece)) => Ok(Bytes::from(piece)),
                Err(error) => Err(io::Error::other(error)),
            };
            let failed = piece.is_err();
            if sender.blocking_send(piece).is_err() || failed {
                break;
            }
        }
        drop((backup, hold));
        let _guard = runtime.enter();
        backups.streamed(&id);
    });
    let pieces = stream::poll_fn(move |cx| receiver.poll_recv(cx));
    Ok(([(CONTENT_TYPE, "application/octet-stream")], Body::from_stream(pieces)).into_response())
}

/// The file is safe.
pub(super) async fn finish(admin: Admin, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let hold = admin.backend.backups().end(&id).ok_or_else(|| unknown(&id))?;
    beside(move || Ok(hold.note_backup()?)).await?;
    Ok(Json(json!({})))
}

/// Nobody wants it.
pub(super) async fn cancel(admin: Admin, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    admin.backend.backups().end(&id).ok_or_else(|| unknown(&id))?;
    Ok(Json(json!({})))
}

fn unknown(id: &str) -> ApiError {
    ApiError::not_found(format!("There is no backup `{id}` under way."))
}
