//! The two threads of a [`super::SegmentLog`]: one writes and syncs groups, the other prepares files.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::group::{self, GroupHeader, SECTOR};
use super::segment::{Segment, Spare, io};
use super::segment_log::{DISK_FULL_RETRY, Durability, RELAXED_SYNC, Shared, State};
use super::{DurableEvent, Head, LogError};

/// The sync thread looks for records by itself so long after a group.
const DOZE: Duration = Duration::from_millis(1);

/// The sync thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// The group that is being written; its buffer is swapped with the open one.
    taken: Vec<u8>,
    /// The segment that groups go into.
    active: Option<Segment>,
    /// The head behind what was written, and since when it is not synced.
    written: Head,
    unsynced_since: Option<Instant>,
    /// What the last group named as synced.
    named: u64,
}

/// What the sync thread does next.
enum Step {
    Write(u32, Head),
    Sync,
    Close,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>) -> Writer {
        let (active, written) = {
            let state = shared.state.lock();
            (state.segments.last().cloned(), state.head)
        };
        let named = active.as_ref().map_or(0, |active| active.end);
        Writer { shared, taken: Vec::new(), active, written, unsynced_since: None, named }
    }

    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let result = loop {
            let step = match self.next_step() {
                Some(step) => step,
                None => break Ok(()),
            };
            let done = match step {
                Step::Write(count, head) => self.write_group(count, head),
                Step::Sync => self.sync().map(|()| {
                    shared.changed.notify_all();
                }),
                Step::Close => break self.close(),
            };
            if let Err(error) = done {
                break Err(error);
            }
        };
        if let Err(error) = result {
            shared.fail(error.to_string());
        }
        let reason = {
            let mut state = shared.state.lock();
            state.written_all = true;
            shared.prepare.notify_all();
            state.failed.clone()
        };
        if let Some(reason) = reason {
            shared.tell(&DurableEvent::Failed(reason));
        }
    }

    /// Waits for something to do; nothing when the log has failed.
    fn next_step(&mut self) -> Option<Step> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state.lock();
        // Behind a group there is likely another one: this thread looks for it by itself before it sleeps, so that
        // those who commit need not wake it for each record.
        let mut look_again = true;
        loop {
            if state.failed.is_some() {
                return None;
            }
            if state.open_count > 0 {
                group::begin(&mut self.taken);
                std::mem::swap(&mut state.open, &mut self.taken);
                state.room = state.room.saturating_sub((self.taken.len() as u64).next_multiple_of(SECTOR));
                return Some(Step::Write(std::mem::take(&mut state.open_count), state.head));
            }
            if let Some(since) = self.unsynced_since {
                let wanted = state.sync_wanted > state.synced.sequence || state.closing;
                if wanted || since.elapsed() >= RELAXED_SYNC {
                    return Some(Step::Sync);
                }
                state.idle = true;
                shared.asleep.store(true, Ordering::Release);
                shared.work.wait_until(&mut state, since + RELAXED_SYNC);
                shared.asleep.store(false, Ordering::Release);
            } else if state.closing {
                return Some(Step::Close);
            } else if std::mem::take(&mut look_again) {
                state.idle = true;
                shared.work.wait_for(&mut state, DOZE);
            } else {
                state.idle = true;
                shared.asleep.store(true, Ordering::Release);
                shared.work.wait(&mut state);
                shared.asleep.store(false, Ordering::Release);
            }
            state.idle = false;
        }
    }

    fn write_group(&mut self, count: u32, head: Head) -> Result<(), LogError> {
        let started = Instant::now();
        self.write(count, head)?;
        let due = self.unsynced_since.is_some_and(|since| since.elapsed() >= RELAXED_SYNC);
        if self.shared.options.durability == Durability::Strict || due {
            self.sync()?;
        }
        {
            let mut state = self.shared.state.lock();
            state.durable = head.timestamp;
            state.stats.groups += 1;
            state.stats.last_sync_micros = started.elapsed().as_micros() as u64;
            if let (Some(last), Some(active)) = (state.segments.last_mut(), &self.active) {
                last.end = active.end;
            }
            state.measure_room();
            self.shared.changed.notify_all();
        }
        self.shared.tell(&DurableEvent::Durable(head.timestamp));
        Ok(())
    }

    /// Writes the taken group, into the next segment when this one has no room.
    fn write(&mut self, count: u32, head: Head) -> Result<(), LogError> {
        let size = (self.taken.len() as u64).next_multiple_of(SECTOR);
        if self.active.as_ref().is_none_or(|active| active.room() < size) {
            self.switch(size)?;
        }
        let synced = self.shared.state.lock().synced_offset;
        let Some(active) = &mut self.active else { return Err(LogError::Failed("no segment".into())) };
        let header = GroupHeader {
            length: 0,
            count,
            log_id: active.log_id,
            generation: active.generation,
            offset: active.end,
            synced,
            first: self.written.sequence,
            last: head.timestamp,
        };
        group::finish(&mut self.taken, header);
        active.file.write_at(&self.taken, active.place(active.end)).map_err(io("write a group"))?;
        active.end += size;
        self.named = synced;
        self.written = head;
        self.unsynced_since.get_or_insert_with(Instant::now);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), LogError> {
        let Some(active) = &self.active else { return Ok(()) };
        active.file.sync_data().map_err(io("sync a group"))?;
        self.unsynced_since = None;
        let mut state = self.shared.state.lock();
        state.synced = self.written;
        state.synced_offset = active.end;
        state.stats.syncs += 1;
        Ok(())
    }

    /// Goes on in another segment. Everything in this one is synced first.
    fn switch(&mut self, size: u64) -> Result<(), LogError> {
        if self.unsynced_since.is_some() {
            self.sync()?;
        }
        let shared = Arc::clone(&self.shared);
        let (spare, generation) = {
            let mut state = shared.state.lock();
            loop {
                if let Some(reason) = &state.failed {
                    return Err(LogError::Failed(reason.clone()));
                }
                if let Some(n) = state.spares.iter().position(|spare| spare.size >= size + SECTOR) {
                    state.wanted = None;
                    let generation = state.next_number;
                    state.next_number += 1;
                    break (state.spares.remove(n), generation);
                }
                if state.closing && state.disk_full {
                    return Err(LogError::DiskFull);
                }
                state.wanted = Some(size);
                shared.prepare.notify_all();
                shared.changed.wait(&mut state);
            }
        };
        let (log_id, base) = self.active.as_ref().map_or((0, 0), |active| (active.log_id, active.end));
        let segment = spare.promote(&*shared.disk, log_id, generation, base, self.written)?;
        self.active = Some(segment.clone());
        shared.state.lock().segments.push(segment);
        shared.prepare.notify_all();
        Ok(())
    }

    /// Ends with a group without records, which names the last one as synced, so that damage to it is found.
    fn close(&mut self) -> Result<(), LogError> {
        let Some(active) = &self.active else { return Ok(()) };
        if self.named == active.end || active.end == active.base || active.room() < SECTOR {
            return Ok(());
        }
        group::begin(&mut self.taken);
        self.write(0, self.written)?;
        self.sync()
    }
}

/// The other thread: keeps files ready, so that a switch never waits for one to be filled.
pub(super) fn prepare(shared: &Shared) {
    let mut state = shared.state.lock();
    while !state.written_all {
        if state.failed.is_some() {
            return;
        }
        let forced = state.wanted;
        let short = !state.closing && state.spares.len() < shared.options.spares.max(1);
        let needed = match forced {
            Some(wanted) => state.spares.iter().all(|spare| spare.size < wanted + SECTOR),
            None => short,
        };
        if !needed {
            shared.prepare.wait(&mut state);
            continue;
        }
        let size = forced.map_or(0, |wanted| wanted + SECTOR).max(state.next_size);
        let number = state.next_number;
        state.next_number += 1;
        let made = parking_lot::MutexGuard::unlocked(&mut state, || {
            // A group that was accepted may use the reserve.
            if forced.is_none() && !shared.has_space(size) {
                return Err(LogError::DiskFull);
            }
            Spare::create(&*shared.disk, number, size)
        });
        match made {
            Ok(spare) => {
                state.room += size - SECTOR;
                state.spares.push(spare);
                state.next_size = (2 * size).min(shared.options.segment_bytes);
                state.disk_full = false;
                shared.changed.notify_all();
            }
            Err(error) => retry_later(shared, &mut state, error),
        }
    }
}

fn retry_later(shared: &Shared, state: &mut parking_lot::MutexGuard<'_, State>, error: LogError) {
    match error {
        LogError::DiskFull => state.disk_full = true,
        // Nothing is lost while no group needs the file.
        error if state.wanted.is_none() => tracing::warn!(%error, "no segment could be prepared"),
        error => {
            state.failed.get_or_insert(error.to_string());
            shared.work.notify_all();
        }
    }
    shared.changed.notify_all();
    shared.prepare.wait_for(state, DISK_FULL_RETRY);
}
