//! `florin-chaos attach`.

use super::table::word;
use crate::attach::{Access, AttachOptions, Nodes, attach};
use crate::load::Mix;
use crate::run::stop::Stop;
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A frontend, https://host:port; may be given several times
    #[arg(long = "endpoint", required = true, value_name = "URL")]
    endpoints: Vec<String>,
    /// The certificate of the authority that signed the frontends'
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A partner's key with scopes to read and write payments and the ledger; accounts of its own
    /// are opened with it. May be given several times, for partners of several groups
    #[arg(long = "key", value_name = "SECRET")]
    keys: Vec<String>,
    /// Instead of a key: a frontend's listener for operators, where a partner is made
    #[arg(long, value_name = "URL", requires = "operator_token_file")]
    admin: Option<String>,
    /// The file with the operators' token
    #[arg(long, value_name = "FILE", requires = "admin")]
    operator_token_file: Option<PathBuf>,
    /// host:port of nodes that are asked in the end what their replicas hold
    #[arg(
        long,
        value_name = "HOST:PORT,…",
        value_delimiter = ',',
        requires = "certs"
    )]
    nodes: Vec<String>,
    /// The folder with ca.pem, operator.pem and operator.key, to ask nodes
    #[arg(long, value_name = "DIR", requires = "nodes")]
    certs: Option<PathBuf>,
    /// The cluster's name, to ask nodes
    #[arg(long, value_name = "NAME", requires = "nodes")]
    cluster: Option<String>,
    /// For so many seconds, unless Ctrl-C or the end of standard input comes first
    #[arg(long, default_value_t = 60)]
    duration: u64,
    /// Sessions of each partner
    #[arg(long, default_value_t = 8)]
    sessions: usize,
    /// Operations a second over all partners; as many as are answered if it is not given
    #[arg(long)]
    per_second: Option<f64>,
    /// What clients may wait for the next acknowledged payment after each fault that was noted
    #[arg(long, value_name = "MS")]
    recover_ms: Option<u64>,
    /// A fault that begins with the load; others are noted on standard input while it runs: a line
    /// says what was done and begins a band, `healed` or an empty line ends what has begun
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Where the report is written
    #[arg(long, value_name = "DIR")]
    report: PathBuf,
}

pub(super) async fn run(args: &Args, mut to: impl Write) -> Result<u8> {
    let stop = Stop::by_signal()?;
    let outcome = attach(options(args)?, &stop).await?;
    for verdict in &outcome.verdicts {
        writeln!(to, "{verdict}")?;
    }
    let report = args.report.join("report.html");
    writeln!(to, "{}; report: {}", word(outcome.code), report.display())?;
    Ok(outcome.code)
}

fn options(args: &Args) -> Result<AttachOptions> {
    let access = match (&args.admin, &args.operator_token_file) {
        (Some(admin), Some(file)) => {
            let read = std::fs::read_to_string(file);
            let token = read.with_context(|| format!("cannot read {}", file.display()))?;
            Access::Operator {
                admin: admin.clone(),
                token: token.trim().to_owned(),
            }
        }
        _ if args.keys.is_empty() => bail!("give --key, or --admin and --operator-token-file"),
        _ => Access::Keys(args.keys.clone()),
    };
    let nodes = match (&args.certs, &args.cluster) {
        (Some(certs), Some(cluster)) => Some(Nodes {
            addresses: args.nodes.clone(),
            certs: certs.clone(),
            cluster: cluster.clone(),
        }),
        (None, None) => None,
        _ => bail!("to ask nodes, give --nodes, --certs and --cluster"),
    };
    Ok(AttachOptions {
        endpoints: args.endpoints.clone(),
        ca: args.ca.clone(),
        access,
        nodes,
        duration: Duration::from_secs(args.duration),
        mix: Mix {
            sessions: args.sessions,
            per_second: args.per_second,
            ..Mix::default()
        },
        recover_ms: args.recover_ms,
        note: args.note.clone(),
        report: args.report.clone(),
    })
}
