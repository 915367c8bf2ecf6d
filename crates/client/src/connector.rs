//! Where the server is and how to reach it: URLs, and streams of bytes over TCP or TLS.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::http::Uri;

use crate::error::ConnectError;
use crate::tls::Tls;

/// A stream of bytes to a server.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A stream that is being made.
pub type Connecting = Pin<Box<dyn Future<Output = std::io::Result<Box<dyn Io>>> + Send>>;

/// Makes streams to one server.
pub type Connector = Arc<dyn Fn() -> Connecting + Send + Sync>;

/// A server's URL, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    secure: bool,
    host: String,
    port: u16,
    /// What is before `/api/sync`: authority and, behind a proxy, a path.
    pub(crate) base: String,
}

impl Endpoint {
    pub(crate) fn parse(url: &str) -> Result<Endpoint, ConnectError> {
        let bad = || ConnectError::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let secure = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(bad()),
        };
        let authority = uri.authority().map(|authority| authority.as_str()).ok_or_else(bad)?;
        let host = authority_host(&uri);
        if host.is_empty() || authority.contains('@') || uri.query().is_some() {
            return Err(bad());
        }
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let base = format!("{authority}{}", uri.path().trim_end_matches('/'));
        Ok(Endpoint { secure, host, port, base })
    }

    /// How to make streams to it.
    pub(crate) fn connector(&self) -> Result<Connector, ConnectError> {
        let bad = || ConnectError::Url(format!("https://{}", self.base));
        let tls = if self.secure { Some(Tls::new(&self.host).ok_or_else(bad)?) } else { None };
        let address = (self.host.clone(), self.port);
        Ok(Arc::new(move || {
            let (address, tls) = (address.clone(), tls.clone());
            Box::pin(async move {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(match tls {
                    Some(tls) => tls.wrap(stream).await?,
                    None => Box::new(stream) as Box<dyn Io>,
                })
            })
        }))
    }
}

fn authority_host(uri: &Uri) -> String {
    uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_server() {
        for (url, secure, host, port, base) in [
            ("http://127.0.0.1:3210", false, "127.0.0.1", 3210, "127.0.0.1:3210"),
            ("ws://h/", false, "h", 80, "h"),
            ("https://example.com", true, "example.com", 443, "example.com"),
            ("wss://example.com:1/behind/a/proxy/", true, "example.com", 1, "example.com:1/behind/a/proxy"),
            ("http://[::1]:80", false, "::1", 80, "[::1]:80"),
        ] {
            let expected = Endpoint { secure, host: host.to_owned(), port, base: base.to_owned() };
            assert_eq!(Endpoint::parse(url).unwrap(), expected);
            assert!(expected.connector().is_ok());
        }
        for bad in
            ["", "h:1", "ftp://h", "http://", "http://a@b", "http://a?b", "127.0.0.1:3210", "http://a b"]
        {
            assert_eq!(Endpoint::parse(bad).unwrap_err().code(), "InvalidUrl", "{bad}");
        }
    }
}
