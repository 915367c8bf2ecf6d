//! TLS with the certificates that the operating system trusts.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::connector::Io;

#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
    server: ServerName<'static>,
}

impl Tls {
    /// TLS to the server of this name; none where it can't have one.
    pub(crate) fn new(host: &str) -> Option<Tls> {
        let server = ServerName::try_from(host.to_owned()).ok()?;
        let mut roots = RootCertStore::empty();
        // What can't be read is left out; without any, the handshake fails and says that the issuer is unknown.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        // Named, because a program may have linked another provider as well.
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .ok()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Some(Tls { connector: TlsConnector::from(Arc::new(config)), server })
    }

    pub(crate) async fn wrap(self, stream: TcpStream) -> std::io::Result<Box<dyn Io>> {
        Ok(Box::new(self.connector.connect(self.server, stream).await?))
    }
}
