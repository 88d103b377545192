//! A frontend with nothing behind it: enough of the partner and admin API over TLS to be loaded,
//! and faults to see whether the audit finds them.

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the frontend does wrong with every 50th payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Moves the money twice.
    Doubles,
    /// Acknowledges it and moves nothing.
    Loses,
    /// Moves the money and answers that it does not know.
    HidesTheOutcome,
    /// Moves the money and closes the connection without an answer.
    BreaksOff,
    /// Refuses it for want of money.
    Refuses,
}

/// A frontend that serves until the test ends.
pub(crate) struct Fake {
    /// Its address, both APIs.
    pub(crate) url: String,
    /// The file with its certificate.
    pub(crate) authority: PathBuf,
}

struct Books {
    fault: Fault,
    balances: BTreeMap<String, i128>,
    made: u64,
    payments: u64,
}

impl Fake {
    /// Starts on a free port.
    pub(crate) async fn start(fault: Fault) -> Fake {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let name = format!("florin-bench-fake-{}-{port}.pem", std::process::id());
        let authority = std::env::temp_dir().join(name);
        std::fs::write(&authority, made.cert.pem()).unwrap();
        let books = Arc::new(Mutex::new(Books {
            fault,
            balances: BTreeMap::new(),
            made: 0,
            payments: 0,
        }));
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), books));
        Fake {
            url: format!("https://localhost:{port}"),
            authority,
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.authority);
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, books: Arc<Mutex<Books>>) {
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let (acceptor, books) = (acceptor.clone(), books.clone());
        tokio::spawn(async move {
            let Ok(tls) = acceptor.accept(tcp).await else {
                return;
            };
            let service = service_fn(move |request: http::Request<Incoming>| {
                let books = books.clone();
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
                    let answer = books.lock().unwrap().answer(&head, &body);
                    // Whatever error comes from here, hyper closes the connection, or the stream.
                    answer.ok_or_else(|| io::Error::other("broken off"))
                }
            });
            // The client closes, or the fault does: both are the end of it.
            if tls.get_ref().1.alpn_protocol() == Some(b"h2") {
                let http = http2::Builder::new(TokioExecutor::new());
                let _ = http.serve_connection(TokioIo::new(tls), service).await;
            } else {
                let http = http1::Builder::new();
                let _ = http.serve_connection(TokioIo::new(tls), service).await;
            }
        });
    }
}

impl Books {
    /// Nothing, if the connection is to break.
    fn answer(
        &mut self,
        head: &http::request::Parts,
        body: &Bytes,
    ) -> Option<Response<Full<Bytes>>> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let path: Vec<&str> = head.uri.path().trim_matches('/').split('/').collect();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let amount = i128::from(body["amount"].as_i64().unwrap_or_default());
        match (&head.method, path.as_slice()) {
            (&Method::POST, ["admin", "v1", "partners"]) => Some(self.made("ptn")),
            (&Method::POST, ["admin", "v1", "partners", _, "keys"]) => {
                let secret = format!("sk_live_{}", self.payments);
                Some(reply(201, json!({ "secret": secret })))
            }
            (&Method::POST, ["v1", "accounts"]) => Some(self.made("acct")),
            (&Method::POST, ["v1", "transfers"]) => {
                *self.balances.entry(text("credit_account")).or_default() += amount;
                Some(self.made("tr"))
            }
            (&Method::POST, ["v1", "payments"]) => self.pay(text("source"), amount),
            (&Method::GET, ["v1", "accounts", account, "balance"]) => {
                let balance = self.balances.get(*account).copied().unwrap_or_default();
                Some(reply(200, json!({ "balance": balance.to_string() })))
            }
            _ => Some(reply(404, json!({}))),
        }
    }

    fn pay(&mut self, source: String, amount: i128) -> Option<Response<Full<Bytes>>> {
        self.payments += 1;
        let fault = match self.payments % 50 {
            0 => self.fault,
            _ => Fault::None,
        };
        let times = match fault {
            Fault::Loses | Fault::Refuses => 0,
            Fault::Doubles => 2,
            _ => 1,
        };
        *self.balances.entry(source).or_default() -= amount * times;
        let error = |code: &str| json!({ "error": { "code": code } });
        match fault {
            Fault::BreaksOff => None,
            Fault::HidesTheOutcome => Some(reply(504, error("outcome_unknown"))),
            Fault::Refuses => Some(reply(402, error("insufficient_funds"))),
            _ => Some(reply(
                200,
                json!({ "object": "payment", "status": "succeeded" }),
            )),
        }
    }

    fn made(&mut self, prefix: &str) -> Response<Full<Bytes>> {
        self.made += 1;
        reply(201, json!({ "id": format!("{prefix}_{:026}", self.made) }))
    }
}

fn reply(status: u16, body: Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}
