//! The live queries of one websocket, in the terms of its session.

use std::sync::Arc;

use hull_functions::{Identity, LiveSession};
use hull_sync::QueryResult;
use hull_value::{Packed, Timestamp};
use tokio::sync::Notify;

use crate::backend::failure;

/// The live queries of one websocket.
pub(crate) struct Live {
    session: LiveSession,
}

/// Where a websocket stands, and the results that differ from what it was told, by generation.
pub(crate) struct Step {
    pub(crate) ts: Timestamp,
    pub(crate) updates: Vec<(u32, Arc<QueryResult>)>,
}

impl Live {
    /// The subscriptions of a new websocket.
    pub(crate) fn new(session: LiveSession) -> Live {
        Live { session }
    }

    /// What wakes the websocket's task.
    pub(crate) fn notify(&self) -> &Arc<Notify> {
        self.session.notify()
    }

    /// Subscribes under a generation, which the session uses once.
    pub(crate) fn subscribe(
        &mut self,
        generation: u32,
        path: &str,
        args: &Packed,
        journal: Option<&Arc<str>>,
        identity: Identity,
    ) {
        if identity != *self.session.identity() {
            self.session.set_identity(identity);
        }
        self.session.subscribe(generation, path, args, journal);
    }

    /// Ends a subscription.
    pub(crate) fn unsubscribe(&self, generation: u32) {
        self.session.unsubscribe(generation);
    }

    /// The websocket is to be woken when `ts` is durable and its queries are that far.
    pub(crate) fn answer(&self, ts: Timestamp) {
        self.session.answer(ts);
    }

    /// What there is to tell now.
    pub(crate) fn poll(&self) -> Option<Step> {
        let step = self.session.poll()?;
        let updates = step
            .updates
            .into_iter()
            .filter_map(|(generation, result)| Some((generation, sendable(&result)?)))
            .collect();
        Some(Step { ts: step.ts, updates })
    }
}

/// The result in the form that is sent, made once for all who receive it.
pub(crate) fn sendable(result: &hull_functions::QueryResult) -> Option<Arc<QueryResult>> {
    result.attachment.get_or_make(|| {
        let journal = result.journal.clone();
        match &result.value {
            Ok(value) => QueryResult::updated(value.clone(), &result.log_lines, journal),
            Err(error) => QueryResult::failed(&failure(error), &result.log_lines, journal),
        }
    })
}
