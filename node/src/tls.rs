//! Who is who on the wire.
//!
//! Nodes, frontends and operators know each other by certificates of one authority; the roles
//! stand in them as DNS names that exist nowhere else: [`NODE_NAME`] and `node-<id>.` before it,
//! [`FRONTEND_NAME`], [`OPERATOR_NAME`]. Whoever dials a node expects [`NODE_NAME`], so that
//! certificates do not depend on addresses. Always TLS 1.3.

pub mod listener;

use crate::config::{MutualTls, Reach};
use florin_raft::options::Connecting;
use florin_raft::{Connect, Io};
use florin_shards::{Connection, Connector};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The name of every node.
pub const NODE_NAME: &str = "node.florin.internal";
/// The name of every frontend.
pub const FRONTEND_NAME: &str = "frontend.florin.internal";
/// The name of every operator.
pub const OPERATOR_NAME: &str = "operator.florin.internal";
/// A peer that has not finished its handshake by then is cut off.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A node that has not accepted a connection by then is taken as unreachable.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(3);

/// The name of one node.
pub fn node_name(id: u64) -> String {
    format!("node-{id}.{NODE_NAME}")
}

/// Why a certificate or key cannot be used. Each is one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("cannot read {}: {why}", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// There is nothing of the kind in the file.
    #[error("{} holds no {what} in PEM form", file.display())]
    Nothing {
        /// Which.
        file: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The authority did not sign the certificate, or it is not valid now.
    #[error("the certificate {} does not hold against the authority {}: {why}", cert.display(), ca.display())]
    NotOurs {
        /// The certificate.
        cert: PathBuf,
        /// The authority.
        ca: PathBuf,
        /// What is wrong.
        why: rustls::Error,
    },
    /// The certificate is somebody else's.
    #[error("the certificate {} is not made for {name}", cert.display())]
    WrongName {
        /// The certificate.
        cert: PathBuf,
        /// The name it should hold.
        name: String,
    },
    /// Certificate and key do not fit, or TLS does not know their kind.
    #[error("certificate {} and key {} cannot be used: {why}", cert.display(), key.display())]
    Unusable {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// What is wrong.
        why: rustls::Error,
    },
}

/// A certificate chain and its key.
type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Makes ring the process's cryptography; again is harmless.
pub fn install_provider() {
    let _already = rustls::crypto::ring::default_provider().install_default();
}

/// What a node shows and demands of whoever connects: a certificate of the cluster's authority.
pub fn node_server(tls: &MutualTls, id: u64) -> Result<Arc<ServerConfig>, TlsError> {
    install_provider();
    let (chain, key) = identity(&tls.cert, &tls.key)?;
    let verifier = check_identity(tls, &chain, &[NODE_NAME.into(), node_name(id)])?;
    let mut config = ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|why| unusable(&tls.cert, &tls.key, why))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// What a frontend shows to partners.
pub fn public_server(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    install_provider();
    let (chain, private) = identity(cert, key)?;
    let mut config = ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|why| unusable(cert, key, why))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Dials nodes with a certificate of ours. Cheap to clone.
#[derive(Clone)]
pub struct Dialer {
    tls: TlsConnector,
    reach: Arc<Reach>,
}

impl Dialer {
    /// With this certificate, which must be for `name`.
    pub fn new(tls: &MutualTls, name: &str) -> Result<Dialer, TlsError> {
        install_provider();
        let (chain, key) = identity(&tls.cert, &tls.key)?;
        check_identity(tls, &chain, &[name.into()])?;
        let mut config = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
            .with_root_certificates(authorities(&tls.ca)?)
            .with_client_auth_cert(chain, key)
            .map_err(|why| unusable(&tls.cert, &tls.key, why))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Dialer {
            tls: TlsConnector::from(Arc::new(config)),
            reach: Arc::default(),
        })
    }

    /// The same, dialling some addresses elsewhere.
    pub fn reaching(self, reach: Reach) -> Dialer {
        let reach = Arc::new(reach);
        Dialer { reach, ..self }
    }

    /// Connects to `host:port` and makes sure that a node of our authority is there.
    pub async fn dial(&self, address: &str) -> io::Result<TlsStream<TcpStream>> {
        let dialled = tokio::time::timeout(DIAL_TIMEOUT, self.handshake(address)).await;
        dialled.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn handshake(&self, address: &str) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.reach.of(address)).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(NODE_NAME).map_err(io::Error::other)?;
        self.tls.connect(name, stream).await
    }

    /// As the router wants it.
    pub fn connector(&self) -> Connector {
        let dialer = self.clone();
        Connector::new(move |address| {
            let dialer = dialer.clone();
            Box::pin(
                async move { Ok(Box::new(dialer.dial(&address).await?) as Box<dyn Connection>) },
            )
        })
    }
}

/// As the groups want it.
impl Connect for Dialer {
    fn connect(&self, address: &str) -> Connecting {
        let (dialer, address) = (self.clone(), address.to_owned());
        Box::pin(async move { Ok(Box::new(dialer.dial(&address).await?) as Box<dyn Io>) })
    }
}

/// What a client of the partners' API trusts.
pub fn https_client(ca: &Path) -> Result<Arc<ClientConfig>, TlsError> {
    install_provider();
    let config = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_root_certificates(authorities(ca)?)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn identity(cert: &Path, key: &Path) -> Result<Identity, TlsError> {
    let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| TlsError::Nothing {
        file: key.to_owned(),
        what: "private key",
    })?;
    Ok((certificates(cert)?, private))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let nothing = || TlsError::Nothing {
        file: file.to_owned(),
        what: "certificate",
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(file)?).collect();
    found
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or_else(nothing)
}

fn authorities(ca: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(ca)? {
        store.add(certificate).map_err(|_| TlsError::Nothing {
            file: ca.to_owned(),
            what: "usable certificate",
        })?;
    }
    Ok(store)
}

/// Finds at start what would otherwise fail with every connection.
fn check_identity(
    tls: &MutualTls,
    chain: &[CertificateDer<'static>],
    names: &[String],
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let not_ours = |why| TlsError::NotOurs {
        cert: tls.cert.clone(),
        ca: tls.ca.clone(),
        why,
    };
    let verifier = WebPkiClientVerifier::builder(Arc::new(authorities(&tls.ca)?))
        .build()
        .map_err(|why| not_ours(rustls::Error::General(why.to_string())))?;
    let Some((own, between)) = chain.split_first() else {
        return Err(TlsError::Nothing {
            file: tls.cert.clone(),
            what: "certificate",
        });
    };
    verifier
        .verify_client_cert(own, between, UnixTime::now())
        .map_err(not_ours)?;
    let held = names_of(own);
    match names.iter().find(|name| !held.contains(name)) {
        Some(name) => Err(TlsError::WrongName {
            cert: tls.cert.clone(),
            name: name.clone(),
        }),
        None => Ok(verifier),
    }
}

/// The DNS names in a certificate.
pub fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    match webpki::EndEntityCert::try_from(certificate) {
        Ok(parsed) => parsed.valid_dns_names().map(str::to_owned).collect(),
        Err(_) => Vec::new(),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|why| TlsError::Unreadable {
        file: file.to_owned(),
        why,
    })
}

fn unusable(cert: &Path, key: &Path, why: rustls::Error) -> TlsError {
    TlsError::Unusable {
        cert: cert.to_owned(),
        key: key.to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::{Kind, Layout, make};

    fn mutual(layout: &Layout, kind: &Kind) -> MutualTls {
        MutualTls {
            ca: layout.ca(),
            cert: layout.cert(kind),
            key: layout.key(kind),
        }
    }

    fn refused(tls: &MutualTls, id: u64) -> String {
        match node_server(tls, id) {
            Ok(_) => String::from("accepted"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_would_fail_later_is_found_at_start() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        make(ours.path(), 2, &[]).unwrap();
        make(theirs.path(), 1, &[]).unwrap();
        let (ours, theirs) = (Layout::new(ours.path()), Layout::new(theirs.path()));
        let good = mutual(&ours, &Kind::Node(1));
        assert_eq!(refused(&good, 1), "accepted");
        assert!(refused(&good, 2).contains("is not made for node-2.node.florin.internal"));
        let other_authority = MutualTls {
            ca: theirs.ca(),
            ..good.clone()
        };
        assert!(refused(&other_authority, 1).contains("does not hold against the authority"));
        let other_key = MutualTls {
            key: ours.key(&Kind::Node(2)),
            ..good.clone()
        };
        assert!(refused(&other_key, 1).contains("cannot be used"));
        let no_key = MutualTls {
            key: ours.ca(),
            ..good.clone()
        };
        assert!(refused(&no_key, 1).contains("holds no private key"));
        let frontend = mutual(&ours, &Kind::Frontend);
        assert!(refused(&frontend, 1).contains("is not made for node.florin.internal"));
        assert!(Dialer::new(&frontend, FRONTEND_NAME).is_ok());
        let missing = MutualTls {
            ca: "/nowhere/ca.pem".into(),
            ..good
        };
        assert!(refused(&missing, 1).starts_with("cannot read /nowhere/ca.pem"));
    }
}
