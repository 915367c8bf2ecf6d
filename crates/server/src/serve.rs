//! The entry of an application's binary: `hull::serve(app)` reads the command line and does what it says.
//!
//! Serving is the default; `keys …`, `watch …` and `codegen …` are beside it. The process ends with 0 when it was asked to
//! stop and stopped in good order, with 8 when generated files are not up to date, and with 1 after any other error,
//! which is printed.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;

use hull_engine::{Engine, OpenError};
use hull_functions::{App, Registry};
use hull_model::TableMapping;
use tokio::signal::unix::{SignalKind, signal};

use crate::client::AdminClient;
use crate::codegen::{CodegenError, Generated};
use crate::data::{self, Opener};
use crate::page::Page;
use crate::sample::{Maker, Sample};
use crate::server::{ServeError, Server};
use crate::settings::{CodegenCommand, Command, CommandLine, SampleSize, Settings};
use crate::terminal::say;
use crate::{keys_command, logs, watch};

/// A server binary for an application, not started yet.
///
/// ```no_run
/// # use hull_server::{serve, Page};
/// # fn app() -> hull_functions::App { hull_functions::App::new() }
/// #[tokio::main]
/// async fn main() -> std::process::ExitCode {
///     serve(app()).page(Page::new("Journal").list("journalEntries:list", "{}")).await
/// }
/// ```
#[must_use = "a server does nothing until it is awaited or run"]
pub struct Serve {
    pub(crate) app: App,
    pub(crate) page: Page,
    pub(crate) sample: Option<Maker>,
    pub(crate) opener: Opener,
}

/// What serves an application: awaited, or [`run`](Serve::run) where there is no runtime.
pub fn serve(app: App) -> Serve {
    Serve { app, page: Page::new("Hull"), sample: None, opener: Box::new(data::open) }
}

/// Serves an application on a runtime of its own: all that `fn main` needs.
///
/// ```no_run
/// # fn app() -> hull_functions::App { hull_functions::App::new() }
/// fn main() -> std::process::ExitCode {
///     hull_server::main(app())
/// }
/// ```
pub fn main(app: App) -> ExitCode {
    serve(app).run()
}

impl Serve {
    /// What the page at `/` shows.
    pub fn page(mut self, page: Page) -> Serve {
        self.page = page;
        self
    }

    /// Fills a new data directory with sample data of the size that `--sample` asks for, unless `--no-sample` is given.
    /// `make` gets the size and the public numbers of the tables, which the ids of its rows carry.
    pub fn sample(
        mut self,
        make: impl FnOnce(SampleSize, &dyn TableMapping) -> Sample + Send + 'static,
    ) -> Serve {
        self.sample = Some(Box::new(make));
        self
    }

    /// Opens the data in another way than from the directory of the settings, as a test does that puts faults below it.
    pub fn opened_by(
        mut self,
        open: impl FnOnce(&Settings) -> Result<Engine, OpenError> + Send + 'static,
    ) -> Serve {
        self.opener = Box::new(open);
        self
    }

    /// Does what the command line says, on a runtime of its own.
    pub fn run(self) -> ExitCode {
        match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(self.into_future()),
            Err(error) => fail(&error),
        }
    }

    /// Starts a server with settings given by hand instead of the command line.
    pub async fn start(self, settings: Settings) -> Result<Server, ServeError> {
        Server::launch(self, settings).await
    }

    async fn obey(self, line: CommandLine) -> Result<(), Box<dyn std::error::Error>> {
        match line.command {
            None => self.until_stopped(line.settings).await,
            Some(Command::Keys(keys)) => keys_command::run(keys).await,
            Some(Command::Watch(command)) => {
                let client = AdminClient::tcp(&command.url, command.admin_key)?;
                Ok(watch::watch(&client, &command.path, &command.args, command.count).await?)
            }
            Some(Command::Codegen(command)) => generate(self.app, &command),
        }
    }

    async fn until_stopped(self, settings: Settings) -> Result<(), Box<dyn std::error::Error>> {
        logs::init();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let greeting = Arc::new(settings.clone());
        let starting = self.start(settings);
        let mut server = tokio::select! {
            server = starting => server?,
            // Nothing was served yet, and what was written is in the log or will be done again.
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
        };
        let ready = tokio::select! {
            ready = server.ready() => ready,
            _ = interrupt.recv() => leave_start(),
            _ = terminate.recv() => leave_start(),
        };
        ready?;
        greet(&server, &greeting);
        let failure = tokio::select! {
            failure = server.failed() => failure,
            _ = interrupt.recv() => return Ok(finish(server).await?),
            _ = terminate.recv() => return Ok(finish(server).await?),
        };
        tracing::error!(%failure, "the server stops, since its log has failed");
        // What can still be closed is; the error that counts is the log's.
        let _ = server.stop().await;
        Err(failure.into())
    }
}

impl IntoFuture for Serve {
    type Output = ExitCode;
    type IntoFuture = Pin<Box<dyn Future<Output = ExitCode> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let line = CommandLine::of_process(self.sample.is_some());
            match self.obey(line).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&*error),
            }
        })
    }
}

/// Writes or checks the generated files of an application.
fn generate(app: App, command: &CodegenCommand) -> Result<(), Box<dyn std::error::Error>> {
    app.tables().check()?;
    let generated = Generated::of(&Registry::new(app)?);
    let files = if command.check { generated.check(&command.out) } else { generated.write(&command.out) };
    for file in files? {
        say(&file.to_string());
    }
    Ok(())
}

/// Leaves while tables and indexes are prepared: what is done is in the log, and the next start goes on from there.
fn leave_start() -> ! {
    eprintln!("Stopped while starting; the next start goes on.");
    std::process::exit(0)
}

async fn finish(server: Server) -> Result<(), ServeError> {
    eprintln!("Stopping: running mutations finish first.");
    server.stop().await?;
    eprintln!("Stopped; everything is on disk.");
    Ok(())
}

fn fail(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
    match error.downcast_ref() {
        Some(CodegenError::Stale(_)) => ExitCode::from(CodegenError::STALE),
        _ => ExitCode::FAILURE,
    }
}

fn greet(server: &Server, settings: &Settings) {
    let data = settings.data_dir.canonicalize().unwrap_or_else(|_| settings.data_dir.clone());
    let default = Settings::default();
    let directory = if settings.data_dir == default.data_dir {
        String::new()
    } else {
        format!(" --data-dir {}", settings.data_dir.display())
    };
    let url = if server.url() == "http://127.0.0.1:3210" {
        String::new()
    } else {
        format!(" --url {}", server.url())
    };
    let this = invocation();
    say(&format!("Hull serves {}", server.url()));
    say(&format!("  data       {}", data.display()));
    say(&format!("  admin key  {this} keys create{directory}"));
    if let Some((path, args)) = server.suggested_query() {
        say(&format!("  watch      {this} watch {path} '{args}'{url}"));
    }
    say("  stop       Ctrl-C");
}

/// How this process is started: by cargo, or by itself.
fn invocation() -> String {
    if std::env::var_os("CARGO").is_some() {
        let release = if cfg!(debug_assertions) { "" } else { " --release" };
        return format!("cargo run{release} --");
    }
    std::env::args().next().unwrap_or_else(|| "hull-server".to_owned())
}
