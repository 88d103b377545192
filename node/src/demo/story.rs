//! What a newcomer sees: money, a retry, a leader that dies, and the books afterwards.

use super::PATIENCE;
use super::audit::{Audit, audit, disagreement};
use super::books::{self, Books, CURRENCY, insist, minor_units, text};
use super::burst::{Outcome, Paid};
use super::fault;
use super::paper::Paper;
use crate::client::Client;
use crate::cluster::{Cluster, Partner};
use anyhow::{Result, bail};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// What the wallet gets, minor units: more than any burst can spend.
const FUNDED: u64 = 100_000_000;

/// Tells the story; says whether the audit held.
pub async fn tell(cluster: &Cluster, partner: &Partner, started_in: Duration) -> Result<bool> {
    let clients = cluster.clients(&partner.secret_key)?;
    let Some(first) = clients.first() else {
        bail!("no frontend")
    };
    let mut paper = Paper::new();
    introduce(&mut paper, cluster, partner, started_in);
    // Runs on the same books have keys of their own.
    let run = format!("demo-{}", seconds_since_1970());
    let books = open_books(&mut paper, first, &run).await?;
    print_curl(&paper, cluster, partner, &books, &run);
    let mut paid = vec![pay_twice(&mut paper, &clients, &books, &run).await?];
    paid.extend(
        fault::kill_the_leader(&mut paper, cluster, partner, &clients, &books, &run).await?,
    );
    look_back(&mut paper, cluster, first, &books, &paid).await
}

fn introduce(paper: &mut Paper, cluster: &Cluster, partner: &Partner, started_in: Duration) {
    let topology = cluster.topology();
    let (nodes, regions) = (topology.nodes.len(), topology.regions().len());
    let replicas = topology.cluster.replicas;
    paper.chapter("The cluster");
    paper.say(&format!(
        "{} in {}, {} shard groups with {} each; up in {:.1} s.",
        count(nodes, "node"),
        count(regions, "region"),
        topology.cluster.groups,
        count(replicas, "replica"),
        started_in.as_secs_f64()
    ));
    if replicas > 1 {
        paper.say(&format!(
            "A payment is acknowledged once {} of {replicas} replicas have it on disk.",
            replicas / 2 + 1
        ));
    }
    for node in cluster.nodes() {
        paper.fact(
            &node.name,
            &format!(
                "{:<14} pid {:<8} {}",
                node.region,
                node.pid,
                node.data_dir.display()
            ),
        );
    }
    for (at, url) in cluster.urls().iter().enumerate() {
        paper.fact(if at == 0 { "API" } else { "also" }, url);
    }
    paper.fact("authority", &cluster.ca().display().to_string());
    paper.fact(
        "admin API",
        &format!(
            "{}  (token in {})",
            cluster.admin_url(0),
            cluster.folder().join("operator.token").display()
        ),
    );
    paper.fact("partner", &partner.id);
    paper.fact("secret key", &partner.secret_key);
    paper.fact(
        "test key",
        &format!(
            "{}  (a ledger of its own, for trying things)",
            partner.test_key
        ),
    );
}

async fn open_books(paper: &mut Paper, client: &Client, run: &str) -> Result<Books> {
    paper.chapter("Accounts");
    let books = Books::open(client, run, FUNDED).await?;
    paper.fact(
        "bank",
        &format!("{}  (asset: where money comes in)", books.bank),
    );
    paper.fact(
        "wallet",
        &format!("{}  (a customer's, never below zero)", books.wallet),
    );
    paper.say(&format!(
        "A transfer moved {} from the bank to the wallet.",
        money(FUNDED)
    ));
    Ok(books)
}

fn print_curl(paper: &Paper, cluster: &Cluster, partner: &Partner, books: &Books, run: &str) {
    let (ca, url) = (
        cluster.ca(),
        cluster.urls().into_iter().next().unwrap_or_default(),
    );
    let common = format!(
        "curl --cacert {} -H 'Authorization: Bearer {}'",
        ca.display(),
        partner.secret_key
    );
    let body = format!(
        r#"{{"amount":250,"currency":"{CURRENCY}","source":"{}"}}"#,
        books.wallet
    );
    paper.say("Lines to paste; the second one twice, and it still pays once:");
    println!();
    paper.paste(&format!(
        "{common} {url}/v1/accounts/{}/balance",
        books.wallet
    ));
    paper.paste(&format!(
        "{common} -H 'Content-Type: application/json' -H 'Idempotency-Key: {run}-mine' -d '{body}' {url}/v1/payments"
    ));
    paper.paste(&format!("{common} '{url}/v1/payments?limit=3'"));
}

/// A payment, and the same request again at every frontend.
async fn pay_twice(
    paper: &mut Paper,
    clients: &[Client],
    books: &Books,
    run: &str,
) -> Result<Paid> {
    paper.chapter("A payment, and the same request again");
    let (key, amount) = (format!("{run}-first"), 12_34);
    let body = books.payment(amount, &key);
    let began = Instant::now();
    let first = insist(clients, "/v1/payments", &key, &body).await?;
    let took = began.elapsed();
    let payment = text(&first.json()?, "id")?;
    paper.say(&format!(
        "POST /v1/payments, Idempotency-Key: {key}, {}",
        money(amount)
    ));
    paper.say(&format!(
        "  -> {} {payment} in {:.1} ms",
        first.status.as_u16(),
        took.as_secs_f64() * 1e3
    ));
    for client in clients {
        let again = insist(std::slice::from_ref(client), "/v1/payments", &key, &body).await?;
        let replayed = again.header("idempotent-replayed") == Some("true");
        let same = again.status == first.status && again.body == first.body;
        if !replayed || !same {
            bail!(
                "the same request was answered otherwise: {}",
                String::from_utf8_lossy(&again.body)
            );
        }
        paper.say(&format!(
            "  -> {} {payment}, Idempotent-Replayed: true, the same bytes",
            again.status.as_u16()
        ));
    }
    let outcome = Outcome::Acknowledged {
        payment,
        replayed: false,
    };
    Ok(Paid {
        key,
        amount,
        outcome,
        attempts: 1,
        at: Instant::now(),
    })
}

async fn look_back(
    paper: &mut Paper,
    cluster: &Cluster,
    client: &Client,
    books: &Books,
    paid: &[Paid],
) -> Result<bool> {
    paper.chapter("The audit");
    let mut audit = audit(client, books, paid).await?;
    audit.disagreement = disagreement(cluster, PATIENCE).await;
    let path = format!("/v1/accounts/{}/balance", books.wallet);
    let left = minor_units(&books::get(client, &path).await?, "balance")?;
    let left = money(u64::try_from(left).unwrap_or(0));
    paper.fact("acknowledged", &audit.acknowledged.to_string());
    paper.fact("found", &audit.found.to_string());
    paper.fact("twice", &audit.twice.to_string());
    paper.fact("wallet", &format!("{left} left of {}", money(FUNDED)));
    let verdicts = verdicts(&audit, paid);
    for (held, what) in &verdicts {
        paper.verdict(*held, what);
    }
    let held = audit.held() && verdicts.iter().all(|(held, _)| *held);
    paper.end(
        held,
        if held {
            "Nothing was lost, nothing happened twice."
        } else {
            "The audit did not hold."
        },
    );
    Ok(held)
}

/// What must hold, each in a sentence.
fn verdicts(audit: &Audit, paid: &[Paid]) -> [(bool, String); 6] {
    let unknown = paid
        .iter()
        .filter(|paid| matches!(paid.outcome, Outcome::Unknown(_)))
        .count();
    let refused = paid
        .iter()
        .filter(|paid| matches!(paid.outcome, Outcome::Refused(_)))
        .count();
    let agreement = match &audit.disagreement {
        None => "the state hashes of all replicas are equal, group by group".into(),
        Some(why) => format!("the replicas do not agree: {why}"),
    };
    [
        (
            audit.acknowledged == audit.found,
            "every acknowledged payment is there, under the identifier that was told".into(),
        ),
        (
            audit.twice == 0 && audit.unasked == 0,
            "no key made two payments, and no payment is there that nobody asked for".into(),
        ),
        (
            audit.off_by == 0,
            "the wallet holds what was put in less what was paid".into(),
        ),
        (
            audit.imbalance == 0,
            "the books balance: debits equal credits".into(),
        ),
        (audit.disagreement.is_none(), agreement),
        (
            unknown == 0 && refused == 0,
            format!("every payer got an answer ({unknown} unknown, {refused} refused)"),
        ),
    ]
}

/// What to do with a cluster that stays up.
pub fn invite(cluster: &Cluster) {
    let (paper, florin) = (Paper::new(), binary());
    println!(
        "\nThe cluster stays up: try the lines above, or look at it as an operator. Ctrl-C ends it.\n"
    );
    paper.paste(&format!(
        "{florin} status --cluster {} --certs {} --nodes {}",
        cluster.topology().cluster.name,
        cluster.certs().display(),
        cluster.addresses().join(",")
    ));
    paper.paste(&format!(
        "{florin} partner list --admin-url {} --ca {} --token-file {}",
        cluster.admin_url(0),
        cluster.ca().display(),
        cluster.folder().join("operator.token").display()
    ));
}

/// What a shell calls this binary: by its name if that leads to it, or by its path.
fn binary() -> String {
    let Ok(this) = std::env::current_exe().and_then(|this| this.canonicalize()) else {
        return "florin".to_owned();
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).find_map(|folder| folder.join("florin").canonicalize().ok());
    if found.as_ref() == Some(&this) {
        "florin".to_owned()
    } else {
        this.display().to_string()
    }
}

fn money(minor: u64) -> String {
    format!("{}.{:02} {CURRENCY}", minor / 100, minor % 100)
}

fn count(number: usize, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}

fn seconds_since_1970() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
