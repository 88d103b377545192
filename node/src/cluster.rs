//! A whole cluster on this machine: nodes and frontends as supervised child processes on free
//! loopback ports, with certificates of their own. The demo, the bench and the tests run on it.
//!
//! Everything lies in one folder: `certs/`, a configuration, a log and a data folder for each
//! process. Started again on the same folder, the cluster comes back with its ports and its books.

pub mod asking;
pub mod ports;
pub mod process;
pub mod seat;
pub mod topology;

mod files;
mod hands;
mod onboard;

use crate::certs::{self, Kind, Layout};
use crate::client::Client;
use crate::config::{MutualTls, Reach};
use crate::tls::{Dialer, OPERATOR_NAME};
use anyhow::{Context, Result, bail};
use files::Member;
use florin_ledger::id::{GroupId, NodeId};
use florin_shards::{FormOptions, Router, RouterOptions, form};
pub use florin_shards::{NodeStatus, Role};
use futures_util::future::select_all;
pub use onboard::Partner;
use process::{Restart, State, Supervised};
use seat::Seat;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
pub use topology::Topology;

/// How often something that nothing tells of is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How long a question to a node may take.
const ATTEMPT: Duration = Duration::from_secs(2);

/// How a cluster is run.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The `florin` binary.
    pub program: PathBuf,
    /// Where everything lies.
    pub folder: PathBuf,
    /// What happens to a process that died.
    pub restart: Restart,
    /// How long starting may take.
    pub patience: Duration,
    /// Where processes sit, by their names; those without a seat get ports of the loopback.
    pub seats: BTreeMap<String, Seat>,
    /// By what other addresses this process reaches them.
    pub reach: Reach,
}

impl ClusterOptions {
    /// In this folder, by the `florin` that is running or lies beside what is running; what dies
    /// is started again after two seconds, as a supervisor would do it.
    pub fn new(folder: impl Into<PathBuf>) -> Result<ClusterOptions> {
        Ok(ClusterOptions {
            program: program()?,
            folder: folder.into(),
            restart: Restart::After(Duration::from_secs(2)),
            patience: Duration::from_secs(60),
            seats: BTreeMap::new(),
            reach: Reach::default(),
        })
    }
}

/// The running binary if it is `florin`, else the one that lies beside it (or beside `deps/`).
fn program() -> Result<PathBuf> {
    let running = std::env::current_exe().context("cannot find the running program")?;
    if running.file_name().is_some_and(|name| name == "florin") {
        return Ok(running);
    }
    let beside = running
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("florin"));
    let found = beside.into_iter().find(|file| file.is_file());
    found.with_context(|| format!("no `florin` beside {}: build it first", running.display()))
}

/// A running cluster. Dropping it kills its processes; [`Cluster::stop`] ends them in order.
pub struct Cluster {
    topology: Topology,
    options: ClusterOptions,
    layout: Layout,
    token: String,
    nodes: Vec<(Member, Supervised)>,
    frontends: Vec<(Member, Supervised)>,
    router: Router,
}

/// A node as drivers see it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct NodeInfo {
    /// Its name.
    pub name: String,
    /// Where it pretends to run.
    pub region: String,
    /// Its process; 0 while it is down.
    pub pid: u32,
    /// Its data folder.
    pub data_dir: PathBuf,
    /// URL of its /healthz, /readyz and /metrics.
    pub admin: String,
    /// Its number; drivers do not need it.
    #[serde(skip)]
    pub id: u64,
}

impl Cluster {
    /// Starts the processes, forms the cluster and waits until every frontend serves.
    pub async fn start(topology: Topology, options: ClusterOptions) -> Result<Cluster> {
        let by = Instant::now() + options.patience;
        let prepared = files::prepare(&topology, &options.folder, &options.seats)?;
        let threads = threads(prepared.nodes.len() + prepared.frontends.len());
        let nodes = start_all(prepared.nodes, &options, threads)?;
        let layout = Layout::new(options.folder.join("certs"));
        let dialer = operator(&layout)?.reaching(options.reach.clone());
        let addresses: Vec<String> = nodes.iter().map(|(member, _)| member.address()).collect();
        let formed = form(FormOptions {
            cluster: topology.cluster.name.clone(),
            nodes: addresses.clone(),
            groups: topology.cluster.groups,
            replicas: topology.cluster.replicas,
            connector: dialer.connector(),
            timeout: options.patience,
        });
        tokio::select! {
            formed = formed => formed.context("the nodes did not become a cluster")?,
            died = first_death(&nodes) => bail!(died),
        };
        let frontends = start_all(prepared.frontends, &options, threads)?;
        let router = Router::connect(RouterOptions {
            seeds: addresses,
            cluster: topology.cluster.name.clone(),
            region: topology
                .frontends
                .first()
                .map(|first| first.region.clone())
                .unwrap_or_default(),
            attempt_timeout: ATTEMPT,
            connector: dialer.connector(),
        })
        .await;
        let cluster = Cluster {
            topology,
            options,
            layout,
            token: prepared.token,
            nodes,
            frontends,
            router,
        };
        tokio::select! {
            ready = cluster.wait_ready(by) => ready?,
            died = first_death(&cluster.frontends) => bail!(died),
        }
        Ok(cluster)
    }

    /// Waits until every frontend says that it is ready.
    pub async fn wait_ready(&self, by: Instant) -> Result<()> {
        for at in 0..self.frontends.len() {
            let admin = self.admin_client(at)?;
            loop {
                if admin
                    .get("/readyz")
                    .await
                    .is_ok_and(|answer| answer.status.is_success())
                {
                    break;
                }
                if Instant::now() > by {
                    bail!("the frontend at {} is not ready", self.admin_url(at));
                }
                sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// What it was made from.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The folder of everything.
    pub fn folder(&self) -> &Path {
        &self.options.folder
    }

    /// The folder of the certificates.
    pub fn certs(&self) -> PathBuf {
        self.options.folder.join("certs")
    }

    /// The authority's certificate, for clients.
    pub fn ca(&self) -> PathBuf {
        self.layout.ca()
    }

    /// URLs of the frontends, for partners.
    pub fn urls(&self) -> Vec<String> {
        self.frontends
            .iter()
            .map(|(member, _)| format!("https://{}", self.reached(&member.address())))
            .collect()
    }

    /// What this process dials for an address.
    fn reached(&self, address: &str) -> String {
        self.options.reach.of(address).to_owned()
    }

    /// `host:port` of the nodes, for operators.
    pub fn addresses(&self) -> Vec<String> {
        self.nodes
            .iter()
            .map(|(member, _)| member.address())
            .collect()
    }

    /// URL of a frontend's listener for operators.
    pub fn admin_url(&self, frontend: usize) -> String {
        self.frontends
            .get(frontend)
            .map(|(member, _)| format!("https://{}", self.reached(&member.admin())))
            .unwrap_or_default()
    }

    /// The operators' token.
    pub fn admin_token(&self) -> &str {
        &self.token
    }

    /// A client of a frontend's admin API.
    pub fn admin_client(&self, frontend: usize) -> Result<Client> {
        Ok(Client::new(
            &self.admin_url(frontend),
            Some(&self.ca()),
            Some(&self.token),
        )?)
    }

    /// A partner's client, by a key of theirs.
    pub fn client(&self, frontend: usize, key: &str) -> Result<Client> {
        let url = self
            .urls()
            .into_iter()
            .nth(frontend)
            .context("no such frontend")?;
        Ok(Client::new(&url, Some(&self.ca()), Some(key))?)
    }

    /// The router of an operator.
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// The nodes as they are now.
    pub fn nodes(&self) -> Vec<NodeInfo> {
        let info = |(member, child): &(Member, Supervised)| NodeInfo {
            name: member.name.clone(),
            region: member.region.clone(),
            pid: child.pid().unwrap_or(0),
            data_dir: member.data_dir.clone(),
            admin: format!("http://{}", self.reached(&member.admin())),
            id: member.id,
        };
        self.nodes.iter().map(info).collect()
    }

    /// Follows what a node's process is.
    pub fn watch(&self, node: u64) -> Result<watch::Receiver<State>> {
        Ok(self.node(node)?.1.watch())
    }

    /// What each node's process is, to be followed.
    pub fn watch_all(&self) -> Vec<watch::Receiver<State>> {
        self.nodes.iter().map(|(_, child)| child.watch()).collect()
    }

    /// What each process is, nodes' and frontends', to be followed.
    pub fn watch_everybody(&self) -> Vec<watch::Receiver<State>> {
        let everybody = self.nodes.iter().chain(&self.frontends);
        everybody.map(|(_, child)| child.watch()).collect()
    }

    /// A node's name.
    pub fn name_of(&self, node: u64) -> String {
        self.node(node)
            .map(|(member, _)| member.name.clone())
            .unwrap_or_default()
    }

    /// What the nodes say of themselves; with the hashes of their ledgers if asked for.
    pub async fn status(&self, hashes: bool) -> Vec<NodeStatus> {
        if hashes {
            self.router.status_with_hashes().await
        } else {
            self.router.status().await
        }
    }

    /// Waits until some node says that it leads the group.
    pub async fn leader_of(&self, group: GroupId, by: Instant) -> Result<NodeId> {
        loop {
            let leader = self.status(false).await.into_iter().find_map(|node| {
                let leads = node
                    .groups
                    .iter()
                    .any(|one| one.group == group && one.role == Role::Leader);
                node.node.filter(|_| leads)
            });
            match leader {
                Some(node) => return Ok(node),
                None if Instant::now() > by => bail!("group {} has no leader", group.0),
                None => sleep(LOOK).await,
            }
        }
    }

    /// Ends frontends first, then nodes, each in order; says whether all of them ended well.
    pub async fn stop(self) -> bool {
        self.router.shutdown().await;
        let mut well = true;
        for all in [&self.frontends, &self.nodes] {
            let ending = all.iter().map(|(_, child)| child.terminate());
            for status in futures_util::future::join_all(ending).await {
                well &= status.is_some_and(|status| status.success());
            }
        }
        well
    }

    fn node(&self, id: u64) -> Result<&(Member, Supervised)> {
        self.nodes
            .iter()
            .find(|(member, _)| member.id == id)
            .with_context(|| format!("no node {id}"))
    }
}

/// Who may form clusters and ask nodes how they are.
fn operator(layout: &Layout) -> Result<Dialer> {
    let kind = Kind::Operator;
    let tls = MutualTls {
        ca: layout.ca(),
        cert: layout.cert(&kind),
        key: layout.key(&kind),
    };
    Ok(Dialer::new(&tls, OPERATOR_NAME)?)
}

/// The threads that each of so many processes on this machine gets for its tasks. With one for each
/// processor, as a process takes that has a machine of its own, they would mostly wake each other up.
fn threads(processes: usize) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (processors / processes.max(1)).max(1)
}

fn start_all(
    members: Vec<Member>,
    options: &ClusterOptions,
    threads: usize,
) -> Result<Vec<(Member, Supervised)>> {
    let mut started = Vec::new();
    for member in members {
        let child = Supervised::start(member.spec(&options.program, threads), options.restart)
            .with_context(|| format!("cannot start {}", options.program.display()))?;
        started.push((member, child));
    }
    Ok(started)
}

/// Waits until a process that should live has ended, and says why it did.
async fn first_death(children: &[(Member, Supervised)]) -> String {
    let deaths = children.iter().map(|(member, child)| {
        Box::pin(async move {
            let mut state = child.watch();
            let _gone = state
                .wait_for(|state| matches!(state, State::Ended { .. }))
                .await;
            format!("{} ended: {}", member.name, child.last_words())
        })
    });
    select_all(deaths).await.0
}

/// Makes sure that a development authority and its certificates are in a folder.
fn make_certs(folder: &Path, nodes: u64, hosts: &[String]) -> Result<()> {
    certs::make(folder, nodes, hosts)
        .map(drop)
        .context("cannot make certificates")
}
