//! Holding a snapshot: a state that can be read for as long as wanted, in constant memory, while commits and
//! checkpoints go on.
//!
//! A held T is a timestamp at which storage stood after some checkpoint. Taking a hold therefore waits for the
//! transactions that began before, since a checkpoint goes no further than the oldest of them, and for one checkpoint;
//! it makes no other wait. From then on every checkpoint first stores what it replaces ([`crate::undo`]), and the
//! holder reads storage and that. While a hold lasts the log is kept from its T on, so that a backup and the log after it
//! leave no gap.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hull_value::{TableNumber, Timestamp};
use parking_lot::Mutex;

use crate::catalog::Catalog;
use crate::checkpoint::NOTED_BACKUP;
use crate::engine::{Engine, Inner};
use crate::error::HoldError;
use crate::key::{Keyspace, storage_key};
use crate::log::LogPosition;
use crate::storage::Batch;

/// How often it is looked whether older transactions have ended.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The held snapshots of an engine.
#[derive(Debug)]
pub(crate) struct Holds {
    state: Mutex<State>,
    /// No undo was stored above this.
    undo_to: AtomicU64,
}

#[derive(Debug)]
struct State {
    live: BTreeMap<Timestamp, u32>,
    /// Holds at or below this lack some of their undo.
    lost: Option<Timestamp>,
    /// Whether there may be undo that nobody needs, found from the start on.
    sweep: bool,
    /// Where a sweep under way goes on.
    sweeping: Option<Vec<u8>>,
}

impl Default for Holds {
    fn default() -> Self {
        // What an earlier process left is swept.
        let state = State { live: BTreeMap::new(), lost: None, sweep: true, sweeping: None };
        Self { state: Mutex::new(state), undo_to: AtomicU64::new(0) }
    }
}

impl Holds {
    fn register(self: &Arc<Self>, ts: Timestamp) -> Registered {
        *self.state.lock().live.entry(ts).or_insert(0) += 1;
        Registered { ts, registry: self.clone() }
    }

    /// The newest held snapshot below `c`: the one that a checkpoint to `c` must store undo for.
    pub(crate) fn newest_below(&self, c: Timestamp) -> Option<Timestamp> {
        self.state.lock().live.range(..c).next_back().map(|(ts, _)| *ts)
    }

    /// The oldest held snapshot.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.state.lock().live.first_key_value().map(|(ts, _)| *ts)
    }

    /// How many snapshots are held.
    pub(crate) fn live(&self) -> u64 {
        self.state.lock().live.values().map(|n| u64::from(*n)).sum()
    }

    /// No undo was stored above this; to be asked after storage was read.
    pub(crate) fn undo_to(&self) -> Timestamp {
        Timestamp(self.undo_to.load(Ordering::SeqCst))
    }

    /// Undo for a checkpoint to `c` is about to be stored.
    pub(crate) fn note_undo(&self, c: Timestamp) {
        self.undo_to.fetch_max(c.0, Ordering::SeqCst);
    }

    /// Gives up every held snapshot: its undo cannot be stored.
    pub(crate) fn lose_all(&self) {
        let mut state = self.state.lock();
        let newest = state.live.last_key_value().map(|(ts, _)| *ts);
        state.lost = state.lost.max(newest);
    }

    fn is_lost(&self, ts: Timestamp) -> bool {
        self.state.lock().lost.is_some_and(|lost| ts <= lost)
    }

    pub(crate) fn is_sweep_wanted(&self) -> bool {
        let state = self.state.lock();
        state.sweep || state.sweeping.is_some()
    }

    /// Where the sweep goes on; `None` is its beginning.
    pub(crate) fn sweep_from(&self) -> Option<Vec<u8>> {
        let mut state = self.state.lock();
        if state.sweeping.is_none() {
            state.sweep = false;
        }
        state.sweeping.clone()
    }

    /// All of the undo is to be looked at once more.
    pub(crate) fn sweep_again(&self) {
        self.state.lock().sweep = true;
    }

    /// One batch was swept; `next` is where to go on.
    pub(crate) fn swept(&self, next: Option<Vec<u8>>) {
        self.state.lock().sweeping = next;
    }
}

/// A held timestamp.
#[derive(Debug)]
struct Registered {
    ts: Timestamp,
    registry: Arc<Holds>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut state = self.registry.state.lock();
        if let Some(count) = state.live.get_mut(&self.ts) {
            *count -= 1;
            if *count == 0 {
                state.live.remove(&self.ts);
            }
        }
        state.sweep = true;
    }
}

/// A snapshot that is held. Clones are the same hold, which ends with the last of them.
#[derive(Clone)]
pub struct Hold(pub(crate) Arc<Held>);

/// What a hold consists of.
pub(crate) struct Held {
    pub(crate) inner: Arc<Inner>,
    registered: Registered,
    pub(crate) catalog: Catalog,
    /// A place that the log never ends below.
    pub(crate) position: LogPosition,
}

/// A table of a held snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldTable {
    /// Its name.
    pub name: String,
    /// The number inside its ids.
    pub number: TableNumber,
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hold").field("ts", &self.ts()).finish_non_exhaustive()
    }
}

impl Hold {
    /// The timestamp whose state is held.
    pub fn ts(&self) -> Timestamp {
        self.0.ts()
    }

    /// The tables, sorted by name.
    pub fn tables(&self) -> Vec<HeldTable> {
        let tables = self.0.catalog.tables();
        tables.map(|table| HeldTable { name: table.name.clone(), number: table.number }).collect()
    }

    /// The schema in Convex's JSON form, if there is one.
    pub fn schema_json(&self) -> Option<&str> {
        self.0.catalog.schema_json.as_deref()
    }

    /// Records durably that a backup of this snapshot is safe: from now on the log is kept from here on, until a later
    /// backup is recorded. An older backup than the one that is recorded changes nothing.
    pub fn note_backup(&self) -> Result<(), HoldError> {
        let inner = &self.0.inner;
        let _checkpoints = inner.checkpoints.lock();
        if inner.backup_ts.load(Ordering::Acquire) >= self.ts().0 {
            return Ok(());
        }
        let mut batch = Batch::new();
        batch.put(storage_key(Keyspace::META, NOTED_BACKUP), self.ts().0.to_le_bytes().to_vec());
        inner.write(batch, true)?;
        inner.backup_ts.store(self.ts().0, Ordering::Release);
        Ok(())
    }
}

impl Held {
    pub(crate) fn ts(&self) -> Timestamp {
        self.registered.ts
    }

    /// Refuses what was read from storage when the undo for it is not there.
    pub(crate) fn check(&self) -> Result<(), HoldError> {
        if self.registered.registry.is_lost(self.ts()) { Err(HoldError::Lost) } else { Ok(()) }
    }
}

/// How far the taking of a hold is.
enum Taking {
    /// Storage stands at the held timestamp.
    Stands(Registered),
    /// The checkpoint under way will bring storage there.
    Bound(Registered),
    /// Another checkpoint is under way.
    Busy,
    /// An older transaction is open.
    Waits,
}

impl Engine {
    /// Holds a snapshot that has everything that is durable now. Waits for the transactions that are open and older,
    /// and for a checkpoint; commits go on meanwhile. Must not be called by whoever has such a transaction open.
    pub fn hold(&self) -> Result<Hold, HoldError> {
        let since = self.durable();
        loop {
            match self.inner.try_hold(since)? {
                Some(hold) => return Ok(hold),
                None => std::thread::sleep(LOOK_AGAIN),
            }
        }
    }

    /// As [`Engine::hold`], but returns `None` where that would wait for an open transaction.
    pub fn try_hold(&self) -> Result<Option<Hold>, HoldError> {
        self.inner.try_hold(self.durable())
    }
}

impl Inner {
    fn try_hold(self: &Arc<Self>, since: Timestamp) -> Result<Option<Hold>, HoldError> {
        let registered = loop {
            match self.hold_step(since)? {
                Taking::Stands(registered) => break registered,
                Taking::Bound(registered) => {
                    while self.checkpoints.lock().bound() == Some(registered.ts) {
                        self.checkpoint_step(registered.ts)?;
                    }
                    break registered;
                }
                Taking::Busy => {
                    self.checkpoint_step(since)?;
                }
                Taking::Waits => return Ok(None),
            }
        };
        let position = self.checkpoints.lock().row.position;
        let mut held = Held { inner: self.clone(), registered, catalog: Catalog::default(), position };
        held.catalog = held.load_catalog()?;
        Ok(Some(Hold(Arc::new(held))))
    }

    fn hold_step(&self, since: Timestamp) -> Result<Taking, HoldError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(HoldError::LogFailed);
        }
        if self.commit.lock().closed {
            return Err(HoldError::ShuttingDown);
        }
        let mut checkpoints = self.checkpoints.lock();
        if let Some(bound) = checkpoints.bound() {
            // Above it something may have been dropped that this checkpoint no longer writes.
            return Ok(match bound >= since && self.snapshots.floor() == bound {
                true => Taking::Bound(self.holds.register(bound)),
                false => Taking::Busy,
            });
        }
        // The history before it goes, so that it can be reached.
        let durable = Timestamp(self.durable.load(Ordering::Acquire));
        if self.snapshots.oldest().is_some_and(|oldest| oldest < since) {
            return Ok(Taking::Waits);
        }
        let ts = self.snapshots.raise_floor(durable);
        if ts < since {
            return Ok(Taking::Waits);
        }
        if ts == checkpoints.row.reached {
            return Ok(Taking::Stands(self.holds.register(ts)));
        }
        if let Some(bound) = self.start_checkpoint(&mut checkpoints, ts) {
            return Ok(match bound >= since {
                true => Taking::Bound(self.holds.register(bound)),
                false => Taking::Busy,
            });
        }
        // Storage lacks nothing that was committed, so it also stands at every timestamp up to the newest commit.
        if self.commit.lock().dirty.is_empty() {
            return Ok(Taking::Stands(self.holds.register(ts)));
        }
        Ok(Taking::Busy)
    }
}
