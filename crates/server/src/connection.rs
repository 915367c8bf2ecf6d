//! One websocket client: one task that reads, runs, waits and writes.
//!
//! Guarantees: a turn of the task reads what has come, runs it, and writes all that may be said in one write, so an
//! answer and the Transition behind it leave together. Mutations run inline, one at a time; while the answers of
//! earlier ones wait for durability the next one runs. A client that does not read is asked for nothing and told only
//! the newest state once it reads again. What a client does wrong ends its own connection and no other.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hull_functions::Identity;
use hull_sync::{
    ClientVersion, Close, DiffCounts, Effect, Failure, Instant, Session, SessionId, SubscriptionId,
};
use hull_value::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::futures::OwnedNotified;
use tokio::time::Sleep;

use crate::backend::{Backend, MutationRun, Ran};
use crate::live::Live;
use crate::mailbox::Mailbox;
use crate::state::Shared;
use crate::stuck::Watch;
use crate::wire::{Incoming, Wire};

/// How many messages a turn reads before it writes.
const MESSAGES_PER_TURN: usize = 128;
/// When a connection on which nothing happens is first looked after; then its session says when.
const TICK: Duration = Duration::from_secs(5);
/// How long a client has to take the last bytes of a connection that ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// Serves a websocket until it ends; with `diffs` its client asks for diffs of results.
pub(crate) async fn run(shared: Arc<Shared>, wire: Wire, version: ClientVersion, diffs: bool) {
    let Ok(backend) = shared.ready() else { return };
    let live = backend.live();
    let mailbox = Mailbox::new(Arc::clone(live.notify()));
    let _entered = shared.enter(&mailbox);
    let mut connection =
        Box::new(Connection::new(Arc::clone(&shared), backend, live, mailbox, wire, version));
    if diffs {
        connection.session.tell_diffs();
    }
    let end = poll_fn(|cx| connection.turn(cx)).await;
    if let Some(session) = connection.session_id {
        shared.leave(session, &connection.mailbox);
    }
    let Connection { wire, .. } = *connection;
    if matches!(end, End::Told) {
        farewell(wire).await;
    }
}

/// How a conversation ended.
enum End {
    /// The client is gone.
    Lost,
    /// A close frame was written.
    Told,
}

/// Closes so that the close frame arrives: a socket with unread bytes would be reset, and the frame lost.
async fn farewell(wire: Wire) {
    let mut stream = wire.into_stream();
    let drain = async {
        stream.shutdown().await?;
        let mut rest = vec![0; 16 << 10];
        while stream.read(&mut rest).await? > 0 {}
        std::io::Result::Ok(())
    };
    if let Ok(Err(error)) = tokio::time::timeout(FAREWELL, drain).await {
        tracing::trace!(%error, "a client left without a farewell");
    }
}

/// A mutation that did not finish at once.
struct Running {
    request: u32,
    run: MutationRun,
}

struct Connection {
    shared: Arc<Shared>,
    backend: Arc<Backend>,
    mailbox: Arc<Mailbox>,
    wire: Wire,
    session: Session<Identity>,
    session_id: Option<SessionId>,
    live: Live,
    /// The client's number of each subscription, by generation.
    queries: HashMap<u32, u32>,
    running: Option<Running>,
    /// Answers for a mutation that keeps this task; made with the first mutation.
    stuck: Option<Watch>,
    /// The newest answer of this turn.
    answer: Option<Timestamp>,
    /// Whether the live queries may have something new.
    look: bool,
    wake: Pin<Box<OwnedNotified>>,
    tick: Pin<Box<Sleep>>,
}

impl Connection {
    fn new(
        shared: Arc<Shared>,
        backend: Arc<Backend>,
        live: Live,
        mailbox: Arc<Mailbox>,
        wire: Wire,
        version: ClientVersion,
    ) -> Connection {
        let now = backend.instant();
        let wake = Box::pin(Arc::clone(mailbox.notify()).notified_owned());
        Connection {
            session: Session::new(version, Identity::Anonymous, backend.durable(), now),
            session_id: None,
            live,
            queries: HashMap::new(),
            running: None,
            stuck: None,
            answer: None,
            look: false,
            wake,
            tick: Box::pin(tokio::time::sleep(TICK)),
            shared,
            backend,
            mailbox,
            wire,
        }
    }

    /// One turn: everything that can be done now.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        while self.wake.as_mut().poll(cx).is_ready() {
            self.wake.set(Arc::clone(self.mailbox.notify()).notified_owned());
            self.look = true;
        }
        let now = self.backend.instant();
        while self.tick.as_mut().poll(cx).is_ready() {
            let next = Duration::from_millis(self.session.next_flush_in(now));
            self.tick.as_mut().reset(tokio::time::Instant::now() + next);
        }
        self.look_around();
        if let Some(Running { request, run }) = &mut self.running
            && let Poll::Ready(ran) = run.as_mut().poll(cx)
        {
            let request = *request;
            self.running = None;
            self.finished(request, ran);
        }
        self.work(cx, now);
        if let Poll::Ready(end) = self.read(cx, now) {
            return Poll::Ready(end);
        }
        if let Some(ts) = self.answer.take() {
            self.live.answer(ts);
        }
        self.write(cx, now)
    }

    /// Hears what the rest of the server wants of this connection.
    fn look_around(&mut self) {
        if self.shared.has_failed() {
            self.session.close(Close::internal("the server's log has failed"));
        } else if self.mailbox.is_superseded() {
            self.session.close(Close::superseded());
        } else if self.mailbox.is_stopped() && !self.session.has_unanswered() {
            self.session.close(Close::going_away());
        }
    }

    /// Reads what has come, as long as nothing runs.
    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<End> {
        if self.mailbox.is_stopped() {
            return Poll::Pending;
        }
        self.session.durable(self.backend.durable());
        for _ in 0..MESSAGES_PER_TURN {
            if self.running.is_some() || self.session.is_closed() {
                return Poll::Pending;
            }
            match self.wire.poll_read(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(Incoming::Text(text))) => {
                    self.shared.metrics.messages.increment(1);
                    self.session.receive(&text, now);
                }
                Poll::Ready(Ok(Incoming::Binary)) => self.session.receive_binary(now),
                Poll::Ready(Ok(Incoming::Pong(payload))) => self.session.receive_pong(&payload, now),
                Poll::Ready(Ok(Incoming::Ping)) => self.session.receive_other(now),
                Poll::Ready(Ok(Incoming::Closed)) => {
                    // Our half of the closing is queued already.
                    return match self.wire.poll_flush(cx) {
                        Poll::Ready(Ok(())) => Poll::Ready(End::Told),
                        _ => Poll::Ready(End::Lost),
                    };
                }
                Poll::Ready(Err(error)) => match error.close_code() {
                    Some(code) => {
                        self.shared.metrics.protocol_errors.increment(1);
                        tracing::debug!(%error, "a client broke the websocket protocol");
                        self.session.close(Close::new(code, error.to_string()));
                        return Poll::Pending;
                    }
                    None => return Poll::Ready(End::Lost),
                },
            }
            self.work(cx, now);
        }
        // There may be more; others have their turn first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Does what the session wants done.
    fn work(&mut self, cx: &mut Context<'_>, now: Instant) {
        if self.mailbox.is_stopped() {
            return;
        }
        while let Some(effect) = self.session.next_effect() {
            match effect {
                Effect::Connected { session, connection_count, last_close_reason } => {
                    tracing::debug!(%session, connection_count, ?last_close_reason, "a client connected");
                    self.session_id = Some(session);
                    self.shared.supersede(session, &self.mailbox);
                }
                Effect::Subscribe { subscription, path, args, journal, identity } => {
                    let SubscriptionId { query, generation } = subscription;
                    self.queries.insert(generation, query);
                    self.live.subscribe(generation, path.as_str(), &args, journal.as_ref(), identity);
                    self.look = true;
                }
                Effect::Unsubscribe { subscription } => {
                    self.queries.remove(&subscription.generation);
                    self.live.unsubscribe(subscription.generation);
                    self.look = true;
                }
                Effect::RunMutation { request, path, args, identity } => {
                    self.shared.metrics.websocket_mutations.increment(1);
                    let session = self.session_id.map(|session| (session, request));
                    let stuck = self.stuck.get_or_insert_with(|| Watch::new(self.wire.stream()));
                    let on_stuck = stuck.watch(request, self.wire.is_between_frames());
                    let mut run = self.backend.mutate(path, args, identity, session, on_stuck);
                    match run.as_mut().poll(cx) {
                        Poll::Ready(ran) => self.finished(request, ran),
                        Poll::Pending => self.running = Some(Running { request, run }),
                    }
                }
                Effect::RunAction { request, path, .. } => {
                    let failure = self.backend.no_action_failure(path.as_str());
                    self.session.action_finished(request, Err(&failure), &[]);
                }
                Effect::Authenticate { credential } => match self.backend.authenticate(&credential) {
                    Ok(identity) => self.session.authenticated(identity, now),
                    Err(error) => self.session.authentication_failed(&error),
                },
            }
        }
    }

    /// A mutation is ordered, or has failed.
    fn finished(&mut self, request: u32, ran: Ran) {
        match ran {
            Ran::Done { ts, result, log_lines } => {
                let result: Result<&str, &Failure> = result.as_ref().map(|value| &**value);
                self.session.mutation_finished(request, ts, result, &log_lines);
                self.answer = self.answer.max(Some(ts));
            }
            Ran::NotNow(close) => self.session.close(close),
        }
    }

    /// Writes all that may be said, if the socket has taken what was said before.
    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<End> {
        loop {
            match self.wire.poll_flush(cx) {
                // It neither reads nor answers pings.
                Poll::Pending if self.session.is_silent(now) => return Poll::Ready(End::Lost),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => {
                    tracing::trace!(%error, "a client is gone");
                    return Poll::Ready(End::Lost);
                }
                Poll::Ready(Ok(())) if self.session.is_closed() => return Poll::Ready(End::Told),
                Poll::Ready(Ok(())) => {}
            }
            if std::mem::take(&mut self.look)
                && let Some(step) = self.live.poll()
            {
                self.shared.metrics.pushes.increment(step.updates.len() as u64);
                let queries = &self.queries;
                let results = step.updates.into_iter().filter_map(|(generation, result)| {
                    let subscription = SubscriptionId { query: *queries.get(&generation)?, generation };
                    Some((subscription, result))
                });
                self.session.step(step.ts, results);
            }
            self.session.flush(now, &mut self.wire);
            let DiffCounts { made, told } = self.session.take_diff_counts();
            if made + told > 0 {
                self.shared.metrics.diffs_made.increment(made);
                self.shared.metrics.diffs_told.increment(told);
            }
            if self.wire.backlog() == 0 {
                if let Some(ts) = self.session.wants_step() {
                    self.live.answer(ts);
                }
                return Poll::Pending;
            }
        }
    }
}

/// The moment for a session: the clocks of the machine.
pub(crate) fn instant(started: std::time::Instant) -> Instant {
    Instant {
        monotonic_ms: started.elapsed().as_millis() as u64,
        unix_ns: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64),
    }
}
