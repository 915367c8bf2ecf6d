//! The client's task: one session over all its connections.
//!
//! Commands are taken in the order of the calls, whether there is a connection or not. While a token is being fetched
//! they wait, so that nothing runs as somebody else than the caller meant.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hull_sync::{ClientEvent, ClientSession, Credential, QueryState, RequestOutcome, SessionId};
use hull_value::Packed;
use parking_lot::RwLock;
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::auth::{Auth, Fetching};
use crate::backoff::Backoff;
use crate::call::Answer;
use crate::client::ConnectionState;
use crate::connector::Connector;
use crate::error::{CallError, FunctionError};
use crate::slot::Slot;
use crate::socket::{Lost, Received, Socket};

/// The server says something at least every 15 s, be it a ping; a silence of twice that is a lost connection.
const SILENCE: Duration = Duration::from_secs(30);
/// How many commands are taken before the socket has its turn.
const COMMANDS_PER_TURN: usize = 256;

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// An object as JSON text.
    pub(crate) args: String,
}

/// What a handle wants.
pub(crate) enum Command {
    Subscribe(Request, Arc<Slot>),
    Unsubscribe(Arc<Slot>),
    Query(Request, oneshot::Sender<Answer>),
    Mutation(Request, oneshot::Sender<Answer>),
    Action(Request, oneshot::Sender<Answer>),
    Auth(Auth),
}

/// Who waits for a query's results.
enum Listener {
    Live(Arc<Slot>),
    Once(oneshot::Sender<Answer>),
}

/// The last handle is gone.
struct Dropped;

pub(crate) struct Driver {
    connector: Connector,
    base: String,
    session: ClientSession,
    commands: mpsc::UnboundedReceiver<Command>,
    held: VecDeque<Command>,
    state: watch::Sender<ConnectionState>,
    together: Arc<RwLock<()>>,
    listeners: HashMap<u32, Listener>,
    calls: HashMap<u32, oneshot::Sender<Answer>>,
    auth: Auth,
    fetching: Option<Fetching>,
    /// The token is one that the provider was asked to refresh, and no server has taken it yet.
    refreshed: bool,
    /// What the server said against the credential of this connection.
    refusal: Option<String>,
    /// Why nothing goes on.
    stopped: Option<CallError>,
    backoff: Backoff,
}

impl Driver {
    pub(crate) fn new(
        connector: Connector,
        base: String,
        session: [u8; 16],
        commands: mpsc::UnboundedReceiver<Command>,
        state: watch::Sender<ConnectionState>,
        together: Arc<RwLock<()>>,
    ) -> Driver {
        Driver {
            connector,
            base,
            session: ClientSession::new(SessionId(uuid(session))),
            commands,
            held: VecDeque::new(),
            state,
            together,
            listeners: HashMap::new(),
            calls: HashMap::new(),
            auth: Auth::Nobody,
            fetching: None,
            refreshed: false,
            refusal: None,
            stopped: None,
            backoff: Backoff::default(),
        }
    }

    /// Runs until the last handle is gone.
    pub(crate) async fn run(mut self) {
        let Err(Dropped) = self.keep().await;
    }

    async fn keep(&mut self) -> Result<std::convert::Infallible, Dropped> {
        loop {
            self.state.send_replace(ConnectionState::Connecting);
            // A new client is told at once who it is.
            while let Ok(command) = self.commands.try_recv() {
                self.command(command);
            }
            while self.fetching.is_some() {
                self.attend(std::future::pending::<()>()).await?;
            }
            let opening = Socket::open(self.connector.clone(), self.base.clone());
            let lost = match self.attend(opening).await? {
                Some(Ok(socket)) => self.converse(socket).await?,
                Some(Err(lost)) => lost,
                // A token is to be fetched first.
                None => continue,
            };
            self.session.disconnected(&lost.reason);
            self.events(&lost.reason);
            if let Some(error) = self.refusal.take() {
                self.refused(error);
            }
            if let Some(error) = &self.stopped {
                self.state.send_replace(ConnectionState::Stopped(error.clone()));
                while self.stopped.is_some() {
                    let command = self.commands.recv().await.ok_or(Dropped)?;
                    self.command(command);
                }
                continue;
            }
            let pause = self.backoff.next(lost.busy, SysRng.try_next_u32().unwrap_or_default());
            tracing::debug!(reason = lost.reason, ?pause, "no connection");
            self.state.send_replace(ConnectionState::Waiting { error: lost.reason, pause });
            let until = Instant::now() + pause;
            while self.attend(tokio::time::sleep_until(until)).await?.is_none() {}
        }
    }

    /// Waits for a future and for what handles want meanwhile; `None` when a token has come or is to be fetched.
    async fn attend<T>(&mut self, future: impl Future<Output = T>) -> Result<Option<T>, Dropped> {
        tokio::pin!(future);
        loop {
            tokio::select! {
                command = self.commands.recv() => {
                    let fetched = self.fetching.is_some();
                    self.command(command.ok_or(Dropped)?);
                    if self.fetching.is_some() != fetched {
                        return Ok(None);
                    }
                }
                token = fetched(&mut self.fetching) => {
                    self.token(token);
                    return Ok(None);
                }
                output = &mut future => return Ok(Some(output)),
            }
        }
    }

    /// One connection, until it is lost.
    async fn converse(&mut self, mut socket: Socket) -> Result<Lost, Dropped> {
        self.session.connected(now_ms());
        self.state.send_replace(ConnectionState::Connected);
        let mut heard = Instant::now();
        let silence = tokio::time::sleep_until(heard + SILENCE);
        tokio::pin!(silence);
        loop {
            tokio::select! {
                command = self.commands.recv() => {
                    let Some(command) = command else {
                        socket.close(&mut self.session).await;
                        return Err(Dropped);
                    };
                    self.command(command);
                    for _ in 1..COMMANDS_PER_TURN {
                        match self.commands.try_recv() {
                            Ok(command) => self.command(command),
                            Err(_) => break,
                        }
                    }
                }
                token = fetched(&mut self.fetching) => self.token(token),
                received = socket.turn(&mut self.session) => {
                    heard = Instant::now();
                    match received {
                        Ok(Received::Control) => {}
                        Ok(Received::Text(text)) => {
                            if let Err(error) = self.session.receive(&text) {
                                return Ok(Lost::new(error));
                            }
                            self.events("");
                            if self.refusal.is_some() || self.stopped.is_some() {
                                return Ok(Lost::new("the server ended the conversation"));
                            }
                        }
                        Err(lost) => return Ok(lost),
                    }
                }
                () = &mut silence => {
                    if heard.elapsed() >= SILENCE {
                        return Ok(Lost::new("the server is silent"));
                    }
                    silence.as_mut().reset(heard + SILENCE);
                }
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            // A newer credential does not wait for an older one.
            Command::Auth(auth) => self.authenticate(auth),
            command if self.fetching.is_some() => self.held.push_back(command),
            Command::Subscribe(request, slot) => {
                let query = self.session.subscribe(&request.path, &request.args);
                slot.query.get_or_init(|| query);
                match &self.stopped {
                    Some(error @ CallError::Fatal(_)) => slot.end(error.clone()),
                    Some(error) => slot.put(Err(error.clone())),
                    None => {}
                }
                self.listeners.insert(query, Listener::Live(slot));
            }
            Command::Unsubscribe(slot) => {
                if let Some(query) = slot.query.get() {
                    self.session.unsubscribe(*query);
                    self.listeners.remove(query);
                }
            }
            Command::Query(request, answer) => match &self.stopped {
                Some(error) => reply(answer, Err(error.clone())),
                None => {
                    let query = self.session.subscribe(&request.path, &request.args);
                    self.listeners.insert(query, Listener::Once(answer));
                }
            },
            Command::Mutation(request, answer) => self.ask(ClientSession::mutate, &request, answer),
            Command::Action(request, answer) => self.ask(ClientSession::act, &request, answer),
        }
    }

    fn ask(
        &mut self,
        ask: fn(&mut ClientSession, &str, &str) -> u32,
        request: &Request,
        answer: oneshot::Sender<Answer>,
    ) {
        match &self.stopped {
            Some(error) => reply(answer, Err(error.clone())),
            None => {
                let id = ask(&mut self.session, &request.path, &request.args);
                self.calls.insert(id, answer);
            }
        }
    }

    fn authenticate(&mut self, auth: Auth) {
        match &self.stopped {
            Some(CallError::Refused(_)) => self.stopped = None,
            Some(_) => return,
            None => {}
        }
        self.auth = auth;
        self.refreshed = false;
        self.refusal = None;
        match &self.auth {
            Auth::User(provider) => self.fetching = Some(provider(false)),
            Auth::Admin(key) => {
                let credential = Credential::Admin { key: key.clone(), acting_as: None };
                self.known(credential);
            }
            Auth::Nobody => self.known(Credential::None),
        }
    }

    fn token(&mut self, token: Option<String>) {
        self.known(token.map_or(Credential::None, |token| Credential::User { token }));
    }

    /// It is known who the client is: what waited for that goes on.
    fn known(&mut self, credential: Credential) {
        self.fetching = None;
        self.session.authenticate(credential);
        while let Some(command) = self.held.pop_front() {
            self.command(command);
        }
    }

    /// The server takes the credential no more: another token, or the end.
    fn refused(&mut self, error: String) {
        match &self.auth {
            Auth::User(provider) if !self.refreshed => {
                self.refreshed = true;
                self.fetching = Some(provider(true));
            }
            _ => self.stop(CallError::Refused(error)),
        }
    }

    /// Nothing goes on: whoever waits is told.
    fn stop(&mut self, error: CallError) {
        tracing::debug!(%error, "stopped");
        let _held = self.together.write();
        let ends = matches!(error, CallError::Fatal(_));
        self.session.forget_requests();
        for (_, answer) in self.calls.drain() {
            reply(answer, Err(error.clone()));
        }
        let once = self.listeners.extract_if(|_, listener| matches!(listener, Listener::Once(_)));
        for (query, listener) in once {
            self.session.unsubscribe(query);
            if let Listener::Once(answer) = listener {
                reply(answer, Err(error.clone()));
            }
        }
        for listener in self.listeners.values() {
            match listener {
                Listener::Live(slot) if ends => slot.end(error.clone()),
                Listener::Live(slot) => slot.put(Err(error.clone())),
                Listener::Once(_) => {}
            }
        }
        self.stopped = Some(error);
    }

    /// Passes on what happened. `lost` is why the connection ended.
    fn events(&mut self, lost: &str) {
        while let Some(event) = self.session.next_event() {
            match event {
                ClientEvent::Updated { queries, .. } => self.updated(&queries),
                ClientEvent::Finished { request, outcome, log_lines } => {
                    for line in log_lines {
                        tracing::debug!(request, "{line}");
                    }
                    if let Some(answer) = self.calls.remove(&request) {
                        reply(answer, outcome_of(outcome, lost));
                    }
                }
                // While a newer token is being fetched, the older one is of no interest.
                ClientEvent::Refused { error } if self.fetching.is_none() => self.refusal = Some(error),
                ClientEvent::Refused { .. } => {}
                ClientEvent::Fatal { error } => self.stop(CallError::Fatal(error)),
            }
        }
    }

    fn updated(&mut self, queries: &[u32]) {
        if self.session.is_synced() {
            self.backoff.reset();
            self.refreshed = false;
        }
        let news: Vec<_> =
            queries.iter().filter_map(|id| Some((*id, state_of(self.session.result(*id)?)))).collect();
        let _held = self.together.write();
        for (query, answer) in news {
            match self.listeners.get(&query) {
                Some(Listener::Live(slot)) => slot.put(answer),
                Some(Listener::Once(_)) => {
                    self.session.unsubscribe(query);
                    if let Some(Listener::Once(asker)) = self.listeners.remove(&query) {
                        reply(asker, answer);
                    }
                }
                None => {}
            }
        }
    }
}

/// The runtime ends, or the last handle is gone. Who waits for a call is told by its channel.
impl Drop for Driver {
    fn drop(&mut self) {
        for listener in self.listeners.values() {
            if let Listener::Live(slot) = listener {
                slot.end(CallError::Ended);
            }
        }
        self.commands.close();
        let late = std::iter::from_fn(|| self.commands.try_recv().ok());
        for command in self.held.drain(..).chain(late) {
            if let Command::Subscribe(_, slot) = command {
                slot.end(CallError::Ended);
            }
        }
    }
}

/// The token, when it comes; never, where none is fetched.
async fn fetched(fetching: &mut Option<Fetching>) -> Option<String> {
    match fetching {
        Some(fetching) => fetching.await,
        None => std::future::pending().await,
    }
}

/// Whoever asked may not wait any more.
fn reply(asker: oneshot::Sender<Answer>, answer: Answer) {
    let _ = asker.send(answer);
}

fn state_of(state: &QueryState) -> Answer {
    match state {
        QueryState::Value(value) => Ok(value.clone()),
        QueryState::Error { message, data } => Err(failure(message.clone(), data.as_deref())),
    }
}

fn outcome_of(outcome: RequestOutcome, lost: &str) -> Answer {
    match outcome {
        RequestOutcome::Value(json) => value(&json),
        RequestOutcome::Error { message, data } => Err(failure(message, data.as_deref())),
        RequestOutcome::Lost => Err(CallError::Lost(lost.to_owned())),
    }
}

fn value(json: &str) -> Answer {
    Packed::from_json(json).map_err(|error| {
        CallError::Result(hull_value::DecodeError {
            path: String::new(),
            expected: "a value".into(),
            found: error.to_string().into(),
        })
    })
}

fn failure(message: String, data: Option<&str>) -> CallError {
    let data = data.and_then(|data| Packed::from_json(data).ok());
    CallError::Function(FunctionError { message, data })
}

/// The client's clock in milliseconds since 1970.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Marks 16 random bytes as a UUID of version 4.
fn uuid(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    bytes
}
