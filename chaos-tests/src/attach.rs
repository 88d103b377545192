//! Load and checkers for a cluster of somebody else's, whose faults they inject themselves and
//! note by hand. Nothing is asked of it but what partners (and operators, if they give us their
//! certificate) may ask, and nothing but accounts of our own is touched.

mod notes;

use crate::check;
use crate::history::{Bound, Healed, Run};
use crate::limits::{FLOWING, STARTED};
use crate::load::{Load, LoadOptions, Mix, PartnerKey};
use crate::report;
use crate::run::progress::Progress;
use crate::run::stop::Stop;
use crate::run::{Outcome, about, settle, watch};
use crate::verdict::{Finding, Verdict, exit_code};
use anyhow::{Context, Result, bail};
use florin_node::client::Client;
use florin_node::cluster::asking::{Asked, ask, connect};
use notes::Notes;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How soon fresh payments must be acknowledged after the last fault was noted as healed.
const ALIVE_MS: u64 = 10_000;
/// How long replicas may take to hold the same after the load.
const SETTLED: Duration = Duration::from_secs(30);

/// Which cluster, and what is asked of it.
#[derive(Clone)]
pub struct AttachOptions {
    /// URLs of frontends.
    pub endpoints: Vec<String>,
    /// The authority of their certificates.
    pub ca: Option<PathBuf>,
    /// On whose books.
    pub access: Access,
    /// Who is asked who leads, and in the end what replicas hold.
    pub nodes: Option<Nodes>,
    /// For how long.
    pub duration: Duration,
    /// What is asked, and how often.
    pub mix: Mix,
    /// What clients may wait after each fault that is noted.
    pub recover_ms: Option<u64>,
    /// A fault that begins with the load.
    pub note: Option<String>,
    /// Where the report goes.
    pub report: PathBuf,
}

/// On whose books.
#[derive(Clone)]
pub enum Access {
    /// Partners' keys.
    Keys(Vec<String>),
    /// A partner is made for it.
    Operator {
        /// URL of a frontend's listener for operators.
        admin: String,
        /// Their token.
        token: String,
    },
}

/// How nodes are asked.
#[derive(Clone, Debug)]
pub struct Nodes {
    /// `host:port`.
    pub addresses: Vec<String>,
    /// The folder with an operator's certificate.
    pub certs: PathBuf,
    /// The cluster's name.
    pub cluster: String,
}

/// Asks, takes notes, and judges.
pub async fn attach(options: AttachOptions, stop: &Stop) -> Result<Outcome> {
    let progress = Progress::start("attached", true);
    let asked = options.nodes.as_ref().map(|nodes| Asked {
        cluster: nodes.cluster.clone(),
        nodes: nodes.addresses.clone(),
        certs: nodes.certs.clone(),
    });
    let router = match &asked {
        Some(asked) => Some(Arc::new(connect(asked).await?)),
        None => None,
    };
    progress.phase("opening accounts");
    let partners = partners(&options).await?;
    let mut load = LoadOptions::new(options.endpoints.clone(), options.ca.clone(), partners);
    load.mix = options.mix.clone();
    let clock = load.clock;
    let load = Arc::new(Load::start(load).await?);
    progress.follow(load.clone());
    if !load.wait_for_more(10, FLOWING).await {
        bail!("payments do not flow: {:?}", load.counts());
    }
    progress.phase("load; a line on standard input notes a fault, `healed` ends it");
    let bound = options.recover_ms.map(|ms| Bound {
        recover_ms: Some(ms),
        ..Bound::default()
    });
    let watching = router.map(|router| {
        watch::start(clock, move || {
            let router = router.clone();
            async move { router.status().await }
        })
    });
    let notes = Notes::take(clock, bound, options.note.clone());
    tokio::select! {
        () = tokio::time::sleep(options.duration) => (),
        () = stop.wait() => (),
    }
    progress.unfollow();
    progress.phase("reading the books");
    let faults = notes.end();
    let load = Arc::into_inner(load).context("somebody still uses the load")?;
    let mut history = load.finish("a cluster of their own", faults).await?;
    let ended = history.faults.iter().filter_map(|fault| fault.ended).max();
    history.healed = ended
        .into_iter()
        .map(|at| Healed {
            at,
            bound_ms: ALIVE_MS,
        })
        .collect();
    if let Some(watching) = watching {
        let answered = history.operations.iter().filter_map(|one| one.group);
        let groups: BTreeSet<u64> = answered.collect();
        history.leaders = watching.finish(&Vec::from_iter(groups)).await;
    }
    let mut lacks = None;
    if let Some(asked) = &asked {
        let asking = || async { ask(asked).await.unwrap_or_default() };
        (history.replicas, lacks) = settle::replicas_by(asking, SETTLED).await;
    }
    history.run = Some(Run {
        scenario: "attached".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        command: format!(
            "florin-chaos attach --endpoint {}",
            options.endpoints.join(" --endpoint ")
        ),
        fabric: "theirs".into(),
        machine: about::machine(),
        ..Run::default()
    });
    let mut verdicts = check::all(&history);
    verdicts.extend(lacks.map(|why| Verdict {
        checker: "whole",
        finding: Finding::Fail {
            operation: None,
            why,
            more: 0,
        },
    }));
    report::write(&options.report, &history, &verdicts)
        .with_context(|| format!("no report in {}", options.report.display()))?;
    progress.end();
    Ok(Outcome {
        code: exit_code(&verdicts),
        verdicts,
        history,
    })
}

async fn partners(options: &AttachOptions) -> Result<Vec<PartnerKey>> {
    let keys = match &options.access {
        Access::Keys(keys) => keys.clone(),
        Access::Operator { admin, token } => vec![onboard(options, admin, token).await?],
    };
    let named = keys.into_iter().enumerate();
    let named = named.map(|(number, secret)| PartnerKey {
        name: format!("partner-{number}"),
        secret,
        group: None,
    });
    Ok(named.collect())
}

/// Makes a partner and a key, and waits until every frontend knows it.
async fn onboard(options: &AttachOptions, admin: &str, token: &str) -> Result<String> {
    let operators = Client::new(admin, options.ca.as_deref(), Some(token))?;
    let body = json!({"name": "Chaos", "home_region": null});
    let made = operators.post("/admin/v1/partners", None, &body).await?;
    let id = text(&made, "id")?;
    let scopes = [
        "payments:write",
        "payments:read",
        "ledger:write",
        "ledger:read",
    ];
    let body = json!({"mode": "live", "scopes": scopes});
    let path = format!("/admin/v1/partners/{id}/keys");
    let secret = text(&operators.post(&path, None, &body).await?, "secret")?;
    let by = tokio::time::Instant::now() + STARTED;
    for endpoint in &options.endpoints {
        let client = Client::new(endpoint, options.ca.as_deref(), Some(&secret))?;
        loop {
            let read = client.get("/v1/accounts?limit=1").await;
            if read.is_ok_and(|answer| answer.status.is_success()) {
                break;
            }
            if tokio::time::Instant::now() > by {
                bail!("{endpoint} does not know the new partner");
            }
            tokio::time::sleep(crate::limits::LOOK).await;
        }
    }
    Ok(secret)
}

fn text(answer: &florin_node::client::Answer, field: &str) -> Result<String> {
    let body = String::from_utf8_lossy(&answer.body);
    let (status, json) = (answer.status, answer.json().unwrap_or_default());
    let found = json[field].as_str().map(str::to_owned);
    found.with_context(|| format!("an answer without `{field}`: {status} {body}"))
}
