//! A data directory, as its operator speaks to it: through the server that runs on it, or opened here for so long.
//!
//! Guarantee: either way it is spoken to over the control socket with the same requests. A directory that holds no
//! database is refused, not made into one. What is opened here runs no functions and keeps the stored schema.

use std::path::Path;
use std::sync::Arc;

use hull_functions::{App, Registry};
use hull_model::Schema;
use tokio::task::JoinHandle;

use crate::admin::AdminError;
use crate::backend::{Backend, StartError};
use crate::client::AdminClient;
use crate::control::{self, ControlSocket};
use crate::data;
use crate::server::ServeError;
use crate::settings::Settings;
use crate::state::Shared;

/// A data directory that can be spoken to.
pub struct Local {
    client: AdminClient,
    opened: Option<Opened>,
}

/// What this process holds while it has the directory open itself.
struct Opened {
    shared: Arc<Shared>,
    backend: Arc<Backend>,
    control: JoinHandle<()>,
}

impl Local {
    /// Finds the server that runs on the directory, or opens the directory.
    pub async fn open(directory: &Path) -> Result<Local, ServeError> {
        let client = AdminClient::unix(directory, control::path(directory));
        if control::is_served(directory).await {
            return Ok(Local { client, opened: None });
        }
        if !data::exists(directory) {
            let error = AdminError::NoDatabase(directory.display().to_string());
            return Err(StartError::from(error).into());
        }
        let settings = Settings { data_dir: directory.to_owned(), ..Settings::default() };
        let runtime = tokio::runtime::Handle::current();
        let backend = tokio::task::spawn_blocking(move || {
            let engine = data::open(&settings)?;
            let stored = engine.schema_json().and_then(|json| serde_json::from_str(&json).ok());
            let schema = stored.and_then(|json: serde_json::Value| Schema::from_json(&json).ok());
            let registry = Registry::new(App::new())?;
            Backend::with_engine(engine, registry, schema.as_ref(), &settings, runtime, &mut |_| {})
        });
        let backend = backend.await??;
        let shared = Shared::new();
        shared.set_ready(Arc::clone(&backend));
        let control = ControlSocket::bind(directory).map_err(ServeError::Listen)?;
        let control = tokio::spawn(control.serve(Arc::clone(&shared)));
        Ok(Local { client, opened: Some(Opened { shared, backend, control }) })
    }

    /// What it is spoken to through.
    pub fn client(&self) -> &AdminClient {
        &self.client
    }

    /// Whether this process has the directory open, so that no functions run.
    pub fn is_offline(&self) -> bool {
        self.opened.is_some()
    }

    /// Ends the conversation; a directory that was opened here is let go, everything in it durable.
    pub async fn close(self) -> Result<(), ServeError> {
        let Some(Opened { shared, backend, control }) = self.opened else { return Ok(()) };
        shared.stop();
        control.await?;
        shared.let_go();
        tokio::task::spawn_blocking(move || backend.shutdown()).await?;
        Ok(())
    }
}
