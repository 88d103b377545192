//! `florin partner`: partners and their keys, through the admin API of a frontend.

use super::output::print_table;
use crate::client::{Answer, Client};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

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
        /// What it may do; everything unless told
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
            let made = frontend.post("/admin/v1/partners", &body).await?;
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
