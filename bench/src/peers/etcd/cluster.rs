//! Three members on loopback, in a folder of their own.

use super::wire::{Client, Status};
use crate::cli::PeerArgs;
use crate::peers::guest::{Guest, Program, free_ports};
use crate::system;
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

const MEMBERS: usize = 3;

/// How long the members may take to start and to choose a leader.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one may take to say who leads.
const ANSWER: Duration = Duration::from_secs(2);

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);

/// A running cluster; dropping it kills its processes.
pub(super) struct Cluster {
    version: String,
    ports: Vec<Ports>,
    /// Where the leader answers.
    leader: u16,
    members: Vec<Program>,
    _folder: TempDir,
}

/// Where a member listens.
#[derive(Clone, Copy)]
struct Ports {
    clients: u16,
    peers: u16,
}

impl Cluster {
    pub(super) async fn start(args: &PeerArgs) -> Result<Cluster> {
        let version = version()?;
        let folder = system::folder(args.system.own.data.as_deref())?;
        let guest = Guest::new(&args.user, folder.path())?;
        eprintln!("making an etcd cluster in {}", folder.path().display());
        let ports: [u16; 2 * MEMBERS] = free_ports()?;
        let ports: Vec<Ports> = ports
            .chunks(2)
            .map(|pair| Ports {
                clients: pair[0],
                peers: pair[1],
            })
            .collect();
        let mut members = Vec::new();
        for number in 0..MEMBERS {
            let data = folder.path().join(name(number));
            let command = member(number, &ports, &data);
            members.push(guest.start(command, &data.with_extension("log"))?);
        }
        let leader = leader(&ports, &members).await?;
        Ok(Cluster {
            version,
            ports,
            leader,
            members,
            _folder: folder,
        })
    }

    pub(super) fn description(&self) -> String {
        format!(
            "{}, {MEMBERS} members, the leader on port {}",
            self.version, self.leader
        )
    }

    /// A connection to the leader.
    pub(super) async fn client(&self) -> Result<Client> {
        Client::connect(self.leader).await
    }

    /// All members are there still, and nobody else leads.
    pub(super) async fn is_as_it_was(&self) -> Result<()> {
        let leader = agreed(&self.ports).await?;
        ensure!(leader == self.leader, "etcd has changed its leader");
        Ok(())
    }

    /// Ends the members.
    pub(super) async fn stop(self) -> Result<()> {
        for member in self.members {
            member.stop().await?;
        }
        Ok(())
    }
}

/// What etcd calls itself, in one line.
fn version() -> Result<String> {
    let told = Command::new("etcd").arg("--version").output();
    let told = told.context("etcd is not installed: the program etcd is needed")?;
    let text = String::from_utf8_lossy(&told.stdout);
    let line = text.lines().next().context("etcd tells no version")?;
    Ok(line.replace(" Version: ", " "))
}

fn name(number: usize) -> String {
    format!("member_{}", number + 1)
}

/// As etcd is unless told otherwise, but for room for a long run.
fn member(number: usize, ports: &[Ports], data: &Path) -> Command {
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    let everybody = ports.iter().enumerate();
    let everybody = everybody.map(|(other, ports)| format!("{}={}", name(other), url(ports.peers)));
    let everybody = everybody.collect::<Vec<_>>().join(",");
    let own = ports[number];
    let mut command = Command::new("etcd");
    command.arg("--data-dir").arg(data);
    command.args(["--name", &name(number)]);
    command.args(["--listen-client-urls", &url(own.clients)]);
    command.args(["--advertise-client-urls", &url(own.clients)]);
    command.args(["--listen-peer-urls", &url(own.peers)]);
    command.args(["--initial-advertise-peer-urls", &url(own.peers)]);
    command.args(["--initial-cluster", &everybody]);
    command.args(["--initial-cluster-state", "new"]);
    // Two gigabytes are its usual limit, after which it refuses to write.
    command.args(["--quota-backend-bytes", &(8u64 << 30).to_string()]);
    command
}

/// Waits until all members have the same leader, and says where that answers.
async fn leader(ports: &[Ports], members: &[Program]) -> Result<u16> {
    let by = Instant::now() + PATIENCE;
    loop {
        if let Ok(port) = agreed(ports).await {
            return Ok(port);
        }
        if Instant::now() > by {
            let words: Vec<String> = members.iter().map(Program::last_words).collect();
            bail!("etcd chose no leader: {}", words.join(" | "));
        }
        sleep(LOOK).await;
    }
}

/// Where the leader of all members answers.
async fn agreed(ports: &[Ports]) -> Result<u16> {
    let mut leaders = Vec::new();
    let mut found = None;
    for port in ports.iter().map(|own| own.clients) {
        // A member without a leader listens and does not answer.
        let Status { member, leader } = timeout(ANSWER, status(port)).await??;
        leaders.push(leader);
        if leader == member {
            found = Some(port);
        }
    }
    leaders.dedup();
    match (found, leaders.len()) {
        (Some(port), 1) => Ok(port),
        _ => bail!("the members do not agree who leads: {leaders:x?}"),
    }
}

async fn status(port: u16) -> Result<Status> {
    Client::connect(port).await?.status().await
}
