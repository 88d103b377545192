//! What configurations are accepted, and what is said of those that are not.

use super::*;

const NODE: &str = include_str!("../../../cluster-configs/examples/node.toml");
const FRONTEND: &str = include_str!("../../../cluster-configs/examples/frontend.toml");

fn complaint<C: Checked>(text: &str) -> String {
    match parse::<C>(Path::new("/etc/florin/it.toml"), text) {
        Ok(_) => String::from("accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_documented_examples_are_accepted() {
    let node: NodeConfig = parse(Path::new("/etc/florin/node.toml"), NODE).unwrap();
    assert_eq!(
        node.storage,
        node::StorageConfig::default(),
        "the example shows the defaults"
    );
    assert_eq!(node.snapshots, node::SnapshotConfig::default());
    assert_eq!(node.tls.ca, Path::new("/etc/florin/certs/ca.pem"));
    let frontend: FrontendConfig = parse(Path::new("/etc/florin/frontend.toml"), FRONTEND).unwrap();
    assert_eq!(frontend.deadlines, frontend::Deadlines::default());
    for reach in [&node.reach, &frontend.reach] {
        assert_eq!(reach.of("sin-1.example:7100"), "10.8.0.3:7100");
        assert_eq!(reach.of("iad-1.example:7100"), "iad-1.example:7100");
    }
}

#[test]
fn each_line_of_the_examples_is_explained() {
    for text in [NODE, FRONTEND] {
        let mut explained = false;
        for line in text.lines() {
            let field = line.contains(" = ") && !line.starts_with('#');
            assert!(!field || explained, "no comment above: {line}");
            explained = line.starts_with('#');
        }
    }
}

#[test]
fn a_wrong_node_file_is_refused_by_name() {
    let rows = [
        ("id = 1", "id = 0", "field `id`: nodes are numbered from 1"),
        (
            "id = 1",
            "id = \"one\"",
            "line 5 (`id = \"one\"`): invalid type: string \"one\", expected u64",
        ),
        (
            "id = 1",
            "identity = 1",
            "unknown field `identity`, expected one of `cluster`, `id`",
        ),
        ("id = 1", "", "missing field `id`"),
        (
            "heartbeat_ms = 250",
            "heartbeat_ms = 2500",
            "field `timing.election_ms`: the first must be at least twice heartbeat_ms (2500)",
        ),
        (
            "heartbeat_ms = 250",
            "heartbeet_ms = 250",
            "(`heartbeet_ms = 250`): unknown field `heartbeet_ms`",
        ),
        (
            "name = \"fra-1\"",
            "name = \"Fra 1\"",
            "field `name`: `Fra 1` is not 1 to 40 of a-z, 0-9 and -",
        ),
        (
            "advertise = \"fra-1.example:7100\"",
            "advertise = \"fra-1.example\"",
            "field `advertise`: `fra-1.example` is not host:port",
        ),
        (
            "listen = \"0.0.0.0:7100\"",
            "listen = \"everywhere\"",
            "(`listen = \"everywhere\"`): invalid socket address syntax",
        ),
        ("listen = \"0.0.0.0:7100\"", "listen = ", "line "),
        (
            "= \"10.8.0.3:7100\"",
            "= \"10.8.0.3\"",
            "field `reach`: `10.8.0.3` is not host:port",
        ),
        (
            "\"sin-1.example:7100\" =",
            "\"sin-1.example\" =",
            "field `reach`: `sin-1.example` is not host:port",
        ),
        (
            "checkpoint_seconds = 30",
            "checkpoint_seconds = 0",
            "field `storage.checkpoint_seconds`: must be from 1 to 3600",
        ),
        (
            "keep_checkpoints = 4",
            "keep_checkpoints = 0",
            "field `storage.keep_checkpoints`: must be from 1 to 1000",
        ),
    ];
    for (line, instead, expected) in rows {
        assert!(NODE.contains(line), "{line}");
        let said = complaint::<NodeConfig>(&NODE.replacen(line, instead, 1));
        assert!(
            said.contains("/etc/florin/it.toml"),
            "names the file: {said}"
        );
        assert!(said.contains(expected), "{instead}: {said}");
        assert!(!said.contains('\n'), "one sentence: {said}");
    }
}

#[test]
fn a_wrong_frontend_file_is_refused_by_name() {
    let rows = [
        (
            "seeds = [\"fra-1.example:7100\", \"iad-1.example:7100\", \"sin-1.example:7100\"]",
            "seeds = []",
            "field `seeds`: name at least one node",
        ),
        (
            "\nrequest_ms = 10000",
            "\nrequest_ms = 0",
            "field `deadlines.request_ms`: must be from 100 to 120000",
        ),
        (
            "attempt_ms = 2000",
            "attempt_ms = 20000",
            "field `deadlines.attempt_ms`: must be from 50 to deadlines.request_ms",
        ),
        (
            "admin_listen = \"127.0.0.1:8444\"",
            "admin_listen = \"0.0.0.0:8443\"",
            "already used by `listen`",
        ),
        (
            "= \"10.8.0.3:7100\"",
            "= \"10.8.0.3:0\"",
            "field `reach`: `10.8.0.3:0` is not host:port",
        ),
        (
            "name = \"fra-api-1\"",
            "token = \"secret\"",
            "unknown field `token`",
        ),
    ];
    for (line, instead, expected) in rows {
        assert!(FRONTEND.contains(line), "{line}");
        let said = complaint::<FrontendConfig>(&FRONTEND.replacen(line, instead, 1));
        assert!(said.contains(expected), "{instead}: {said}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = load::<NodeConfig>(Path::new("/nowhere/node.toml")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot read /nowhere/node.toml: "),
        "{error}"
    );
}
