//! [`Client`]: the handle.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hull_model::{Function, FunctionKind, FunctionPaths};
use hull_value::{Decode, Encode, to_json};
use parking_lot::RwLock;
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use crate::auth::Auth;
use crate::call::Call;
use crate::connector::{Connector, Endpoint};
use crate::driver::{Command, Driver, Request};
use crate::error::{CallError, ConnectError};
use crate::slot::Slot;
use crate::subscription::Subscription;

/// How it stands with the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// A connection is being made, or waits for a token.
    Connecting,
    /// There is one.
    Connected,
    /// It was lost or could not be made, and will be tried again.
    Waiting {
        /// Why.
        error: String,
        /// How long from then.
        pause: Duration,
    },
    /// There is none and none will be tried, after [`CallError::Refused`] until there is another credential, after
    /// [`CallError::Fatal`] for ever.
    Stopped(CallError),
}

/// A client of one server. Cloning is cheap and gives another handle of the same connection.
///
/// A call says what the function is, and the compiler sees to it:
///
/// ```
/// # use hull_client::Client;
/// # use hull_model::{Function, FunctionKind, Object, Visibility};
/// # #[derive(Object)] #[allow(non_camel_case_types)] struct add { by: f64 }
/// # impl Function for add {
/// #     type Output = f64;
/// #     const NAME: &'static str = "add";
/// #     const KIND: FunctionKind = FunctionKind::Mutation;
/// #     const VISIBILITY: Visibility = Visibility::Public;
/// #     const DOC: &'static str = "";
/// # }
/// fn call(client: &Client) { drop(client.mutation(add { by: 1.0 })) }
/// # if false { call(&Client::connect("").unwrap()) }
/// ```
///
/// ```compile_fail
/// # use hull_client::Client;
/// # use hull_model::{Function, FunctionKind, Object, Visibility};
/// # #[derive(Object)] #[allow(non_camel_case_types)] struct add { by: f64 }
/// # impl Function for add {
/// #     type Output = f64;
/// #     const NAME: &'static str = "add";
/// #     const KIND: FunctionKind = FunctionKind::Mutation;
/// #     const VISIBILITY: Visibility = Visibility::Public;
/// #     const DOC: &'static str = "";
/// # }
/// fn call(client: &Client) { drop(client.query(add { by: 1.0 })) }
/// # if false { call(&Client::connect("").unwrap()) }
/// ```
#[derive(Clone)]
pub struct Client {
    commands: mpsc::UnboundedSender<Command>,
    connection: watch::Receiver<ConnectionState>,
    together: Arc<RwLock<()>>,
    paths: Arc<FunctionPaths>,
}

impl Client {
    /// A client of the server at `url` (`http://`, `https://`, `ws://` or `wss://`), which begins to connect. Needs a tokio
    /// runtime around it.
    pub fn connect(url: &str) -> Result<Client, ConnectError> {
        let endpoint = Endpoint::parse(url)?;
        let connector = endpoint.connector()?;
        Client::over(connector, &endpoint.base)
    }

    /// A client over streams that somebody else makes. `host` is the server's name as it reads it in requests.
    pub fn over(connector: Connector, host: &str) -> Result<Client, ConnectError> {
        let runtime = Handle::try_current().map_err(|_| ConnectError::NoRuntime)?;
        let mut session = [0; 16];
        SysRng.try_fill_bytes(&mut session).map_err(|error| ConnectError::Randomness(error.to_string()))?;
        let (commands, receiver) = mpsc::unbounded_channel();
        let (state, connection) = watch::channel(ConnectionState::Connecting);
        let together = Arc::new(RwLock::new(()));
        let driver = Driver::new(connector, host.to_owned(), session, receiver, state, together.clone());
        runtime.spawn(driver.run());
        Ok(Client { commands, connection, together, paths: Arc::default() })
    }

    /// Tells the client where functions are, for calls by their argument structs: `app.paths()`.
    #[must_use]
    pub fn with_functions(mut self, paths: FunctionPaths) -> Client {
        self.paths = Arc::new(paths);
        self
    }

    /// Subscribes to a query.
    pub fn subscribe<F>(&self, query: F) -> Subscription<F::Output>
    where
        F: Function,
        F::Output: Decode,
    {
        const { expect_kind::<F>(FunctionKind::Query) };
        self.live(self.request(&query))
    }

    /// Subscribes to the query at a path, `module:function`. The arguments are one object.
    pub fn subscribe_at<T: Decode>(&self, path: &str, args: impl Encode) -> Subscription<T> {
        self.live(request_at(path, &args))
    }

    /// What a query answers now.
    pub fn query<F>(&self, query: F) -> Call<F::Output>
    where
        F: Function,
        F::Output: Decode,
    {
        const { expect_kind::<F>(FunctionKind::Query) };
        self.call(self.request(&query), Command::Query)
    }

    /// What the query at a path answers now.
    pub fn query_at<T: Decode>(&self, path: &str, args: impl Encode) -> Call<T> {
        self.call(request_at(path, &args), Command::Query)
    }

    /// Runs a mutation. It is under way when this returns; awaiting gives its result, when every subscription of this
    /// client shows what it wrote.
    pub fn mutation<F>(&self, mutation: F) -> Call<F::Output>
    where
        F: Function,
        F::Output: Decode,
    {
        const { expect_kind::<F>(FunctionKind::Mutation) };
        self.call(self.request(&mutation), Command::Mutation)
    }

    /// Runs the mutation at a path.
    pub fn mutation_at<T: Decode>(&self, path: &str, args: impl Encode) -> Call<T> {
        self.call(request_at(path, &args), Command::Mutation)
    }

    /// Runs an action. It is under way when this returns.
    pub fn action<F>(&self, action: F) -> Call<F::Output>
    where
        F: Function,
        F::Output: Decode,
    {
        const { expect_kind::<F>(FunctionKind::Action) };
        self.call(self.request(&action), Command::Action)
    }

    /// Runs the action at a path.
    pub fn action_at<T: Decode>(&self, path: &str, args: impl Encode) -> Call<T> {
        self.call(request_at(path, &args), Command::Action)
    }

    /// From here on the client is the user whose tokens `provider` gives, or nobody while it gives none. It is asked with
    /// `false` now, and with `true` for a fresh token each time the server refuses the last one. What is called meanwhile
    /// waits for the token. When a fresh token is refused too, everything that waits ends with [`CallError::Refused`].
    pub fn set_auth<P, F>(&self, provider: P)
    where
        P: Fn(bool) -> F + Send + Sync + 'static,
        F: Future<Output = Option<String>> + Send + 'static,
    {
        self.send(Command::Auth(Auth::user(provider)));
    }

    /// From here on the client is an administrator with this key.
    pub fn set_admin(&self, key: impl Into<String>) {
        self.send(Command::Auth(Auth::Admin(key.into())));
    }

    /// From here on the client is nobody in particular.
    pub fn clear_auth(&self) {
        self.send(Command::Auth(Auth::Nobody));
    }

    /// How it stands with the connection, now and whenever it changes.
    pub fn connection(&self) -> watch::Receiver<ConnectionState> {
        self.connection.clone()
    }

    /// Reads several subscriptions as of one timestamp: none of them changes meanwhile, so `read` should be quick.
    pub fn at_once<R>(&self, read: impl FnOnce(Reading<'_>) -> R) -> R {
        let _held = self.together.read_recursive();
        read(Reading { _client: self })
    }

    fn send(&self, command: Command) {
        // The task ends before its handles with its runtime alone; then no call has an answer either.
        let _ = self.commands.send(command);
    }

    fn request<F: Function>(&self, function: &F) -> Result<Request, CallError> {
        let path = self.paths.get::<F>().ok_or(CallError::UnknownPath(F::NAME))?;
        request_at(path, function)
    }

    fn live<T: Decode>(&self, request: Result<Request, CallError>) -> Subscription<T> {
        let slot = Arc::new(Slot::default());
        match request {
            Ok(request) => self.send(Command::Subscribe(request, slot.clone())),
            Err(error) => slot.end(error),
        }
        if self.commands.is_closed() {
            slot.end(CallError::Ended);
        }
        Subscription::new(slot, self.commands.clone())
    }

    fn call<T: Decode>(
        &self,
        request: Result<Request, CallError>,
        command: fn(Request, oneshot::Sender<crate::call::Answer>) -> Command,
    ) -> Call<T> {
        let (answer, receiver) = oneshot::channel();
        match request {
            Ok(request) => self.send(command(request, answer)),
            // The receiver is in hand.
            Err(error) => drop(answer.send(Err(error))),
        }
        Call::new(receiver, self.commands.clone())
    }
}

/// A function called as what it is not does not compile.
const fn expect_kind<F: Function>(kind: FunctionKind) {
    assert!(
        F::KIND as u8 == kind as u8,
        "this function is of another kind: queries are subscribed to and asked, mutations and actions run"
    );
}

fn request_at(path: &str, args: &impl Encode) -> Result<Request, CallError> {
    Ok(Request { path: path.to_owned(), args: to_json(args)? })
}

/// A moment in which no subscription of a client changes.
pub struct Reading<'a> {
    _client: &'a Client,
}

impl Reading<'_> {
    /// A subscription's result at this moment; none before the first one came.
    pub fn of<T>(&self, subscription: &Subscription<T>) -> Option<Result<T, CallError>> {
        subscription.newest()
    }
}
