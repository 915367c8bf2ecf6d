//! The commit log on disk: a directory of segments, one thread that writes and syncs groups, one that prepares files.
//!
//! Appends go into the open group. The sync thread takes it, writes it with one call, syncs once, and tells those
//! that wait; meanwhile the next group fills. Nothing waits for a group to grow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hull_value::Timestamp;
use parking_lot::{Condvar, Mutex};

use super::disk::Disk;
use super::group::{self, RECORD_HEADER, SECTOR};
use super::recovery::recover;
use super::segment::{Segment, Spare, io};
use super::tail::Reader;
use super::writer::Writer;
use super::{
    AppendError, CommitLog, DurableCallback, DurableEvent, Head, LogError, LogPosition, LogStats, Tail,
};

/// When a record counts as durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// After an `fdatasync`: a power loss loses nothing that was answered.
    #[default]
    Strict,
    /// After the write to the operating system, with an `fdatasync` at least every 50 ms: kill -9 loses nothing, a
    /// power loss may lose a suffix.
    Relaxed,
}

/// How a [`SegmentLog`] is opened.
#[derive(Debug, Clone)]
pub struct SegmentLogOptions {
    /// When a record counts as durable.
    pub durability: Durability,
    /// What the checkpoint's [`CommitLog::sync`] returned: a log that ends below is damaged.
    pub must_reach: LogPosition,
    /// The timestamp of the checkpoint: segments that end at or below it are not checked.
    pub checkpoint: Timestamp,
    /// The id of the log when there is none yet; a random number.
    pub new_log_id: u64,
    /// The timestamp that the log begins behind when there is none yet: that of the state that it goes on from.
    pub new_log_start: Timestamp,
    /// The size of a segment file.
    pub segment_bytes: u64,
    /// The size of the first one; later ones double until they have the full size.
    pub first_segment_bytes: u64,
    /// Free space that new segments leave alone, for checkpoints.
    pub reserve_bytes: u64,
    /// How many files wait to become segments.
    pub spares: usize,
}

impl Default for SegmentLogOptions {
    fn default() -> SegmentLogOptions {
        SegmentLogOptions {
            durability: Durability::Strict,
            must_reach: LogPosition(0),
            checkpoint: Timestamp(0),
            new_log_id: 0,
            new_log_start: Timestamp(0),
            segment_bytes: 64 << 20,
            first_segment_bytes: 4 << 20,
            reserve_bytes: 256 << 20,
            spares: 1,
        }
    }
}

/// A commit log in segment files.
pub struct SegmentLog {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    cut: Option<LogPosition>,
}

/// What appenders and both threads share.
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) options: SegmentLogOptions,
    pub(super) state: Mutex<State>,
    /// Whether the sync thread sleeps until it is woken.
    pub(super) asleep: AtomicBool,
    /// The sync thread waits here.
    pub(super) work: Condvar,
    /// The preparing thread waits here.
    pub(super) prepare: Condvar,
    /// Those that wait for a sync, and the sync thread when it waits for a file.
    pub(super) changed: Condvar,
    pub(super) callbacks: Mutex<Vec<DurableCallback>>,
}

pub(super) struct State {
    pub(super) head: Head,
    /// The open group: room for its header, then its records.
    pub(super) open: Vec<u8>,
    pub(super) open_count: u32,
    /// Whether the sync thread sleeps.
    pub(super) idle: bool,
    /// What may be answered.
    pub(super) durable: Timestamp,
    /// What is on disk for certain.
    pub(super) synced: Head,
    pub(super) synced_offset: u64,
    /// Somebody waits until this many records are synced.
    pub(super) sync_wanted: u64,
    /// Bytes that can be written before another file is needed.
    pub(super) room: u64,
    /// The kept segments; groups are written into the last one.
    pub(super) segments: Vec<Segment>,
    pub(super) spares: Vec<Spare>,
    /// The sync thread needs a file for a group of this size.
    pub(super) wanted: Option<u64>,
    pub(super) next_number: u64,
    pub(super) next_size: u64,
    pub(super) failed: Option<String>,
    pub(super) disk_full: bool,
    pub(super) closing: bool,
    /// The sync thread has ended.
    pub(super) written_all: bool,
    pub(super) stats: LogStats,
}

impl State {
    /// Computes `room` anew, when no group is on its way.
    pub(super) fn measure_room(&mut self) {
        let active = self.segments.last().map_or(0, Segment::room);
        self.room = active + self.spares.iter().map(|spare| spare.size - SECTOR).sum::<u64>();
    }
}

impl SegmentLog {
    /// Opens the log on `disk`, or creates it; what a crash left is repaired or refused.
    pub fn open(disk: Arc<dyn Disk>, options: SegmentLogOptions) -> Result<SegmentLog, LogError> {
        let mut options = options;
        options.segment_bytes = options.segment_bytes.max(2 * SECTOR).next_multiple_of(SECTOR);
        options.first_segment_bytes =
            options.first_segment_bytes.clamp(2 * SECTOR, options.segment_bytes).next_multiple_of(SECTOR);
        let mut found = recover(&*disk, options.must_reach, options.checkpoint, options.segment_bytes)?;
        if let Some(cut) = found.cut {
            tracing::warn!(
                offset = cut.0,
                "the commit log had a torn tail, which was never acknowledged: cut"
            );
        }
        let mut segments = found.segments;
        let mut next_number = found.next_number;
        let mut next_size = options.first_segment_bytes;
        if segments.is_empty() {
            if disk.free_space().map_err(io("ask for free space"))? < next_size + options.reserve_bytes {
                return Err(LogError::DiskFull);
            }
            let spare = Spare::create(&*disk, next_number, next_size)?;
            let start = Head { sequence: 0, timestamp: options.new_log_start };
            segments.push(spare.promote(&*disk, options.new_log_id, next_number, 0, start)?);
            found.head = start;
            next_number += 1;
        }
        let last = segments.last().map_or((0, 0), |last| (last.end, last.size));
        next_size = (2 * last.1).clamp(next_size, options.segment_bytes);
        let mut open = Vec::new();
        group::begin(&mut open);
        let mut state = State {
            head: found.head,
            open,
            open_count: 0,
            idle: false,
            durable: found.head.timestamp,
            synced: found.head,
            synced_offset: last.0,
            sync_wanted: 0,
            room: 0,
            segments,
            spares: found.spares,
            wanted: None,
            next_number,
            next_size,
            failed: None,
            disk_full: false,
            closing: false,
            written_all: false,
            stats: LogStats::default(),
        };
        state.measure_room();
        let shared = Arc::new(Shared {
            disk,
            options,
            state: Mutex::new(state),
            asleep: AtomicBool::new(false),
            work: Condvar::new(),
            prepare: Condvar::new(),
            changed: Condvar::new(),
            callbacks: Mutex::default(),
        });
        let mut log = SegmentLog { shared, threads: Vec::new(), cut: found.cut };
        let writer = Writer::new(Arc::clone(&log.shared));
        log.spawn("hull-log", |_| writer.run())?;
        log.spawn("hull-log-files", |shared| super::writer::prepare(&shared))?;
        Ok(log)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce(Arc<Shared>) + Send + 'static) -> Result<(), LogError> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            let guard = Arc::clone(&shared);
            let run = std::panic::AssertUnwindSafe(move || work(shared));
            if std::panic::catch_unwind(run).is_err() {
                guard.fail("a thread of the log panicked".into());
            }
        });
        self.threads.push(thread.map_err(io("start a thread"))?);
        Ok(())
    }

    /// Where the oldest segment that is kept begins: its place in the log, zero for the first that there ever was, and the
    /// timestamp of the last record before it.
    pub fn begins(&self) -> (u64, Timestamp) {
        let state = self.shared.state.lock();
        state.segments.first().map_or((0, Timestamp(0)), |first| (first.base, first.start.timestamp))
    }

    /// Where recovery cut a torn tail, when it did.
    pub fn cut(&self) -> Option<LogPosition> {
        self.cut
    }
}

impl Drop for SegmentLog {
    /// Syncs what was appended, unless the log has failed.
    fn drop(&mut self) {
        {
            let mut state = self.shared.state.lock();
            state.closing = true;
            self.shared.work.notify_all();
            self.shared.prepare.notify_all();
            self.shared.changed.notify_all();
        }
        // The last owner can be a callback on one of the log's own threads, which end one after the other: then nobody
        // waits for them.
        let here = std::thread::current().id();
        if self.threads.iter().all(|thread| thread.thread().id() != here) {
            for thread in self.threads.drain(..) {
                let _ = thread.join();
            }
        }
    }
}

impl Shared {
    /// Nothing is acknowledged from now on.
    pub(super) fn fail(&self, reason: String) {
        let mut state = self.state.lock();
        if state.failed.is_none() {
            tracing::error!(reason, "the commit log has failed");
            state.failed = Some(reason);
        }
        self.work.notify_all();
        self.prepare.notify_all();
        self.changed.notify_all();
    }

    pub(super) fn tell(&self, event: &DurableEvent) {
        for callback in self.callbacks.lock().iter() {
            callback(event);
        }
    }

    /// Whether a new file of the next size would leave the reserve alone.
    pub(super) fn has_space(&self, size: u64) -> bool {
        self.disk.free_space().is_ok_and(|free| free >= size.saturating_add(self.options.reserve_bytes))
    }
}

impl CommitLog for SegmentLog {
    fn append(&self, expected: Head, timestamp: Timestamp, record: &[u8]) -> Result<Head, AppendError> {
        let appended = self.push(expected, timestamp, record);
        self.wake();
        appended
    }

    fn push(&self, expected: Head, timestamp: Timestamp, record: &[u8]) -> Result<Head, AppendError> {
        let shared = &*self.shared;
        let mut state = shared.state.lock();
        if let Some(reason) = &state.failed {
            return Err(AppendError::Failed(reason.clone()));
        }
        if state.head != expected || timestamp <= expected.timestamp {
            return Err(AppendError::HeadMoved(state.head));
        }
        let length = (state.open.len() + RECORD_HEADER + record.len()) as u64;
        if length.next_multiple_of(SECTOR) > state.room {
            // Asked here, and not only where files are prepared: that thread may lag behind, and what is accepted
            // must find its place.
            let full = !shared.has_space(state.next_size);
            if std::mem::replace(&mut state.disk_full, full) != full {
                shared.prepare.notify_all();
            }
            if full {
                return Err(AppendError::DiskFull);
            }
        }
        group::push(&mut state.open, timestamp, record);
        state.open_count += 1;
        state.stats.records += 1;
        state.head = Head { sequence: expected.sequence + 1, timestamp };
        Ok(state.head)
    }

    fn wake(&self) {
        let mut state = self.shared.state.lock();
        let wake = state.open_count > 0 && std::mem::take(&mut state.idle);
        drop(state);
        if wake {
            self.shared.work.notify_one();
        }
    }

    fn wake_soon(&self) {
        // It is set under the lock when nothing was open, so that what was pushed before sees it.
        if self.shared.asleep.load(Ordering::Acquire) {
            self.wake();
        }
    }

    fn head(&self) -> Head {
        self.shared.state.lock().head
    }

    fn durable(&self) -> Timestamp {
        self.shared.state.lock().durable
    }

    fn on_durable(&self, f: DurableCallback) {
        self.shared.callbacks.lock().push(f);
    }

    fn sync(&self) -> Result<LogPosition, LogError> {
        let mut state = self.shared.state.lock();
        let target = state.head.sequence;
        state.sync_wanted = state.sync_wanted.max(target);
        state.idle = false;
        self.shared.work.notify_one();
        loop {
            if let Some(reason) = &state.failed {
                return Err(LogError::Failed(reason.clone()));
            }
            if state.synced.sequence >= target {
                return Ok(LogPosition(state.synced_offset));
            }
            self.shared.changed.wait(&mut state);
        }
    }

    fn tail(&self, after: Timestamp) -> Result<Tail<'_>, LogError> {
        let mut segments = self.shared.state.lock().segments.clone();
        let start = segments.first().map_or(Timestamp(0), |first| first.start.timestamp);
        if after < start {
            return Err(LogError::Trimmed { after, start });
        }
        let first = segments.partition_point(|segment| segment.start.timestamp <= after).saturating_sub(1);
        segments.drain(..first);
        Ok(Box::new(Reader::new(segments, after)))
    }

    fn trim(&self, through: Timestamp) -> Result<(), LogError> {
        loop {
            let mut state = self.shared.state.lock();
            let through = through.min(state.durable);
            if state.segments.get(1).is_none_or(|second| second.start.timestamp > through) {
                return Ok(());
            }
            let segment = state.segments.remove(0);
            drop(state);
            // Oldest first and synced one by one, so that a crash leaves no gap; and before the file is used again.
            let disk = &*self.shared.disk;
            let spare = Spare {
                name: segment.name.replace(".log", ".spare"),
                file: segment.file,
                size: segment.size,
            };
            let keep = spare.size == self.shared.options.segment_bytes
                && self.shared.state.lock().spares.len() <= self.shared.options.spares;
            if keep {
                disk.rename(&segment.name, &spare.name).map_err(io("retire a segment"))?;
            } else {
                disk.remove(&segment.name).map_err(io("remove a segment"))?;
            }
            disk.sync_dir().map_err(io("sync the directory"))?;
            if keep {
                let mut state = self.shared.state.lock();
                state.room += spare.size - SECTOR;
                state.spares.push(spare);
                self.shared.changed.notify_all();
            }
        }
    }

    fn id(&self) -> u64 {
        self.shared.state.lock().segments.first().map_or(0, |first| first.log_id)
    }

    fn stats(&self) -> LogStats {
        let state = self.shared.state.lock();
        LogStats {
            kept_bytes: state.segments.iter().map(|segment| segment.end - segment.base).sum(),
            segments: state.segments.len() as u64,
            disk_full: state.disk_full,
            ..state.stats
        }
    }
}

/// How often `relaxed` syncs at least.
pub(super) const RELAXED_SYNC: Duration = Duration::from_millis(50);
/// How often a full disk is looked at again.
pub(super) const DISK_FULL_RETRY: Duration = Duration::from_millis(50);
