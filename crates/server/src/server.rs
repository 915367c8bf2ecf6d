//! A running server: it listens at once, prepares its data beside, serves, and stops in good order.
//!
//! Guarantee: [`Server::stop`] returns after every mutation that ran was answered and everything acknowledged is on
//! disk. Nothing is answered from half-built indexes: until they are there, requests get 503.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hull_functions::{App, SessionSweep, released};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::backend::{Backend, StartError};
use crate::control::ControlSocket;
use crate::data::Opener;
use crate::sample::{self, Maker, Wanted};
use crate::serve::{Serve, serve};
use crate::settings::Settings;
use crate::state::Shared;
use crate::{http, limits, listener, page};

/// How long open connections have, at a stop, to take their last answers.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// How often the records of idle sessions are looked for, how many sessions at a time, and the pause between.
const SWEEP_EVERY: Duration = Duration::from_secs(6 * 60 * 60);
const SWEEP_SESSIONS: usize = 64;
const SWEEP_PAUSE: Duration = Duration::from_millis(20);

/// Why a server does not run, or has ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address can't be listened on.
    #[error(transparent)]
    Listen(std::io::Error),
    /// The page that the application describes has a mistake.
    #[error("{0}")]
    Page(String),
    /// The data can't be opened, or the application does not fit it.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A part of the server has ended unexpectedly.
    #[error("a part of the server ended unexpectedly: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl ServeError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            ServeError::Listen(_) => "CannotListen",
            ServeError::Page(_) => "InvalidPage",
            ServeError::Start(error) => error.code(),
            ServeError::Task(_) => "InternalServerError",
        }
    }
}

/// A running server.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    listening: JoinHandle<()>,
    preparing: Option<JoinHandle<Result<Prepared, ServeError>>>,
    backend: Option<Arc<Backend>>,
    control: Option<JoinHandle<()>>,
    watching: Option<JoinHandle<()>>,
    sweeping: Option<JoinHandle<()>>,
    suggested: Option<(String, String)>,
}

impl Server {
    /// Starts a server for an application; [`Server::ready`] says when it serves. Port 0 takes any free port.
    pub async fn start(app: App, settings: Settings) -> Result<Server, ServeError> {
        serve(app).start(settings).await
    }

    pub(crate) async fn launch(serve: Serve, settings: Settings) -> Result<Server, ServeError> {
        let Serve { app, page, sample, opener } = serve;
        let page_routes = page::routes(&page).map_err(ServeError::Page)?;
        if let Some(files) = limits::raise_open_files() {
            tracing::debug!(files, "the limit of open files");
        }
        let listener = listener::bind(SocketAddr::new(settings.host, settings.port))
            .await
            .map_err(ServeError::Listen)?;
        let address = listener.local_addr().map_err(ServeError::Listen)?;
        let shared = Shared::new();
        let router = http::router(Arc::clone(&shared), page_routes);
        shared.set_url(url_of(address));
        let stopping = shared.stopping();
        let listening = tokio::spawn(async move { listener::serve(&listener, router, stopping).await });
        let preparing = tokio::spawn(prepare(Arc::clone(&shared), app, sample, opener, settings));
        Ok(Server {
            shared,
            address,
            listening,
            preparing: Some(preparing),
            backend: None,
            control: None,
            watching: None,
            sweeping: None,
            suggested: page.suggested_query(),
        })
    }

    /// Waits until requests are served, or until it is clear that they won't be.
    pub async fn ready(&mut self) -> Result<(), ServeError> {
        if let Some(preparing) = &mut self.preparing {
            let prepared = preparing.await;
            self.preparing = None;
            let Prepared { backend, control } = prepared??;
            self.control = control;
            self.watching = Some(tokio::spawn(watch_log(Arc::clone(&self.shared), Arc::clone(&backend))));
            self.sweeping = Some(tokio::spawn(sweep_sessions(Arc::clone(&backend), self.shared.stopping())));
            self.backend = Some(backend);
        }
        Ok(())
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that clients use.
    pub fn url(&self) -> String {
        url_of(self.address)
    }

    /// A query worth watching, and its arguments: that of the page.
    pub(crate) fn suggested_query(&self) -> Option<(&str, &str)> {
        self.suggested.as_ref().map(|(path, args)| (path.as_str(), args.as_str()))
    }

    /// Makes an admin key, `name|secret`, which can't be shown again; the name is made up unless given.
    pub async fn create_admin_key(&mut self, name: Option<&str>) -> Result<String, ServeError> {
        self.ready().await?;
        match &self.backend {
            Some(backend) => {
                let (key, ts) = backend.keys().create(name).map_err(StartError::from)?;
                backend.wait_durable(ts).await.map_err(|error| StartError::LogFailed(error.to_string()))?;
                Ok(key)
            }
            None => Err(ServeError::Start(StartError::Stopped)),
        }
    }

    /// Waits until the log fails, and says why; after that the server can only be stopped.
    pub fn failed(&self) -> impl Future<Output = StartError> + Send + 'static {
        let mut failure = self.shared.failure();
        async move {
            let why = match failure.wait_for(Option::is_some).await {
                Ok(why) => why.clone().unwrap_or_default(),
                Err(_) => String::new(),
            };
            StartError::LogFailed(why)
        }
    }

    /// How many websockets are open.
    pub fn open_connections(&self) -> usize {
        self.shared.open_connections()
    }

    /// Stops: nothing new, running mutations finish and are answered, everything is made durable.
    pub async fn stop(mut self) -> Result<(), ServeError> {
        self.shared.stop();
        let waiting = async {
            (&mut self.listening).await?;
            if let Some(control) = &mut self.control {
                control.await?;
                self.control = None;
            }
            self.shared.all_closed().await;
            Ok::<_, ServeError>(())
        };
        match tokio::time::timeout(LAST_ANSWERS, waiting).await {
            Ok(ended) => ended?,
            Err(_) => {
                tracing::warn!(
                    open = self.shared.open_connections(),
                    "clients did not take their last answers"
                );
                self.listening.abort();
            }
        }
        for part in [self.control.take(), self.watching.take()].into_iter().flatten() {
            part.abort();
            // Aborted is what it is meant to be.
            let _ = part.await;
        }
        if let Some(sweeping) = self.sweeping.take() {
            // Not in the middle of a step, which holds the engine.
            sweeping.await?;
        }
        if let Some(preparing) = self.preparing.take() {
            // Its socket has been told to stop.
            self.backend = Some(preparing.await??.backend);
        }
        if let Some(backend) = self.backend.take() {
            self.shared.let_go();
            let watch = backend.engine().watch();
            tokio::task::spawn_blocking(move || backend.shutdown()).await?;
            if !released(&watch).await {
                tracing::warn!("a function still runs: the directory is let go of when it ends");
            }
        }
        Ok(())
    }
}

/// What a server serves with.
struct Prepared {
    backend: Arc<Backend>,
    control: Option<JoinHandle<()>>,
}

async fn prepare(
    shared: Arc<Shared>,
    app: App,
    sample: Option<Maker>,
    opener: Opener,
    settings: Settings,
) -> Result<Prepared, ServeError> {
    let wanted = Wanted { none: settings.no_sample, size: settings.sample };
    let runtime = tokio::runtime::Handle::current();
    let url = shared.url().unwrap_or_default().to_owned();
    let opening = tokio::task::spawn_blocking(move || Backend::open(app, opener, &settings, runtime, &url));
    let backend = opening.await??;
    if let Some(maker) = sample {
        let (backend, stop) = (Arc::clone(&backend), shared.stopping());
        let filling = tokio::task::spawn_blocking(move || sample::fill(&backend, maker, wanted, &stop));
        filling.await?.map_err(StartError::from)?;
    }
    // Queries read what is durable: the tables and indexes must be.
    let prepared = backend.engine().ordered();
    backend.wait_durable(prepared).await.map_err(|error| StartError::LogFailed(error.to_string()))?;
    // Whoever sees that the server serves finds its socket.
    let control = open_control(&shared, &backend);
    shared.set_ready(Arc::clone(&backend));
    Ok(Prepared { backend, control })
}

/// Stops serving when the log fails.
async fn watch_log(shared: Arc<Shared>, backend: Arc<Backend>) {
    backend.failed().await;
    shared.fail("a write to it failed".to_owned());
}

/// Removes, a few at a time, what sessions that have been idle for two weeks left for replays.
async fn sweep_sessions(backend: Arc<Backend>, mut stop: watch::Receiver<bool>) {
    loop {
        let mut sweep = SessionSweep::default();
        loop {
            let runner = backend.runner().clone();
            let step = tokio::task::spawn_blocking(move || {
                let more = runner.sweep_sessions(&mut sweep, SWEEP_SESSIONS);
                (sweep, more)
            });
            let Ok((stepped, more)) = step.await else { return };
            sweep = stepped;
            match more {
                Ok(true) if stopped_within(SWEEP_PAUSE, &mut stop).await => return,
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "the records of idle sessions could not be swept; later again");
                    break;
                }
            }
        }
        if sweep.removed() > 0 {
            tracing::info!(records = sweep.removed(), "the records of idle sessions are removed");
        }
        if stopped_within(SWEEP_EVERY, &mut stop).await {
            return;
        }
    }
}

/// Waits so long, or until the server stops; whether it does.
async fn stopped_within(time: Duration, stop: &mut watch::Receiver<bool>) -> bool {
    tokio::time::timeout(time, stop.wait_for(|stop| *stop)).await.is_ok()
}

fn open_control(shared: &Arc<Shared>, backend: &Backend) -> Option<JoinHandle<()>> {
    match ControlSocket::bind(backend.directory()) {
        Ok(socket) => Some(tokio::spawn(socket.serve(Arc::clone(shared)))),
        Err(error) => {
            tracing::warn!(%error, "no control socket: `keys create` works only while the server is stopped");
            None
        }
    }
}

/// The URL that clients on this machine use.
fn url_of(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        return format!("http://127.0.0.1:{}", address.port());
    }
    format!("http://{address}")
}
