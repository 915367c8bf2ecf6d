//! A search index in the catalog: what it is over, and which documents it has.
//!
//! Guarantee: while a search index is being filled, it has exactly the documents whose key in the index on the creation
//! time is below the fill's position. Writers maintain those and no others, and every writer depends on the catalog row
//! that the position is in, so no document is entered twice and none is left out.

use std::sync::Arc;

use hull_value::{FieldPath, ValueRef, write_sort_key};
use serde::{Deserialize, Serialize};

use super::posting::SearchSpec;
use crate::document::Document;
use crate::error::TxError;
use crate::key::Keyspace;

/// A search index as the catalog stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SearchRow {
    pub(crate) keyspace: u32,
    /// The dotted path of the field whose text is searched.
    pub(crate) field: String,
    /// Dotted paths; their order is that of the hashes in postings and commit keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) filters: Vec<String>,
    /// Its names: search indexes over the same field and filters are one.
    pub(crate) names: Vec<String>,
    /// Where the fill has got to: a key of the creation time index. Absent once it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) backfill: Option<Vec<u8>>,
}

impl SearchRow {
    /// The same search index without any documents, in a keyspace of its own.
    pub(crate) fn anew(&self, keyspace: u32, backfill: Option<Vec<u8>>) -> Self {
        Self { keyspace, backfill, ..self.clone() }
    }

    /// Whether it is over this field with these filters, in whatever order.
    pub(crate) fn is_over(&self, field: &str, filters: &[String]) -> bool {
        self.field == field
            && self.filters.len() == filters.len()
            && filters.iter().all(|filter| self.filters.contains(filter))
    }
}

/// A search index of a table.
#[derive(Clone, Debug)]
pub(crate) struct SearchInfo {
    pub(crate) spec: SearchSpec,
    pub(crate) names: Vec<String>,
    /// Whether it can be read.
    pub(crate) ready: bool,
    /// Where the fill has got to, a key of the creation time index; `None` once it is done.
    pub(crate) position: Option<Arc<[u8]>>,
}

impl SearchInfo {
    /// The search index of `table` that the catalog describes so.
    pub(crate) fn new(table: &str, row: &SearchRow) -> Result<Self, TxError> {
        let path = |text: &String| {
            let path = text.parse::<FieldPath>();
            path.map_err(|e| TxError::Damaged(format!("search index of table {table}: {e}")))
        };
        let filters = row.filters.iter().map(path).collect::<Result<Vec<_>, _>>()?;
        let keyspace = Keyspace(row.keyspace);
        Ok(Self {
            spec: SearchSpec { keyspace, search_field: path(&row.field)?, filter_fields: filters.into() },
            names: row.names.clone(),
            ready: row.backfill.is_none(),
            position: row.backfill.as_deref().map(Arc::from),
        })
    }

    /// Whether the index has this document, so that who writes it maintains the index. The creation time and the id of
    /// a document never change, so this is the same for its version before and after.
    pub(crate) fn covers(&self, document: &Document) -> bool {
        let Some(position) = &self.position else { return true };
        let mut key = Vec::with_capacity(25);
        write_sort_key(Some(ValueRef::Float64(document.creation_time)), &mut key);
        key.extend_from_slice(&document.id.internal.0);
        key[..] < position[..]
    }
}

#[cfg(test)]
mod tests {
    use hull_value::{DocumentId, InternalId, Packed, TableNumber, Value};

    use super::*;
    use crate::catalog::TableRow;
    use crate::overlay::IndexSpec;

    fn document(time: f64, id: u8) -> Document {
        let id = DocumentId { table: TableNumber(10_001), internal: InternalId([id; 16]) };
        Document::new(id, time, Packed::encode(&Value::Object(Default::default())).unwrap())
    }

    #[test]
    fn a_fill_covers_what_is_below_its_position() {
        let row = SearchRow {
            keyspace: 20,
            field: "a.b".into(),
            filters: vec!["c".into()],
            names: vec!["search_b".into()],
            backfill: None,
        };
        assert!(SearchInfo::new("t", &row).unwrap().covers(&document(1.0, 1)));
        let position = |backfill| SearchInfo::new("t", &row.anew(20, Some(backfill))).unwrap();
        assert!(!position(Vec::new()).covers(&document(-1.0, 0)), "nothing is filled");
        let by_time = IndexSpec { keyspace: Keyspace(17), fields: Arc::new([]) };
        let middle = by_time.key_of(&document(5.0, 5), &mut Vec::new());
        let at = position(middle.to_vec());
        for (time, id, covered) in [(4.0, 9, true), (5.0, 4, true), (5.0, 5, false), (6.0, 0, false)] {
            assert_eq!(at.covers(&document(time, id)), covered, "{time} {id}");
        }
        let behind = position(crate::key::successor(&middle).to_vec());
        assert!(behind.covers(&document(5.0, 5)));
    }

    #[test]
    fn rows_without_search_indexes_are_written_as_ever() {
        let text = r#"{"number":10001,"by_id":16,"indexes":[]}"#;
        let row: TableRow = serde_json::from_str(text).unwrap();
        assert_eq!(row.searches, []);
        assert_eq!(serde_json::to_string(&row).unwrap(), text);
    }

    #[test]
    fn the_order_of_filters_does_not_matter() {
        let names = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
        let row = SearchRow {
            keyspace: 20,
            field: "text".into(),
            filters: names(&["a", "b"]),
            names: names(&["search_text"]),
            backfill: None,
        };
        assert!(row.is_over("text", &names(&["b", "a"])));
        assert!(!row.is_over("text", &names(&["a"])));
        assert!(!row.is_over("text", &names(&["a", "c"])));
        assert!(!row.is_over("title", &names(&["a", "b"])));
    }
}
