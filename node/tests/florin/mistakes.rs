//! What goes wrong at start is one clear sentence and a non-zero exit, and nothing is harmed.

use crate::support::{FLORIN, complaint, florin};
use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A folder with certificates and a node's configuration that would work.
struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let certs = dir.path().join("certs");
        let made = florin(&["certs", "--out", certs.to_str().unwrap(), "--nodes", "2"]);
        assert!(made.status.success());
        Bench { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the configuration with some of its lines replaced.
    fn config(&self, changes: &[(&str, &str)]) -> String {
        let mut text = String::from(
            "cluster = \"payments\"\nid = 1\nname = \"one\"\nregion = \"here\"\ndata_dir = \"data\"\n\
             listen = \"127.0.0.1:0\"\nadvertise = \"127.0.0.1:7100\"\nadmin_listen = \"127.0.0.1:0\"\n\
             [tls]\nca = \"certs/ca.pem\"\ncert = \"certs/node-1.pem\"\nkey = \"certs/node-1.key\"\n\
             [timing]\nheartbeat_ms = 100\nelection_ms = [300, 600]\n\
             [storage]\nsegment_mib = 8\nmin_free_mib = 1\n",
        );
        for (line, instead) in changes {
            assert!(text.contains(line), "{line}");
            text = text.replace(line, instead);
        }
        let file = self.path("node.toml");
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    }

    fn complaint(&self, changes: &[(&str, &str)]) -> String {
        complaint(&["node", "--config", &self.config(changes)])
    }
}

#[test]
fn a_wrong_configuration_is_refused_by_file_and_field() {
    let bench = Bench::new();
    let said = bench.complaint(&[("region =", "regoin =")]);
    assert!(
        said.contains("node.toml, line 4") && said.contains("unknown field `regoin`"),
        "{said}"
    );
    let said = bench.complaint(&[("id = 1\n", "")]);
    assert!(said.ends_with("node.toml: missing field `id`"), "{said}");
    let said = bench.complaint(&[("segment_mib = 8", "segment_mib = 7")]);
    assert!(said.contains("must be from 8 to 1024"), "{said}");
    assert!(!bench.path("data").exists(), "nothing was touched");
}

#[test]
fn a_port_in_use_is_named() {
    let bench = Bench::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = bench.complaint(&[(
        "\nlisten = \"127.0.0.1:0\"",
        &format!("\nlisten = \"{address}\""),
    )]);
    let expected = format!(
        "cannot listen on {address} (field `listen`): the port is in use by another process"
    );
    assert!(said.ends_with(&expected), "{said}");
}

#[test]
fn a_certificate_of_another_authority_or_node_is_refused() {
    let (ours, theirs) = (Bench::new(), Bench::new());
    let other = theirs.path("certs/node-1");
    let said = ours.complaint(&[
        (
            "certs/node-1.pem",
            other.with_extension("pem").to_str().unwrap(),
        ),
        (
            "certs/node-1.key",
            other.with_extension("key").to_str().unwrap(),
        ),
    ]);
    assert!(
        said.contains("does not hold against the authority"),
        "{said}"
    );
    let said = ours.complaint(&[("id = 1", "id = 2")]);
    assert!(
        said.ends_with("node-1.pem is not made for node-2.node.florin.internal"),
        "{said}"
    );
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let bench = Bench::new();
    fs::write(bench.path("file"), "").unwrap();
    let said = bench.complaint(&[("\"data\"", "\"file/data\"")]);
    assert!(said.contains("file/data cannot be used"), "{said}");
    let locked = bench.path("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(locked.join("probe"), "").is_ok() {
        eprintln!("skipped: this user may write everywhere, so no folder is unwritable");
        return;
    }
    let said = bench.complaint(&[("\"data\"", "\"locked/data\"")]);
    assert!(said.contains("locked/data cannot be used"), "{said}");
}

#[test]
fn a_folder_serves_one_process_of_one_node() {
    let bench = Bench::new();
    let config = bench.config(&[]);
    let mut running = Command::new(FLORIN)
        .args(["node", "--config", &config, "--end-with-parent"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_line(running.stderr.as_mut().unwrap(), "\"serving\"");
    let said = complaint(&["node", "--config", &config]);
    assert!(said.ends_with("is in use by another process"), "{said}");
    let said = complaint(&["verify", bench.path("data").to_str().unwrap()]);
    assert!(said.ends_with("is in use by another process"), "{said}");
    // The end of its parent's pipe is the end of the process.
    drop(running.stdin.take());
    running.wait().unwrap();
    let said = bench.complaint(&[("\"payments\"", "\"other\"")]);
    assert!(
        said.ends_with("belongs to node 1 of cluster `payments`, not to node 1 of cluster `other`"),
        "{said}"
    );
    let said = bench.complaint(&[("id = 1", "id = 2"), ("node-1.", "node-2.")]);
    assert!(
        said.ends_with(
            "belongs to node 1 of cluster `payments`, not to node 2 of cluster `payments`"
        ),
        "{said}"
    );
}

fn wait_for_line(output: &mut impl Read, word: &str) {
    let mut seen = Vec::new();
    let mut some = [0; 4096];
    while !String::from_utf8_lossy(&seen).contains(word) {
        let more = output.read(&mut some).unwrap();
        assert!(
            more > 0,
            "it ended before: {}",
            String::from_utf8_lossy(&seen)
        );
        seen.extend_from_slice(&some[..more]);
    }
}

#[test]
fn misuse_is_one_sentence() {
    let rows: [(&[&str], &str); 6] = [
        (&["pay"], "unrecognized subcommand 'pay'"),
        (&["node"], "--config <FILE>"),
        (
            &["node", "--config"],
            "a value is required for '--config <FILE>'",
        ),
        (
            &["demo", "--once", "--ready-file", "x"],
            "cannot be used with",
        ),
        (&["verify", "/nowhere"], "/nowhere is not a folder"),
        (
            &[
                "init",
                "--nodes",
                "127.0.0.1:1",
                "--certs",
                "/nowhere",
                "--cluster",
                "c",
            ],
            "cannot read /nowhere/",
        ),
    ];
    for (arguments, expected) in rows {
        let said = complaint(arguments);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    assert!(florin(&["help"]).status.success());
    assert!(florin(&["demo", "--help"]).status.success());
}

#[test]
fn a_foreign_folder_is_not_verified() {
    let dir = tempfile::tempdir().unwrap();
    let said = complaint(&["verify", dir.path().to_str().unwrap()]);
    assert!(said.contains("is not a node's data folder"), "{said}");
    assert!(
        fs::read_dir(dir.path()).unwrap().next().is_none(),
        "nothing was left in it"
    );
}
