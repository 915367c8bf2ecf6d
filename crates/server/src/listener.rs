//! The socket that clients come to: plain HTTP/1.1 on hyper, each connection a task.
//!
//! Guarantee: when told to stop it accepts nothing more, lets requests that began finish, and returns when the last
//! one has. A connection that became a websocket is no longer the listener's.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};

/// How long a client may take for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How much of a request's head is held at most.
const HEAD_BYTES: usize = 64 << 10;
/// How long to wait when the process has no more files.
const NO_FILES_PAUSE: Duration = Duration::from_millis(50);

/// Opens the socket; the error says what an operator can do.
pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "the port is in use; stop what uses it, or choose another with --port"
            }
            std::io::ErrorKind::PermissionDenied => {
                "not permitted; ports below 1024 need rights of their own"
            }
            std::io::ErrorKind::AddrNotAvailable => "this machine does not have that address; see --host",
            _ => return std::io::Error::new(error.kind(), format!("can't listen on {address}: {error}")),
        };
        std::io::Error::new(error.kind(), format!("can't listen on {address}: {hint}"))
    })
}

/// What connections come in through.
pub(crate) trait Accept {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection.
    fn accept(&self) -> impl Future<Output = std::io::Result<Self::Stream>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> std::io::Result<TcpStream> {
        let (stream, _) = TcpListener::accept(self).await?;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was lost at once");
        }
        Ok(stream)
    }
}

impl Accept for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self) -> std::io::Result<UnixStream> {
        Ok(UnixListener::accept(self).await?.0)
    }
}

/// Serves until `stop` is true, then until the requests that began are answered.
pub(crate) async fn serve<A: Accept>(listener: &A, router: Router, mut stop: watch::Receiver<bool>) {
    // Each connection holds a sender; the channel closes when the last one ends.
    let (alive, mut ended) = mpsc::channel::<()>(1);
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            accepted = listener.accept() => match accepted {
                Ok(stream) => {
                    tokio::spawn(connection(stream, router.clone(), stop.clone(), alive.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(NO_FILES_PAUSE).await;
                }
            },
        }
    }
    drop(alive);
    while ended.recv().await.is_some() {}
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    mut stop: watch::Receiver<bool>,
    _alive: mpsc::Sender<()>,
) {
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
            .with_upgrades()
    );
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

/// Ends when `stop` is true, or when nobody is left who could make it so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
