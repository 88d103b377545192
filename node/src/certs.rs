//! A development authority and the certificates that a cluster needs.
//!
//! The files of [`Layout`]'s folder: `ca`, `node-<id>`, `frontend` (to nodes), `server` (to
//! partners) and `operator`, each as a `.pem` and a `.key`. Roles stand in certificates as DNS
//! names (see [`crate::tls`]). Whoever has `ca.key` can make any of them: on real clusters an
//! authority of your own signs the same names.

use crate::tls::{FRONTEND_NAME, NODE_NAME, OPERATOR_NAME, node_name};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the authority is valid: ten years.
const AUTHORITY_DAYS: u32 = 3_650;
/// How long a certificate is valid: two years and a bit, what browsers accept at most.
const CERTIFICATE_DAYS: u32 = 825;

/// Where the files of a development authority lie.
#[derive(Clone, Debug)]
pub struct Layout(PathBuf);

/// What kind of certificate to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A node's, for both ends of its connections.
    Node(u64),
    /// A frontend's, to nodes.
    Frontend,
    /// A frontend's, to partners.
    Server,
    /// An operator's, to nodes.
    Operator,
}

/// Why no certificates were made.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// A file could not be read or written.
    #[error("{}: {why}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// A name is not one, or a key is unusable.
    #[error("cannot make {what}: {why}")]
    Make {
        /// Which certificate.
        what: String,
        /// What the generator said.
        why: rcgen::Error,
    },
    /// There is a certificate of an authority without its key.
    #[error("{} has an authority's certificate and not its key: certificates can be added only where both are", .0.display())]
    AuthorityWithoutKey(PathBuf),
}

impl Layout {
    /// In this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Layout {
        Layout(folder.into())
    }

    /// The authority's certificate.
    pub fn ca(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// The authority's private key.
    pub fn ca_key(&self) -> PathBuf {
        self.0.join("ca.key")
    }

    /// The operators' token, for the admin API of the frontends.
    pub fn token(&self) -> PathBuf {
        self.0.join("operator.token")
    }

    /// A certificate.
    pub fn cert(&self, kind: &Kind) -> PathBuf {
        self.0.join(format!("{}.pem", kind.file()))
    }

    /// A certificate's private key.
    pub fn key(&self, kind: &Kind) -> PathBuf {
        self.0.join(format!("{}.key", kind.file()))
    }
}

impl Kind {
    fn file(&self) -> String {
        match self {
            Kind::Node(id) => format!("node-{id}"),
            Kind::Frontend => "frontend".into(),
            Kind::Server => "server".into(),
            Kind::Operator => "operator".into(),
        }
    }

    fn names(&self, hosts: &[String]) -> Vec<String> {
        let local = ["localhost", "127.0.0.1", "::1"].map(String::from);
        let public = local.iter().chain(hosts).cloned();
        match self {
            Kind::Node(id) => [NODE_NAME.into(), node_name(*id)]
                .into_iter()
                .chain(public)
                .collect(),
            Kind::Frontend => vec![FRONTEND_NAME.into()],
            Kind::Server => public.collect(),
            Kind::Operator => vec![OPERATOR_NAME.into()],
        }
    }

    fn usages(&self) -> Vec<ExtendedKeyUsagePurpose> {
        use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        match self {
            Kind::Node(_) => vec![ServerAuth, ClientAuth],
            Kind::Server => vec![ServerAuth],
            Kind::Frontend | Kind::Operator => vec![ClientAuth],
        }
    }
}

/// Makes the certificates for nodes `1..=nodes` and everyone else; what is there already stays,
/// so that nodes can be added later. Returns what was made.
pub fn make(folder: &Path, nodes: u64, hosts: &[String]) -> Result<Vec<PathBuf>, CertsError> {
    let layout = Layout::new(folder);
    fs::create_dir_all(folder).map_err(|why| CertsError::File {
        file: folder.to_owned(),
        why,
    })?;
    let mut made = Vec::new();
    let authority = authority(&layout, &mut made)?;
    let everyone = [Kind::Frontend, Kind::Server, Kind::Operator];
    for kind in (1..=nodes).map(Kind::Node).chain(everyone) {
        if layout.cert(&kind).exists() && layout.key(&kind).exists() {
            continue;
        }
        issue(&layout, &kind, hosts, &authority, &mut made)?;
    }
    Ok(made)
}

/// Draws the operators' token into `operator.token`, unless it is there already. Returns the file
/// if it was made.
pub fn make_token(folder: &Path) -> Result<Option<PathBuf>, CertsError> {
    let file = Layout::new(folder).token();
    if file.exists() {
        return Ok(None);
    }
    let token = random_hex::<24>().map_err(|why| CertsError::File {
        file: file.clone(),
        why,
    })?;
    let mut made = Vec::new();
    write(&file, format!("{token}\n").as_bytes(), 0o600, &mut made)?;
    Ok(made.pop())
}

/// That many random bytes, as hexadecimal digits.
pub(crate) fn random_hex<const N: usize>() -> std::io::Result<String> {
    let mut random = [0u8; N];
    let provider = rustls::crypto::ring::default_provider();
    let drawn = provider.secure_random.fill(&mut random);
    drawn.map_err(|_| std::io::Error::other("the system gives no random numbers"))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn authority(
    layout: &Layout,
    made: &mut Vec<PathBuf>,
) -> Result<Issuer<'static, KeyPair>, CertsError> {
    let failed = |why| CertsError::Make {
        what: "the authority".into(),
        why,
    };
    let params = authority_params();
    if layout.ca().exists() {
        if !layout.ca_key().exists() {
            return Err(CertsError::AuthorityWithoutKey(layout.0.clone()));
        }
        let pem = fs::read_to_string(layout.ca_key()).map_err(|why| CertsError::File {
            file: layout.ca_key(),
            why,
        })?;
        // Its name and key are all that signing needs, and the name is always the same.
        return Ok(Issuer::new(
            params,
            KeyPair::from_pem(&pem).map_err(failed)?,
        ));
    }
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    write(
        &layout.ca_key(),
        key.serialize_pem().as_bytes(),
        0o600,
        made,
    )?;
    write(&layout.ca(), certificate.pem().as_bytes(), 0o644, made)?;
    Ok(Issuer::new(params, key))
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name("Florin development authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid_for(&mut params, AUTHORITY_DAYS);
    params
}

fn issue(
    layout: &Layout,
    kind: &Kind,
    hosts: &[String],
    authority: &Issuer<'static, KeyPair>,
    made: &mut Vec<PathBuf>,
) -> Result<(), CertsError> {
    let failed = |why| CertsError::Make {
        what: format!("the certificate `{}`", kind.file()),
        why,
    };
    let mut params = CertificateParams::new(kind.names(hosts)).map_err(failed)?;
    params.distinguished_name = name(&format!("florin {}", kind.file()));
    params.extended_key_usages = kind.usages();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    valid_for(&mut params, CERTIFICATE_DAYS);
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.signed_by(&key, authority).map_err(failed)?;
    write(
        &layout.key(kind),
        key.serialize_pem().as_bytes(),
        0o600,
        made,
    )?;
    write(
        &layout.cert(kind),
        certificate.pem().as_bytes(),
        0o644,
        made,
    )
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

/// From yesterday, for clocks that are behind.
fn valid_for(params: &mut CertificateParams, days: u32) {
    let now = SystemTime::now();
    params.not_before = (now - DAY).into();
    params.not_after = (now + DAY * days).into();
}

/// A new file, never readable by others than `mode` says, not even for a moment.
fn write(file: &Path, bytes: &[u8], mode: u32, made: &mut Vec<PathBuf>) -> Result<(), CertsError> {
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(file)
        .and_then(|mut open| open.write_all(bytes).and_then(|()| open.sync_all()));
    written.map_err(|why| CertsError::File {
        file: file.to_owned(),
        why,
    })?;
    made.push(file.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn private_keys_are_private_and_certificates_are_added_later() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        assert_eq!(make(dir.path(), 2, &[]).unwrap().len(), 2 + 2 * 5);
        for key in [
            layout.ca_key(),
            layout.key(&Kind::Node(2)),
            layout.key(&Kind::Operator),
        ] {
            assert_eq!(
                fs::metadata(&key).unwrap().permissions().mode() & 0o777,
                0o600,
                "{}",
                key.display()
            );
        }
        let first = fs::read(layout.cert(&Kind::Node(1))).unwrap();
        let added = make(dir.path(), 3, &["pay.example".into()]).unwrap();
        assert_eq!(
            added,
            [layout.key(&Kind::Node(3)), layout.cert(&Kind::Node(3))]
        );
        assert_eq!(
            fs::read(layout.cert(&Kind::Node(1))).unwrap(),
            first,
            "what is there stays"
        );
    }

    #[test]
    fn a_token_is_private_and_drawn_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = make_token(dir.path()).unwrap().unwrap();
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let token = fs::read_to_string(&file).unwrap();
        assert_eq!(token.trim().len(), 48);
        assert_eq!(make_token(dir.path()).unwrap(), None);
        assert_eq!(fs::read_to_string(&file).unwrap(), token);
    }

    #[test]
    fn an_authority_without_its_key_cannot_sign() {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), 1, &[]).unwrap();
        fs::remove_file(Layout::new(dir.path()).ca_key()).unwrap();
        let error = make(dir.path(), 2, &[]).unwrap_err().to_string();
        assert!(error.contains("not its key"), "{error}");
    }
}
