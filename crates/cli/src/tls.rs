//! TLS to a server at `https://…`, with the certificates that the operating system trusts.

use std::sync::Arc;

use hull_server::{AdminClient, ClientError, Connector, Stream, authority};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A server at `https://host[:port]`.
pub(crate) fn client(url: &str, key: Option<String>) -> Result<AdminClient, ClientError> {
    let (uri, host) = authority(url)?;
    let name = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let server = ServerName::try_from(name.clone()).map_err(|_| ClientError::Url(url.to_owned()))?;
    let port = uri.port_u16().unwrap_or(443);
    let mut roots = RootCertStore::empty();
    // What can't be read is left out; without any, the handshake fails and says that the issuer is unknown.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let tls = TlsConnector::from(Arc::new(config));
    let connector: Connector = Arc::new(move || {
        let (tls, name, server) = (tls.clone(), name.clone(), server.clone());
        Box::pin(async move {
            let stream = TcpStream::connect((name, port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(tls.connect(server, stream).await?) as Box<dyn Stream>)
        })
    });
    Ok(AdminClient::new(connector, url.to_owned(), host, key))
}
