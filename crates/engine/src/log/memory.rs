//! The in-memory twin: a vector of records whose durability a test can hold back, fail, or cut off.

use std::sync::Arc;
use std::thread::JoinHandle;

use hull_value::Timestamp;
use parking_lot::{Condvar, Mutex};

use super::{
    AppendError, CommitLog, DurableCallback, DurableEvent, Head, LogError, LogPosition, LogStats, Tail,
};

/// A log in memory. Its own thread makes records durable at once, unless the test has paused it.
pub struct MemoryLog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    callbacks: Mutex<Vec<DurableCallback>>,
}

#[derive(Default)]
struct State {
    /// The records that are kept; the first of them has number `first`.
    records: Vec<(Timestamp, Arc<[u8]>)>,
    first: u64,
    start: Timestamp,
    head: Head,
    durable: Head,
    groups: u64,
    paused: bool,
    disk_full: bool,
    failed: Option<String>,
    failure_told: bool,
    closing: bool,
}

impl Default for MemoryLog {
    fn default() -> MemoryLog {
        MemoryLog::new()
    }
}

impl MemoryLog {
    /// An empty log.
    pub fn new() -> MemoryLog {
        MemoryLog::with(State::default())
    }

    fn with(state: State) -> MemoryLog {
        let shared = Arc::new(Shared { state: Mutex::new(state), ..Shared::default() });
        let worker = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("hull-log".into()).spawn(move || worker.run()).ok();
        MemoryLog { shared, thread }
    }

    /// Records are ordered but no longer become durable, until [`MemoryLog::resume`].
    pub fn pause(&self) {
        self.shared.state.lock().paused = true;
    }

    /// Undoes [`MemoryLog::pause`].
    pub fn resume(&self) {
        self.shared.state.lock().paused = false;
        self.shared.changed.notify_all();
    }

    /// Lets the log fail, as after a failed sync.
    pub fn fail(&self) {
        self.shared.state.lock().failed = Some("injected".into());
        self.shared.changed.notify_all();
    }

    /// Refuses appends with [`AppendError::DiskFull`] while it is set.
    pub fn set_disk_full(&self, full: bool) {
        self.shared.state.lock().disk_full = full;
    }

    /// How many records a power loss could take back.
    pub fn unsynced(&self) -> usize {
        let state = self.shared.state.lock();
        (state.head.sequence - state.durable.sequence) as usize
    }

    /// What is found after a power loss now: the durable records and the first `keep` of the others.
    pub fn after_power_loss(&self, keep: usize) -> MemoryLog {
        let state = self.shared.state.lock();
        let kept = (state.durable.sequence - state.first) as usize + keep;
        let records: Vec<_> = state.records.iter().take(kept).cloned().collect();
        let head = Head {
            sequence: state.first + records.len() as u64,
            timestamp: records.last().map_or(state.start, |(timestamp, _)| *timestamp),
        };
        let (first, start) = (state.first, state.start);
        MemoryLog::with(State { records, first, start, head, durable: head, ..State::default() })
    }
}

impl Drop for MemoryLog {
    fn drop(&mut self) {
        self.shared.state.lock().closing = true;
        self.shared.changed.notify_all();
        // The last owner can be a callback on the log's own thread.
        if let Some(thread) = self.thread.take().filter(|t| t.thread().id() != std::thread::current().id()) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        loop {
            let event = {
                let mut state = self.state.lock();
                loop {
                    if state.failed.is_some() && !state.failure_told {
                        state.failure_told = true;
                        break DurableEvent::Failed(state.failed.clone().unwrap_or_default());
                    }
                    let waiting = state.durable != state.head && state.failed.is_none();
                    if waiting && (!state.paused || state.closing) {
                        state.durable = state.head;
                        state.groups += 1;
                        break DurableEvent::Durable(state.head.timestamp);
                    }
                    if state.closing {
                        return;
                    }
                    self.changed.wait(&mut state);
                }
            };
            for callback in self.callbacks.lock().iter() {
                callback(&event);
            }
            self.changed.notify_all();
        }
    }
}

impl CommitLog for MemoryLog {
    fn append(&self, expected: Head, timestamp: Timestamp, record: &[u8]) -> Result<Head, AppendError> {
        let mut state = self.shared.state.lock();
        if let Some(reason) = &state.failed {
            return Err(AppendError::Failed(reason.clone()));
        }
        if state.head != expected || timestamp <= state.head.timestamp {
            return Err(AppendError::HeadMoved(state.head));
        }
        if state.disk_full {
            return Err(AppendError::DiskFull);
        }
        state.records.push((timestamp, record.into()));
        state.head = Head { sequence: expected.sequence + 1, timestamp };
        let head = state.head;
        drop(state);
        self.shared.changed.notify_all();
        Ok(head)
    }

    fn head(&self) -> Head {
        self.shared.state.lock().head
    }

    fn durable(&self) -> Timestamp {
        self.shared.state.lock().durable.timestamp
    }

    fn on_durable(&self, f: DurableCallback) {
        self.shared.callbacks.lock().push(f);
    }

    fn sync(&self) -> Result<LogPosition, LogError> {
        let mut state = self.shared.state.lock();
        let target = state.head.sequence;
        loop {
            if let Some(reason) = &state.failed {
                return Err(LogError::Failed(reason.clone()));
            }
            if state.durable.sequence >= target {
                return Ok(LogPosition(state.durable.sequence));
            }
            self.shared.changed.wait(&mut state);
        }
    }

    fn tail(&self, after: Timestamp) -> Result<Tail<'_>, LogError> {
        let state = self.shared.state.lock();
        if after < state.start {
            return Err(LogError::Trimmed { after, start: state.start });
        }
        let durable = (state.durable.sequence - state.first) as usize;
        let records: Vec<_> =
            state.records[..durable].iter().filter(|(timestamp, _)| *timestamp > after).cloned().collect();
        Ok(Box::new(records.into_iter().map(|(timestamp, record)| Ok((timestamp, record.to_vec())))))
    }

    fn trim(&self, through: Timestamp) -> Result<(), LogError> {
        let mut state = self.shared.state.lock();
        let through = through.min(state.durable.timestamp);
        let count = state.records.partition_point(|(timestamp, _)| *timestamp <= through);
        if let Some((timestamp, _)) = count.checked_sub(1).and_then(|last| state.records.get(last)) {
            state.start = *timestamp;
        }
        state.records.drain(..count);
        state.first += count as u64;
        Ok(())
    }

    fn stats(&self) -> LogStats {
        let state = self.shared.state.lock();
        LogStats {
            kept_bytes: state.records.iter().map(|(_, record)| record.len() as u64).sum(),
            segments: 1,
            groups: state.groups,
            records: state.head.sequence,
            syncs: state.groups,
            last_sync_micros: 0,
            disk_full: state.disk_full,
        }
    }
}
