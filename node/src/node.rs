//! `florin node`: one node, from its configuration to its last checkpoint.

use crate::come_back::{self, Way};
use crate::config::NodeConfig;
use crate::folder::Folder;
use crate::shutdown::Shutdown;
use crate::tls::{Dialer, NODE_NAME, listener, node_server};
use crate::{door, telemetry};
use anyhow::{Context, Result, bail};
use florin_api::{AdminOptions, serve_admin};
use florin_ledger::id::GroupId;
use florin_raft::{FormerSelf, Host, HostOptions, Member, StartError, tuned_server};
use florin_shards::{FollowOptions, Gateway, GatewayOptions, follow};
use florin_storage::disk::RealDisk;
use florin_storage::log::{Log, LogOptions, OpenLogError};
use florin_storage::replica::{Store, StoreOptions};
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;

const MIB: u64 = 1024 * 1024;
/// How long handing leaderships over and the last checkpoint may take.
const FAREWELL: Duration = Duration::from_secs(15);
/// How long connections may take to close after that.
const CLOSING: Duration = Duration::from_millis(500);

/// Runs a node until it is told to stop. An error is one sentence for the operator.
///
/// One whose data is damaged begins anew in the same process, as another incarnation.
pub async fn run(config: NodeConfig, shutdown: Shutdown) -> Result<()> {
    let metrics = telemetry::start_metrics()?;
    loop {
        match live(&config, &shutdown, &metrics).await? {
            Ended::Told => return Ok(()),
            Ended::Damaged(mut folder, why) => {
                tracing::error!(
                    why,
                    "this node is out of its groups: its data is set aside, and it begins anew"
                );
                folder.begin_anew()?;
            }
        }
    }
}

/// Why a life ended without an error.
enum Ended {
    /// It was to stop.
    Told,
    /// Its data is damaged, and its former self is out of all groups.
    Damaged(Folder, String),
}

async fn live(
    config: &NodeConfig,
    shutdown: &Shutdown,
    metrics: &PrometheusHandle,
) -> Result<Ended> {
    // What can be wrong with the configuration is found before the data is touched.
    let tls = node_server(&config.tls, config.id)?;
    let dialer = Dialer::new(&config.tls, NODE_NAME)?.reaching(config.reach.clone());
    let door = door::open("listen", config.listen).await?;
    let admin_door = door::open("admin_listen", config.admin_listen).await?;
    let joining = !config.rejoin.is_empty();
    let mut folder =
        Folder::open_joining(&config.data_dir, &config.cluster, config.node_id(), joining)?;
    tracing::info!(
        cluster = config.cluster, node = config.id, name = config.name, region = config.region,
        incarnation = folder.identity.incarnation, new = folder.new, listen = %config.listen, "starting"
    );
    let way = way(config, &folder, &dialer);
    let (close, closed) = watch::channel(false);
    let host = match open(config, &folder, dialer.clone()).await? {
        Opened::Whole(host) => host,
        Opened::Damaged(why) => {
            tracing::error!(why, "{LEAVING}");
            drop(door);
            let not_ready = format!("{why}. {LEAVING}");
            let admin = AdminOptions {
                ready: Arc::new(move || Err(not_ready.clone())),
                ..admin_options(None, metrics)
            };
            let admin = tokio::spawn(serve_admin(admin_door, None, admin, told(closed)));
            let out = tokio::select! {
                () = shutdown.requested() => false,
                () = way.leave(None) => true,
            };
            close.send_replace(true);
            let cut = admin.abort_handle();
            let _closed_or_cut = tokio::time::timeout(CLOSING, admin).await;
            cut.abort();
            return Ok(match out {
                true => Ended::Damaged(folder, why),
                false => Ended::Told,
            });
        }
    };
    let gateway = Gateway::new(host.clone(), gateway_options(config, &folder));
    let follow = tokio::spawn(follow(
        host.clone(),
        FollowOptions {
            node: config.node_id(),
            cluster: config.cluster.clone(),
            connector: dialer.connector(),
        },
    ));
    let peers = come_back::remember_peers(host.clone(), config.node_id(), way.folder.clone());
    let peers = tokio::spawn(peers);
    let admin = tokio::spawn(serve_admin(
        admin_door,
        None,
        admin_options(Some(&host), metrics),
        told(closed.clone()),
    ));
    let server = tuned_server()
        .add_service(host.transport())
        .add_service(gateway.service())
        .serve_with_incoming_shutdown(listener::accept(door, tls), told(closed));
    let mut server = tokio::spawn(server);
    tracing::info!("serving");

    let outcome = tokio::select! {
        () = shutdown.requested() => Ok(None),
        outcome = watch_place(config, &host, &way, &mut folder) => outcome.map(Some),
        ended = &mut server => match ended {
            Ok(Ok(())) => Ok(None),
            Ok(Err(error)) => Err(anyhow::Error::new(error).context("the node's listener failed")),
            Err(panicked) => Err(panicked.into()),
        },
    };
    gateway.close();
    follow.abort();
    peers.abort();
    tracing::info!("stopping: leaderships are handed over, then everything is made durable");
    if tokio::time::timeout(FAREWELL, host.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("the last checkpoint was not finished in time; the log has everything");
    }
    close.send_replace(true);
    let cut = [server.abort_handle(), admin.abort_handle()];
    let _closed_or_cut = tokio::time::timeout(CLOSING, async { (server.await, admin.await) }).await;
    cut.iter().for_each(AbortHandle::abort);
    let Some(why) = outcome? else {
        tracing::info!("stopped");
        return Ok(Ended::Told);
    };
    // Out of the damaged groups it is; whole ones go on elsewhere while it leaves them.
    tokio::select! {
        () = shutdown.requested() => Ok(Ended::Told),
        () = way.leave(None) => Ok(Ended::Damaged(folder, why)),
    }
}

/// Sees to it that this node has its place in its groups. Returns why it has to begin anew, once
/// it is out of the groups that are damaged here; an error if it must not take part at all.
async fn watch_place(
    config: &NodeConfig,
    host: &Host,
    way: &Way,
    folder: &mut Folder,
) -> Result<String> {
    let faulty = host.faulty();
    let joining = folder.identity.joining;
    let mut former = host.refused_as_former_self();
    let refused = async {
        // Its guard keeps those out who have news: it must be gone before anything is waited for.
        let known = former.wait_for(Option::is_some).await;
        let known = known.ok().and_then(|known| known.clone());
        match known {
            // One that comes back is refused until its former self is out everywhere.
            Some(known) if !joining => refuse(config, &known),
            _ => std::future::pending().await,
        }
    };
    let leave = async {
        if faulty.is_empty() {
            return std::future::pending().await;
        }
        way.leave(Some(faulty.iter().copied().collect())).await;
    };
    let join = async {
        if joining {
            way.join(folder).await;
        }
        std::future::pending::<()>().await
    };
    tokio::select! {
        refused = refused => refused.map(|()| String::new()),
        () = leave => Ok(damage(&faulty)),
        () = join => Ok(String::new()),
    }
}

/// What an operator is told meanwhile.
const LEAVING: &str = "this node asks the others to take its former self out, sets the data aside, and comes \
     back by itself; it waits for as long as they have no quorum";

enum Opened {
    Whole(Host),
    /// None of it can be used.
    Damaged(String),
}

async fn open(config: &NodeConfig, folder: &Folder, dialer: Dialer) -> Result<Opened> {
    let (log, store) = match open_data(config, folder) {
        Ok(opened) => opened,
        Err(error) => {
            return match error.downcast_ref::<OpenLogError>() {
                Some(damaged @ OpenLogError::Damaged { .. }) => {
                    Ok(Opened::Damaged(damaged.to_string()))
                }
                _ => Err(error),
            };
        }
    };
    if log.groups().is_empty() && log.faulty().is_empty() && come_back::had_groups(folder) {
        let why = "the log's folder is lost or not mounted: this node had groups";
        return Ok(Opened::Damaged(why.to_owned()));
    }
    // A heartbeat is late by a third of its interval at most.
    florin_raft::ring_together(config.timing.heartbeat() / 3);
    match Host::start(host_options(config, folder, dialer), log, store).await {
        Ok(host) => Ok(Opened::Whole(host)),
        Err(lost @ StartError::LogLost(_)) => Ok(Opened::Damaged(lost.to_string())),
        Err(error) => Err(error.into()),
    }
}

fn way(config: &NodeConfig, folder: &Folder, dialer: &Dialer) -> Way {
    Way {
        cluster: config.cluster.clone(),
        node: config.node_id(),
        incarnation: folder.identity.incarnation,
        connector: dialer.connector(),
        rejoin: config.rejoin.clone(),
        advertise: config.advertise.clone(),
        folder: folder.path().to_owned(),
    }
}

fn gateway_options(config: &NodeConfig, folder: &Folder) -> GatewayOptions {
    GatewayOptions {
        cluster: config.cluster.clone(),
        member: Member {
            node: config.node_id(),
            address: config.advertise.clone(),
            region: config.region.clone(),
            incarnation: folder.identity.incarnation,
        },
        name: config.name.clone(),
        version: crate::VERSION.into(),
        require_peer_roles: true,
    }
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
    tracing::error!(why, "the store failed: this process ends");
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

fn admin_options(host: Option<&Host>, metrics: &PrometheusHandle) -> AdminOptions {
    let (host, metrics) = (host.cloned(), metrics.clone());
    AdminOptions {
        ready: Arc::new(move || host.as_ref().map_or(Ok(()), ready)),
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
    if let Some((group, why)) = host.ailing().first_key_value() {
        return Err(format!("group {} is being repaired here: {why}", group.0));
    }
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
    match faulty {
        [] => Ok(()),
        faulty => Err(format!("{}. {LEAVING}", damage(faulty))),
    }
}

fn damage(faulty: &[GroupId]) -> String {
    let named: Vec<String> = faulty.iter().map(|group| group.0.to_string()).collect();
    let named = named.join(", ");
    format!("the log is damaged for group {named}, in which this node takes no part")
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
        assert!(said.contains("comes back by itself"), "{said}");
    }
}
