//! Where a live query's newest result lies between the client's task, which puts it there, and one reader.
//!
//! A result that nobody has read is replaced by the next one.

use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::call::Answer;
use crate::error::CallError;

#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// The session's number of the query, once the task has subscribed to it.
    pub(crate) query: OnceLock<u32>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    newest: Option<Answer>,
    unread: bool,
    /// Nothing will come any more.
    over: bool,
    reader: Option<Waker>,
}

impl Slot {
    /// A result that differs from the last one is news.
    pub(crate) fn put(&self, answer: Answer) {
        let mut state = self.state.lock();
        if state.newest.as_ref() != Some(&answer) {
            state.newest = Some(answer);
            state.unread = true;
            state.wake();
        }
    }

    /// Puts the last result there will be.
    pub(crate) fn end(&self, error: CallError) {
        let mut state = self.state.lock();
        if !state.over {
            state.newest = Some(Err(error));
            (state.unread, state.over) = (true, true);
            state.wake();
        }
    }

    /// The newest result, if it has not been read; `None` at the end.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<Answer>> {
        let mut state = self.state.lock();
        if std::mem::take(&mut state.unread) {
            return Poll::Ready(state.newest.clone());
        }
        if state.over {
            return Poll::Ready(None);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The newest result, read or not.
    pub(crate) fn newest(&self) -> Option<Answer> {
        self.state.lock().newest.clone()
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}
