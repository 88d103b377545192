//! Real processes: six scenarios on the `florin` that lies beside this test, each judged by every
//! checker. All but one need a build with failpoints, or say nothing more with them:
//! `cargo test -p florin-chaos --features florin-chaos/faults --test processes`.

mod support;

use florin_chaos::run::stop::Stop;
use florin_chaos::run::{RunOptions, run};
use florin_chaos::scenario::Scenario;
use florin_chaos::verdict::Verdict;
use std::path::Path;
use support::{florin, turn};

/// What bounds on times are multiplied by: tests run a build without optimization, on machines
/// with two slow processors that do other things as well. No other bound is touched.
const SLOWER: f64 = 6.0;

/// Runs a scenario once; every checker must be content.
async fn check(name: &str) {
    let _turn = tokio::task::spawn_blocking(turn).await.unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut scenario = Scenario::load(&folder.join(format!("{name}.toml"))).unwrap();
    for step in &mut scenario.steps {
        step.times = 1;
    }
    // Enough to see what is to be seen; a slow machine does little else otherwise.
    scenario.load.mix.sessions = 4;
    scenario.load.mix.per_second = Some(80.0);
    scenario.phases.warm_up_s = 2.0;
    scenario.phases.after_s = 4.0;
    let report = tempfile::tempdir().unwrap();
    let options = RunOptions {
        seed: 1,
        report: report.path().to_owned(),
        florin: Some(florin()),
        fabric: None,
        slower: SLOWER,
        progress: false,
    };
    let outcome = run(&scenario, &options, &Stop::never()).await.unwrap();
    let table: Vec<String> = outcome.verdicts.iter().map(Verdict::to_string).collect();
    let table = table.join("\n");
    println!("{name}\n{table}");
    if outcome.code != 0 {
        let story = std::fs::read_to_string(report.path().join("story.txt"));
        let kept = report.keep();
        let story = story.unwrap_or_default();
        panic!(
            "{name}\n{table}\n{story}everything is in {}",
            kept.display()
        );
    }
    assert!(report.path().join("history.jsonl").is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_is_killed() {
    check("leader-killed").await;
}

#[cfg(feature = "faults")]
mod with_failpoints {
    use super::check;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_leader_stands_still() {
        check("leader-paused").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_leader_is_cut_off() {
        check("leader-cut-off").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_sync_fails() {
        check("fsync-error").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn bits_are_flipped() {
        check("bit-flips-minority").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_disk_is_wiped() {
        check("disk-wiped").await;
    }
}
