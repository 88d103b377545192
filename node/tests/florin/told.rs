//! `florin demo`, as a newcomer and as a driver of another language see it.

use crate::support::{FLORIN, PATIENCE, topology, turn, until};
use florin_node::client::Client;
use florin_node::demo::audit::audit;
use florin_node::demo::books::Books;
use florin_node::demo::burst::{Burst, Outcome};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The story holds; it says what the newcomer should see.
fn tell(name: &str) {
    let _turn = turn();
    let told = Command::new(FLORIN)
        .args([
            "demo",
            "--once",
            "--topology",
            topology(name).to_str().unwrap(),
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (said, complained) = (
        String::from_utf8_lossy(&told.stdout),
        String::from_utf8_lossy(&told.stderr),
    );
    assert!(told.status.success(), "{name}: {said}{complained}");
    for expected in [
        "sk_live_",
        "sk_test_",
        "--cacert",
        "-H 'Idempotency-Key: ",
        "SIGKILL",
        "Nothing was lost",
    ] {
        assert!(said.contains(expected), "{name}: no {expected} in {said}");
    }
}

#[test]
fn the_story_holds_on_one_node() {
    tell("one-node.toml");
}

#[test]
fn the_story_holds_in_three_regions() {
    tell("three-regions.toml");
}

#[test]
fn the_story_holds_on_five_nodes() {
    tell("five-nodes.toml");
}

/// The demo in the background; ended if the test fails.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        // Its children end with it.
        let _ended_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

async fn read(file: &Path) -> Value {
    until("a ready file", async || {
        serde_json::from_slice(&fs::read(file).ok()?).ok()
    })
    .await
}

fn pid(number: u64) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

fn text<'a>(ready: &'a Value, field: &str) -> &'a str {
    ready[field]
        .as_str()
        .unwrap_or_else(|| panic!("no `{field}` in {ready}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_pays_kills_and_finds_every_payment_once() {
    let _turn = tokio::task::spawn_blocking(turn).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("data"), dir.path().join("ready.json"));
    let arguments = [
        "demo",
        "--ready-file",
        file.to_str().unwrap(),
        "--data",
        data.to_str().unwrap(),
    ];
    let mut demo = Demo(
        Command::new(FLORIN)
            .args(arguments)
            .stdin(Stdio::null())
            .spawn()
            .unwrap(),
    );

    let ready = read(&file).await;
    let mut fields: Vec<&String> = ready.as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(
        fields,
        [
            "admin_token",
            "admin_url",
            "ca",
            "nodes",
            "secret_key",
            "test_key",
            "url"
        ]
    );
    let mut fields: Vec<&String> = ready["nodes"][0].as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["admin", "data_dir", "name", "pid", "region"]);

    let ca = Path::new(text(&ready, "ca"));
    let live = Client::new(
        text(&ready, "url"),
        Some(ca),
        Some(text(&ready, "secret_key")),
    )
    .unwrap();
    let test = Client::new(
        text(&ready, "url"),
        Some(ca),
        Some(text(&ready, "test_key")),
    )
    .unwrap();
    let books = Books::open(&live, "driver", 1_000_000).await.unwrap();
    let strange = test
        .get(&format!("/v1/accounts/{}", books.wallet))
        .await
        .unwrap();
    assert_eq!(strange.status, 404, "test and live never meet");
    let admin = Client::new(
        text(&ready, "admin_url"),
        Some(ca),
        Some(text(&ready, "admin_token")),
    )
    .unwrap();
    assert_eq!(admin.get("/admin/v1/partners").await.unwrap().status, 200);
    let metrics = Client::new(text(&ready["nodes"][0], "admin"), None, None).unwrap();
    assert_eq!(metrics.get("/healthz").await.unwrap().status, 200);
    assert_eq!(metrics.get("/metrics").await.unwrap().status, 200);

    // Every node is killed once, so the leader is among them.
    let burst = Burst::start(std::slice::from_ref(&live), &books, "driver", 4);
    let mut before = ready;
    for at in 0..3 {
        assert!(burst.wait_for_more(50, PATIENCE).await, "payments before");
        let killed = before["nodes"][at]["pid"].as_u64().unwrap();
        kill_process(pid(killed), Signal::KILL).unwrap();
        before = until("the file says the new pid", async || {
            let now = read(&file).await;
            (now["nodes"][at]["pid"] != killed).then_some(now)
        })
        .await;
        assert!(burst.wait_for_more(50, PATIENCE).await, "payments after");
    }
    let paid = burst.finish().await;
    assert!(
        paid.iter()
            .all(|paid| matches!(paid.outcome, Outcome::Acknowledged { .. })),
        "{paid:?}"
    );
    let audit = audit(&live, &books, &paid).await.unwrap();
    assert!(audit.held(), "{audit:?}");

    kill_process(pid(demo.0.id().into()), Signal::TERM).unwrap();
    let status = tokio::task::spawn_blocking(move || demo.0.wait())
        .await
        .unwrap()
        .unwrap();
    assert!(status.success(), "{status}");
    assert!(!file.exists(), "it names processes that are gone");
    for node in before["nodes"].as_array().unwrap() {
        assert!(
            test_kill_process(pid(node["pid"].as_u64().unwrap())).is_err(),
            "nothing is left behind"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_a_demo_that_was_killed() {
    let _turn = tokio::task::spawn_blocking(turn).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("data"), dir.path().join("ready.json"));
    let solo = topology("one-node.toml");
    let arguments = [
        "demo",
        "--no-restart",
        "--topology",
        solo.to_str().unwrap(),
        "--ready-file",
        file.to_str().unwrap(),
        "--data",
        data.to_str().unwrap(),
    ];
    let start = || {
        Demo(
            Command::new(FLORIN)
                .args(arguments)
                .stdin(Stdio::null())
                .spawn()
                .unwrap(),
        )
    };
    let demo = start();
    let first = read(&file).await;
    drop(demo);
    let node = first["nodes"][0]["pid"].as_u64().unwrap();
    until("its child ends", async || {
        test_kill_process(pid(node)).is_err().then_some(())
    })
    .await;
    fs::remove_file(&file).unwrap();

    // The same folder is the same cluster again: address, keys and books.
    let _demo = start();
    let second = read(&file).await;
    for field in ["url", "secret_key", "test_key", "admin_url", "admin_token"] {
        assert_eq!(first[field], second[field]);
    }
}
