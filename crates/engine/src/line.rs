//! Lines of conflicting transactions: so that a hot document makes mutations queue, not fail.
//!
//! After its second conflict a transaction joins the line of the interval it conflicted on; the next in line starts
//! when the one before has let go of its place. At the head it may reserve what it read on its last try: others that
//! would write there wait until the reservation ends. One reservation is held at a time. Waiting is a plain future
//! over the standard wakers: no runtime is needed.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::engine::Engine;
use crate::fields::FieldMask;
use crate::fold::Fold;
use crate::overlap::{CommitKeys, ConflictKey};
use crate::read_set::ReadSet;
use crate::transaction::Transaction;

/// All lines of an engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Whether a reservation is held; read without the lock by every commit.
    reserved: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    lines: HashMap<ConflictKey, VecDeque<(u64, Option<Waker>)>>,
    reservation: Option<Reservation>,
}

#[derive(Debug)]
struct Reservation {
    owner: u64,
    reads: ReadSet,
    waiting: Vec<Waker>,
}

/// A place in a line. Awaiting it ends when it is at the head; dropping it lets the next one go.
#[derive(Debug)]
pub struct Place {
    shared: Arc<Shared>,
    key: ConflictKey,
    number: u64,
}

impl Engine {
    /// Joins the line of what a transaction conflicted on.
    pub fn line(&self, key: &ConflictKey) -> Place {
        let shared = self.inner.lines.shared.clone();
        let mut state = shared.state.lock();
        state.next += 1;
        let number = state.next;
        state.lines.entry(key.clone()).or_default().push_back((number, None));
        drop(state);
        Place { shared, key: key.clone(), number }
    }

    /// What a transaction has to wait for before it commits, because somebody at the head of a line has reserved what
    /// it writes: almost always nothing. `place` is the transaction's own place in a line, if it has one.
    pub fn clearance(&self, transaction: &Transaction, place: Option<&Place>) -> Option<Clearance> {
        let shared = &self.inner.lines.shared;
        if !shared.reserved.load(Ordering::Acquire) || !transaction.has_writes() {
            return None;
        }
        let state = shared.state.lock();
        let reservation = state.reservation.as_ref()?;
        if place.is_some_and(|p| p.number == reservation.owner) {
            return None;
        }
        let keys = transaction.changed_keys();
        let owner = reservation.owner;
        reservation.reads.touches(&keys).then(|| Clearance { shared: shared.clone(), owner })
    }
}

impl Place {
    /// Whether this is the head of its line.
    pub fn is_head(&self) -> bool {
        let state = self.shared.state.lock();
        state
            .lines
            .get(&self.key)
            .and_then(|line| line.front())
            .is_none_or(|(number, _)| *number == self.number)
    }

    /// Reserves what `reads` covers until this place is dropped; `false` if somebody else holds a reservation.
    pub fn reserve(&self, reads: &ReadSet) -> bool {
        let mut state = self.shared.state.lock();
        match &mut state.reservation {
            Some(reservation) if reservation.owner != self.number => return false,
            Some(reservation) => reservation.reads = reads.clone(),
            None => {
                state.reservation =
                    Some(Reservation { owner: self.number, reads: reads.clone(), waiting: Vec::new() });
            }
        }
        self.shared.reserved.store(true, Ordering::Release);
        true
    }
}

impl Future for &Place {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.shared.state.lock();
        let Some(line) = state.lines.get_mut(&self.key) else { return Poll::Ready(()) };
        if line.front().is_none_or(|(number, _)| *number == self.number) {
            return Poll::Ready(());
        }
        match line.iter_mut().find(|(number, _)| *number == self.number) {
            Some((_, waker)) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut wake = Vec::new();
        let mut state = self.shared.state.lock();
        if let Some(line) = state.lines.get_mut(&self.key) {
            line.retain(|(number, _)| *number != self.number);
            match line.front_mut() {
                Some((_, waker)) => wake.extend(waker.take()),
                None => {
                    state.lines.remove(&self.key);
                }
            }
        }
        if state.reservation.as_ref().is_some_and(|r| r.owner == self.number)
            && let Some(reservation) = state.reservation.take()
        {
            self.shared.reserved.store(false, Ordering::Release);
            wake.extend(reservation.waiting);
        }
        drop(state);
        wake.into_iter().for_each(Waker::wake);
    }
}

/// Ends when a reservation has ended.
#[derive(Debug)]
pub struct Clearance {
    shared: Arc<Shared>,
    owner: u64,
}

impl Future for Clearance {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.shared.state.lock();
        match &mut state.reservation {
            Some(reservation) if reservation.owner == self.owner => {
                if !reservation.waiting.iter().any(|w| w.will_wake(context.waker())) {
                    reservation.waiting.push(context.waker().clone());
                }
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }
}

impl Transaction {
    /// The keys that committing this would change.
    pub(crate) fn changed_keys(&self) -> CommitKeys {
        let mut keys = CommitKeys::new();
        let mut buffer = Vec::new();
        let folded: Vec<_> = self.writes.unsettled().map(Fold::at_snapshot).collect();
        for pending in self.writes.list.iter().filter(|p| p.is_effective()).chain(&folded) {
            let (old, new) = (pending.base.as_ref().and_then(|b| b.document.as_ref()), pending.new.as_ref());
            let (_, mask) = pending.table.change(old, new);
            keys.push(pending.table.by_id, mask, &pending.key);
            for index in &pending.table.indexes {
                let [before, after] = [old, new].map(|d| d.map(|d| index.spec.key_of(d, &mut buffer)));
                let mask = if before == after { mask } else { FieldMask::ALL };
                for k in before.iter().chain(after.iter().filter(|after| before.as_ref() != Some(*after))) {
                    keys.push(index.spec.keyspace, mask, k);
                }
            }
        }
        keys
    }
}
