//! Verifying a held snapshot: every stored value, every document against its validator and its index entries, every index
//! entry against its document, every posting of a search index. Streams; what it keeps in memory is bounded.
//!
//! It reads storage and nothing that is in memory besides, so it finds what a restart would find.

use hull_model::{CREATION_TIME_FIELD, ID_FIELD};
use hull_value::{DocumentId, InternalId, Packed, TableNumber, Timestamp, ValueRef};

use crate::catalog::{IndexInfo, TableInfo};
use crate::document::Document;
use crate::engine::Engine;
use crate::error::HoldError;
use crate::held::id_of;
use crate::hold::{Held, Hold};
use crate::key::{Keyspace, storage_end, storage_key};
use crate::rebuild::{known_keyspaces, stored_keyspace};
use crate::storage::{Entry, StorageError};

mod postings;

/// So many findings are named for a table or an index; the others are only counted.
const NAMED: u64 = 100;
const CHUNK_KEYS: usize = 256;
const CHUNK_BYTES: usize = 1 << 20;

/// How far a verification is; told after every chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifyProgress {
    /// The documents of a table are read.
    Documents {
        /// The table.
        table: String,
        /// Documents so far.
        documents: u64,
    },
    /// The entries of an index are read.
    Index {
        /// The table.
        table: String,
        /// The index.
        index: String,
        /// Entries so far.
        entries: u64,
    },
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// The snapshot that was verified.
    pub ts: Timestamp,
    /// The tables by name, then the engine's own, whose names begin with `_`.
    pub tables: Vec<VerifiedTable>,
    /// What is wrong: the first hundred of each table and index.
    pub findings: Vec<Finding>,
    /// Keys that belong to nothing. They do no harm, and a rebuild removes them.
    pub stray_keys: u64,
}

/// What was found in a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifiedTable {
    /// The table.
    pub name: String,
    /// Documents that can be read.
    pub documents: u64,
    /// Documents that cannot: rebuilding the store brings them back.
    pub damaged: u64,
    /// Documents that do not match the schema.
    pub invalid: u64,
    /// The indexes, first the one on the creation time, then the search indexes.
    pub indexes: Vec<VerifiedIndex>,
}

/// What was found in an index, or in a search index, whose entries are its postings: one for each term of each document.
/// [`Engine::rebuild_index`] mends all of it. Of a search index, once some hundreds are wrong, at least so many are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifiedIndex {
    /// The index.
    pub name: String,
    /// Entries.
    pub entries: u64,
    /// Documents that have no entry; of a search index, postings that are not there.
    pub missing: u64,
    /// Entries that are damaged, or whose document is not there or has another key; of a search index, also blocks that
    /// are damaged, and statistics that are wrong.
    pub orphaned: u64,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The table.
    pub table: String,
    /// The index, where it is about one.
    pub index: Option<String>,
    /// The document, where it is known.
    pub id: Option<DocumentId>,
    /// What is wrong, as a sentence.
    pub detail: String,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.stray_keys == 0
    }
}

impl Engine {
    /// Verifies everything that storage holds of a snapshot. An error means that the store cannot even be walked; then
    /// only a rebuild helps.
    pub fn verify(
        &self,
        hold: &Hold,
        progress: &mut dyn FnMut(VerifyProgress),
    ) -> Result<VerifyReport, HoldError> {
        let held = &*hold.0;
        let report = VerifyReport { ts: hold.ts(), tables: Vec::new(), findings: Vec::new(), stray_keys: 0 };
        let mut verifying = Verifying { held, report, progress };
        for table in held.catalog.tables() {
            let mut verified = verifying.documents(table)?;
            for index in &table.indexes {
                let at = verified.indexes.iter_mut().find(|i| i.name == name_of(index));
                verifying.entries(table, index, at)?;
            }
            for search in &table.searches {
                let found = verifying.search(table, search, verified.damaged > 0)?;
                verified.indexes.push(found);
            }
            verifying.report.tables.push(verified);
        }
        for table in &held.inner.system {
            let verified = verifying.documents(table)?;
            verifying.report.tables.push(verified);
        }
        verifying.strays()?;
        Ok(verifying.report)
    }
}

fn name_of(index: &IndexInfo) -> &str {
    index.names.first().map_or("", String::as_str)
}

struct Verifying<'a> {
    held: &'a Held,
    report: VerifyReport,
    progress: &'a mut dyn FnMut(VerifyProgress),
}

/// A chunk of a range; and the key behind it whose value is damaged, if that ended the chunk.
struct Tolerant {
    entries: Vec<Entry>,
    next: Option<Vec<u8>>,
    damaged: Option<Vec<u8>>,
}

impl Verifying<'_> {
    /// As [`Held::range`], but goes on behind a damaged value.
    fn range(&self, from: &[u8], end: &[u8]) -> Result<Tolerant, HoldError> {
        match self.held.range(from, Some(end), CHUNK_KEYS, CHUNK_BYTES) {
            Ok((entries, next)) => Ok(Tolerant { entries, next, damaged: None }),
            Err(HoldError::Storage(StorageError::Checksum { key })) if from <= &key[..] && &key[..] < end => {
                let (entries, next) = self.held.range(from, Some(&key), CHUNK_KEYS, CHUNK_BYTES)?;
                match next {
                    Some(next) => Ok(Tolerant { entries, next: Some(next), damaged: None }),
                    None => {
                        let next = Some([&key[..], &[0]].concat());
                        Ok(Tolerant { entries, next, damaged: Some(key) })
                    }
                }
            }
            Err(error) => Err(error),
        }
    }

    fn find(&mut self, count: &mut u64, finding: Finding) {
        *count += 1;
        if *count <= NAMED {
            self.report.findings.push(finding);
        }
    }

    fn documents(&mut self, table: &TableInfo) -> Result<VerifiedTable, HoldError> {
        let mut verified = VerifiedTable { name: table.name.clone(), ..VerifiedTable::default() };
        verified.indexes.extend(
            table
                .indexes
                .iter()
                .map(|i| VerifiedIndex { name: name_of(i).into(), ..VerifiedIndex::default() }),
        );
        let about = |k: &[u8], index: Option<&IndexInfo>, detail: String| Finding {
            table: table.name.clone(),
            index: index.map(|i| name_of(i).into()),
            id: id(table, k),
            detail,
        };
        let (mut from, end) = (storage_key(table.by_id, b""), storage_end(table.by_id));
        let mut buffer = Vec::new();
        loop {
            let chunk = self.range(&from, &end)?;
            for (stored_key, stored) in chunk.entries {
                let k = stored_key.get(4..).unwrap_or_default();
                let document = match parse(table, k, &stored) {
                    Ok(document) => document,
                    Err(detail) => {
                        self.find(&mut verified.damaged, about(k, None, detail));
                        continue;
                    }
                };
                verified.documents += 1;
                let checked = table.validator.as_ref().map_or(Ok(()), |validator| {
                    validator.check_document(document.value.as_ref(), &self.held.catalog)
                });
                if let Err(error) = checked {
                    let detail = format!("the document does not match the schema: {error}");
                    self.find(&mut verified.invalid, about(k, None, detail));
                }
                for (index, found) in table.indexes.iter().zip(&mut verified.indexes) {
                    let entry = storage_key(index.spec.keyspace, &index.spec.key_of(&document, &mut buffer));
                    let present = match self.held.get(&entry) {
                        // Found again among the entries.
                        Err(HoldError::Storage(StorageError::Checksum { .. })) => true,
                        other => other?.is_some(),
                    };
                    if index.ready && !present {
                        let detail = "the document has no entry in the index".into();
                        self.find(&mut found.missing, about(k, Some(index), detail));
                    }
                }
            }
            if let Some(damaged) = chunk.damaged {
                let k = damaged.get(4..).unwrap_or_default();
                self.find(&mut verified.damaged, about(k, None, "the value fails its checksum".into()));
            }
            (self.progress)(VerifyProgress::Documents {
                table: table.name.clone(),
                documents: verified.documents,
            });
            match chunk.next {
                Some(next) => from = next,
                None => return Ok(verified),
            }
        }
    }

    fn entries(
        &mut self,
        table: &TableInfo,
        index: &IndexInfo,
        verified: Option<&mut VerifiedIndex>,
    ) -> Result<(), HoldError> {
        let Some(verified) = verified else { return Ok(()) };
        let about = |k: &[u8], detail: &str| Finding {
            table: table.name.clone(),
            index: Some(name_of(index).into()),
            id: id(table, id_of(k)),
            detail: detail.into(),
        };
        let keyspace = index.spec.keyspace;
        let (mut from, end) = (storage_key(keyspace, b""), storage_end(keyspace));
        let mut buffer = Vec::new();
        loop {
            let chunk = self.range(&from, &end)?;
            for (stored_key, value) in chunk.entries {
                let k = stored_key.get(4..).unwrap_or_default();
                verified.entries += 1;
                let detail = match self.held.get(&storage_key(table.by_id, id_of(k))) {
                    // Counted with the documents.
                    Err(HoldError::Storage(StorageError::Checksum { .. })) => continue,
                    found => match found?.map(|stored| parse(table, id_of(k), &stored)) {
                        None => "an entry names a document that is not there",
                        // Counted with the documents.
                        Some(Err(_)) => continue,
                        Some(Ok(document)) if index.spec.key_of(&document, &mut buffer)[..] != *k => {
                            "an entry is not that of its document"
                        }
                        Some(Ok(_)) if !value.is_empty() => "an entry has a value",
                        Some(Ok(_)) => continue,
                    },
                };
                self.find(&mut verified.orphaned, about(k, detail));
            }
            if let Some(damaged) = chunk.damaged {
                let k = damaged.get(4..).unwrap_or_default();
                self.find(&mut verified.orphaned, about(k, "an entry fails its checksum"));
            }
            (self.progress)(VerifyProgress::Index {
                table: table.name.clone(),
                index: name_of(index).into(),
                entries: verified.entries,
            });
            match chunk.next {
                Some(next) => from = next,
                None => return Ok(()),
            }
        }
    }

    /// Counts the keys in keyspaces that nothing in the catalog names.
    fn strays(&mut self) -> Result<(), HoldError> {
        let known = known_keyspaces(&self.held.catalog);
        let mut from = storage_key(Keyspace::FIRST_USER, b"");
        loop {
            let found = match self.held.range(&from, None, 1, 0) {
                Ok((entries, next)) => match (entries.into_iter().next(), next) {
                    (Some((key, _)), _) => key,
                    // Deleted since, or not yet there.
                    (None, Some(next)) => {
                        from = next;
                        continue;
                    }
                    (None, None) => return Ok(()),
                },
                Err(HoldError::Storage(StorageError::Checksum { key })) => key,
                Err(error) => return Err(error),
            };
            let Some(keyspace) = stored_keyspace(&found) else { return Ok(()) };
            let end = storage_end(keyspace);
            if !known.contains(&keyspace) {
                let mut start = Some(storage_key(keyspace, b""));
                while let Some(next) = start {
                    let chunk = self.range(&next, &end)?;
                    self.report.stray_keys += chunk.entries.len() as u64 + u64::from(chunk.damaged.is_some());
                    start = chunk.next;
                }
            }
            from = end;
        }
    }
}

fn id(table: &TableInfo, k: &[u8]) -> Option<DocumentId> {
    let internal = InternalId(k.try_into().ok()?);
    (table.number != TableNumber(0)).then_some(DocumentId { table: table.number, internal })
}

/// Reads a stored document without trusting any of it; the error says what is wrong.
fn parse(table: &TableInfo, k: &[u8], stored: &[u8]) -> Result<Document, String> {
    let (_, value) = stored.split_first_chunk::<8>().ok_or("the document is cut short")?;
    let value = Packed::from_bytes(value).map_err(|e| format!("the document cannot be read: {e}"))?;
    let document = Document::stored(table.number, k, value).map_err(|e| e.to_string())?;
    if table.number == TableNumber(0) {
        return Ok(document);
    }
    let fields = document.value.as_object();
    let text = match fields.and_then(|fields| fields.get(ID_FIELD)) {
        Some(ValueRef::String(text)) => text.to_owned(),
        _ => return Err(format!("the document has no `{ID_FIELD}`")),
    };
    if text != document.id.to_string() {
        return Err(format!("the document's `{ID_FIELD}` is {text}, and it is stored as {}", document.id));
    }
    if !document.creation_time.is_finite() {
        return Err(format!("the document's `{CREATION_TIME_FIELD}` is no time"));
    }
    Ok(document)
}
