//! TLS with the certificates that the operating system trusts.

use std::sync::Arc;

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
        let mut roots = RootCertStore::empty();
        // What can't be read is left out; without any, the handshake fails and says that the issuer is unknown.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Tls::trusting(roots, host)
    }

    fn trusting(roots: RootCertStore, host: &str) -> Option<Tls> {
        let server = ServerName::try_from(host.to_owned()).ok()?;
        // Named, because a program may have linked another provider as well.
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .ok()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Some(Tls { connector: TlsConnector::from(Arc::new(config)), server })
    }

    pub(crate) async fn wrap(self, stream: impl Io + 'static) -> std::io::Result<Box<dyn Io>> {
        Ok(Box::new(self.connector.connect(self.server, stream).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    /// Speaks to a server of this name as somebody who wants one of another name; what it echoes.
    async fn hello(server: &str, wanted: &str, is_trusted: bool) -> std::io::Result<String> {
        let certified = rcgen::generate_simple_self_signed([server.to_owned()]).unwrap();
        let certificate = certified.cert.der().clone();
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        if is_trusted {
            roots.add(certificate).unwrap();
        }
        let (near, far) = tokio::io::duplex(1 << 10);
        let echo = async {
            let mut stream = TlsAcceptor::from(Arc::new(config)).accept(far).await?;
            let mut word = [0; 5];
            stream.read_exact(&mut word).await?;
            stream.write_all(&word).await?;
            stream.flush().await
        };
        let say = async {
            let mut stream = Tls::trusting(roots, wanted).unwrap().wrap(near).await?;
            stream.write_all(b"hello").await?;
            let mut word = [0; 5];
            stream.read_exact(&mut word).await?;
            Ok(String::from_utf8_lossy(&word).into_owned())
        };
        tokio::join!(echo, say).1
    }

    #[tokio::test]
    async fn a_server_is_spoken_to_if_it_shows_a_trusted_certificate_of_its_name() {
        for name in ["hull.test", "127.0.0.1", "::1"] {
            assert_eq!(hello(name, name, true).await.unwrap(), "hello");
        }
        let stranger = hello("hull.test", "hull.test", false).await.unwrap_err();
        assert!(stranger.to_string().contains("UnknownIssuer"), "{stranger}");
        let other = hello("other.test", "hull.test", true).await.unwrap_err();
        assert!(other.to_string().contains("not valid for name"), "{other}");
        assert!(Tls::new("no such name").is_none());
    }
}
