//! A frontend on loopback over real books: the ledger's own rules in this process.

mod books;
mod client;

pub(crate) use books::Books;
pub(crate) use client::{Answer, Client, Trust, fresh};

use florin_api::{AdminOptions, ApiOptions, Backend, Clock, Connections, Operators};
use florin_ledger::directory::{DirectoryCommand, Item};
use florin_ledger::id::{Id, Mode, Timestamp, prefix};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The operators' token of the tests.
pub(crate) const OPERATOR: &str = "operator-token-of-the-tests";
/// A key with every scope but `admin`.
pub(crate) const LIVE: &str = "sk_live_0123456789abcdef0123456789abcdef";
/// The same partner's test key.
pub(crate) const TEST: &str = "sk_test_0123456789abcdef0123456789abcdef";

/// A running frontend.
pub(crate) struct Frontend {
    pub(crate) books: Arc<Books>,
    pub(crate) api: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) trust: Trust,
    pub(crate) partner: Id,
    stop: Vec<oneshot::Sender<()>>,
    pub(crate) running: Vec<JoinHandle<()>>,
}

impl Frontend {
    /// With one partner and its two keys.
    pub(crate) async fn start() -> Frontend {
        Frontend::start_with(Connections::default()).await
    }

    pub(crate) async fn start_with(connections: Connections) -> Frontend {
        let books = Arc::new(Books::new());
        let partner = onboard(&books);
        let (tls, trust) = certificate();
        let clock: Clock = {
            let books = Arc::clone(&books);
            Arc::new(move || books.now())
        };
        let backend: Arc<dyn Backend> = books.clone();
        let api_listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let admin_listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (api, admin) = (address(&api_listener), address(&admin_listener));
        let options = ApiOptions {
            connections,
            ..ApiOptions::new(clock.clone())
        };
        let admin_options = AdminOptions {
            ready: Arc::new(|| Err("no directory yet".to_owned())),
            metrics: Arc::new(|| "florin_up 1\n".to_owned()),
            operators: Some(Operators::new(OPERATOR, backend.clone(), clock)),
            connections,
        };
        let (stop_api, stopped_api) = oneshot::channel::<()>();
        let (stop_admin, stopped_admin) = oneshot::channel::<()>();
        let running = vec![
            tokio::spawn(florin_api::serve(
                api_listener,
                tls,
                options,
                backend,
                async {
                    let _ = stopped_api.await;
                },
            )),
            tokio::spawn(florin_api::serve_admin(
                admin_listener,
                None,
                admin_options,
                async {
                    let _ = stopped_admin.await;
                },
            )),
        ];
        Frontend {
            books,
            api,
            admin,
            trust,
            partner,
            stop: vec![stop_api, stop_admin],
            running,
        }
    }

    /// A partner's client, HTTP/1.1.
    pub(crate) async fn client(&self) -> Client {
        Client::tls(self.api, &self.trust, b"http/1.1", LIVE).await
    }

    /// An operator's client.
    pub(crate) async fn operator(&self) -> Client {
        Client::plain(self.admin, OPERATOR).await
    }

    pub(crate) fn stop(&mut self) {
        for stop in self.stop.drain(..) {
            let _ = stop.send(());
        }
    }
}

/// Accounts that most tests need.
pub(crate) struct Accounts {
    /// An asset without constraint.
    pub(crate) bank: String,
    /// A liability that may not be overdrawn, with 1,000 in it.
    pub(crate) wallet: String,
}

pub(crate) async fn accounts(client: &mut Client) -> Accounts {
    let bank = client
        .made("/v1/accounts", r#"{"currency":"USD","kind":"asset"}"#)
        .await;
    let wallet = client
        .made(
            "/v1/accounts",
            r#"{"currency":"USD","kind":"liability","constraint":"debits_within_credits"}"#,
        )
        .await;
    let (bank, wallet) = (text(&bank["id"]), text(&wallet["id"]));
    let funds = format!(
        r#"{{"debit_account":"{bank}","credit_account":"{wallet}","amount":1000,"currency":"USD"}}"#
    );
    client.made("/v1/transfers", &funds).await;
    Accounts { bank, wallet }
}

/// The fields of an object that a row is about.
pub(crate) fn fields<'a>(object: &'a Value, names: &[&str]) -> Vec<&'a Value> {
    names.iter().map(|name| &object[*name]).collect()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

fn onboard(books: &Books) -> Id {
    let Item::Partner(partner) = books
        .direct(
            DirectoryCommand::CreatePartner {
                name: "Acme".into(),
                home_region: None,
                rate_limit: 0,
            },
            None,
        )
        .expect("a partner")
    else {
        panic!("no partner was made");
    };
    let scopes = [
        "payments:write",
        "payments:read",
        "ledger:write",
        "ledger:read",
    ];
    for (secret, mode) in [(LIVE, Mode::Live), (TEST, Mode::Test)] {
        books.key(partner.value.id, secret, mode, &scopes, &[]);
    }
    partner.value.id
}

/// A partner's identifier as it stands in paths.
pub(crate) fn shown(partner: Id) -> String {
    partner.display(prefix::PARTNER).to_string()
}

/// A moment of the tests.
pub(crate) const START: Timestamp = Timestamp(1_793_534_400_000_000);

fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("an address")
}

fn certificate() -> (Arc<rustls::ServerConfig>, Trust) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
    let certificate = CertificateDer::from(made.cert.der().to_vec());
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("a configuration");
    (Arc::new(server), Trust(certificate))
}
