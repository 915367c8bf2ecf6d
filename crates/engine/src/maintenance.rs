//! The background thread: trims history, takes checkpoints, loads and lets go of tables.
//!
//! It holds the engine weakly and ends with it. Everything it does can be done step by step without it, for tests.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use hull_value::Timestamp;

use crate::checkpoint::CheckpointStep;
use crate::engine::{End, Engine, Inner};
use crate::error::OpenError;
use crate::metrics::EngineMetrics;

/// What a clean end spends on its checkpoint.
const LAST_CHECKPOINT: Duration = Duration::from_secs(8);
const TICK: Duration = Duration::from_millis(50);
/// A checkpoint begins at least this often while there is something to write.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
/// The pause between the batches of a checkpoint that is in no hurry.
const PACE: Duration = Duration::from_millis(5);
/// A checkpoint begins, whatever the history, when the log has grown by this since the last one. A start replays some
/// 300 MiB a second; the less often documents that change all the time are written, the better.
const LOG_BYTES: u64 = 256 << 20;

/// What storage may lack at most, whatever the memory: the next start replays it before it answers.
const MOST_UNSTORED: u64 = 256 << 20;

/// The commits that leave the history while the commit lock is held.
const MOST_DROPPED: usize = 10_000;

/// What a commit waits when the overlay is halfway between where delays begin and what it may hold for storage.
const MIDDLE_DELAY: Duration = Duration::from_millis(5);
/// What it waits at most.
const LONGEST_DELAY: Duration = Duration::from_millis(500);

/// Starts the thread.
pub(crate) fn start(inner: &Arc<Inner>) -> Result<(), OpenError> {
    let (weak, end) = (Arc::downgrade(inner), inner.end.clone());
    end.set_running(true);
    let ended = end.clone();
    let spawned = std::thread::Builder::new().name("hull-maintenance".into()).spawn(move || {
        run(&weak, &end);
        end.set_running(false);
    });
    spawned.map(|_| ()).map_err(|error| {
        ended.set_running(false);
        OpenError::Io { directory: "thread".into(), error }
    })
}

fn run(weak: &Weak<Inner>, end: &End) {
    let mut state = Rounds { last: Instant::now(), log_bytes: 0 };
    let mut pause = TICK;
    while !end.wait(pause) {
        let Some(inner) = weak.upgrade() else { return };
        pause = inner.tick(&mut state);
    }
}

/// What the background thread remembers.
struct Rounds {
    /// When the last checkpoint was complete.
    last: Instant,
    /// What the log kept then.
    log_bytes: u64,
}

impl Inner {
    /// One round of the background thread; returns how long to wait for the next.
    fn tick(self: &Arc<Self>, rounds: &mut Rounds) -> Duration {
        let history_start = self.trim_history(false);
        let dirty = self.commit.lock().unstored();
        let log_bytes = self.log.stats().kept_bytes;
        // Before delays begin, and well after what a small hot set keeps dirty.
        let hurry = dirty > self.unstored_limit() / 8 * 3 || log_bytes > rounds.log_bytes + LOG_BYTES;
        let due = dirty > 0 && rounds.last.elapsed() >= CHECKPOINT_EVERY;
        let mut pause = TICK;
        let running = self.is_checkpointing();
        if hurry || due || running {
            // History is the first thing to go.
            let wanted = if hurry && !running { self.trim_history(true) } else { history_start };
            match self.checkpoint_step(wanted) {
                Ok(CheckpointStep::More) => pause = if hurry { Duration::ZERO } else { PACE },
                Ok(CheckpointStep::Done) => {
                    *rounds = Rounds { last: Instant::now(), log_bytes: self.log.stats().kept_bytes };
                }
                Ok(CheckpointStep::Idle) => {}
                Err(error) => {
                    tracing::error!(%error, "a checkpoint failed and will be repeated");
                    return Duration::from_secs(1);
                }
            }
        }
        let loading = self.residency_step();
        match &loading {
            Ok(true) => pause = pause.min(Duration::from_millis(1)),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "a table could not be loaded"),
        }
        match self.sweep_hidden().and_then(|()| self.clean_dropped()) {
            Ok(true) => pause = pause.min(PACE),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "dropped indexes and tables could not be removed"),
        }
        match self.counters_step(loading.is_ok_and(|loading| loading)) {
            Ok(true) => pause = pause.min(Duration::from_millis(1)),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "counters could not be built"),
        }
        match self.sweep_undo() {
            Ok(true) => pause = pause.min(PACE),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "what held snapshots no longer need could not be removed"),
        }
        pause
    }

    /// The checkpoint of a clean end: what is not stored when its time is over is replayed from the log.
    pub(crate) fn last_checkpoint(&self) {
        let started = Instant::now();
        while self.background && !self.failed.load(Ordering::Acquire) && started.elapsed() < LAST_CHECKPOINT {
            let running = self.is_checkpointing();
            let wanted = Timestamp(self.durable.load(Ordering::Acquire));
            match self.checkpoint_step(wanted) {
                Ok(CheckpointStep::More) => {}
                // One that began before the last commits is followed by one that holds them.
                Ok(CheckpointStep::Done) if running => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, "the last checkpoint failed; the log will be replayed");
                    return;
                }
            }
        }
    }

    /// What the overlay may hold for storage.
    fn unstored_limit(&self) -> u64 {
        (self.memory_budget / 4).min(MOST_UNSTORED)
    }

    /// How long a writer waits before it begins, so that checkpoints keep up: almost always not at all. Nothing up to
    /// half of what the overlay may hold for storage, then the longer the less room is left.
    pub(crate) fn delay(&self) -> Duration {
        let half = self.unstored_limit() / 2;
        let unstored = self.dirty_bytes.load(Ordering::Relaxed);
        if unstored <= half || !self.background {
            return Duration::ZERO;
        }
        let excess = (unstored - half) as f64 / half.max(1) as f64;
        MIDDLE_DELAY.mul_f64(excess / (1.0 - excess).max(0.001)).min(LONGEST_DELAY)
    }

    /// Drops history beyond its bounds, or all of it; returns where it begins.
    pub(crate) fn trim_history(&self, all: bool) -> Timestamp {
        let durable = Timestamp(self.durable.load(Ordering::Acquire));
        let mut dropped = Vec::new();
        let mut state = self.commit.lock();
        let by_time = Timestamp(
            self.clock.now().0.max(state.head.timestamp.0).saturating_sub(crate::commit::HISTORY_NANOSECONDS),
        );
        let limit = if all { 0 } else { self.history_budget };
        // A transaction under way is checked against the commits since its snapshot.
        let oldest = self.snapshots.oldest().unwrap_or(durable).min(durable);
        while dropped.len() < MOST_DROPPED
            && let Some(first) = state.recent.front()
        {
            let kept = first.ts > by_time && state.recent_bytes <= limit;
            if kept || first.ts > oldest {
                break;
            }
            let cost = self.history_cost(first);
            state.recent_start = first.ts;
            state.recent_bytes = state.recent_bytes.saturating_sub(cost);
            dropped.extend(state.recent.pop_front());
        }
        if state.recent.is_empty() && state.recent_start < by_time.min(durable) {
            state.recent_start = by_time.min(durable);
        }
        let start = state.recent_start;
        drop(state);
        let floor = self.snapshots.raise_floor(start.min(durable));
        self.trim_catalogs(floor);
        if !self.is_checkpointing() {
            self.trim_floor.fetch_max(floor.0, Ordering::AcqRel);
        }
        start
    }
}

impl Engine {
    /// How long a writer should wait before it begins, so that checkpoints keep up and the overlay stays within its
    /// share of the memory: almost always not at all. Nothing up to half of that share, then the longer the less
    /// room is left. Commits themselves never wait.
    pub fn back_pressure(&self) -> Duration {
        self.inner.delay()
    }

    /// One round of the background thread, for tests that run without it: trims history, and loads or lets go of a
    /// chunk of a table, builds some counters, and removes some of what was dropped and of what held snapshots no longer need. Returns
    /// whether there is more to do.
    pub fn maintain(&self) -> Result<bool, crate::error::TxError> {
        self.inner.trim_history(false);
        self.inner.sweep_hidden()?;
        let cleaning = self.inner.clean_dropped()?;
        let sweeping = self.inner.sweep_undo()?;
        let loading = self.inner.residency_step()?;
        let counting = self.inner.counters_step(loading)?;
        Ok(loading || cleaning || sweeping || counting)
    }

    /// Figures about the engine.
    pub fn metrics(&self) -> EngineMetrics {
        let inner = &self.inner;
        let (recent, dirty, history_start) = {
            let state = inner.commit.lock();
            (state.recent_bytes, state.unstored(), state.recent_start)
        };
        let (resident_tables, tables) = inner.resident_tables();
        let (storage, log) = (inner.storage.stats(), inner.log.stats());
        EngineMetrics {
            ordered: self.ordered(),
            durable: self.durable(),
            checkpoint: Timestamp(inner.checkpoint_ts.load(Ordering::Acquire)),
            history_start,
            commits: inner.commits.load(Ordering::Relaxed),
            conflicts: inner.conflicts.load(Ordering::Relaxed),
            checkpoints: inner.checkpoints_done.load(Ordering::Relaxed),
            storage_failures: inner.storage_failures.load(Ordering::Relaxed),
            overlay_bytes: inner.overlay_bytes(),
            dirty_bytes: dirty,
            history_bytes: recent,
            resident_tables,
            tables,
            storage_bytes: storage.disk_bytes,
            live_bytes: storage.live_bytes,
            log_bytes: log.kept_bytes,
            log_segments: log.segments,
            last_backup: Timestamp(inner.backup_ts.load(Ordering::Acquire)),
            holds: inner.holds.live(),
            counters_building: inner.counters_building(),
            log_syncs: log.syncs,
            snapshots: inner.snapshots.live(),
        }
    }
}
