//! Snapshots: a snapshot is a timestamp, registered while it lives.
//!
//! What a registered snapshot may see is kept: chains are trimmed and storage is written only up to a timestamp that
//! is chosen under the same lock as snapshots are registered under, and from then on nothing older can be registered.

use std::collections::BTreeMap;
use std::sync::Arc;

use hull_value::Timestamp;
use parking_lot::Mutex;

/// The registered snapshots of an engine.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    live: BTreeMap<Timestamp, u32>,
    /// Nothing older may be registered.
    floor: Timestamp,
}

impl Snapshots {
    /// Registers the timestamp that `choose` gives, under the lock; `Err` is the oldest that could be registered.
    pub(crate) fn register(
        self: &Arc<Self>,
        choose: impl FnOnce() -> Timestamp,
    ) -> Result<Snapshot, (Timestamp, Timestamp)> {
        let mut inner = self.inner.lock();
        let ts = choose();
        if ts < inner.floor {
            return Err((ts, inner.floor));
        }
        *inner.live.entry(ts).or_insert(0) += 1;
        drop(inner);
        Ok(Snapshot { ts, registry: self.clone() })
    }

    /// Raises the floor to `wanted`, or as far as the registered snapshots let it; returns where it is.
    pub(crate) fn raise_floor(&self, wanted: Timestamp) -> Timestamp {
        let mut inner = self.inner.lock();
        let oldest = inner.live.first_key_value().map_or(wanted, |(ts, _)| (*ts).min(wanted));
        inner.floor = inner.floor.max(oldest);
        inner.floor
    }

    /// The oldest timestamp that can be registered.
    pub(crate) fn floor(&self) -> Timestamp {
        self.inner.lock().floor
    }

    /// The oldest that is registered.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.inner.lock().live.first_key_value().map(|(ts, _)| *ts)
    }

    /// How many snapshots are registered.
    pub(crate) fn live(&self) -> u64 {
        self.inner.lock().live.values().map(|n| u64::from(*n)).sum()
    }
}

/// A registered snapshot; dropping it lets go of what only it could see.
#[derive(Debug)]
pub(crate) struct Snapshot {
    ts: Timestamp,
    registry: Arc<Snapshots>,
}

impl Snapshot {
    pub(crate) fn ts(&self) -> Timestamp {
        self.ts
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let mut inner = self.registry.inner.lock();
        if let Some(count) = inner.live.get_mut(&self.ts) {
            *count -= 1;
            if *count == 0 {
                inner.live.remove(&self.ts);
            }
        }
    }
}
