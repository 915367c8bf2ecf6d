//! The client's half of a connection, as a state machine.
//!
//! # Guarantees
//!
//! - One session id over all connections, and request numbers that never come twice: a server that keeps
//!   records runs a mutation once, however often the connection is cut.
//! - After each [`ClientEvent::Updated`] all results are as of one timestamp. From a server that was asked for diffs
//!   (`?diffs=1`) they come as diffs too; where one does not fit, it and all that follows are held back until the server has
//!   sent that query in full.
//! - A mutation is finished when a Transition has reached its timestamp, so that the results a caller sees next
//!   contain it; a failed one is finished at once. A mutation is asked for again on every new connection until then. An
//!   action that was under way when the connection was lost is reported as lost and never asked for again.
//! - At most 256 requests are sent and unanswered at a time, also when all are sent again: a server ends a connection of
//!   which too many wait.
//!
//! A worker calls [`ClientSession::connected`] with each new socket, sends what
//! [`ClientSession::next_message`] gives, passes text frames to [`ClientSession::receive`], and after an
//! error or a close calls [`ClientSession::disconnected`] and connects again.

mod event;
mod told;

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use hull_value::Timestamp;

use crate::chunk::{ChunkError, Reassembly};
use crate::client_message::{ClientMessage, Credential, QueryChange};
use crate::message::{SessionId, StateVersion};
use crate::server_message::{Answer, QueryUpdate, ServerMessage, is_json};

use told::Told;

pub use event::{ClientError, ClientEvent, QueryState, RequestOutcome};

/// How many requests may be unanswered, and how many bytes of arguments, before the next one is sent.
const WINDOW: usize = 256;
const WINDOW_BYTES: usize = 16 << 20;

#[derive(Debug)]
struct Query {
    path: String,
    args: String,
    journal: Option<String>,
    state: Option<QueryState>,
}

#[derive(Debug)]
struct Request {
    action: bool,
    path: String,
    args: String,
    /// On this connection.
    sent: bool,
    /// The answer that no Transition has reached.
    answered: Option<(Timestamp, String, Vec<String>)>,
}

/// The client's half of one session, over all its connections.
#[derive(Debug)]
pub struct ClientSession {
    session: SessionId,
    connections: u32,
    last_close: String,
    is_connected: bool,
    /// What the results show.
    version: StateVersion,
    /// Where the last Transition ended.
    received: StateVersion,
    told: Told,
    max_observed: Option<Timestamp>,
    query_set: u32,
    identity: u32,
    credential: Credential,
    queries: BTreeMap<u32, Query>,
    next_query: u32,
    requests: BTreeMap<u32, Request>,
    next_request: u32,
    /// No request from this one on was sent on this connection.
    unsent: u32,
    /// How many were sent and not answered on this connection, and how long their arguments are.
    unanswered: usize,
    unanswered_bytes: usize,
    chunks: Reassembly,
    messages: VecDeque<String>,
    events: VecDeque<ClientEvent>,
}

impl ClientSession {
    /// A new session, not connected; the id must be a random UUID.
    pub fn new(session: SessionId) -> Self {
        Self {
            session,
            connections: 0,
            last_close: "InitialConnect".to_owned(),
            is_connected: false,
            version: StateVersion::ZERO,
            received: StateVersion::ZERO,
            told: Told::default(),
            max_observed: None,
            query_set: 0,
            identity: 0,
            credential: Credential::None,
            queries: BTreeMap::new(),
            next_query: 0,
            requests: BTreeMap::new(),
            next_request: 0,
            unsent: 0,
            unanswered: 0,
            unanswered_bytes: 0,
            chunks: Reassembly::default(),
            messages: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Wants to hear of a query. `args` is an object as JSON text.
    pub fn subscribe(&mut self, path: &str, args: &str) -> u32 {
        let id = self.next_query;
        self.next_query += 1;
        let query = Query { path: path.to_owned(), args: list(args), journal: None, state: None };
        if self.is_connected {
            let json = ClientMessage::ModifyQuerySet {
                base: self.query_set,
                new: self.query_set + 1,
                changes: vec![query.add(id)],
            }
            .to_json();
            self.query_set += 1;
            self.messages.push_back(json);
        }
        self.queries.insert(id, query);
        id
    }

    /// No longer wants to hear of it.
    pub fn unsubscribe(&mut self, query: u32) {
        if self.queries.remove(&query).is_some() && self.is_connected {
            let changes = vec![QueryChange::Remove { query }];
            let new = self.query_set + 1;
            let message = ClientMessage::ModifyQuerySet { base: self.query_set, new, changes };
            self.messages.push_back(message.to_json());
            self.query_set = new;
        }
    }

    /// The newest result of a query.
    pub fn result(&self, query: u32) -> Option<&QueryState> {
        self.queries.get(&query)?.state.as_ref()
    }

    /// Asks for a mutation; [`ClientEvent::Finished`] tells its end. `args` is an object as JSON text.
    pub fn mutate(&mut self, path: &str, args: &str) -> u32 {
        self.ask(false, path, args)
    }

    /// Asks for an action; [`ClientEvent::Finished`] tells its end. `args` is an object as JSON text.
    pub fn act(&mut self, path: &str, args: &str) -> u32 {
        self.ask(true, path, args)
    }

    /// Says who the client is, on this connection and all that follow.
    pub fn authenticate(&mut self, credential: Credential) {
        self.credential = credential;
        if self.is_connected {
            self.send_credential();
        }
    }

    /// A new socket is open. `now_ms` is the client's clock in milliseconds since 1970.
    pub fn connected(&mut self, now_ms: i64) {
        self.is_connected = true;
        self.version = StateVersion::ZERO;
        self.received = StateVersion::ZERO;
        self.told = Told::default();
        self.identity = 0;
        self.chunks = Reassembly::default();
        self.messages.clear();
        let connect = ClientMessage::Connect {
            session: self.session,
            connection_count: self.connections,
            last_close_reason: Some(Cow::Borrowed(&self.last_close)),
            max_observed: self.max_observed,
            client_ts: Some(now_ms),
        };
        self.messages.push_back(connect.to_json());
        self.connections = self.connections.saturating_add(1);
        if self.credential != Credential::None {
            self.send_credential();
        }
        let changes = self.queries.iter().map(|(id, query)| query.add(*id)).collect();
        self.messages.push_back(ClientMessage::ModifyQuerySet { base: 0, new: 1, changes }.to_json());
        self.query_set = 1;
        for request in self.requests.values_mut() {
            request.sent = false;
            // The server answers again, and the last answer must not be taken for that one.
            request.answered = None;
        }
        (self.unsent, self.unanswered, self.unanswered_bytes) = (0, 0, 0);
        self.send_requests();
    }

    /// The socket is gone.
    pub fn disconnected(&mut self, reason: &str) {
        self.is_connected = false;
        self.last_close = reason.to_owned();
        self.messages.clear();
        let lost = self.requests.iter().filter(|(_, request)| request.action && request.sent);
        for request in lost.map(|(request, _)| *request).collect::<Vec<_>>() {
            self.finish(request, RequestOutcome::Lost, Vec::new());
        }
    }

    /// Forgets every request without an event, for a client that will not be let in. To be called when disconnected; what
    /// was sent before may have been done.
    pub fn forget_requests(&mut self) {
        self.requests.clear();
    }

    /// A text frame came. After an error the socket should be closed and another one opened.
    pub fn receive(&mut self, text: &str) -> Result<(), ClientError> {
        match ServerMessage::parse(text)? {
            ServerMessage::TransitionChunk { chunk, part, parts, id } => {
                match self.chunks.push(&chunk, part, parts, &id)? {
                    Some(whole) => self.accept(ServerMessage::parse(&whole)?),
                    None => Ok(()),
                }
            }
            ServerMessage::Ping => Ok(()),
            _ if self.chunks.is_half() => Err(ChunkError::OutOfOrder.into()),
            message => self.accept(message),
        }
    }

    /// The next message to send.
    pub fn next_message(&mut self) -> Option<String> {
        self.messages.pop_front()
    }

    /// The next thing that happened.
    pub fn next_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// The version that the results show: that of the last Transition which was not held back.
    pub fn version(&self) -> StateVersion {
        self.version
    }

    /// Whether the server has let this client in and answered the queries that it came with.
    pub fn is_synced(&self) -> bool {
        self.is_connected && self.version.query_set > 0 && self.version.identity == self.identity
    }

    /// Whether a request has not come to its end.
    pub fn has_unfinished(&self) -> bool {
        !self.requests.is_empty()
    }

    fn ask(&mut self, action: bool, path: &str, args: &str) -> u32 {
        let id = self.next_request;
        self.next_request += 1;
        let request =
            Request { action, path: path.to_owned(), args: list(args), sent: false, answered: None };
        self.requests.insert(id, request);
        if self.is_connected {
            self.send_requests();
        }
        id
    }

    /// Sends as many requests as may be unanswered.
    fn send_requests(&mut self) {
        while self.unanswered < WINDOW && self.unanswered_bytes < WINDOW_BYTES {
            let Some((id, request)) = self.requests.range_mut(self.unsent..).next() else { return };
            request.sent = true;
            self.messages.push_back(request.to_json(*id));
            self.unanswered += 1;
            self.unanswered_bytes += request.args.len();
            self.unsent = id.saturating_add(1);
        }
    }

    /// The request that an answer of this kind is for; it is unanswered no more.
    fn answered(&mut self, id: u32, action: bool) -> Result<&mut Request, ClientError> {
        let sent =
            |request: &&mut Request| request.action == action && request.sent && request.answered.is_none();
        let request = self.requests.get_mut(&id).filter(sent).ok_or(ClientError::UnknownRequest(id))?;
        self.unanswered = self.unanswered.saturating_sub(1);
        self.unanswered_bytes = self.unanswered_bytes.saturating_sub(request.args.len());
        Ok(request)
    }

    fn send_credential(&mut self) {
        let message =
            ClientMessage::Authenticate { base: self.identity, credential: self.credential.clone() };
        self.messages.push_back(message.to_json());
        self.identity += 1;
    }

    fn accept(&mut self, message: ServerMessage<'_>) -> Result<(), ClientError> {
        match message {
            ServerMessage::Transition { start, end, updates, .. } => self.transition(start, end, updates)?,
            ServerMessage::MutationResponse { request, answer, ts, log_lines } => {
                let reached = self.reached();
                let entry = self.answered(request, false)?;
                let log_lines = log_lines.into_iter().map(Cow::into_owned).collect();
                match (answer, ts) {
                    (Answer::Value(value), Some(ts)) if ts > reached => {
                        entry.answered = Some((ts, value.to_owned(), log_lines))
                    }
                    (answer, _) => self.finish(request, answer.into(), log_lines),
                }
                self.send_requests();
            }
            ServerMessage::ActionResponse { request, answer, log_lines } => {
                self.answered(request, true)?;
                self.finish(request, answer.into(), log_lines.into_iter().map(Cow::into_owned).collect());
                self.send_requests();
            }
            // It may be about a credential that another one has replaced since: the next connection has that one.
            ServerMessage::AuthError { base, .. } if base.saturating_add(1) < self.identity => {}
            ServerMessage::AuthError { error, .. } => {
                self.events.push_back(ClientEvent::Refused { error: error.into_owned() });
            }
            ServerMessage::FatalError { error } => {
                self.events.push_back(ClientEvent::Fatal { error: error.into_owned() });
            }
            ServerMessage::TransitionChunk { .. } => return Err(ChunkError::Mixed.into()),
            ServerMessage::Ping => {}
        }
        Ok(())
    }

    fn transition(
        &mut self,
        start: StateVersion,
        end: StateVersion,
        updates: Vec<QueryUpdate<'_>>,
    ) -> Result<(), ClientError> {
        if start != self.received {
            return Err(ClientError::StartVersionMismatch);
        }
        if end.ts < start.ts || end.query_set < start.query_set || end.identity < start.identity {
            return Err(ClientError::Backwards);
        }
        self.received = end;
        self.max_observed = self.max_observed.max(Some(end.ts));
        let queries = &self.queries;
        for query in self.told.take(updates, |query| queries.contains_key(&query)) {
            self.messages.push_back(ClientMessage::QueryResync { query }.to_json());
        }
        let Some(news) = self.told.release() else { return Ok(()) };
        self.version = end;
        let mut changed = Vec::new();
        for (id, news) in news {
            // One that was dropped meanwhile is none of our business.
            let Some(query) = self.queries.get_mut(&id) else { continue };
            if let Some(journal) = news.journal {
                query.journal = journal;
            }
            query.state = Some(news.state);
            changed.push(id);
        }
        self.events.push_back(ClientEvent::Updated { ts: end.ts, queries: changed });
        let reached = self.reached();
        let reached = |request: &Request| request.answered.as_ref().is_some_and(|(ts, ..)| *ts <= reached);
        let done = self.requests.iter().filter(|(_, request)| reached(request)).map(|(id, _)| *id);
        for id in done.collect::<Vec<_>>() {
            let request = self.requests.remove(&id);
            if let Some((_, value, log_lines)) = request.and_then(|request| request.answered) {
                self.finish(id, RequestOutcome::Value(value), log_lines);
            }
        }
        Ok(())
    }

    /// What the results show. A new connection's first Transitions may come before its queries are answered.
    fn reached(&self) -> Timestamp {
        if self.version.query_set == 0 { Timestamp(0) } else { self.version.ts }
    }

    fn finish(&mut self, request: u32, outcome: RequestOutcome, log_lines: Vec<String>) {
        self.requests.remove(&request);
        self.events.push_back(ClientEvent::Finished { request, outcome, log_lines });
    }
}

impl Query {
    fn add(&self, query: u32) -> QueryChange<'_> {
        QueryChange::Add {
            query,
            path: Cow::Borrowed(&self.path),
            args: &self.args,
            journal: self.journal.as_deref().map(Cow::Borrowed),
            component: Cow::Borrowed(""),
        }
    }
}

impl Request {
    fn to_json(&self, request: u32) -> String {
        let (path, args) = (Cow::Borrowed(self.path.as_str()), self.args.as_str());
        let component = Cow::Borrowed("");
        if self.action {
            ClientMessage::Action { request, path, args, component }.to_json()
        } else {
            ClientMessage::Mutation { request, path, args, component }.to_json()
        }
    }
}

/// Arguments as they stand on the wire; text that is not JSON goes as a string, which the server refuses by
/// name.
fn list(args: &str) -> String {
    if is_json(args) { format!("[{args}]") } else { serde_json::Value::from(vec![args]).to_string() }
}
