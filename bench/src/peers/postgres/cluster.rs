//! A primary and two replicas on loopback, in a folder of their own.

use crate::cli::PeerArgs;
use crate::peers::guest::{Guest, Program, free_ports};
use crate::system;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, NoTls};

/// Where Debian and its kin put it, the version in between.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The superuser of the cluster; everybody on loopback may be it.
const USER: &str = "bench";

/// How long a server may take to start, and a replica to follow.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);

/// Durable on the primary and on one of the replicas, and otherwise as a server would be set up
/// that is to be fast.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = on
synchronous_commit = on
full_page_writes = on
wal_level = replica
max_wal_senders = 10
shared_buffers = 512MB
max_wal_size = 8GB
checkpoint_timeout = 30min
autovacuum_naptime = 10s
";

/// A running cluster; dropping it kills its processes.
pub(super) struct Cluster {
    version: String,
    primary: u16,
    servers: Vec<Program>,
    _folder: TempDir,
}

impl Cluster {
    pub(super) async fn start(args: &PeerArgs) -> Result<Cluster> {
        let programs = programs()?;
        let folder = system::folder(args.system.own.data.as_deref())?;
        let guest = Guest::new(&args.user, folder.path())?;
        let version = guest.run(Command::new(programs.join("postgres")).arg("--version"))?;
        let primary = folder.path().join("primary");
        eprintln!("making a PostgreSQL cluster in {}", folder.path().display());
        guest.run(
            Command::new(programs.join("initdb"))
                .args([
                    "--auth=trust",
                    "--no-locale",
                    "--encoding=UTF8",
                    "--username",
                    USER,
                ])
                .arg("--pgdata")
                .arg(&primary),
        )?;
        let settings = primary.join("postgresql.conf");
        let clients = args.connections + 20;
        let text = std::fs::read_to_string(&settings)?;
        std::fs::write(
            &settings,
            format!("{text}{SETTINGS}max_connections = {clients}\n"),
        )?;
        let [port] = free_ports()?;
        let mut cluster = Cluster {
            version: version.trim().to_owned(),
            primary: port,
            servers: Vec::new(),
            _folder: folder,
        };
        cluster.serve(&guest, &programs, &primary, port, "primary")?;
        let client = cluster.client_by(Instant::now() + PATIENCE).await?;
        for name in ["replica_1", "replica_2"] {
            cluster.follow(&guest, &programs, name)?;
        }
        synchronous(&client).await?;
        Ok(cluster)
    }

    pub(super) fn description(&self) -> String {
        let version = &self.version;
        format!(
            "{version}, a primary on port {} and two synchronous replicas",
            self.primary
        )
    }

    /// A connection to the primary; it ends with the client.
    pub(super) async fn client(&self) -> Result<Client> {
        let config = format!(
            "host=127.0.0.1 port={} user={USER} dbname=postgres",
            self.primary
        );
        let (client, connection) = tokio_postgres::connect(&config, NoTls).await?;
        // An error of the connection shows in what the client is asked next.
        tokio::task::spawn_local(async move { drop(connection.await) });
        Ok(client)
    }

    /// Ends the servers, replicas first.
    pub(super) async fn stop(mut self) -> Result<()> {
        while let Some(server) = self.servers.pop() {
            server.stop().await?;
        }
        Ok(())
    }

    async fn client_by(&self, by: Instant) -> Result<Client> {
        loop {
            match self.client().await {
                Ok(client) => return Ok(client),
                Err(error) if Instant::now() > by => {
                    let words = self.servers.first().map(Program::last_words);
                    let words = words.unwrap_or_default();
                    return Err(error.context(format!("PostgreSQL does not answer: {words}")));
                }
                Err(_) => sleep(LOOK).await,
            }
        }
    }

    fn serve(
        &mut self,
        guest: &Guest,
        programs: &Path,
        data: &Path,
        port: u16,
        name: &str,
    ) -> Result<()> {
        let mut command = Command::new(programs.join("postgres"));
        command.arg("-D").arg(data).args(["-p", &port.to_string()]);
        // A replica is known to its primary by this name.
        command.args(["-c", &format!("cluster_name={name}")]);
        self.servers
            .push(guest.start(command, &data.with_extension("log"))?);
        Ok(())
    }

    fn follow(&mut self, guest: &Guest, programs: &Path, name: &str) -> Result<()> {
        let data = self._folder.path().join(name);
        let mut copy = Command::new(programs.join("pg_basebackup"));
        copy.args(["--host=127.0.0.1", "--username", USER, "--checkpoint=fast"])
            .args(["--write-recovery-conf", "--wal-method=stream"])
            .arg(format!("--port={}", self.primary))
            .arg("--pgdata")
            .arg(&data);
        guest.run(&mut copy)?;
        let [port] = free_ports()?;
        self.serve(guest, programs, &data, port, name)
    }
}

/// From now on a commit waits for one of the two replicas; returns once both of them follow.
async fn synchronous(client: &Client) -> Result<()> {
    let names = "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (replica_1, replica_2)'";
    client.batch_execute(names).await?;
    client.batch_execute("SELECT pg_reload_conf()").await?;
    let by = Instant::now() + PATIENCE;
    let following = "SELECT count(*) FROM pg_stat_replication \
        WHERE state = 'streaming' AND sync_state = 'quorum'";
    loop {
        let replicas: i64 = client.query_one(following, &[]).await?.try_get(0)?;
        if replicas == 2 {
            return Ok(());
        }
        if Instant::now() > by {
            bail!("only {replicas} of 2 replicas follow the primary");
        }
        sleep(LOOK).await;
    }
}

/// The folder of the newest version of PostgreSQL.
fn programs() -> Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(VERSIONS).into_iter().flatten().flatten() {
        let version = entry.file_name().to_string_lossy().parse().unwrap_or(0);
        found.push((version, entry.path().join("bin")));
    }
    if let Ok(told) = Command::new("pg_config").arg("--bindir").output() {
        let folder = String::from_utf8_lossy(&told.stdout).trim().to_owned();
        found.push((0, PathBuf::from(folder)));
    }
    found.sort();
    let whole = |folder: &PathBuf| {
        ["initdb", "postgres", "pg_basebackup"]
            .iter()
            .all(|program| folder.join(program).is_file())
    };
    let newest = found
        .into_iter()
        .rev()
        .map(|(_, folder)| folder)
        .find(whole);
    newest.context("PostgreSQL is not installed: initdb, postgres and pg_basebackup are needed")
}
