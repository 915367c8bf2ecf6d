//! The overlay of one table: its documents and index entries in memory, as version chains.
//!
//! Guarantees: what a registered snapshot may see is here until it is in storage. A resident document has an entry in
//! every index of its table, so that an overlay entry always decides over what storage holds for the same key.
//! A *complete* table holds everything, and storage is never asked about it. One lock protects all of a table; it is
//! taken after the commit lock and held over a chunk of a scan at most.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use hull_value::{FieldPath, TableNumber, Timestamp, ValueRef, write_sort_key};
use parking_lot::RwLock;

use crate::counters::Counters;
use crate::document::Document;
use crate::key::{Key, Keyspace, key};
use crate::rows::Rows;
use crate::search::{SearchChange, SearchStore};
use crate::slot::{SLOT_BYTES, Slot, SlotId, Slots, Version};
use crate::transaction::Read;

mod entry;
mod keys;
mod searches;
mod stored;

use entry::{ENTRY_BYTES, Entry};

/// An index as the overlay needs it.
#[derive(Clone, Debug)]
pub(crate) struct IndexSpec {
    pub(crate) keyspace: Keyspace,
    pub(crate) fields: Arc<[FieldPath]>,
}

impl IndexSpec {
    /// The key of a document: its fields, its creation time, its id.
    pub(crate) fn key_of(&self, document: &Document, buffer: &mut Vec<u8>) -> Key {
        buffer.clear();
        self.write_key(document, buffer);
        key(buffer)
    }

    /// Appends the key of a document.
    pub(crate) fn write_key(&self, document: &Document, buffer: &mut Vec<u8>) {
        if let ValueRef::Object(object) = document.value.as_ref() {
            for field in self.fields.iter() {
                write_sort_key(object.get_path(field), buffer);
            }
        }
        write_sort_key(Some(ValueRef::Float64(document.creation_time)), buffer);
        buffer.extend_from_slice(&document.id.internal.0);
    }

    /// Whether a document may have another key once these top-level fields have changed.
    pub(crate) fn depends_on(&self, changed: &[&[u8]]) -> bool {
        let mut names = self.fields.iter().filter_map(|field| field.fields().first());
        names.any(|name| changed.contains(&name.as_bytes()))
    }
}

/// How much of a table is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Residency {
    /// Everything.
    Complete,
    /// What storage lacks; and nothing clean is dropped, since the rest is on its way.
    Loading,
    /// What storage lacks.
    Partial,
}

#[derive(Debug)]
struct Index {
    spec: IndexSpec,
    entries: BTreeMap<Key, Entry>,
}

#[derive(Debug)]
struct State {
    residency: Residency,
    slots: Slots,
    /// The number of each document's slot.
    documents: BTreeMap<Key, u32>,
    indexes: Vec<Index>,
}

/// The overlay of one table.
#[derive(Debug)]
pub(crate) struct TableStore {
    pub(crate) number: TableNumber,
    pub(crate) by_id: Keyspace,
    state: RwLock<State>,
    searches: RwLock<Vec<Arc<SearchStore>>>,
    pub(crate) counters: Counters,
    bytes: AtomicI64,
    /// Whether the table is too large to be loaded.
    pub(crate) declined: AtomicBool,
}

/// What a write does to one index key of its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The key is the same before and after.
    Kept,
    /// The document has the key from now on.
    Gained,
    /// The document no longer has the key.
    Lost,
}

/// One index key of a write.
#[derive(Clone, Debug)]
pub(crate) struct KeyChange {
    pub(crate) keyspace: Keyspace,
    pub(crate) change: Change,
    pub(crate) key: Key,
}

/// One document's part of a commit, ready to be applied.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) store: Arc<TableStore>,
    pub(crate) key: Key,
    pub(crate) slot: Option<SlotId>,
    /// The version that was read, where the write needed to read one.
    pub(crate) base: Option<Version>,
    /// The new version; `None` within `Some` is a deletion, `None` leaves the document as it is.
    pub(crate) new: Option<Option<Document>>,
    /// The document's index keys; empty when it keeps all of them.
    pub(crate) keys: Vec<KeyChange>,
    /// What becomes of the document in search indexes that it changes in.
    pub(crate) searches: Vec<SearchChange>,
}

/// Something that storage lacks.
#[derive(Debug)]
pub(crate) struct Dirty {
    pub(crate) store: Arc<TableStore>,
    /// The `by_id` keyspace for the document itself.
    pub(crate) keyspace: Keyspace,
    pub(crate) key: Key,
}

impl Dirty {
    /// Whether it is the document itself, and not one of its index entries.
    pub(crate) fn is_document(&self) -> bool {
        self.keyspace == self.store.by_id
    }
}

/// What applying a write did to the memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Applied {
    /// Bytes of the version that is no longer the newest.
    pub(crate) superseded: usize,
    /// Bytes that storage lacks since.
    pub(crate) dirtied: usize,
}

/// A found document.
pub(crate) enum Found {
    /// It is here: the version and its slot.
    Here(SlotId, Option<Document>, Timestamp),
    /// There is none.
    Absent,
    /// Storage must be asked.
    AskStorage,
}

/// How far a chunk of a scan of the overlay reaches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk {
    /// Whether the range holds no more.
    pub(crate) exhausted: bool,
    /// Whether storage holds nothing beside it.
    pub(crate) complete: bool,
}

/// A key of a scan and the version that is seen under it.
struct Step<'a> {
    key: &'a Key,
    version: Option<&'a Version>,
    slot: Option<SlotId>,
}

/// So many documents are looked for before the first is taken, so that the processor waits for them all at once.
const AHEAD: usize = 32;

/// Appends the steps to `rows` until there are `limit`; returns whether there were no more.
fn collect<'a>(
    mut steps: impl Iterator<Item = Step<'a>>,
    limit: usize,
    with_keys: bool,
    rows: &mut Rows,
) -> bool {
    let mut near: Vec<Step<'a>> = Vec::with_capacity(limit.min(AHEAD));
    loop {
        let wanted = AHEAD.min(limit.saturating_sub(rows.reads.len()));
        let mut first_bytes = 0;
        while near.len() < wanted {
            let Some(step) = steps.next() else { break };
            if let Some(document) = step.version.and_then(|version| version.document.as_ref()) {
                first_bytes ^= document.value.bytes().first().copied().unwrap_or_default();
            }
            near.push(step);
        }
        std::hint::black_box(first_bytes);
        rows.reads.extend(near.iter().map(|Step { version, slot, .. }| {
            let version = (*version)?;
            Some(Read { document: version.document.clone()?, slot: *slot, ts: version.ts })
        }));
        if with_keys {
            rows.keys.extend(near.iter().map(|step| step.key.clone()));
        }
        if near.len() < wanted || rows.reads.len() >= limit {
            return near.len() < wanted;
        }
        near.clear();
    }
}

impl State {
    /// The slot of the document under `k`, and its number.
    fn slot_of(&self, k: &[u8]) -> Option<(u32, &Slot)> {
        let at = *self.documents.get(k)?;
        self.slots.get(at).map(|slot| (at, slot))
    }
}

impl TableStore {
    pub(crate) fn new(
        number: TableNumber,
        by_id: Keyspace,
        indexes: Vec<IndexSpec>,
        residency: Residency,
    ) -> Self {
        let indexes = indexes.into_iter().map(|spec| Index { spec, entries: BTreeMap::new() }).collect();
        Self {
            number,
            by_id,
            state: RwLock::new(State {
                residency,
                slots: Slots::default(),
                documents: BTreeMap::new(),
                indexes,
            }),
            searches: RwLock::default(),
            counters: Counters::new(residency),
            bytes: AtomicI64::new(0),
            declined: AtomicBool::new(false),
        }
    }

    /// Adds the indexes that are new.
    pub(crate) fn add_indexes(&self, specs: &[IndexSpec]) {
        let missing =
            |state: &State, spec: &IndexSpec| !state.indexes.iter().any(|i| i.spec.keyspace == spec.keyspace);
        if !specs.iter().any(|spec| missing(&self.state.read(), spec)) {
            return;
        }
        let mut state = self.state.write();
        for spec in specs {
            if missing(&state, spec) {
                state.indexes.push(Index { spec: spec.clone(), entries: BTreeMap::new() });
            }
        }
    }

    /// Takes over the indexes that the catalog declares, dropping those it no longer does.
    pub(crate) fn set_indexes(&self, specs: &[IndexSpec]) {
        let mut state = self.state.write();
        let mut old = std::mem::take(&mut state.indexes);
        for spec in specs {
            let at = old.iter().position(|i| i.spec.keyspace == spec.keyspace);
            let entries = at.map(|at| old.swap_remove(at).entries).unwrap_or_default();
            state.indexes.push(Index { spec: spec.clone(), entries });
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        let own = self.bytes.load(Ordering::Relaxed).max(0) as u64;
        own + self.searches().iter().map(|search| search.bytes()).sum::<u64>()
    }

    fn grow(&self, bytes: isize) {
        self.bytes.fetch_add(bytes as i64, Ordering::Relaxed);
    }

    pub(crate) fn residency(&self) -> Residency {
        self.state.read().residency
    }

    /// The document under `k` as of `ts`.
    pub(crate) fn get(&self, k: &[u8], ts: Timestamp) -> Found {
        let state = self.state.read();
        if let Some((at, slot)) = state.slot_of(k)
            && let Some(version) = slot.at(ts)
        {
            return Found::Here(Slots::id(at, slot), version.document.clone(), version.ts);
        }
        if state.residency == Residency::Complete { Found::Absent } else { Found::AskStorage }
    }

    #[allow(clippy::too_many_arguments, reason = "a range, an order, a limit and a snapshot")]
    /// Appends the next rows of the range in `keyspace`, which is `by_id` or an index, until `rows` has `limit` of them.
    /// Their keys come along where the documents don't tell them, or where storage has to be asked as well.
    pub(crate) fn scan(
        &self,
        keyspace: Keyspace,
        start: &[u8],
        end: Option<&[u8]>,
        reverse: bool,
        limit: usize,
        ts: Timestamp,
        rows: &mut Rows,
    ) -> Chunk {
        let state = self.state.read();
        let complete = state.residency == Residency::Complete;
        if end.is_some_and(|end| end <= start) {
            return Chunk { exhausted: true, complete };
        }
        let with_keys = !complete || keyspace.is_system();
        let range = (Bound::Included(start), end.map_or(Bound::Unbounded, Bound::Excluded));
        let exhausted = if keyspace == self.by_id {
            let steps = state.documents.range::<[u8], _>(range).filter_map(|(k, at)| {
                let slot = state.slots.get(*at)?;
                // A chain that begins later says nothing about storage.
                let version = slot.at(ts)?;
                let version = version.document.is_some().then_some(version);
                let step = Step { key: k, version, slot: Some(Slots::id(*at, slot)) };
                (version.is_some() || !complete).then_some(step)
            });
            if reverse {
                collect(steps.rev(), limit, with_keys, rows)
            } else {
                collect(steps, limit, with_keys, rows)
            }
        } else if let Some(index) = state.indexes.iter().find(|i| i.spec.keyspace == keyspace) {
            let steps = index.entries.range::<[u8], _>(range).filter_map(|(k, entry)| {
                // What has lost its key may have left its slot.
                let slot = if entry.at(ts) == Some(true) { state.slots.get(entry.slot) } else { None };
                let version = slot.and_then(|slot| slot.at(ts)).filter(|version| version.document.is_some());
                let slot = slot.map(|slot| Slots::id(entry.slot, slot));
                (version.is_some() || !complete).then_some(Step { key: k, version, slot })
            });
            if reverse {
                collect(steps.rev(), limit, with_keys, rows)
            } else {
                collect(steps, limit, with_keys, rows)
            }
        } else {
            true
        };
        Chunk { exhausted, complete }
    }

    /// Applies one write at `ts`, keeping what snapshots at `floor` or above may see.
    pub(crate) fn apply(write: Write, ts: Timestamp, floor: Timestamp, dirty: &mut Vec<Dirty>) -> Applied {
        let Write { store, key: by_id, slot, base, mut new, mut keys, searches } = write;
        let mut applied = store.apply_searches(&by_id, searches, ts, floor);
        if new.is_none() && keys.iter().all(|k| k.change == Change::Kept) {
            // The document stays as it is, and so do its keys.
            return applied;
        }
        let mut guard = store.state.write();
        let state = &mut *guard;
        if keys.iter().all(|k| k.change == Change::Kept)
            && let Some(slot) = slot.and_then(|id| state.slots.kept(id))
            && let Some(document) = new.take()
        {
            let pushed = slot.push(Version { ts, document }, floor);
            let was_dirty = std::mem::replace(&mut slot.dirty, true);
            drop(guard);
            store.grow(pushed.grown);
            applied.superseded += pushed.superseded;
            if !was_dirty {
                applied.dirtied += pushed.added + size_of::<Dirty>();
                dirty.push(Dirty { keyspace: store.by_id, store, key: by_id });
            }
            return applied;
        }
        if keys.is_empty()
            && let Some(document) = new.as_ref().and_then(Option::as_ref)
        {
            let mut buffer = Vec::new();
            let kept = |index: &Index| KeyChange {
                keyspace: index.spec.keyspace,
                change: Change::Kept,
                key: index.spec.key_of(document, &mut buffer),
            };
            keys = state.indexes.iter().map(kept).collect();
        }
        let mut grown = 0_isize;
        let mut base_ts = None;
        let (at, fresh) = match state.documents.get(&by_id) {
            Some(at) => (*at, false),
            None => {
                let first = match (base, &new) {
                    (Some(base), _) => {
                        base_ts = Some(base.ts);
                        base
                    }
                    (None, Some(new)) => Version { ts, document: new.clone() },
                    // Nothing is known of the document and nothing is written to it.
                    (None, None) => return applied,
                };
                let is_new = base_ts.is_none();
                let at = state.slots.insert(first, false).at;
                grown += (SLOT_BYTES + state.slots.get(at).map_or(0, Slot::bytes)) as isize;
                state.documents.insert(by_id.clone(), at);
                (at, is_new)
            }
        };
        if let Some(new) = new
            && let Some(slot) = state.slots.get_mut(at)
        {
            let mut added = grown as usize;
            if !fresh {
                let pushed = slot.push(Version { ts, document: new }, floor);
                grown += pushed.grown;
                applied.superseded += pushed.superseded;
                added = pushed.added;
            }
            if !std::mem::replace(&mut slot.dirty, true) {
                applied.dirtied += added + size_of::<Dirty>();
                dirty.push(Dirty { store: store.clone(), keyspace: store.by_id, key: by_id });
            }
        }
        for change in keys {
            let Some(index) = state.indexes.iter_mut().find(|i| i.spec.keyspace == change.keyspace) else {
                continue;
            };
            let resident_since = base_ts.or(fresh.then_some(ts));
            let entry = match index.entries.entry(change.key.clone()) {
                std::collections::btree_map::Entry::Occupied(place) => Some(place.into_mut()),
                std::collections::btree_map::Entry::Vacant(place) => {
                    let first = match change.change {
                        Change::Gained => Some((ts, true)),
                        Change::Lost => match base_ts {
                            Some(base) => Some((base, true)),
                            None => Some((ts, false)),
                        },
                        Change::Kept => resident_since.map(|since| (since, true)),
                    };
                    first.map(|(since, present)| {
                        grown += (ENTRY_BYTES + change.key.len().saturating_sub(40)) as isize;
                        place.insert(Entry::new(at, since, present, false))
                    })
                }
            };
            let Some(entry) = entry else { continue };
            entry.slot = at;
            if change.change == Change::Kept {
                continue;
            }
            let present = change.change == Change::Gained;
            if entry.since != ts && (entry.present != present || entry.since < ts) {
                entry.push(ts, present, floor);
            }
            if !std::mem::replace(&mut entry.dirty, true) {
                applied.dirtied += ENTRY_BYTES + size_of::<Dirty>();
                dirty.push(Dirty { store: store.clone(), keyspace: change.keyspace, key: change.key });
            }
        }
        drop(guard);
        store.grow(grown);
        applied
    }
}
