//! `florin init`: a cluster out of running nodes.

use super::output::print_table;
use crate::certs::{Kind, Layout};
use crate::cluster::Topology;
use crate::config::MutualTls;
use crate::tls::{Dialer, OPERATOR_NAME};
use anyhow::{Context, Result};
use florin_shards::{FormOptions, form};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// host:port of every node
    #[arg(
        long,
        value_name = "HOST:PORT,…",
        value_delimiter = ',',
        required = true
    )]
    nodes: Vec<String>,
    /// The folder with ca.pem, operator.pem and operator.key
    #[arg(long, value_name = "DIR")]
    certs: PathBuf,
    /// Take name, groups and replicas from a file of cluster-configs/
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cluster", "groups", "replicas"])]
    topology: Option<PathBuf>,
    /// The cluster's name, as in the nodes' configurations
    #[arg(long, required_unless_present = "topology")]
    cluster: Option<String>,
    /// How many groups hold ledgers
    #[arg(long, default_value_t = 6)]
    groups: u32,
    /// Replicas of each group: 1, 3 or 5
    #[arg(long, default_value_t = 3)]
    replicas: usize,
    /// Seconds until it gives up
    #[arg(long, default_value_t = 60)]
    timeout: u64,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    let (cluster, groups, replicas) = match &args.topology {
        Some(file) => {
            let shape = Topology::load(file)?.cluster;
            (shape.name, shape.groups, shape.replicas)
        }
        None => (args.cluster.unwrap_or_default(), args.groups, args.replicas),
    };
    let formed = form(FormOptions {
        cluster: cluster.clone(),
        nodes: args.nodes,
        groups,
        replicas,
        connector: operator(&args.certs)?.connector(),
        timeout: Duration::from_secs(args.timeout),
    })
    .await
    .context("no cluster was formed")?;
    println!(
        "cluster `{cluster}` {}",
        if formed.already {
            "stands already"
        } else {
            "is formed"
        }
    );
    let rows: Vec<Vec<String>> = formed
        .groups
        .iter()
        .map(|group| {
            let members: Vec<String> = group
                .members
                .iter()
                .map(|node| node.0.to_string())
                .collect();
            let region = group.home_region.as_deref().unwrap_or("-");
            vec![group.id.0.to_string(), members.join(" "), region.to_owned()]
        })
        .collect();
    print_table(&["GROUP", "NODES", "HOME"], &rows);
    Ok(ExitCode::SUCCESS)
}

/// Dials nodes as an operator, with the certificate that lies in a folder of certificates.
pub(super) fn operator(certs: &Path) -> Result<Dialer> {
    let (layout, kind) = (Layout::new(certs), Kind::Operator);
    let tls = MutualTls {
        ca: layout.ca(),
        cert: layout.cert(&kind),
        key: layout.key(&kind),
    };
    Ok(Dialer::new(&tls, OPERATOR_NAME)?)
}
