//! What a session does with each message of its client.

use super::requests::{Pending, read_call};
use super::{Effect, Instant, Phase, Session};
use crate::client_message::{ClientMessage, Credential};
use crate::close::Close;

const RUNNING_ACTIONS: usize = 1_000;

impl<I: Clone> Session<I> {
    pub(super) fn accept(&mut self, message: ClientMessage<'_>, now: Instant) {
        match (&self.phase, message) {
            (_, ClientMessage::Event { .. }) => {}
            (
                Phase::New,
                ClientMessage::Connect {
                    session,
                    connection_count,
                    last_close_reason,
                    max_observed,
                    client_ts,
                },
            ) => {
                if max_observed.is_some_and(|seen| seen > self.durable) {
                    return self
                        .close(Close::internal("the client has seen a newer timestamp than this server"));
                }
                self.phase = Phase::Open;
                let now_ms = i64::try_from(now.unix_ns / 1_000_000).unwrap_or(i64::MAX);
                self.skew = client_ts.filter(|ts| *ts != 0).map(|ts| ts.saturating_sub(now_ms));
                let last_close_reason = last_close_reason.map(|reason| reason.into_owned());
                self.effects.push_back(Effect::Connected { session, connection_count, last_close_reason });
            }
            (Phase::New, _) => self.fatal("the first message of a connection must be Connect"),
            (_, ClientMessage::Connect { .. }) => self.fatal("a connection can have only one Connect"),
            (_, ClientMessage::ModifyQuerySet { base, new, changes }) => {
                let identity = self.identity.clone();
                if let Err(error) = self.queries.modify(base, new, changes, &identity, &mut self.effects) {
                    self.close(error);
                }
            }
            (_, ClientMessage::QueryResync { query }) => self.queries.resync(query),
            (_, ClientMessage::Mutation { request, path, args, component }) => {
                let pending = Pending::new(
                    request,
                    read_call(&path, args, &component),
                    self.identity.clone(),
                    args.len(),
                );
                if let Err(error) = self.requests.push(pending) {
                    self.close(error);
                }
            }
            (_, ClientMessage::Action { request, path, args, component }) => {
                self.actions += 1;
                if self.actions > RUNNING_ACTIONS {
                    return self.close(Close::too_many_requests("too many actions of one connection"));
                }
                match read_call(&path, args, &component) {
                    Ok((path, args)) => {
                        let identity = self.identity.clone();
                        self.effects.push_back(Effect::RunAction { request, path, args, identity });
                    }
                    Err(failure) => self.action_finished(request, Err(&failure), &[]),
                }
            }
            (_, ClientMessage::Authenticate { base, credential }) => {
                if base != self.identity_version {
                    return self.close(Close::internal("Authenticate is based on another identity version"));
                }
                if credential == Credential::None {
                    self.set_identity(self.anonymous.clone());
                } else {
                    self.authenticating = true;
                    self.effects.push_back(Effect::Authenticate { credential });
                }
            }
        }
    }

    pub(super) fn set_identity(&mut self, identity: I) {
        self.identity = identity;
        self.identity_version += 1;
        self.queries.resubscribe(&self.identity, &mut self.effects);
    }

    pub(super) fn release(&mut self, now: Instant) {
        let mut held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        while let Some(text) = held.pop_front() {
            // One of these may authenticate again: then it holds what follows it.
            let heard_ms = self.heard_ms;
            self.receive(&text, now);
            self.heard_ms = heard_ms;
        }
    }
}
