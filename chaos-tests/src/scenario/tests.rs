//! Every scenario is read, and the list is that of the table.

use super::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// The rows of the table of scenarios, each with its files.
const TABLE: &[(&str, &[&str])] = &[
    (
        "follower killed or paused",
        &["follower-killed", "follower-paused"],
    ),
    ("leader killed", &["leader-killed"]),
    ("leader paused 10 s, then resumed", &["leader-paused"]),
    (
        "leader cut off; one direction only",
        &[
            "leader-cut-off",
            "leader-cut-one-way-in",
            "leader-cut-one-way-out",
        ],
    ),
    ("bridge, flapping links", &["bridge", "flapping"]),
    (
        "region lost; region back",
        &["region-lost", "region-cut-off"],
    ),
    (
        "100 ms ± 30 ms round trips, 5 % loss, reordering",
        &["slow-network", "duplicated-packets", "throttled-links"],
    ),
    (
        "power cut of a minority; of all nodes",
        &["power-cut-one", "power-cut-all"],
    ),
    (
        "fsync error, full disk, disk with 500 ms writes on the leader",
        &["fsync-error", "write-error", "disk-full", "slow-disk"],
    ),
    (
        "flipped bits, truncated or torn log on a minority",
        &[
            "bit-flips-minority",
            "store-flips-minority",
            "truncated-log",
            "torn-log",
            "lost-write",
        ],
    ),
    ("the same on every replica", &["bit-flips-everywhere"]),
    ("disk wiped, node rejoins", &["disk-wiped"]),
    (
        "clock jumps an hour either way",
        &["clock-jump-forward", "clock-jump-back"],
    ),
    (
        "killed while sending or installing a snapshot, purging, changing membership",
        &[
            "killed-sending-snapshot",
            "killed-installing-snapshot",
            "killed-purging",
            "killed-changing-membership",
        ],
    ),
    (
        "rolling restart under load; certificates rotated",
        &["rolling-restart", "certificates-rotated"],
    ),
    (
        "coordinator of a cross-shard transfer killed at each step",
        &["cross-shard-coordinator"],
    ),
    ("one hot account and overload", &["hot-account-overload"]),
    ("random combinations, for soaks", &["random"]),
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn all() -> Vec<Scenario> {
    let files = fs::read_dir(folder())
        .unwrap()
        .map(|one| one.unwrap().path());
    files.map(|file| Scenario::load(&file).unwrap()).collect()
}

#[test]
fn every_row_of_the_table_has_its_files_and_no_file_is_without_a_row() {
    let rows = TABLE.iter().flat_map(|(_, files)| files.iter());
    let expected: BTreeSet<String> = rows.map(ToString::to_string).collect();
    let found: BTreeSet<String> = all().into_iter().map(|one| one.name).collect();
    assert_eq!(found, expected);
}

#[test]
fn only_what_the_product_lacks_waits() {
    let waiting = all().into_iter().filter(|one| one.waiting.is_some());
    let names: BTreeSet<String> = waiting.map(|one| one.name).collect();
    let expected = ["certificates-rotated", "cross-shard-coordinator"];
    assert_eq!(names, expected.map(String::from).into());
}

#[test]
fn twenty_classes_of_faults_and_each_of_them_bounded() {
    let mut classes = BTreeSet::new();
    for scenario in all() {
        for step in &scenario.steps {
            classes.insert(step.inject.class());
            let bounded = step.bound.is_some() || scenario.phases.may_stop;
            assert!(bounded, "{}: {}", scenario.name, step.inject.class());
        }
    }
    assert!(classes.len() >= 20, "{classes:?}");
}

#[test]
fn every_line_of_a_file_is_explained() {
    for entry in fs::read_dir(folder()).unwrap() {
        let file = entry.unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        let first = text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("# "),
            "{}: begins without a word",
            file.display()
        );
    }
}

#[test]
fn a_wrong_file_is_refused_by_name() {
    let good = "name = \"t\"\nabout = \"a\"\n\n[cluster]\nfabric = \"auto\"\n\n\
                [[fault]]\nat = 1\nfor = 2\ntarget = \"leader\"\ninject = { class = \"cut\" }\n\
                bound = { recover_ms = 3000 }\n";
    let rows = [
        ("at = 1", "when = 1", "unknown field `when`"),
        (
            "at = 1",
            "at = [3, 1]",
            "field `fault.at`: must be from 0 to 3600",
        ),
        (
            "\"leader\"",
            "\"node-4\"",
            "field `fault.target`: there is no node 4",
        ),
        (
            "\"leader\"",
            "\"lead\"",
            "`lead` is no target; there are: leader, follower",
        ),
        (
            "\"leader\"",
            "\"clients\"",
            "`cut` cannot be done to `clients`",
        ),
        ("\"cut\"", "\"cutting\"", "unknown variant `cutting`"),
        ("\"cut\"", "\"cut\", ms = 1", "unknown field `ms`"),
        (
            "\"cut\"",
            "\"loss\", percent = 0",
            "field `fault.inject.percent`",
        ),
        (
            "\"cut\"",
            "\"power-cut\"",
            "field `cluster.disks`: `power-cut` needs loop disks",
        ),
        (
            "\"auto\"",
            "\"none\"",
            "field `cluster.fabric`: `cut` needs another fabric",
        ),
        (
            "\"auto\"",
            "\"auto\"\nsize = \"four\"",
            "unknown variant `four`",
        ),
        (
            "\"auto\"",
            "\"auto\"\ntiming = { beat = 1 }",
            "unknown field `beat`",
        ),
        ("recover_ms", "recover", "unknown field `recover`"),
    ];
    let parse = |text: &str| config::parse::<Scenario>(Path::new("t.toml"), text);
    parse(good).unwrap();
    for (part, instead, expected) in rows {
        assert!(good.contains(part), "{part}");
        let said = parse(&good.replacen(part, instead, 1))
            .unwrap_err()
            .to_string();
        assert!(said.contains(expected), "{instead}: {said}");
        assert!(said.contains("t.toml"), "{said}");
    }
}

#[test]
fn a_soak_draws_the_same_for_the_same_seed_and_destroys_no_two_copies() {
    use crate::run::plan::plan;
    let random = Scenario::load(&folder().join("random.toml")).unwrap();
    let mut classes = BTreeSet::new();
    for seed in 0..200 {
        let planned = plan(&random, seed);
        assert_eq!(planned, plan(&random, seed));
        for one in &planned {
            classes.insert(one.step.inject.class());
            let destroys = one.step.inject.destroys();
            assert!(!destroys || one.step.target == Target::Victim, "{one:?}");
        }
    }
    assert!(classes.len() >= 15, "{classes:?}");
}
