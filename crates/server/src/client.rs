//! The other side of the admin routes: what the command line and a server's own `keys …` speak through.
//!
//! Guarantee: one request is one connection of HTTP/1.1 over whatever stream the connector gives: TCP, TLS, or the
//! socket in a data directory. An answer that is not 2xx is a [`ClientError::Refused`] with the server's own words.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{Method, Request, Response, Uri};
use futures::StreamExt;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer that is read at once.
const MAX_ANSWER: usize = 64 << 20;

/// A stream of bytes to a server.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that is being made.
pub type Connecting = Pin<Box<dyn Future<Output = std::io::Result<Box<dyn Stream>>> + Send>>;

/// Makes connections to one server.
pub type Connector = Arc<dyn Fn() -> Connecting + Send + Sync>;

/// Why a server did not answer as wanted.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// What was given as the server's URL is none.
    #[error("`{0}` is not the URL of a server; write http://host:port or https://host")]
    Url(String),
    /// There is no connection.
    #[error("no connection to {server}: {error}")]
    Connect {
        /// Where it should go.
        server: String,
        /// The cause.
        error: std::io::Error,
    },
    /// The connection broke.
    #[error("the connection to {server} broke: {error}")]
    Broken {
        /// Where it went.
        server: String,
        /// The cause.
        error: String,
    },
    /// The server answered with an error.
    #[error("{message} ({code})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// All it said, where that was JSON.
        answer: Box<Value>,
        /// The stable code.
        code: String,
        /// The sentence.
        message: String,
    },
    /// The server answered with something else than was asked for.
    #[error("{server} answered with something that is not of this version: {error}")]
    Answer {
        /// Who.
        server: String,
        /// What is wrong with it.
        error: String,
    },
}

impl ClientError {
    /// The stable code of this error: the server's own where it gave one.
    pub fn code(&self) -> &str {
        match self {
            ClientError::Url(_) => "InvalidUrl",
            ClientError::Connect { .. } => "CannotConnect",
            ClientError::Broken { .. } => "ConnectionLost",
            ClientError::Refused { code, .. } => code,
            ClientError::Answer { .. } => "UnexpectedAnswer",
        }
    }
}

/// A server, as its admin speaks to it. Cloning is cheap.
#[derive(Clone)]
pub struct AdminClient {
    connector: Connector,
    name: String,
    host: String,
    key: Option<String>,
}

impl AdminClient {
    /// A server behind a connector. `name` is what messages call it, `host` its authority (`example.com:3210`), `key`
    /// an admin key.
    pub fn new(connector: Connector, name: String, host: String, key: Option<String>) -> AdminClient {
        AdminClient { connector, name, host, key }
    }

    /// A server at `http://host:port`.
    pub fn tcp(url: &str, key: Option<String>) -> Result<AdminClient, ClientError> {
        let (uri, host) = authority(url)?;
        if uri.scheme_str() != Some("http") {
            return Err(ClientError::Url(url.to_owned()));
        }
        let address = (uri.host().unwrap_or_default().to_owned(), uri.port_u16().unwrap_or(80));
        let connector: Connector = Arc::new(move || {
            let address = address.clone();
            Box::pin(async move {
                let host = address.0.trim_start_matches('[').trim_end_matches(']').to_owned();
                let stream = TcpStream::connect((host, address.1)).await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream) as Box<dyn Stream>)
            })
        });
        Ok(AdminClient::new(connector, url.to_owned(), host, key))
    }

    /// The server whose control socket this is.
    pub(crate) fn unix(directory: &Path, socket: PathBuf) -> AdminClient {
        let connector: Connector = Arc::new(move || {
            let socket = socket.clone();
            Box::pin(async move { Ok(Box::new(UnixStream::connect(socket).await?) as Box<dyn Stream>) })
        });
        let name = format!("the server on {}", directory.display());
        AdminClient::new(connector, name, "localhost".to_owned(), None)
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its authority.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The admin key that it is spoken to with.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Opens a connection.
    pub async fn connect(&self) -> Result<Box<dyn Stream>, ClientError> {
        let failed = |error| ClientError::Connect { server: self.name.clone(), error };
        match tokio::time::timeout(CONNECT_TIMEOUT, (self.connector)()).await {
            Ok(stream) => stream.map_err(failed),
            Err(_) => Err(failed(std::io::ErrorKind::TimedOut.into())),
        }
    }

    /// Sends a request; an answer that is not 2xx is an error.
    async fn send(&self, method: Method, path: &str, body: Body) -> Result<Response<Body>, ClientError> {
        let broken =
            |error: hyper::Error| ClientError::Broken { server: self.name.clone(), error: error.to_string() };
        let stream = self.connect().await?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(broken)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to a server ended early");
            }
        });
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.host);
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, format!("Convex {key}"));
        }
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|_| ClientError::Url(path.to_owned()))?;
        let response = sender.send_request(request).await.map_err(broken)?.map(Body::new);
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let text = self.read(response).await?;
        let said: Value = serde_json::from_slice(&text).unwrap_or_default();
        let part = |name: &str, otherwise: String| said[name].as_str().map_or(otherwise, str::to_owned);
        Err(ClientError::Refused {
            status,
            answer: Box::new(said.clone()),
            code: part("code", format!("Http{status}")),
            message: part("message", format!("{} answered with status {status}.", self.name)),
        })
    }

    /// Asks for JSON.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let response = self.send(Method::GET, path, Body::empty()).await?;
        self.parse(response).await
    }

    /// Asks for JSON that is made line by line, and is read as slowly as wanted.
    pub async fn lines(&self, path: &str) -> Result<LineReader, ClientError> {
        Ok(LineReader::new(self.stream(path).await?))
    }

    /// Asks for bytes that are read as slowly as wanted.
    pub async fn stream(&self, path: &str) -> Result<ByteReader, ClientError> {
        let body = self.send(Method::GET, path, Body::empty()).await?.into_body();
        Ok(ByteReader { chunks: body.into_data_stream(), server: self.name.clone() })
    }

    /// Sends JSON and reads JSON.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, ClientError> {
        self.upload(path, body.to_string().into_bytes()).await
    }

    /// Sends bytes and reads JSON.
    pub async fn upload<T: DeserializeOwned>(&self, path: &str, body: Vec<u8>) -> Result<T, ClientError> {
        let response = self.send(Method::POST, path, Body::from(body)).await?;
        self.parse(response).await
    }

    /// Asks for something to be deleted, and reads JSON.
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let response = self.send(Method::DELETE, path, Body::empty()).await?;
        self.parse(response).await
    }

    async fn parse<T: DeserializeOwned>(&self, response: Response<Body>) -> Result<T, ClientError> {
        let text = self.read(response).await?;
        serde_json::from_slice(&text).map_err(|error| self.unexpected(error.to_string()))
    }

    async fn read(&self, response: Response<Body>) -> Result<axum::body::Bytes, ClientError> {
        let read = axum::body::to_bytes(response.into_body(), MAX_ANSWER).await;
        read.map_err(|error| ClientError::Broken { server: self.name.clone(), error: error.to_string() })
    }

    /// The error of an answer that is not what was asked for.
    pub fn unexpected(&self, error: impl Into<String>) -> ClientError {
        ClientError::Answer { server: self.name.clone(), error: error.into() }
    }

    /// Makes an admin key, which can't be had again.
    pub async fn create_key(&self, name: Option<&str>) -> Result<String, ClientError> {
        let answer: Value = self.post("/api/hull/keys", &json!({ "name": name })).await?;
        let key = answer["key"].as_str().map(str::to_owned);
        key.ok_or_else(|| self.unexpected("there is no key in it"))
    }

    /// The names of the admin keys, and when they were made in milliseconds since the epoch.
    pub async fn list_keys(&self) -> Result<Vec<(String, f64)>, ClientError> {
        let answer: Value = self.get("/api/hull/keys").await?;
        let keys = answer["keys"].as_array().ok_or_else(|| self.unexpected("there are no keys in it"))?;
        let key = |key: &Value| Some((key["name"].as_str()?.to_owned(), key["made"].as_f64()?));
        Ok(keys.iter().filter_map(key).collect())
    }

    /// Makes an admin key invalid.
    pub async fn revoke_key(&self, name: &str) -> Result<(), ClientError> {
        let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        self.delete::<Value>(&format!("/api/hull/keys/{name}")).await.map(|_| ())
    }
}

/// Bytes as they come.
pub struct ByteReader {
    chunks: BodyDataStream,
    server: String,
}

impl ByteReader {
    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        let broken = |error: axum::Error| ClientError::Broken {
            server: self.server.clone(),
            error: error.to_string(),
        };
        self.chunks.next().await.transpose().map_err(broken)
    }
}

/// Lines as they come. A stream of lines ends with `["end", summary]`; anything else is an error.
pub struct LineReader {
    bytes: ByteReader,
    chunk: Bytes,
    at: usize,
    line: Vec<u8>,
}

impl LineReader {
    fn new(bytes: ByteReader) -> LineReader {
        LineReader { bytes, chunk: Bytes::new(), at: 0, line: Vec::new() }
    }

    /// The next line, without its end.
    pub async fn next(&mut self) -> Result<&[u8], ClientError> {
        self.line.clear();
        loop {
            let rest = self.chunk.get(self.at..).unwrap_or_default();
            if let Some(length) = rest.iter().position(|byte| *byte == b'\n') {
                let start = self.at;
                self.at += length + 1;
                let rest = self.chunk.get(start..start + length).unwrap_or_default();
                if self.line.is_empty() {
                    return Ok(rest);
                }
                self.line.extend_from_slice(rest);
                return Ok(&self.line);
            }
            self.line.extend_from_slice(rest);
            if self.line.len() > MAX_ANSWER {
                return Err(self.unexpected("a line has no end"));
            }
            self.at = 0;
            self.chunk = match self.bytes.next().await? {
                Some(chunk) => chunk,
                None => {
                    return Err(ClientError::Broken {
                        server: self.bytes.server.clone(),
                        error: "the answer was cut off".to_owned(),
                    });
                }
            };
        }
    }

    /// What a line that is no document says: its first word, and the whole of it. An error that the server reports
    /// this way becomes one here.
    pub fn control(&self, line: &[u8]) -> Result<(String, Value), ClientError> {
        let said: Value = serde_json::from_slice(line).map_err(|error| self.unexpected(error.to_string()))?;
        match said[0].as_str() {
            Some("error") => Err(ClientError::Refused {
                status: 200,
                code: said[1].as_str().unwrap_or_default().to_owned(),
                message: said[2].as_str().unwrap_or_default().to_owned(),
                answer: Box::new(said),
            }),
            Some(word) => Ok((word.to_owned(), said)),
            None => Err(self.unexpected("a line has no word")),
        }
    }

    fn unexpected(&self, error: impl Into<String>) -> ClientError {
        ClientError::Answer { server: self.bytes.server.clone(), error: error.into() }
    }
}

/// Reads a server's URL, and the authority in it.
pub fn authority(url: &str) -> Result<(Uri, String), ClientError> {
    let bad = || ClientError::Url(url.to_owned());
    let uri: Uri = url.trim_end_matches('/').parse().map_err(|_| bad())?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    match uri.authority().map(|authority| authority.as_str().to_owned()) {
        Some(host) if known && !host.is_empty() && !host.contains('@') => Ok((uri, host)),
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_server() {
        for (url, host) in [
            ("http://127.0.0.1:3210", "127.0.0.1:3210"),
            ("https://h/", "h"),
            ("http://[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(authority(url).unwrap().1, host);
        }
        for bad in ["", "h:1", "ftp://h", "http://", "http://a@b"] {
            assert!(authority(bad).is_err(), "{bad}");
        }
        assert!(AdminClient::tcp("https://h", None).is_err());
    }
}
