//! The files of a cluster on one machine, made before its processes start.

use super::make_certs;
use super::ports::{self, Port};
use super::process::Spec;
use super::seat::Seat;
use super::topology::Topology;
use crate::certs;
use crate::config::Reach;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// By this variable tokio takes another number of threads than one for each processor.
const THREADS: &str = "TOKIO_WORKER_THREADS";

/// A process of the cluster: where it listens and where its files lie.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) region: String,
    pub(super) data_dir: PathBuf,
    pub(super) log: PathBuf,
    pub(super) seat: Seat,
    role: &'static str,
    config: PathBuf,
    _ports: Option<[Port; 2]>,
}

impl Member {
    /// `host:port` of its main listener.
    pub(super) fn address(&self) -> String {
        self.seat.listen.to_string()
    }

    /// `host:port` of its listener for operators.
    pub(super) fn admin(&self) -> String {
        self.seat.admin.to_string()
    }

    /// How the binary is started, with so many threads for its tasks.
    pub(super) fn spec(&self, program: &Path, threads: usize) -> Spec {
        let config = self.config.display().to_string();
        let binary = program.display().to_string();
        let ours = [&binary, self.role, "--config", &config, "--end-with-parent"];
        let launcher = self.seat.launcher.iter().map(String::as_str);
        let mut words = launcher.chain(ours).map(String::from);
        let mut environment = self.seat.environment.clone();
        if std::env::var_os(THREADS).is_none() {
            environment
                .entry(THREADS.to_owned())
                .or_insert_with(|| threads.to_string());
        }
        Spec {
            name: self.name.clone(),
            program: words.next().map(PathBuf::from).unwrap_or_default(),
            arguments: words.collect(),
            environment,
            log: self.log.clone(),
        }
    }
}

/// What [`prepare`] made.
pub(super) struct Prepared {
    pub(super) nodes: Vec<Member>,
    pub(super) frontends: Vec<Member>,
    pub(super) token: String,
}

/// The ports of each process, by name: main listener, then the operators'.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    ports: BTreeMap<String, [u16; 2]>,
}

/// Makes certificates, ports, token and configurations; keeps those of an earlier run. Who has no
/// seat gets one on free ports of the loopback.
pub(super) fn prepare(
    topology: &Topology,
    folder: &Path,
    seats: &BTreeMap<String, Seat>,
) -> Result<Prepared> {
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let folder = &folder.canonicalize()?;
    let highest = topology.nodes.iter().map(|node| node.id).max().unwrap_or(0);
    make_certs(&folder.join("certs"), highest, &hosts(seats))?;
    let token = token(folder)?;
    let mut ports = claim(topology, &folder.join("ports.toml"), seats)?;
    let mut take = |role, id, name: &str, region: &str| -> Result<Member> {
        let ports = ports.remove(name);
        let seat = seats.get(name).cloned();
        let seat = seat
            .or_else(|| ports.as_ref().map(Seat::on))
            .context("a process without ports")?;
        let data_dir = seat.data_dir.clone();
        Ok(Member {
            id,
            name: name.to_owned(),
            region: region.to_owned(),
            data_dir: data_dir.unwrap_or_else(|| folder.join(name)),
            log: folder.join(format!("{name}.log")),
            seat,
            role,
            config: folder.join(format!("{name}.toml")),
            _ports: ports,
        })
    };
    let nodes: Result<Vec<_>> = topology
        .nodes
        .iter()
        .map(|node| take("node", node.id, &node.name, &node.region))
        .collect();
    let nodes = nodes?;
    let frontends: Result<Vec<_>> = topology
        .frontends
        .iter()
        .map(|frontend| take("api", 0, &frontend.name, &frontend.region))
        .collect();
    let frontends = frontends?;
    let seeds: Vec<String> = nodes
        .iter()
        .map(|node| format!("\"{}\"", node.address()))
        .collect();
    for node in &nodes {
        fs::write(&node.config, node_config(topology, node))?;
    }
    for frontend in &frontends {
        fs::write(
            &frontend.config,
            frontend_config(topology, frontend, &seeds.join(", ")),
        )?;
    }
    Ok(Prepared {
        nodes,
        frontends,
        token,
    })
}

fn node_config(topology: &Topology, node: &Member) -> String {
    let Timing {
        heartbeat,
        min,
        max,
    } = timing(topology);
    let storage = &topology.storage;
    let mut text = head(topology, node);
    let _to_memory = write!(
        text,
        "id = {id}\ndata_dir = \"{data}\"\nlisten = \"{address}\"\nadvertise = \"{address}\"\nadmin_listen = \"{admin}\"\n\n\
         [tls]\nca = \"certs/ca.pem\"\ncert = \"certs/node-{id}.pem\"\nkey = \"certs/node-{id}.key\"\n\n\
         [timing]\nheartbeat_ms = {heartbeat}\nelection_ms = [{min}, {max}]\n\n\
         [storage]\nsegment_mib = {}\nlog_cache_mib = {}\nstore_cache_mib = {}\nmin_free_mib = {}\n\
         checkpoint_seconds = {}\nkeep_checkpoints = {}\n",
        storage.segment_mib,
        storage.log_cache_mib,
        storage.store_cache_mib,
        storage.min_free_mib,
        storage.checkpoint_seconds,
        storage.keep_checkpoints,
        id = node.id,
        data = node.data_dir.display(),
        address = node.address(),
        admin = node.admin(),
    );
    text + &reach(&node.seat.reach)
}

fn frontend_config(topology: &Topology, frontend: &Member, seeds: &str) -> String {
    let mut text = head(topology, frontend);
    let _to_memory = write!(
        text,
        "listen = \"{}\"\nadmin_listen = \"{}\"\nseeds = [{seeds}]\nfrontends = {}\noperator_token_file = \"operator.token\"\n\n\
         [https]\ncert = \"certs/server.pem\"\nkey = \"certs/server.key\"\n\n\
         [nodes]\nca = \"certs/ca.pem\"\ncert = \"certs/frontend.pem\"\nkey = \"certs/frontend.key\"\n",
        frontend.address(),
        frontend.admin(),
        topology.frontends.len(),
    );
    text + &reach(&frontend.seat.reach)
}

fn reach(reach: &Reach) -> String {
    let rows = reach
        .iter()
        .map(|(address, instead)| format!("\"{address}\" = \"{instead}\"\n"));
    match reach.is_empty() {
        true => String::new(),
        false => format!("\n[reach]\n{}", rows.collect::<String>()),
    }
}

/// The addresses at which certificates must hold, beside the loopback's.
fn hosts(seats: &BTreeMap<String, Seat>) -> Vec<String> {
    let all = seats.values().map(|seat| seat.listen.ip());
    let others: BTreeSet<IpAddr> = all.filter(|ip| !ip.is_loopback()).collect();
    others.iter().map(ToString::to_string).collect()
}

fn head(topology: &Topology, member: &Member) -> String {
    format!(
        "# Written with every start of the cluster.\ncluster = \"{}\"\nname = \"{}\"\nregion = \"{}\"\n",
        topology.cluster.name, member.name, member.region
    )
}

struct Timing {
    heartbeat: u64,
    min: u64,
    max: u64,
}

fn timing(topology: &Topology) -> Timing {
    let [min, max] = topology.timing.election_ms;
    Timing {
        heartbeat: topology.timing.heartbeat_ms,
        min,
        max,
    }
}

/// Claims two ports for each process that has no seat: those of an earlier run, or new ones, which
/// are written down.
fn claim(
    topology: &Topology,
    file: &Path,
    seats: &BTreeMap<String, Seat>,
) -> Result<BTreeMap<String, [Port; 2]>> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut kept: Kept = toml::from_str(&text).unwrap_or_default();
    let nodes = topology.nodes.iter().map(|node| &node.name);
    let names: Vec<&String> = nodes
        .chain(topology.frontends.iter().map(|one| &one.name))
        .filter(|name| !seats.contains_key(*name))
        .collect();
    let mut claimed = BTreeMap::new();
    for name in names {
        let pair = match kept.ports.get(name) {
            Some([listen, admin]) => [ports::claim_again(*listen)?, ports::claim_again(*admin)?],
            None => {
                let new = <[Port; 2]>::try_from(ports::claim(2)?);
                new.ok().context("two ports were asked for")?
            }
        };
        kept.ports
            .insert(name.clone(), [pair[0].number, pair[1].number]);
        claimed.insert(name.clone(), pair);
    }
    fs::write(file, toml::to_string(&kept)?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(claimed)
}

/// The operators' token: that of an earlier run, or a new one.
fn token(folder: &Path) -> Result<String> {
    certs::make_token(folder)?;
    let file = certs::Layout::new(folder).token();
    let token =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(token.trim().to_owned())
}
