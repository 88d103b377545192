//! What is damaged is seen, and set aside rather than guessed at.

use super::support::{GROUP, Place, World};
use crate::disk::RealDisk;
use crate::log::{Log, LogEntry, LogOptions};
use crate::position::LogPosition;
use crate::replica::backend::Tree;
use crate::replica::key::{Key, all, tag};
use crate::replica::object::{decode_value, encode};
use crate::replica::verify::{verify, verify_group};
use crate::replica::{OpenStoreError, Replica, Store, StoreOptions};
use bytes::Bytes;
use florin_ledger::id::GroupId;
use florin_ledger::object::Account;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::Path;
use std::sync::Arc;

fn fed(store: &Store, seed: u64) -> (World, Replica) {
    let mut world = World::new(seed);
    for _ in 0..60 {
        world.random_batch();
    }
    let replica = world.open(store);
    replica.checkpoint(u64::MAX).unwrap();
    (world, replica)
}

fn pairs(tree: &dyn Tree, sort: u8) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (from, to) = all(sort);
    let mut pairs = Vec::new();
    tree.visit(&from, &to, false, &mut |key, value| {
        pairs.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    })
    .unwrap();
    pairs
}

fn tree(store: &Store) -> Arc<dyn Tree> {
    store.open_group(GROUP).unwrap().0
}

#[test]
fn a_damaged_sled_is_set_aside_and_filled_again() {
    let file = |place: &Place, name: &str| place.dir().join(name);
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 3] = [
        ("db", |path| {
            std::fs::write(path, vec![0x5a; 600_000]).unwrap()
        }),
        ("conf", |path| std::fs::write(path, b"rubbish").unwrap()),
        ("db", |path| {
            let mut bytes = std::fs::read(path).unwrap();
            for byte in bytes.iter_mut().skip(100).step_by(97) {
                *byte ^= 0xff;
            }
            std::fs::write(path, bytes).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let place = Place::disk();
        let (world, replica) = fed(&place.open(), 41);
        drop(replica);
        damage(&file(&place, name));
        let (store, notices) = Store::open(&place.dir(), StoreOptions::default()).unwrap();
        let replica = Replica::open(&store, GROUP).unwrap();
        assert_eq!(replica.notices(), Vec::<String>::new());
        let aside = place.dir().with_file_name("store.damaged-1").is_dir();
        // sled writes its own settings again if only they are damaged.
        assert_eq!(aside, name == "db");
        assert_eq!(aside, notices.len() == 1);
        assert_eq!(aside, replica.is_empty());
        world.feed(&replica);
        world.check_hash(&replica);
        replica.checkpoint(u64::MAX).unwrap();
    }
}

#[test]
fn a_store_in_use_is_refused_and_not_set_aside() {
    let place = Place::disk();
    let _open = place.open();
    let second = Store::open(&place.dir(), StoreOptions::default());
    assert!(matches!(second, Err(OpenStoreError::Locked(_))));
    assert!(!place.dir().with_file_name("store.damaged-1").exists());
}

#[test]
fn a_damaged_group_is_set_aside_alone() {
    for place in Place::both() {
        let store = place.open();
        let (world, replica) = fed(&store, 42);
        let other = Replica::open(&store, GroupId(9)).unwrap();
        other.apply_blank(LogPosition { term: 1, index: 8 });
        other.checkpoint(u64::MAX).unwrap();
        drop((replica, other));
        let (key, value) = pairs(&*tree(&store), tag::ACCOUNT).remove(0);
        tree(&store)
            .write(vec![(key, Some(value[..value.len() - 3].to_vec()))])
            .unwrap();
        let replica = Replica::open(&store, GROUP).unwrap();
        assert!(replica.is_empty());
        assert_eq!(replica.notices().len(), 1);
        assert!(!Replica::open(&store, GroupId(9)).unwrap().is_empty());
        world.feed(&replica);
        world.check_hash(&replica);
        replica.checkpoint(u64::MAX).unwrap();
        drop((replica, store));
        let store = place.open();
        let replica = Replica::open(&store, GROUP).unwrap();
        assert_eq!(replica.notices(), Vec::<String>::new());
        world.check_hash(&replica);
    }
}

/// What `verify` and `scrub` say after a change of the stored bytes.
fn problems_after(change: impl Fn(&dyn Tree)) -> (Vec<String>, Vec<String>) {
    let store = Store::in_memory();
    let (_, replica) = fed(&store, 43);
    let sound = verify_group(&store, &Store::in_memory(), GROUP).unwrap();
    assert_eq!(sound.problems, Vec::<String>::new());
    assert!(sound.records == 60 && sound.accounts > 5 && sound.entries > 50);
    change(&*tree(&store));
    let report = verify_group(&store, &Store::in_memory(), GROUP).unwrap();
    (report.problems, replica.scrub().problems)
}

fn check_found(what: &str, change: impl Fn(&dyn Tree), verify: &str, scrub: &str) {
    let (verified, scrubbed) = problems_after(change);
    assert!(
        verified.iter().any(|it| it.contains(verify)),
        "{what}: {verified:?}"
    );
    let found = scrubbed.iter().any(|it| it.contains(scrub));
    assert!(found || scrub.is_empty(), "{what}: {scrubbed:?}");
}

fn change_account(tree: &dyn Tree, change: impl Fn(&mut Account)) {
    let (key, value) = pairs(tree, tag::ACCOUNT).remove(1);
    let mut account: Account = decode_value(&value).unwrap();
    change(&mut account);
    tree.write(vec![(key, Some(encode(&account).unwrap()))])
        .unwrap();
}

#[test]
fn verify_and_scrub_find_what_was_changed() {
    check_found(
        "a flipped balance",
        |tree| change_account(tree, |account| account.totals.credits_posted ^= 4),
        "the journal says",
        "does not agree with its newest entry",
    );
    check_found(
        "an account's terms",
        |tree| change_account(tree, |account| account.overdraft_limit += 1),
        "the journal says",
        "",
    );
    check_found(
        "a lost record",
        |tree| {
            let (key, _) = pairs(tree, tag::JOURNAL).remove(20);
            tree.write(vec![(key, None)]).unwrap();
        },
        "does not hold the hash",
        "chain: broken",
    );
    check_found(
        "a flipped record",
        |tree| {
            let (key, mut value) = pairs(tree, tag::JOURNAL).remove(20);
            let last = value.len() - 1;
            value[last] ^= 1;
            tree.write(vec![(key, Some(value))]).unwrap();
        },
        "changed after it was written",
        "changed after it was written",
    );
    check_found(
        "lost entries",
        |tree| {
            let (key, _) = pairs(tree, tag::ENTRIES).remove(0);
            tree.write(vec![(key, None)]).unwrap();
        },
        "entries or lists differ",
        "",
    );
    check_found(
        "a lost reference",
        |tree| {
            let (key, _) = pairs(tree, tag::REFERENCE).remove(0);
            tree.write(vec![(key, None)]).unwrap();
        },
        "missing: Reference",
        "",
    );
    check_found(
        "a changed object",
        |tree| {
            let (key, _) = pairs(tree, tag::OBJECT).remove(0);
            tree.write(vec![(key, None)]).unwrap();
        },
        "missing: Object",
        "",
    );
    check_found(
        "an invented account",
        |tree| {
            let (key, value) = pairs(tree, tag::ACCOUNT).remove(0);
            let mut account: Account = decode_value(&value).unwrap();
            let Key::Account(ledger, id) = Key::decode(&key).unwrap() else {
                panic!("{key:?}");
            };
            account.id.0 = id.0 + 1;
            let key = Key::Account(ledger, account.id).encode();
            tree.write(vec![(key, Some(encode(&account).unwrap()))])
                .unwrap();
        },
        "not in the journal",
        "does not agree with its newest entry",
    );
}

#[test]
fn verify_reads_a_folder_and_says_so_to_people() {
    let place = Place::disk();
    let (_, replica) = fed(&place.open(), 44);
    drop(replica);
    let dir = place.dir();
    let report = verify(dir.parent().unwrap()).unwrap();
    assert!(report.is_sound(), "{report}");
    let text = report.to_string();
    assert!(
        text.contains("group 3") && text.ends_with("\nsound"),
        "{text}"
    );
    assert!(verify(&dir.join("nowhere")).is_err());
}

#[test]
fn verify_holds_the_ledger_against_the_log() {
    let place = Place::disk();
    let (world, replica) = fed(&place.open(), 45);
    drop(replica);
    let folder = place.dir().parent().unwrap().to_path_buf();
    let rows = [
        (1..=60, 60, ""),
        (1..=60, 20, ""),
        (1..=59, 0, "ahead of the log"),
        (1..=70, 65, "the log begins after entry 65"),
    ];
    for (entries, purged, expected) in rows {
        let _ = std::fs::remove_dir_all(folder.join("log"));
        write_log(&folder.join("log"), entries.clone(), purged);
        let report = verify(&folder).unwrap();
        assert_eq!(
            report.is_sound(),
            expected.is_empty(),
            "{entries:?}: {report}"
        );
        assert!(report.to_string().contains(expected), "{report}");
    }
    assert_eq!(world.log.len(), 60);
}

fn write_log(folder: &Path, entries: RangeInclusive<u64>, purged: u64) {
    let options = LogOptions {
        segment_bytes: 1 << 20,
        min_free_bytes: 0,
        cache_bytes: 1 << 16,
        on_fatal: Arc::new(|why| panic!("{why}")),
    };
    let disk = Arc::new(RealDisk::open(folder).unwrap());
    let (log, _) = Log::open(disk, options).unwrap();
    let group = log.create_group(GROUP).unwrap();
    let entries = entries.map(|index| LogEntry {
        position: LogPosition { term: 1, index },
        payload: Bytes::from_static(b"opaque"),
    });
    group.append(entries.collect(), Box::new(|done| done.unwrap()));
    if purged > 0 {
        group.purge(LogPosition {
            term: 1,
            index: purged,
        });
    }
    log.close();
}
