//! How another process of the same user talks to a running server: a unix socket in its data directory that speaks
//! the admin routes and the HTTP API.
//!
//! Guarantee: the socket has mode 0600 from the moment it can be found under its name. Whoever can open it is trusted
//! as an admin, without a key.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Extension;
use tokio::net::{UnixListener, UnixStream};

use crate::http::{self, Trusted};
use crate::listener;
use crate::state::Shared;

/// The socket's name in the data directory.
const NAME: &str = "control.sock";

/// Where the socket of a data directory is.
pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join(NAME)
}

/// Whether a server listens on the socket of a data directory.
pub(crate) async fn is_served(directory: &Path) -> bool {
    UnixStream::connect(path(directory)).await.is_ok()
}

/// The listening socket; its file goes away with it.
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlSocket {
    /// Listens in a data directory that this process holds the lock of, so a socket found there is a dead one.
    pub(crate) fn bind(directory: &Path) -> std::io::Result<ControlSocket> {
        let path = path(directory);
        let hidden = directory.join(format!(".{NAME}.{}", std::process::id()));
        let named = |error: std::io::Error| {
            std::io::Error::new(error.kind(), format!("the control socket {}: {error}", path.display()))
        };
        let bound = || {
            remove(&hidden)?;
            let listener = UnixListener::bind(&hidden)?;
            std::fs::set_permissions(&hidden, PermissionsExt::from_mode(0o600))?;
            std::fs::rename(&hidden, &path)?;
            Ok(listener)
        };
        let listener = bound().map_err(named)?;
        Ok(ControlSocket { listener, path })
    }

    /// Serves until the server stops and the requests that began are answered.
    pub(crate) async fn serve(self, shared: Arc<Shared>) {
        let router = http::control_router(Arc::clone(&shared)).layer(Extension(Trusted));
        listener::serve(&self.listener, router, shared.stopping()).await;
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::debug!(%error, "the control socket could not be removed");
        }
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{AdminClient, ClientError};

    #[tokio::test]
    async fn it_speaks_http_to_the_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!is_served(directory.path()).await);
        let socket = ControlSocket::bind(directory.path()).unwrap();
        let mode = std::fs::metadata(path(directory.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let shared = Shared::new();
        let served = tokio::spawn(socket.serve(Arc::clone(&shared)));
        assert!(is_served(directory.path()).await);
        let client = AdminClient::unix(directory.path(), path(directory.path()));
        let refused = client.get::<serde_json::Value>("/api/hull/tables").await.unwrap_err();
        assert!(matches!(&refused, ClientError::Refused { status: 503, .. }), "{refused}");
        assert_eq!(refused.code(), "Starting");
        shared.stop();
        served.await.unwrap();
        assert!(!path(directory.path()).exists());
    }
}
