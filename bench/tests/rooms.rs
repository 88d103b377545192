//! Holds the dependency tables of ARCHITECTURE.md against what the packages really ask for.
//!
//! The page is the source: whoever changes a table changes the rule, and a rule that the code does
//! not keep fails here.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

type Names = BTreeSet<String>;

/// One row of the table of rooms.
#[derive(Debug)]
struct Room {
    name: String,
    rooms: Names,
    /// The only foreign libraries it may use, where the table says "only".
    only: Option<Names>,
    never: Names,
}

/// What a package asks for itself, by kind of dependency.
#[derive(Debug, Default)]
struct Direct {
    shipped: Names,
    for_tests: Names,
}

#[test]
fn every_package_is_a_room_of_the_page() {
    let packages: Names = direct_dependencies().into_keys().collect();
    let rooms: Names = rooms().into_iter().map(|room| room.name).collect();
    assert_eq!(
        packages, rooms,
        "left: cargo metadata, right: ARCHITECTURE.md"
    );
}

#[test]
fn rooms_use_the_rooms_that_the_page_allows() {
    let packages = direct_dependencies();
    let every_room: Names = packages.keys().cloned().collect();
    let allowed: BTreeMap<String, Names> = rooms()
        .into_iter()
        .map(|room| (room.name, room.rooms))
        .collect();
    for (room, direct) in &packages {
        let used: Names = direct.shipped.intersection(&every_room).cloned().collect();
        assert!(
            used.is_subset(&allowed[room]),
            "{room} uses {used:?}; ARCHITECTURE.md allows {:?}",
            allowed[room]
        );
        // Tests stand their room on real ones, which may need what lies further along the arrows.
        let mut below = Names::from([room.clone()]);
        while let Some(more) = below
            .iter()
            .flat_map(|room| &allowed[room])
            .find(|room| !below.contains(*room))
        {
            below.insert(more.clone());
        }
        let used: Names = direct
            .for_tests
            .intersection(&every_room)
            .cloned()
            .collect();
        assert!(
            used.is_subset(&below),
            "the tests of {room} use {used:?}; along the arrows lie {below:?}"
        );
    }
}

#[test]
fn the_arrows_have_no_circle() {
    let mut left = rooms();
    while !left.is_empty() {
        let names: Names = left.iter().map(|room| room.name.clone()).collect();
        let before = left.len();
        left.retain(|room| !room.rooms.is_disjoint(&names));
        assert!(
            left.len() < before,
            "the rooms {names:?} use each other in a circle"
        );
    }
}

#[test]
fn no_room_uses_what_it_never_may() {
    let packages = direct_dependencies();
    for room in rooms() {
        let shipped = &packages[&room.name].shipped;
        let forbidden: Vec<_> = shipped.intersection(&room.never).collect();
        assert!(forbidden.is_empty(), "{} uses {forbidden:?}", room.name);
        if let Some(only) = &room.only {
            let others: Vec<_> = shipped.difference(only).collect();
            assert!(
                others.is_empty(),
                "{} may use only {only:?}, not {others:?}",
                room.name
            );
        }
    }
}

#[test]
fn one_foreign_library_one_room() {
    let packages = direct_dependencies();
    let owners = owners();
    assert!(
        owners.len() >= 3,
        "the table of libraries was not found: {owners:?}"
    );
    for (library, allowed) in owners {
        let users: Names = packages
            .iter()
            .filter(|(_, direct)| {
                direct.shipped.contains(&library) || direct.for_tests.contains(&library)
            })
            .map(|(name, _)| name.clone())
            .collect();
        assert!(
            users.is_subset(&allowed),
            "{library} belongs to {allowed:?}, but {users:?} use it"
        );
        assert!(
            !users.is_empty(),
            "nobody uses {library}: take it off the page"
        );
    }
}

/// Not only does the ledger not ask for a runtime, a store or a clock: nothing below it does.
#[test]
fn the_ledger_reaches_nothing_impure_through_others() {
    let ledger = rooms()
        .into_iter()
        .find(|room| room.name == "ledger")
        .expect("the table names the ledger");
    let lock = locked();
    let mut reached = Names::new();
    let mut waiting: Vec<String> = direct_dependencies()["ledger"]
        .shipped
        .iter()
        .cloned()
        .collect();
    while let Some(name) = waiting.pop() {
        if reached.insert(name.clone()) {
            waiting.extend(lock.get(&name).into_iter().flatten().cloned());
        }
    }
    assert!(
        reached.contains("blake3"),
        "Cargo.lock was not understood: {reached:?}"
    );
    let impure: Vec<_> = reached.intersection(&ledger.never).collect();
    assert!(impure.is_empty(), "the ledger reaches {impure:?}");
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("bench lies in the workspace")
        .to_path_buf()
}

fn read(file: &str) -> String {
    let path = workspace().join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows below the header that starts with this cell, as cells.
fn table(first_header: &str) -> Vec<Vec<String>> {
    let page = read("ARCHITECTURE.md");
    let header = format!("| {first_header} |");
    let rows: Vec<Vec<String>> = page
        .lines()
        .skip_while(|line| !line.starts_with(&header))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            line.trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().to_owned())
                .collect()
        })
        .collect();
    assert!(
        !rows.is_empty(),
        "ARCHITECTURE.md has no table that starts with {first_header:?}"
    );
    rows
}

/// What stands between backticks.
fn quoted(cell: &str) -> Names {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn rooms() -> Vec<Room> {
    table("room")
        .iter()
        .map(|cells| {
            assert_eq!(cells.len(), 4, "{cells:?}");
            let name = quoted(&cells[0])
                .into_iter()
                .next()
                .expect("a room has a name");
            Room {
                name,
                rooms: quoted(&cells[1]),
                only: cells[2].starts_with("only ").then(|| quoted(&cells[2])),
                never: quoted(&cells[3]),
            }
        })
        .collect()
}

/// Which rooms a library belongs to.
fn owners() -> BTreeMap<String, Names> {
    table("library")
        .iter()
        .flat_map(|cells| {
            let rooms = quoted(&cells[1]);
            quoted(&cells[0])
                .into_iter()
                .map(move |library| (library, rooms.clone()))
        })
        .collect()
}

/// The room's name of a package: `florin-ledger` lives in `ledger/`.
fn short(package: &str) -> String {
    package
        .strip_prefix("florin-")
        .unwrap_or(package)
        .to_owned()
}

fn direct_dependencies() -> BTreeMap<String, Direct> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(workspace())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    metadata["packages"]
        .as_array()
        .expect("there are packages")
        .iter()
        .map(|package| {
            let mut direct = Direct::default();
            for dependency in package["dependencies"].as_array().expect("a list") {
                let name = short(&text(&dependency["name"]));
                match text(&dependency["kind"]).as_str() {
                    "dev" => direct.for_tests.insert(name),
                    "build" => false,
                    _ => direct.shipped.insert(name),
                };
            }
            (short(&text(&package["name"])), direct)
        })
        .collect()
}

/// Who uses whom, from Cargo.lock: all versions of a name together, all targets and features.
fn locked() -> BTreeMap<String, Names> {
    let mut graph = BTreeMap::<String, Names>::new();
    let mut name = String::new();
    let mut in_dependencies = false;
    for line in read("Cargo.lock").lines() {
        if let Some(value) = line.strip_prefix("name = ") {
            name = value.trim_matches('"').to_owned();
        } else if line.starts_with("dependencies = [") {
            in_dependencies = true;
        } else if line == "]" {
            in_dependencies = false;
        } else if in_dependencies {
            let dependency = line.trim().trim_end_matches(',').trim_matches('"');
            let dependency = dependency.split(' ').next().unwrap_or(dependency);
            graph
                .entry(name.clone())
                .or_default()
                .insert(dependency.to_owned());
        }
    }
    graph
}
