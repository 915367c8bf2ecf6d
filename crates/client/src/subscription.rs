//! A live query: a stream of results, or of changes between them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::{Stream, StreamExt};
use hull_sync::diff::{Change, changes};
use hull_value::{Decode, Packed, ValueRef};
use tokio::sync::mpsc;

use crate::driver::Command;
use crate::error::CallError;
use crate::slot::Slot;

/// A live query: a stream of its results, the newest one first and then each that differs from the last. A reader that
/// is slow gets the newest; there is no backlog. Dropping it unsubscribes.
///
/// An error is a result like any other: the function may succeed after the next change. The stream ends after
/// [`CallError::Fatal`], [`CallError::UnknownPath`], [`CallError::Arguments`] and [`CallError::Ended`] alone.
#[must_use = "a subscription ends when it is dropped"]
pub struct Subscription<T> {
    live: Live,
    read: fn(&Packed) -> Result<T, CallError>,
}

/// What both streams hold.
struct Live {
    slot: Arc<Slot>,
    commands: mpsc::UnboundedSender<Command>,
}

impl Drop for Live {
    fn drop(&mut self) {
        // Without the task there is no subscription either.
        let _ = self.commands.send(Command::Unsubscribe(self.slot.clone()));
    }
}

impl<T: Decode> Subscription<T> {
    pub(crate) fn new(slot: Arc<Slot>, commands: mpsc::UnboundedSender<Command>) -> Self {
        Subscription { live: Live { slot, commands }, read: |packed| Ok(packed.decode()?) }
    }
}

impl<T> Subscription<T> {
    /// The next result that was not read; none at the end. The stream's own method, without its traits.
    pub async fn next(&mut self) -> Option<Result<T, CallError>> {
        StreamExt::next(self).await
    }

    /// The newest result, read or not; none before the first one came.
    pub fn newest(&self) -> Option<Result<T, CallError>> {
        self.live.slot.newest().map(|answer| (self.read)(&answer?))
    }

    /// The stream of changes, for a user interface that shows an insertion instead of drawing a list again. What was not
    /// read as a result comes as the first change.
    pub fn changes(self) -> Changes<T> {
        Changes { live: self.live, read: self.read, shown: None }
    }
}

impl<T> Stream for Subscription<T> {
    type Item = Result<T, CallError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let answer = ready!(self.live.slot.poll_take(cx));
        Poll::Ready(answer.map(|answer| (self.read)(&answer?)))
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("newest", &self.live.slot.newest()).finish()
    }
}

/// A new result, and how it differs from the one before.
#[derive(Clone)]
pub struct Update<T> {
    /// The differences, to be applied one after the other; [`Change::Replaced`] alone for the first result and after an
    /// error.
    pub changes: Vec<Change>,
    value: Packed,
    read: fn(&Packed) -> Result<T, CallError>,
}

impl<T> Update<T> {
    /// The new result.
    pub fn value(&self) -> Result<T, CallError> {
        (self.read)(&self.value)
    }

    /// One element of the new list; none behind its end. Nothing else is read.
    pub fn element<R: Decode>(&self, index: usize) -> Option<Result<R, CallError>> {
        let ValueRef::Array(elements) = self.value.as_ref() else { return None };
        elements.iter().nth(index).map(|element| Ok(R::decode(element)?))
    }

    /// The new result, not read into a Rust type.
    pub fn packed(&self) -> &Packed {
        &self.value
    }
}

/// A live query as a stream of changes: each is from the last result that this stream gave to the newest one.
#[must_use = "a subscription ends when it is dropped"]
pub struct Changes<T> {
    live: Live,
    read: fn(&Packed) -> Result<T, CallError>,
    shown: Option<Packed>,
}

impl<T> Changes<T> {
    /// The changes since the last call; none at the end. The stream's own method, without its traits.
    pub async fn next(&mut self) -> Option<Result<Update<T>, CallError>> {
        StreamExt::next(self).await
    }
}

impl<T> Stream for Changes<T> {
    type Item = Result<Update<T>, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(answer) = ready!(self.live.slot.poll_take(cx)) else { return Poll::Ready(None) };
        let shown = std::mem::replace(&mut self.shown, answer.as_ref().ok().cloned());
        Poll::Ready(Some(answer.map(|value| {
            let changes = match shown {
                Some(shown) => changes(shown.as_ref(), value.as_ref()),
                None => vec![Change::Replaced],
            };
            Update { changes, value, read: self.read }
        })))
    }
}
