//! One row: an object that becomes a document, with its own `_id` and `_creationTime` where it has them.

use hull_model::{CREATION_TIME_FIELD, ID_FIELD, TableMapping, Validator};
use hull_value::{DocumentId, InternalId, Packed, TableNumber, ValueRef, check_document};

use super::{ImportRow, RefusedRow};
use crate::document::Document;

/// What a row says of itself.
pub(super) struct Own {
    pub(super) id: Option<DocumentId>,
    pub(super) creation_time: Option<f64>,
}

/// The number inside a row's `_id`, where it has a readable one.
pub(super) fn number_of(row: &Packed) -> Option<TableNumber> {
    match row.as_object()?.get(ID_FIELD)? {
        ValueRef::String(id) => id.parse::<DocumentId>().ok().map(|id| id.table),
        _ => None,
    }
}

fn refuse(row: &ImportRow, code: &'static str, path: &str, message: String) -> RefusedRow {
    RefusedRow { row: row.number, code, path: path.to_owned(), message }
}

/// Reads the system fields; the id must be one of the table numbered `number`.
pub(super) fn read(row: &ImportRow, table: &str, number: TableNumber) -> Result<Own, RefusedRow> {
    check_document(row.value.as_ref()).map_err(|e| refuse(row, e.code(), "", e.to_string()))?;
    let field = |name| row.value.as_object().and_then(|object| object.get(name));
    let id = match field(ID_FIELD) {
        None => None,
        Some(ValueRef::String(text)) => {
            let invalid = |why: String| refuse(row, "InvalidId", "._id", format!("`_id` \"{text}\": {why}"));
            let id = text.parse::<DocumentId>().map_err(|e| invalid(e.to_string()))?;
            if id.table != number {
                return Err(invalid(format!(
                    "its table number is {}, that of table \"{table}\" is {}",
                    id.table.0, number.0
                )));
            }
            Some(id)
        }
        Some(other) => {
            return Err(refuse(row, "InvalidId", "._id", format!("`_id` is {}, not a string", other.kind())));
        }
    };
    let creation_time = match field(CREATION_TIME_FIELD) {
        None => None,
        Some(ValueRef::Float64(time)) if time.is_finite() => Some(time),
        Some(other) => {
            let path = "._creationTime";
            let message = format!("`_creationTime` is {}, not a finite float64", other.kind());
            return Err(refuse(row, "InvalidCreationTimeError", path, message));
        }
    };
    Ok(Own { id, creation_time })
}

/// The document of a row whose system fields are settled.
pub(super) fn document(
    row: &ImportRow,
    own: &Own,
    id: (TableNumber, InternalId),
    creation_time: f64,
    rules: (Option<&Validator>, &dyn TableMapping),
) -> Result<Document, RefusedRow> {
    let id = DocumentId { table: id.0, internal: id.1 };
    if let (Some(validator), tables) = rules {
        validator
            .check_document(row.value.as_ref(), tables)
            .map_err(|e| refuse(row, "SchemaEnforcementError", &e.path, e.to_string()))?;
    }
    if own.id.is_some() && own.creation_time.is_some() {
        return Ok(Document::new(id, creation_time, row.value.clone()));
    }
    let text = id.to_string();
    let fields = [
        (CREATION_TIME_FIELD, Some(ValueRef::Float64(creation_time))),
        (ID_FIELD, Some(ValueRef::String(&text))),
    ];
    let value =
        row.value.merge(&fields).map_err(|e| refuse(row, "InvalidDocumentError", "", e.to_string()))?;
    // The system fields count.
    check_document(value.as_ref()).map_err(|e| refuse(row, e.code(), "", e.to_string()))?;
    Ok(Document::new(id, creation_time, value))
}

/// A row whose id is there already.
pub(super) fn duplicate(row: &ImportRow, table: &str, id: DocumentId) -> RefusedRow {
    let message = format!("table \"{table}\" has a document with `_id` \"{id}\" already");
    refuse(row, "DuplicateId", "._id", message)
}
