//! `florin node`: one node, from its configuration to its last checkpoint.

use crate::config::NodeConfig;
use crate::folder::Folder;
use crate::shutdown::Shutdown;
use crate::tls::{Dialer, NODE_NAME, listener, node_server};
use crate::{door, telemetry};
use anyhow::{Context, Result, bail};
use florin_api::{AdminOptions, serve_admin};
use florin_ledger::id::GroupId;
use florin_raft::{FormerSelf, Host, HostOptions, tuned_server};
use florin_shards::{FollowOptions, Gateway, GatewayOptions, follow};
use florin_storage::disk::RealDisk;
use florin_storage::log::{Log, LogOptions};
use florin_storage::replica::{Store, StoreOptions};
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const MIB: u64 = 1024 * 1024;
/// How long handing leaderships over and the last checkpoint may take.
const FAREWELL: Duration = Duration::from_secs(15);
/// How long connections may take to close after that.
const CLOSING: Duration = Duration::from_millis(500);

/// Runs a node until it is told to stop. An error is one sentence for the operator.
pub async fn run(config: NodeConfig, shutdown: Shutdown) -> Result<()> {
    // What can be wrong with the configuration is found before the data is touched.
    let tls = node_server(&config.tls, config.id)?;
    let dialer = Dialer::new(&config.tls, NODE_NAME)?.reaching(config.reach.clone());
    let door = door::open("listen", config.listen).await?;
    let admin_door = door::open("admin_listen", config.admin_listen).await?;
    let folder = Folder::open(&config.data_dir, &config.cluster, config.node_id())?;
    let metrics = telemetry::start_metrics()?;
    tracing::info!(
        cluster = config.cluster, node = config.id, name = config.name, region = config.region,
        incarnation = folder.identity.incarnation, new = folder.new, listen = %config.listen, "starting"
    );

    let (log, store) = open_data(&config, &folder)?;
    let connector = dialer.connector();
    let options = host_options(&config, &folder, dialer);
    let gateway_options = GatewayOptions {
        cluster: config.cluster.clone(),
        member: options.member(),
        name: config.name.clone(),
        version: crate::VERSION.into(),
        require_peer_roles: options.require_peer_roles,
    };
    let host = Host::start(options, log, store).await?;
    let gateway = Gateway::new(host.clone(), gateway_options);
    let follow = follow(
        host.clone(),
        FollowOptions {
            node: config.node_id(),
            cluster: config.cluster.clone(),
            connector,
        },
    );
    let follow = tokio::spawn(follow);
    let (close, closed) = watch::channel(false);
    let admin = tokio::spawn(serve_admin(
        admin_door,
        None,
        admin_options(&host, metrics),
        told(closed.clone()),
    ));
    let server = tuned_server()
        .add_service(host.transport())
        .add_service(gateway.service())
        .serve_with_incoming_shutdown(listener::accept(door, tls), told(closed));
    let mut server = tokio::spawn(server);
    tracing::info!("serving");

    let mut former = host.refused_as_former_self();
    let outcome = tokio::select! {
        () = shutdown.requested() => Ok(()),
        refused = former.wait_for(Option::is_some) => match refused.ok().and_then(|known| known.clone()) {
            Some(known) => refuse(&config, &known),
            None => Ok(()),
        },
        ended = &mut server => match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(anyhow::Error::new(error).context("the node's listener failed")),
            Err(panicked) => Err(panicked.into()),
        },
    };
    gateway.close();
    follow.abort();
    tracing::info!("stopping: leaderships are handed over, then everything is made durable");
    if tokio::time::timeout(FAREWELL, host.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("the last checkpoint was not finished in time; the log has everything");
    }
    close.send_replace(true);
    let _closed_or_cut = tokio::time::timeout(CLOSING, async { (server.await, admin.await) }).await;
    tracing::info!("stopped");
    drop(folder);
    outcome
}

fn open_data(config: &NodeConfig, folder: &Folder) -> Result<(Log, Store)> {
    let in_folder = || {
        format!(
            "the data folder {} cannot be used",
            config.data_dir.display()
        )
    };
    let disk = RealDisk::open(&folder.log()).with_context(in_folder)?;
    let options = LogOptions {
        segment_bytes: config.storage.segment_mib * MIB,
        min_free_bytes: config.storage.min_free_mib * MIB,
        cache_bytes: usize::try_from(config.storage.log_cache_mib * MIB).unwrap_or(usize::MAX),
        on_fatal: Arc::new(end_process),
    };
    let (log, recovery) = Log::open(Arc::new(disk), options).with_context(in_folder)?;
    if let Some(torn) = recovery.torn {
        tracing::info!(
            segment = torn.segment,
            bytes = torn.bytes,
            "cut off an unfinished flush at the log's end"
        );
    }
    for note in &recovery.notes {
        tracing::info!(note, "opened the log");
    }
    let options = StoreOptions {
        cache_bytes: config.storage.store_cache_mib * MIB,
        min_free_bytes: config.storage.min_free_mib * MIB,
        on_fatal: Arc::new(end_process),
    };
    let (store, notices) = Store::open(&folder.store(), options).with_context(in_folder)?;
    for notice in notices {
        tracing::warn!(notice, "opened the ledger store");
    }
    Ok((log, store))
}

/// What the kernel holds of a file after a failed sync is unknown, and a replica that cannot
/// read would have to guess. Neither goes on; a restart begins from what is durable.
fn end_process(why: &str) {
    tracing::error!(why, "the disk failed: this process ends");
    std::process::abort();
}

fn host_options(config: &NodeConfig, folder: &Folder, dialer: Dialer) -> HostOptions {
    let identity = &folder.identity;
    HostOptions {
        heartbeat: config.timing.heartbeat(),
        election_timeout: config.timing.election(),
        scrub_interval: Duration::from_secs(config.storage.scrub_hours * 60 * 60),
        checkpoint_interval: Duration::from_secs(config.storage.checkpoint_seconds),
        keep_checkpoints: config.storage.keep_checkpoints,
        snapshot_bytes_per_second: config.snapshots.mib_per_second * MIB,
        require_peer_roles: true,
        connect: Arc::new(dialer),
        ..HostOptions::new(
            config.node_id(),
            &config.cluster,
            identity.incarnation,
            &config.region,
            &config.advertise,
        )
    }
}

fn admin_options(host: &Host, metrics: PrometheusHandle) -> AdminOptions {
    let host = host.clone();
    AdminOptions {
        ready: Arc::new(move || ready(&host)),
        metrics: Arc::new(move || metrics.render()),
        operators: None,
        connections: florin_api::options::Connections::default(),
    }
}

fn ready(host: &Host) -> Result<(), String> {
    if let Some((group, why)) = host.ended().first_key_value() {
        return Err(format!("group {} does not run here: {why}", group.0));
    }
    let groups = host.groups();
    whole(&host.faulty())?;
    if groups.is_empty() {
        return Err("no group yet: `florin init` makes running nodes a cluster".into());
    }
    let leaderless = groups.iter().find(|group| {
        host.group(**group)
            .is_none_or(|group| group.leader().is_none())
    });
    match leaderless {
        Some(group) => Err(format!("group {} has no leader", group.0)),
        None => Ok(()),
    }
}

/// A node that takes no part in one of its groups is not what its operators count on.
fn whole(faulty: &[GroupId]) -> Result<(), String> {
    if faulty.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = faulty.iter().map(|group| group.0.to_string()).collect();
    Err(format!(
        "the log is damaged for group {}, in which this node takes no part: stop the node, set its \
         data folder aside, and bring it back with `florin replace`",
        named.join(", ")
    ))
}

fn refuse(config: &NodeConfig, known: &FormerSelf) -> Result<()> {
    bail!(
        "the data folder {} is not the one that node {} had: node {} knows it by incarnation {}, and this folder is {}; \
         it would vote without knowing its earlier votes. Bring it back as a learner with `florin replace --node {}`",
        config.data_dir.display(),
        config.id,
        known.by.0,
        known.known,
        known.ours,
        config.id
    )
}

async fn told(mut closed: watch::Receiver<bool>) {
    let _sender_gone = closed.wait_for(|closed| *closed).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_with_damaged_groups_is_not_ready_and_names_them() {
        assert_eq!(whole(&[]), Ok(()));
        let said = whole(&[GroupId(2), GroupId(5)]).unwrap_err();
        assert!(said.contains("group 2, 5"), "{said}");
        assert!(said.contains("florin replace"), "{said}");
    }
}
