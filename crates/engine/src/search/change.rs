//! What a write of a document does to a search index.

use std::sync::Arc;

use super::posting::{SearchDoc, SearchSpec};
use crate::document::Document;
use crate::fields::FieldMask;
use crate::key::Keyspace;
use crate::overlap::CommitKeys;

/// A write's part for one search index.
#[derive(Debug)]
pub(crate) struct SearchChange {
    pub(crate) keyspace: Keyspace,
    /// The length of the text before; `None` when there was none.
    pub(crate) old_length: Option<u32>,
    /// The terms that the document no longer has.
    pub(crate) lost: Vec<Box<str>>,
    /// What the document is from now on; `None` when it has no text, or is gone.
    pub(crate) new: Option<Arc<SearchDoc>>,
}

impl SearchSpec {
    /// What the index knows of a document: nothing when it has no text.
    pub(crate) fn text_of(&self, document: Option<&Document>) -> Option<SearchDoc> {
        document.map(|document| self.read(document)).filter(|read| read.has_text)
    }

    /// Whether a document may be another to the index once these top-level fields have changed.
    fn depends_on(&self, changed: &[&[u8]]) -> bool {
        let fields = std::iter::once(&self.search_field).chain(self.filter_fields.iter());
        let mut names = fields.filter_map(|field| field.fields().first());
        names.any(|name| changed.contains(&name.as_bytes()))
    }
}

impl SearchChange {
    /// What changes when a document becomes another, and the keys that readers may depend on: none when text and filters
    /// stay. `changed` are the top-level fields that differ where there are both.
    pub(crate) fn between(
        spec: &SearchSpec,
        old: Option<&Document>,
        new: Option<&Document>,
        changed: &[&[u8]],
        keys: &mut CommitKeys,
    ) -> Option<Self> {
        if old.is_some() && new.is_some() && !spec.depends_on(changed) {
            return None;
        }
        let (old, new) = (spec.text_of(old), spec.text_of(new));
        if old == new {
            return None;
        }
        push_keys(spec.keyspace, old.as_ref(), new.as_ref(), keys);
        Some(Self::of(spec, old.as_ref(), new))
    }

    /// The entering of a document that the index did not have, by a fill: nobody reads the index yet.
    pub(crate) fn filled(spec: &SearchSpec, document: &Document) -> Self {
        Self::of(spec, None, spec.text_of(Some(document)))
    }

    fn of(spec: &SearchSpec, old: Option<&SearchDoc>, new: Option<SearchDoc>) -> Self {
        let kept = |term: &str| new.as_ref().is_some_and(|new| new.posting(term).is_some());
        let terms = old.iter().flat_map(|old| old.terms.iter());
        let lost = terms.filter(|(term, _)| !kept(term)).map(|(term, _)| term.clone()).collect();
        Self { keyspace: spec.keyspace, old_length: old.map(|old| old.length), lost, new: new.map(Arc::new) }
    }
}

/// Adds a key for each term of both versions, with the filters that the version has: the term, a zero byte, and the
/// hash of each filter field in 8 bytes, big endian.
fn push_keys(keyspace: Keyspace, old: Option<&SearchDoc>, new: Option<&SearchDoc>, keys: &mut CommitKeys) {
    let mut push = |doc: &SearchDoc, term: &str| {
        keys.push_with(keyspace, FieldMask::ALL, |buffer| {
            buffer.extend_from_slice(term.as_bytes());
            buffer.push(0);
            doc.filters.iter().for_each(|hash| buffer.extend_from_slice(&hash.to_be_bytes()));
        });
    };
    let same_filters = old.zip(new).is_some_and(|(old, new)| old.filters == new.filters);
    for doc in old.into_iter() {
        doc.terms.iter().for_each(|(term, _)| push(doc, term));
    }
    for doc in new.into_iter() {
        let told = |term: &str| same_filters && old.is_some_and(|old| old.posting(term).is_some());
        doc.terms.iter().filter(|(term, _)| !told(term)).for_each(|(term, _)| push(doc, term));
    }
}

#[cfg(test)]
mod tests {
    use hull_value::{DocumentId, InternalId, Packed, TableNumber, Value};

    use super::*;

    fn spec() -> SearchSpec {
        SearchSpec {
            keyspace: Keyspace(30),
            search_field: "text".parse().unwrap(),
            filter_fields: Arc::new(["user".parse().unwrap()]),
        }
    }

    fn document(text: Option<&str>, user: &str, other: f64) -> Document {
        let mut fields = std::collections::BTreeMap::new();
        fields.extend(text.map(|text| ("text".to_string(), Value::String(text.into()))));
        fields.insert("user".into(), Value::String(user.into()));
        fields.insert("other".into(), Value::Float64(other));
        let id = DocumentId { table: TableNumber(10_001), internal: InternalId([1; 16]) };
        Document::new(id, 5.0, Packed::encode(&Value::Object(fields)).unwrap())
    }

    type Told = (Vec<(String, u8)>, Option<(Option<u32>, Vec<String>, Option<u32>)>);

    fn told(old: Option<&Document>, new: Option<&Document>) -> Told {
        let changed = match (old, new) {
            (Some(old), Some(new)) => crate::record::changed_fields(&old.value, &new.value),
            _ => Default::default(),
        };
        let mut keys = CommitKeys::with_room(4);
        let change = SearchChange::between(&spec(), old, new, &changed, &mut keys);
        let mut found: Vec<_> = keys
            .iter()
            .map(|(keyspace, _, k)| {
                assert_eq!(keyspace, Keyspace(30));
                let (term, hash) = (&k[..k.len() - 9], k.last_chunk::<8>().unwrap());
                assert_eq!(k[k.len() - 9], 0);
                let users = ["ann", "bob"].map(|u| {
                    super::super::posting::filter_hash(Some(hull_value::ValueRef::String(u))).to_be_bytes()
                });
                let user = users.iter().position(|u| u == hash).unwrap() as u8;
                (String::from_utf8(term.to_vec()).unwrap(), user)
            })
            .collect();
        found.sort();
        let change = change.map(|change| {
            let lost = change.lost.iter().map(|term| term.to_string()).collect();
            (change.old_length, lost, change.new.map(|new| new.length))
        });
        (found, change)
    }

    fn keys(of: &[(&str, u8)]) -> Vec<(String, u8)> {
        of.iter().map(|(term, user)| (term.to_string(), *user)).collect()
    }

    #[test]
    fn every_term_of_both_versions_is_told_once() {
        let (first, second) = (document(Some("a b b"), "ann", 0.0), document(Some("b c"), "ann", 0.0));
        let moved = document(Some("a b b"), "bob", 0.0);
        assert_eq!(told(None, Some(&first)), (keys(&[("a", 0), ("b", 0)]), Some((None, vec![], Some(3)))));
        let lost = vec!["a".to_string()];
        let expected = (keys(&[("a", 0), ("b", 0), ("c", 0)]), Some((Some(3), lost, Some(2))));
        assert_eq!(told(Some(&first), Some(&second)), expected);
        let expected = keys(&[("a", 0), ("a", 1), ("b", 0), ("b", 1)]);
        assert_eq!(told(Some(&first), Some(&moved)), (expected, Some((Some(3), vec![], Some(3)))));
        let lost = vec!["a".to_string(), "b".to_string()];
        assert_eq!(told(Some(&first), None), (keys(&[("a", 0), ("b", 0)]), Some((Some(3), lost, None))));
    }

    #[test]
    fn what_changes_neither_text_nor_filters_tells_nothing() {
        let first = document(Some("Some text"), "ann", 0.0);
        for second in [document(Some("Some text"), "ann", 1.0), document(Some("some, TEXT"), "ann", 1.0)] {
            assert_eq!(told(Some(&first), Some(&second)), (vec![], None));
        }
        let (none, other) = (document(None, "ann", 0.0), document(None, "bob", 0.0));
        assert_eq!(told(None, Some(&none)), (vec![], None));
        assert_eq!(told(Some(&none), Some(&other)), (vec![], None));
        let lost = vec!["some".to_string(), "text".to_string()];
        let expected = (keys(&[("some", 0), ("text", 0)]), Some((Some(2), lost, None)));
        assert_eq!(told(Some(&first), Some(&none)), expected);
        // A text without a token is a text.
        let empty = document(Some("…"), "ann", 0.0);
        assert_eq!(told(Some(&none), Some(&empty)), (vec![], Some((None, vec![], Some(0)))));
    }
}
