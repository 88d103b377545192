//! A cluster set up by hand, command by command, as an operator would; and its disk filling up.

use crate::support::{FLORIN, PATIENCE, complaint, florin, turn, until};
use florin_node::client::Client;
use florin_node::cluster::ports::{Port, claim};
use florin_node::demo::books::{Books, get, insist};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tokio::time::timeout;

/// One machine: a node and a frontend, ended with the test.
struct Machine {
    dir: TempDir,
    ports: Vec<Port>,
    running: Vec<Child>,
}

impl Drop for Machine {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ended_already = child.kill();
            let _reaped = child.wait();
        }
    }
}

impl Machine {
    fn new() -> Machine {
        Machine {
            dir: tempfile::tempdir().unwrap(),
            ports: claim(4).unwrap(),
            running: Vec::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn address(&self, at: usize) -> String {
        format!("127.0.0.1:{}", self.ports[at].number)
    }

    fn certs(&self) -> String {
        self.path("certs").to_str().unwrap().to_owned()
    }

    fn write_configs(&self, min_free_mib: u64) {
        let node = format!(
            "cluster = \"by-hand\"\nid = 1\nname = \"one\"\nregion = \"here\"\ndata_dir = \"data\"\n\
             listen = \"{0}\"\nadvertise = \"{0}\"\nadmin_listen = \"{1}\"\n\
             [tls]\nca = \"certs/ca.pem\"\ncert = \"certs/node-1.pem\"\nkey = \"certs/node-1.key\"\n\
             [timing]\nheartbeat_ms = 50\nelection_ms = [150, 300]\n\
             [storage]\nsegment_mib = 8\nmin_free_mib = {min_free_mib}\n",
            self.address(0),
            self.address(1),
        );
        fs::write(self.path("node.toml"), node).unwrap();
        let frontend = format!(
            "cluster = \"by-hand\"\nname = \"api\"\nregion = \"here\"\nlisten = \"{}\"\nadmin_listen = \"{}\"\n\
             seeds = [\"{}\"]\noperator_token_file = \"certs/operator.token\"\n\
             [https]\ncert = \"certs/server.pem\"\nkey = \"certs/server.key\"\n\
             [nodes]\nca = \"certs/ca.pem\"\ncert = \"certs/frontend.pem\"\nkey = \"certs/frontend.key\"\n\
             [deadlines]\nrequest_ms = 2000\nattempt_ms = 500\n",
            self.address(2),
            self.address(3),
            self.address(0),
        );
        fs::write(self.path("api.toml"), frontend).unwrap();
    }

    /// Starts a process that serves.
    fn start(&mut self, role: &str) {
        let config = self.path(&format!("{role}.toml"));
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.path(&format!("{role}.log")))
            .unwrap();
        let child = Command::new(FLORIN)
            .args([role, "--config", config.to_str().unwrap()])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.running.push(child);
    }

    fn init(&self) -> String {
        let (node, certs) = (self.address(0), self.certs());
        run(&[
            "init",
            "--nodes",
            &node,
            "--certs",
            &certs,
            "--cluster",
            "by-hand",
            "--groups",
            "2",
            "--replicas",
            "1",
        ])
    }

    /// `florin partner …` with what leads to the frontend.
    fn partner(&self, arguments: &[&str]) -> String {
        let url = format!("https://{}", self.address(3));
        let (ca, token) = (self.path("certs/ca.pem"), self.path("certs/operator.token"));
        let way = [
            "--admin-url",
            &url,
            "--ca",
            ca.to_str().unwrap(),
            "--token-file",
            token.to_str().unwrap(),
        ];
        run(&[&["partner"], arguments, &way].concat())
    }

    async fn wait_ready(&self, url: &str) {
        let client = Client::new(url, Some(&self.path("certs/ca.pem")), None).unwrap();
        until("it is ready", async || {
            let ready = client.get("/readyz").await.ok()?;
            ready.status.is_success().then_some(())
        })
        .await;
    }
}

/// Runs a command that must succeed; what it printed.
fn run(arguments: &[&str]) -> String {
    let done = florin(arguments);
    assert!(
        done.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_set_up_by_hand_and_survives_a_full_disk() {
    let _turn = tokio::task::spawn_blocking(turn).await.unwrap();
    let mut machine = Machine::new();
    run(&["certs", "--out", &machine.certs(), "--nodes", "1"]);
    machine.write_configs(1);
    machine.start("node");
    assert!(machine.init().starts_with("cluster `by-hand` is formed"));
    assert!(
        machine
            .init()
            .starts_with("cluster `by-hand` stands already"),
        "again is harmless"
    );
    machine.start("api");
    machine
        .wait_ready(&format!("https://{}", machine.address(3)))
        .await;
    let key = onboard(&machine);
    check_status(&machine);

    let url = format!("https://{}", machine.address(2));
    let client = Client::new(&url, Some(&machine.path("certs/ca.pem")), Some(&key)).unwrap();
    let books = Books::open(&client, "hand", 10_000).await.unwrap();
    fill_the_disk(&mut machine, &client, &books).await;
}

fn onboard(machine: &Machine) -> String {
    let partner = machine.partner(&["create", "Corner Shop", "--region", "here"]);
    assert!(partner.starts_with("ptn_"), "{partner}");
    let key = machine.partner(&["key", &partner, "--mode", "live"]);
    assert!(key.starts_with("sk_live_"), "{key}");
    let list = machine.partner(&["list"]);
    assert!(
        list.contains(&partner) && list.contains("Corner Shop") && list.contains("active"),
        "{list}"
    );
    let unknown = "ptn_00000000000000000000000000";
    let url = format!("https://{}", machine.address(3));
    let (ca, token) = (
        machine.path("certs/ca.pem"),
        machine.path("certs/operator.token"),
    );
    let said = complaint(&[
        "partner",
        "key",
        unknown,
        "--admin-url",
        &url,
        "--ca",
        ca.to_str().unwrap(),
        "--token-file",
        token.to_str().unwrap(),
    ]);
    assert!(said.contains("the frontend refused (404)"), "{said}");
    key
}

fn check_status(machine: &Machine) {
    let (node, certs) = (machine.address(0), machine.certs());
    let status = run(&[
        "status",
        "--cluster",
        "by-hand",
        "--nodes",
        &node,
        "--certs",
        &certs,
        "--hashes",
    ]);
    assert!(status.contains("GROUP  LEADER  TERM"), "{status}");
    assert_eq!(status.matches("equal").count(), 3, "{status}");
    let said = complaint(&[
        "status",
        "--cluster",
        "other",
        "--nodes",
        &node,
        "--certs",
        &certs,
        "--timeout",
        "1",
    ]);
    assert!(
        said.contains("no node of cluster `other` answers"),
        "{said}"
    );
}

/// Restarts the node with more room demanded than there is on any disk, and pays until the room
/// that the log had taken before is used up.
async fn fill_the_disk(machine: &mut Machine, client: &Client, books: &Books) {
    restart_node(machine, 1 << 40).await;
    let wallet = format!("/v1/accounts/{}/balance", books.wallet);
    let mut body = books.payment(1, "full");
    let note = "x".repeat(500);
    for number in 0..50 {
        body["metadata"][format!("note-{number}")] = note.as_str().into();
    }
    let (mut paid, mut key) = (0, String::new());
    let refused = loop {
        assert!(paid < 1_000, "the disk does not fill up");
        key = format!("full-{paid}-{}", key.len());
        let answer = client
            .post("/v1/payments", Some(&key), &body)
            .await
            .unwrap();
        match answer.status.as_u16() {
            200 => paid += 1,
            _ => break answer,
        }
    };
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.json().unwrap()["error"]["code"], "disk_full");
    let held = (10_000 - paid).to_string();
    assert_eq!(
        get(client, &wallet).await.unwrap()["balance"],
        held,
        "what is held stays readable"
    );

    restart_node(machine, 1).await;
    let again = insist(std::slice::from_ref(client), "/v1/payments", &key, &body);
    assert_eq!(timeout(PATIENCE, again).await.unwrap().unwrap().status, 200);
    let held = (10_000 - paid - 1).to_string();
    assert_eq!(get(client, &wallet).await.unwrap()["balance"], held, "once");
}

async fn restart_node(machine: &mut Machine, min_free_mib: u64) {
    machine.write_configs(min_free_mib);
    let mut node = machine.running.remove(0);
    node.kill().unwrap();
    node.wait().unwrap();
    machine.start("node");
    machine.running.rotate_right(1);
    machine
        .wait_ready(&format!("http://{}", machine.address(1)))
        .await;
    assert!(Path::new(&machine.path("data/identity.toml")).exists());
}
