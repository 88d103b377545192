//! Nodes in this process, each with a runtime of its own, so that dropping it kills the node.
//! They talk over real connections on loopback.

use bytes::Bytes;
use florin_ledger::amount::Currency;
use florin_ledger::command::{
    AccountKind, Command, Constraint, Envelope, NewAccount, Once, encode_envelope,
};
use florin_ledger::id::{GroupId, Id, LedgerId, Mode, NodeId};
use florin_raft::{Committed, Group, Host, HostOptions, Member, ProposeError, Role, tuned_server};
use florin_storage::disk::RealDisk;
use florin_storage::log::{Log, LogOptions};
use florin_storage::replica::{Store, StoreOptions};
use futures_util::TryStreamExt;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;

pub(crate) const GROUP: GroupId = GroupId(1);
/// The length of a record's header in the log, and the kind that is an entry.
const HEADER: usize = 72;
const ENTRY: u8 = 2;
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

/// A node: its folder and address stay, its life may end and begin again.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) incarnation: u64,
    pub(crate) address: SocketAddr,
    dir: TempDir,
    options: fn(&mut HostOptions),
    life: Option<(Host, Runtime)>,
    /// Turned by hand, the log writes only when it is turned.
    by_hand: bool,
    crank: Option<Crank>,
}

impl Node {
    fn new(id: u64, options: fn(&mut HostOptions), by_hand: bool) -> Node {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut node = Node {
            id: NodeId(id),
            incarnation: 1_000 + id,
            address: listener.local_addr().unwrap(),
            dir: TempDir::new().unwrap(),
            options,
            life: None,
            by_hand,
            crank: None,
        };
        node.start_on(listener);
        node
    }

    pub(crate) fn host(&self) -> Host {
        self.life.as_ref().expect("the node lives").0.clone()
    }

    pub(crate) fn lives(&self) -> bool {
        self.life.is_some()
    }

    pub(crate) fn group(&self, group: GroupId) -> Group {
        self.host().group(group).expect("the group is here")
    }

    pub(crate) fn member(&self) -> Member {
        Member {
            node: self.id,
            address: self.address.to_string(),
            region: format!("r{}", self.id.0),
            incarnation: self.incarnation,
        }
    }

    /// The crank of its log.
    pub(crate) fn crank(&self) -> &Crank {
        self.crank.as_ref().expect("its log is turned by hand")
    }

    /// Where it runs.
    pub(crate) fn runtime(&self) -> tokio::runtime::Handle {
        self.life
            .as_ref()
            .expect("the node lives")
            .1
            .handle()
            .clone()
    }

    /// Ends it at once: nothing is handed over and nothing more is written but what the log's
    /// writer has begun.
    pub(crate) fn kill(&mut self) {
        self.crank = None;
        if let Some((host, runtime)) = self.life.take() {
            drop(host);
            runtime.shutdown_timeout(PATIENCE);
        }
    }

    /// Ends it as it should.
    pub(crate) fn shut_down(&mut self) {
        if let Some((host, runtime)) = self.life.take() {
            runtime.block_on(host.shutdown());
            drop(host);
            runtime.shutdown_timeout(PATIENCE);
        }
    }

    pub(crate) fn start(&mut self) {
        assert!(self.life.is_none());
        let began = Instant::now();
        loop {
            match TcpListener::bind(self.address) {
                Ok(listener) => return self.start_on(listener),
                Err(error) => assert!(began.elapsed() < PATIENCE, "{}: {error}", self.address),
            }
        }
    }

    fn start_on(&mut self, listener: TcpListener) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let mut options = HostOptions::new(
            self.id,
            "test",
            self.incarnation,
            &format!("r{}", self.id.0),
            &self.address.to_string(),
        );
        (self.options)(&mut options);
        let (log, store) = open_log(self.dir.path(), self.by_hand);
        self.crank = self.by_hand.then(|| Crank::new(log.clone()));
        let host = runtime.block_on(async {
            let host = Host::start(options, log, store).await.unwrap();
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let connections = TcpListenerStream::new(listener)
                .inspect_ok(|connection| connection.set_nodelay(true).unwrap());
            let serving = tuned_server()
                .add_service(host.transport())
                .serve_with_incoming(connections);
            tokio::spawn(serving);
            host
        });
        self.life = Some((host, runtime));
    }

    pub(crate) fn create(&self, group: GroupId, members: Vec<Member>, initialize: bool) -> Group {
        let host = self.host();
        let runtime = &self.life.as_ref().unwrap().1;
        runtime
            .block_on(async move { host.create_group(group, members, initialize).await.unwrap() })
    }

    /// What is on its disk, while it does not live.
    pub(crate) fn open(&self) -> (Log, Store) {
        assert!(self.life.is_none());
        open(self.dir.path())
    }

    /// The log is gone from its disk; the ledgers are not.
    pub(crate) fn lose_log(&mut self) {
        assert!(self.life.is_none());
        std::fs::remove_dir_all(self.dir.path().join("log")).unwrap();
    }

    /// The ledgers are gone from its disk; the log is not.
    pub(crate) fn lose_store(&mut self) {
        assert!(self.life.is_none());
        std::fs::remove_dir_all(self.dir.path().join("store")).unwrap();
    }

    /// Flips a bit in the body of each entry of the group that is chosen by its index; flipping it
    /// again puts it right. Says which there were.
    pub(crate) fn spoil_entries(&mut self, chosen: impl Fn(u64) -> bool) -> Vec<u64> {
        assert!(self.life.is_none());
        let mut spoilt = Vec::new();
        let files = std::fs::read_dir(self.dir.path().join("log")).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|end| end == "log"));
        for path in files {
            let mut bytes = std::fs::read(&path).unwrap();
            for at in (0..bytes.len() - HEADER).step_by(8) {
                let header = &bytes[at..at + HEADER];
                let entry = header.starts_with(b"FlWL") && header[5] == ENTRY;
                let group = u32::from_le_bytes(header[8..12].try_into().unwrap());
                let index = u64::from_le_bytes(header[40..48].try_into().unwrap());
                if entry && group == GROUP.0 && chosen(index) {
                    bytes[at + HEADER] ^= 4;
                    spoilt.push(index);
                }
            }
            std::fs::write(&path, bytes).unwrap();
        }
        spoilt
    }

    pub(crate) fn set_options(&mut self, options: fn(&mut HostOptions)) {
        self.options = options;
    }

    /// Everything that is on its disk is gone.
    pub(crate) fn wipe(&mut self, incarnation: u64) {
        assert!(self.life.is_none());
        self.dir = TempDir::new().unwrap();
        self.incarnation = incarnation;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Turns the crank of a log that has no threads of its own, until it is held.
pub(crate) struct Crank {
    pub(crate) log: Log,
    held: Arc<Mutex<bool>>,
    turner: Option<JoinHandle<()>>,
    over: Arc<AtomicBool>,
}

impl Crank {
    fn new(log: Log) -> Crank {
        let (held, over) = (
            Arc::new(Mutex::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let turn = {
            let (log, held, over) = (log.clone(), Arc::clone(&held), Arc::clone(&over));
            move || {
                while !over.load(Ordering::Relaxed) {
                    if !*held.lock().unwrap() {
                        log.step();
                    }
                    std::thread::park_timeout(Duration::from_millis(1));
                }
            }
        };
        Crank {
            log,
            held,
            turner: Some(std::thread::spawn(turn)),
            over,
        }
    }

    /// From here on the log takes everything and keeps nothing.
    pub(crate) fn hold(&self) {
        *self.held.lock().unwrap() = true;
    }

    /// It writes again.
    pub(crate) fn release(&self) {
        *self.held.lock().unwrap() = false;
    }
}

impl Drop for Crank {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.turner.take().unwrap().join().unwrap();
    }
}

pub(crate) fn open(dir: &Path) -> (Log, Store) {
    open_log(dir, false)
}

fn open_log(dir: &Path, by_hand: bool) -> (Log, Store) {
    let fatal = |why: &str| panic!("{why}");
    let log_dir = dir.join("log");
    std::fs::create_dir_all(&log_dir).unwrap();
    let options = LogOptions {
        segment_bytes: 8 << 20,
        min_free_bytes: 1 << 20,
        cache_bytes: 8 << 20,
        on_fatal: Arc::new(fatal),
    };
    let disk = Arc::new(RealDisk::open(&log_dir).unwrap());
    let opened = if by_hand {
        Log::open_stepped(disk, options)
    } else {
        Log::open(disk, options)
    };
    let (log, _) = opened.unwrap();
    let options = StoreOptions {
        cache_bytes: 16 << 20,
        min_free_bytes: 0,
        on_fatal: Arc::new(fatal),
    };
    let (store, _) = Store::open(&dir.join("store"), options).unwrap();
    (log, store)
}

/// Nodes that can all hold replicas.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
}

impl Cluster {
    pub(crate) fn new(nodes: u64) -> Cluster {
        Cluster::with(nodes, |_| ())
    }

    pub(crate) fn with(nodes: u64, options: fn(&mut HostOptions)) -> Cluster {
        Cluster {
            nodes: (1..=nodes)
                .map(|id| Node::new(id, options, false))
                .collect(),
        }
    }

    /// Nodes whose logs are turned by hand, with one group formed over all of them.
    pub(crate) fn by_hand(nodes: u64) -> Cluster {
        let cluster = Cluster {
            nodes: (1..=nodes).map(|id| Node::new(id, |_| (), true)).collect(),
        };
        cluster.form(GROUP);
        cluster
    }

    /// Nodes with one group formed over all of them.
    pub(crate) fn formed(nodes: u64) -> Cluster {
        let cluster = Cluster::new(nodes);
        cluster.form(GROUP);
        cluster
    }

    pub(crate) fn form(&self, group: GroupId) {
        let members: Vec<Member> = self.nodes.iter().map(Node::member).collect();
        let first = group.0 as usize % self.nodes.len();
        for (place, node) in self.nodes.iter().enumerate() {
            if place != first {
                node.create(group, members.clone(), false);
            }
        }
        self.nodes[first].create(group, members, true);
    }

    pub(crate) fn node(&mut self, id: NodeId) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.id == id).unwrap()
    }

    /// Waits until some living node leads and a quorum has said so.
    pub(crate) fn leader(&self, group: GroupId) -> Group {
        eventually("a leader", || {
            self.groups(group).into_iter().find(|group| {
                let status = group.status();
                status.role == Role::Leader
                    && status.quorum_acknowledged.is_some()
                    && group.leader().is_some()
            })
        })
    }

    pub(crate) fn leader_id(&self, group: GroupId) -> NodeId {
        let leader = self.leader(group);
        eventually("a known leader", || leader.leader())
    }

    /// The living replicas of a group.
    pub(crate) fn groups(&self, group: GroupId) -> Vec<Group> {
        let living = self.nodes.iter().filter(|node| node.lives());
        living.filter_map(|node| node.host().group(group)).collect()
    }

    /// Retries with the same key until some leader decides, as every client must.
    pub(crate) fn decide(&self, group: GroupId, number: u64) -> Committed {
        let until = deadline();
        loop {
            let soon = Instant::now() + Duration::from_secs(2);
            let leader = self.leader(group);
            match block(leader.propose(partner(number), account(number), soon)) {
                Ok(committed) => return committed,
                Err(error) => assert!(Instant::now() < until, "{error}"),
            }
        }
    }

    /// Waits until all living replicas have applied as much, and compares them.
    pub(crate) fn assert_agreement(&self, group: GroupId) {
        let hashes = eventually("agreement", || {
            let groups = self.groups(group);
            let hashes: Vec<_> = groups
                .iter()
                .map(|group| group.replica().state_hash())
                .collect();
            hashes
                .windows(2)
                .all(|pair| pair[0].applied == pair[1].applied)
                .then_some(hashes)
        });
        hashes
            .windows(2)
            .for_each(|pair| assert_eq!(pair[0], pair[1]));
    }
}

/// Runs a future on this thread.
pub(crate) fn block<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Looks again until there is an answer, for states that nothing announces.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = deadline();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

pub(crate) fn partner(number: u64) -> Id {
    Id(u128::from(number % 7) + 1)
}

/// Opens an account, once for its number.
pub(crate) fn account(number: u64) -> Bytes {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.to_le_bytes());
    let envelope = Envelope {
        ledger: LedgerId {
            partner: partner(number),
            mode: Mode::Live,
        },
        once: Some(Once {
            key,
            fingerprint: key,
        }),
        command: Command::CreateAccount(NewAccount {
            currency: Currency::parse("EUR").unwrap(),
            kind: AccountKind::Liability,
            constraint: Constraint::None,
            overdraft_limit: 0,
            reference: None,
            metadata: Vec::new(),
        }),
    };
    Bytes::from(encode_envelope(&envelope))
}

pub(crate) fn propose(group: &Group, number: u64) -> Result<Committed, ProposeError> {
    block(group.propose(partner(number), account(number), deadline()))
}
