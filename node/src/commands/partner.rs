//! `florin partner`: partners and their keys, through the admin API of a frontend.

use super::output::print_table;
use crate::certs::random_hex;
use crate::client::{Answer, Client, ClientError};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

/// For how long a request is repeated whose outcome is not known.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Args)]
struct Frontend {
    /// URL of a frontend's listener for operators
    #[arg(long, value_name = "URL")]
    admin_url: String,
    /// The authority of its certificate
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// The file that holds the operators' token
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Onboard a partner
    Create {
        /// Its name, for people
        name: String,
        /// Where its users are: its money is led from there if possible
        #[arg(long)]
        region: Option<String>,
        /// Requests a second over all frontends; 0 for no limit
        #[arg(long, default_value_t = 0)]
        rate_limit: u32,
        #[command(flatten)]
        frontend: Frontend,
    },
    /// List the partners
    List {
        #[command(flatten)]
        frontend: Frontend,
    },
    /// Make an API key for a partner; its secret is shown once
    Key {
        /// The partner (`ptn_…`)
        partner: String,
        /// `live` or `test`
        #[arg(long, default_value = "test", value_parser = ["live", "test"])]
        mode: String,
        /// What it may do, of `payments:write`, `payments:read`, `ledger:write`, `ledger:read` and
        /// `admin`; all but `admin` unless told
        #[arg(long, value_delimiter = ',', value_name = "SCOPE,…")]
        scopes: Vec<String>,
        #[command(flatten)]
        frontend: Frontend,
    },
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    match args.what {
        What::Create {
            name,
            region,
            rate_limit,
            frontend,
        } => {
            let body = json!({"name": name, "home_region": region, "rate_limit": rate_limit});
            let made = frontend.create("/admin/v1/partners", &body).await?;
            println!("{}", text(&made, "id"));
        }
        What::List { frontend } => list(&frontend).await?,
        What::Key {
            partner,
            mode,
            scopes,
            frontend,
        } => {
            let mut body = json!({"mode": mode});
            if !scopes.is_empty() {
                body["scopes"] = json!(scopes);
            }
            let path = format!("/admin/v1/partners/{partner}/keys");
            let made = frontend.post(&path, &body).await?;
            println!("{}", text(&made, "secret"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(frontend: &Frontend) -> Result<()> {
    let client = frontend.client()?;
    let mut rows = Vec::new();
    let mut after = String::new();
    loop {
        let page = accepted(
            &client
                .get(&format!("/admin/v1/partners?limit=100{after}"))
                .await?,
        )?;
        let partners = page["data"].as_array().cloned().unwrap_or_default();
        for partner in &partners {
            let suspended = if partner["suspended"] == true {
                "suspended"
            } else {
                "active"
            };
            let columns = ["id", "name", "home_region", "group", "rate_limit"];
            let mut row: Vec<String> = columns.iter().map(|column| text(partner, column)).collect();
            row.push(suspended.into());
            rows.push(row);
        }
        match partners.last() {
            Some(last) if page["has_more"] == true => {
                after = format!("&starting_after={}", text(last, "id"))
            }
            _ => break,
        }
    }
    print_table(
        &["PARTNER", "NAME", "REGION", "GROUP", "LIMIT", "STATE"],
        &rows,
    );
    Ok(())
}

impl Frontend {
    fn client(&self) -> Result<Client> {
        let token = std::fs::read_to_string(&self.token_file)
            .with_context(|| format!("cannot read {}", self.token_file.display()))?;
        Ok(Client::new(
            &self.admin_url,
            Some(&self.ca),
            Some(token.trim()),
        )?)
    }

    /// Asks for something that shall happen once, until it is known whether it has: every
    /// attempt carries the same idempotency key.
    async fn create(&self, path: &str, body: &Value) -> Result<Value> {
        let client = self.client()?;
        let key = format!("florin-{}", random_hex::<16>()?);
        let until = Instant::now() + PATIENCE;
        let mut begun = false;
        loop {
            let answer = client.post(path, Some(&key), body).await;
            let again = match &answer {
                Ok(answer) => matches!(answer.status.as_u16(), 503 | 504),
                Err(ClientError::Broken { .. } | ClientError::Timeout { .. }) => true,
                // A frontend that was never there is a mistake to tell at once.
                Err(ClientError::Connect { .. }) => begun,
                Err(_) => false,
            };
            if !again {
                return accepted(&answer?);
            }
            if Instant::now() >= until {
                let last = answer.map_err(anyhow::Error::from);
                return last.and_then(|last| accepted(&last)).context(
                    "it is not known whether it was done; see `florin partner list` before trying again",
                );
            }
            if !begun {
                let patience = PATIENCE.as_secs();
                eprintln!("florin: no certain answer yet; trying again for up to {patience} s");
            }
            begun = true;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        accepted(&self.client()?.post(path, None, body).await?)
    }
}

/// The answer's body, or its refusal as a sentence.
fn accepted(answer: &Answer) -> Result<Value> {
    let body = answer.json()?;
    if !answer.status.is_success() {
        let why = body["detail"]
            .as_str()
            .or(body["title"].as_str())
            .unwrap_or("no reason given");
        bail!("the frontend refused ({}): {why}", answer.status.as_u16());
    }
    Ok(body)
}

fn text(value: &Value, field: &str) -> String {
    match &value[field] {
        Value::String(text) => text.clone(),
        Value::Null => "-".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    /// Reads one request whole; its idempotency key.
    async fn request(stream: &mut BufReader<tokio::net::TcpStream>) -> String {
        let (mut key, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            match line.trim_end().split_once(": ") {
                Some(("idempotency-key", value)) => key = value.to_owned(),
                Some(("content-length", value)) => length = value.parse().unwrap(),
                _ if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        stream.read_exact(&mut vec![0; length]).await.unwrap();
        key
    }

    /// A frontend that gives these answers, one connection each; the keys that it was sent.
    async fn frontend(
        answers: &'static [&'static str],
    ) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = async move {
            let mut keys = Vec::new();
            for answer in answers {
                let mut stream = BufReader::new(listener.accept().await.unwrap().0);
                keys.push(request(&mut stream).await);
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            }
            keys
        };
        (address, tokio::spawn(serve))
    }

    #[tokio::test]
    async fn an_unknown_outcome_is_asked_for_by_the_same_key() {
        let (address, served) = frontend(&[
            "HTTP/1.1 503 \r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 504 \r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
            "",
            "HTTP/1.1 200 \r\nconnection: close\r\ncontent-length: 14\r\n\r\n{\"id\":\"ptn_1\"}",
        ])
        .await;
        let dir = tempfile::tempdir().unwrap();
        let token_file = dir.path().join("token");
        std::fs::write(&token_file, "secret\n").unwrap();
        let frontend = Frontend {
            admin_url: format!("http://{address}"),
            ca: dir.path().join("none"),
            token_file,
        };
        let body = json!({"name": "A"});
        let made = frontend.create("/admin/v1/partners", &body).await.unwrap();
        assert_eq!(made["id"], "ptn_1");
        let keys = served.await.unwrap();
        assert!(keys[0].starts_with("florin-") && keys[0].len() == 39);
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    }
}
