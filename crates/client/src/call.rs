//! One call under way.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use hull_value::{Decode, Packed};
use tokio::sync::{mpsc, oneshot};

use crate::driver::Command;
use crate::error::CallError;

/// How a call ends.
pub(crate) type Answer = Result<Packed, CallError>;

/// A call under way; awaiting it gives the result. The call goes on when this is dropped, as long as the client does.
#[derive(Debug)]
#[must_use = "a call that nobody awaits may fail unseen"]
pub struct Call<T> {
    answer: oneshot::Receiver<Answer>,
    read: fn(&Packed) -> Result<T, CallError>,
    /// The client's task lives until the answer has come.
    _alive: mpsc::UnboundedSender<Command>,
}

impl<T: Decode> Call<T> {
    pub(crate) fn new(answer: oneshot::Receiver<Answer>, alive: mpsc::UnboundedSender<Command>) -> Self {
        Call { answer, read: |packed| Ok(packed.decode()?), _alive: alive }
    }
}

impl<T> Future for Call<T> {
    type Output = Result<T, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer)
            .poll(cx)
            .map(|answer| (self.read)(&answer.unwrap_or(Err(CallError::Ended))?))
    }
}
