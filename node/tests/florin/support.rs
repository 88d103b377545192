//! What the tests share.

use florin_node::client::Client;
use florin_node::cluster::process::Restart;
use florin_node::cluster::{Cluster, ClusterOptions, Partner, Topology};
use florin_node::demo::audit::{audit, disagreement};
use florin_node::demo::books::Books;
use florin_node::demo::burst::{Outcome, Paid};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;

/// How long anything may take before the test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test.
pub(crate) const FLORIN: &str = env!("CARGO_BIN_EXE_florin");

/// Waits for the turn of a test that starts a cluster; it lasts until this is dropped. Tests of
/// other processes wait as well, so `cargo test` may run as many as it likes.
pub(crate) fn turn() -> File {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cluster.turn");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    let file = file.expect("the build's folder can be written");
    file.lock().expect("a file can be locked");
    file
}

/// A topology of `cluster-configs/`.
pub(crate) fn topology(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../cluster-configs")
        .join(name)
}

/// A cluster with a partner whose books are open.
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    pub(crate) partner: Partner,
    pub(crate) clients: Vec<Client>,
    pub(crate) books: Books,
    _folder: TempDir,
    _turn: File,
}

impl Stage {
    /// Three nodes in three regions; what dies is started again if `restart` says so.
    pub(crate) async fn set(restart: Restart) -> Stage {
        let turn = tokio::task::spawn_blocking(turn)
            .await
            .expect("a turn comes");
        let folder = tempfile::tempdir().expect("a folder");
        let options = ClusterOptions {
            program: FLORIN.into(),
            restart,
            ..ClusterOptions::new(folder.path()).expect("a program")
        };
        let topology = Topology::load(&topology("three-regions.toml")).expect("a topology");
        let cluster = Cluster::start(topology, options).await.expect("a cluster");
        let partner = cluster
            .onboard("Test Store", None, by())
            .await
            .expect("a partner");
        let clients = cluster.clients(&partner.secret_key).expect("clients");
        let books = Books::open(&clients[0], "test", 100_000_000)
            .await
            .expect("books");
        Stage {
            cluster,
            partner,
            clients,
            books,
            _folder: folder,
            _turn: turn,
        }
    }

    /// The node that leads the group of the partner.
    pub(crate) async fn leader(&self) -> u64 {
        let group = self
            .cluster
            .group_of(&self.partner, by())
            .await
            .expect("a group");
        self.cluster
            .leader_of(group, by())
            .await
            .expect("a leader")
            .0
    }

    /// Nothing lost, nothing twice, books in order, replicas alike, everybody answered.
    pub(crate) async fn assert_in_order(&self, paid: &[Paid]) {
        let acknowledged = |paid: &&Paid| matches!(paid.outcome, Outcome::Acknowledged { .. });
        let others: Vec<&Paid> = paid.iter().filter(|paid| !acknowledged(paid)).collect();
        assert!(others.is_empty(), "not acknowledged: {others:?}");
        assert!(!paid.is_empty(), "somebody paid");
        let mut audit = audit(&self.clients[0], &self.books, paid)
            .await
            .expect("an audit");
        audit.disagreement = disagreement(&self.cluster, PATIENCE).await;
        assert!(audit.held(), "{audit:?}");
    }
}

/// A moment at which patience ends.
pub(crate) fn by() -> Instant {
    Instant::now() + PATIENCE
}

/// Runs the binary to its end.
pub(crate) fn florin(arguments: &[&str]) -> Output {
    let mut command = Command::new(FLORIN);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("FLORIN_LOG");
    command.output().expect("the binary runs")
}

/// What the binary said when it failed: one sentence, no backtrace.
pub(crate) fn complaint(arguments: &[&str]) -> String {
    let output = florin(arguments);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    let said = String::from_utf8(output.stderr).expect("text");
    sentence(&said)
}

/// The one line that begins with the program's name; logs are not part of it.
pub(crate) fn sentence(said: &str) -> String {
    let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with('{')).collect();
    assert_eq!(lines.len(), 1, "one sentence: {said}");
    assert!(lines[0].starts_with("florin: "), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    lines[0].to_owned()
}

/// Waits until something is there.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let by = by();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < by, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
