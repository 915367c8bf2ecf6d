//! Documents for people: one by id, or a table's, page by page.
//!
//! Guarantee: a page is at one timestamp, in order of creation, and bounded: at most [`MAX_PAGE`] documents,
//! [`MAX_PAGE_BYTES`] and [`MAX_SCANNED`] documents looked at. What it says of where the next begins is opaque.

use axum::extract::{Path, Query};
use data_encoding::BASE64URL_NOPAD;
use hull_engine::{BY_CREATION_TIME, Document, Order};
use hull_model::{IndexBounds, IndexDef, KeyRange};
use hull_value::{DocumentId, FieldPath, JsonForm, Packed, ValueRef, write_json, write_sort_key};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::tables::{begin, check_table, stored_schema};
use super::{Admin, beside};
use crate::http::JsonText;
use crate::http::error::ApiError;

/// The documents of a page.
const MAX_PAGE: usize = 1_000;
/// The text of a page, about.
const MAX_PAGE_BYTES: usize = 8 << 20;
/// Documents that a page looks at, when no index fits.
const MAX_SCANNED: usize = 50_000;

/// `?limit=&order=asc|desc&where=&cursor=`
#[derive(Deserialize)]
pub(super) struct PageQuery {
    limit: Option<usize>,
    order: Option<String>,
    /// A JSON array of `[field, value]`, values in wire JSON; all must be equal.
    r#where: Option<String>,
    cursor: Option<String>,
}

/// `GET /api/hull/documents/{id}`: `{"table": name, "document": {…}}`, the document in export form.
pub(super) async fn document(admin: Admin, Path(id): Path<String>) -> Result<JsonText, ApiError> {
    let id: DocumentId = id.parse().map_err(|error: hull_value::IdError| {
        ApiError::bad_request(error.code(), format!("`{id}` is not the id of a document: {error}."))
    })?;
    beside(move || {
        let mut transaction = begin(&admin.backend)?;
        let Some(document) = transaction.get(id)? else {
            return Err(ApiError::not_found(format!("There is no document `{id}`.")));
        };
        let table = transaction.table_mapping().table_of(id.table).unwrap_or_default();
        let mut text = format!("{{\"table\":\"{table}\",\"document\":");
        write_json(document.value.as_ref(), JsonForm::Export, &mut text);
        text.push('}');
        Ok(JsonText(text))
    })
    .await
}

/// `GET /api/hull/tables/{table}/documents`: `{"documents": […], "cursor": text or null, "scanned": n}`, documents in
/// export form. With a `cursor` there may be more.
pub(super) async fn page(
    admin: Admin,
    Path(table): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<JsonText, ApiError> {
    let order = match query.order.as_deref() {
        None | Some("desc") => Order::Desc,
        Some("asc") => Order::Asc,
        Some(other) => {
            let why = format!("`{other}` is no order: use `asc` or `desc`.");
            return Err(ApiError::bad_request("BadOrder", why));
        }
    };
    let conditions = conditions(query.r#where.as_deref())?;
    let limit = query.limit.unwrap_or(100).clamp(1, MAX_PAGE);
    let cursor = query.cursor.map(|cursor| {
        let bad = |_| ApiError::bad_request("InvalidCursor", "The cursor is not one of this address.");
        BASE64URL_NOPAD.decode(cursor.as_bytes()).map_err(bad)
    });
    let cursor = cursor.transpose()?;
    beside(move || {
        check_table(&admin.backend, &table)?;
        let schema = stored_schema(&admin.backend);
        let indexes = schema.get(&table).map(|table| table.indexes.as_slice()).unwrap_or_default();
        let plan = plan(indexes, &conditions);
        let mut range = plan.range.clone();
        match (cursor, order) {
            (Some(last), Order::Desc) => range.end = Some(last),
            (Some(mut last), Order::Asc) => {
                last.push(0);
                range.start = last;
            }
            (None, _) => {}
        }
        let mut transaction = begin(&admin.backend)?;
        let mut scan = transaction.scan(&table, &plan.index, &range, order)?;
        let mut text = String::from("{\"documents\":[");
        let (mut found, mut scanned, mut cursor) = (0, 0, None);
        while let Some(document) = transaction.next(&mut scan)? {
            scanned += 1;
            if matches(&document, &conditions) {
                if found > 0 {
                    text.push(',');
                }
                found += 1;
                write_json(document.value.as_ref(), JsonForm::Export, &mut text);
            }
            if found == limit || text.len() > MAX_PAGE_BYTES || scanned == MAX_SCANNED {
                cursor = Some(BASE64URL_NOPAD.encode(&plan.key_of(&document)));
                break;
            }
        }
        let cursor = cursor.map_or_else(|| "null".to_owned(), |cursor| format!("\"{cursor}\""));
        text.push_str(&format!("],\"cursor\":{cursor},\"scanned\":{scanned}}}"));
        Ok(JsonText(text))
    })
    .await
}

type Condition = (FieldPath, Packed);

fn conditions(text: Option<&str>) -> Result<Vec<Condition>, ApiError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let bad = |why: String| ApiError::bad_request("BadCondition", why);
    let pairs: Vec<(String, Box<RawValue>)> =
        serde_json::from_str(text).map_err(|error| bad(format!("The conditions: {error}.")))?;
    let read = |(field, value): (String, Box<RawValue>)| {
        let path = field.parse().map_err(|error: hull_value::FieldPathError| bad(error.to_string()))?;
        let value =
            Packed::from_json(value.get()).map_err(|error| bad(format!("The value of {field}: {error}")))?;
        Ok((path, value))
    };
    pairs.into_iter().map(read).collect()
}

fn matches(document: &Document, conditions: &[Condition]) -> bool {
    let Some(object) = document.value.as_object() else { return false };
    conditions.iter().all(|(path, value)| object.get_path(path).is_some_and(|found| found == value.as_ref()))
}

/// Which index is walked, and which part of it.
struct Plan {
    index: String,
    fields: Vec<FieldPath>,
    range: KeyRange,
}

/// The longest index whose every field has a condition, so that what is left is the order of creation; without one,
/// all of the table.
fn plan(indexes: &[IndexDef], conditions: &[Condition]) -> Plan {
    let value_of = |path: &FieldPath| conditions.iter().find(|(field, _)| field == path);
    let fits = |index: &&IndexDef| index.fields.iter().all(|field| value_of(field).is_some());
    match indexes.iter().filter(fits).max_by_key(|index| index.fields.len()) {
        Some(index) => {
            let bounds = index.fields.iter().filter_map(value_of);
            let bounds =
                bounds.fold(IndexBounds::all(), |bounds, (_, value)| bounds.eq(Some(value.as_ref())));
            Plan { index: index.name.clone(), fields: index.fields.clone(), range: bounds.to_key_range() }
        }
        None => Plan { index: BY_CREATION_TIME.to_owned(), fields: Vec::new(), range: KeyRange::all() },
    }
}

impl Plan {
    /// The key of a document in the index: its fields, its creation time, its id.
    fn key_of(&self, document: &Document) -> Vec<u8> {
        let object = document.value.as_object();
        let mut key = Vec::new();
        for field in &self.fields {
            write_sort_key(object.and_then(|object| object.get_path(field)), &mut key);
        }
        write_sort_key(Some(ValueRef::Float64(document.creation_time)), &mut key);
        key.extend_from_slice(&document.id.internal.0);
        key
    }
}
