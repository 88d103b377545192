//! The power is cut while a process appends, persists and checkpoints; what it acknowledged must
//! be there afterwards.
//!
//! A file system of its own on a loop device is shut down by ext4's own ioctl, without writing
//! anything back: what was not synced is gone, which killing a process never shows. That needs
//! root, `losetup` and `mkfs.ext4`; elsewhere the test says that it was skipped, and why.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use florin_ledger::amount::{Amount, Currency};
use florin_ledger::command::{
    AccountKind, BatchBuilder, CaptureMethod, Command as Order, Constraint, Envelope, NewAccount,
    NewPayment, NewTransfer, Once, encode_envelope,
};
use florin_ledger::id::{GroupId, Id, LedgerId, Mode, Position, Timestamp};
use florin_storage::LogPosition;
use florin_storage::disk::RealDisk;
use florin_storage::log::{GroupLog, Log, LogEntry, LogOptions};
use florin_storage::replica::{Replica, Store, StoreOptions};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;

const GROUP: GroupId = GroupId(1);
const LEDGER: LedgerId = LedgerId {
    partner: Id(77),
    mode: Mode::Live,
};
const WALLETS: u16 = 200;
/// Set for the process that is cut off.
const FOLDER: &str = "FLORIN_POWER_CUT_FOLDER";
/// How often to cut; 3 unless told.
const CUTS: &str = "FLORIN_POWER_CUTS";

#[test]
fn what_was_acknowledged_survives_power_cuts() {
    if let Ok(folder) = std::env::var(FOLDER) {
        return write_until_cut(Path::new(&folder));
    }
    let cuts = std::env::var(CUTS).ok().and_then(|cuts| cuts.parse().ok());
    let disk = match LoopDisk::make() {
        Ok(disk) => disk,
        Err(why) => return say(&format!("skipped: {why}")),
    };
    let mut acknowledged = 0;
    let model = Replica::open(&Store::in_memory(), GROUP).unwrap();
    for cut in 0..cuts.unwrap_or(3) {
        if let Err(why) = disk.mount() {
            return say(&format!("skipped: {why}"));
        }
        acknowledged = cut_once(&disk, acknowledged + 150 + cut * 37 % 400);
        disk.mount().unwrap();
        check(&disk.mounted, acknowledged, &model);
        disk.unmount().unwrap();
    }
    say(&format!(
        "{acknowledged} acknowledged batches are all there"
    ));
}

/// Past the test harness, which keeps what a test that passes prints to itself.
fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "power cut: {what}");
}

/// Lets a process write up to `upto` acknowledged batches, and cuts. Answers how many it told us.
fn cut_once(disk: &LoopDisk, upto: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "what_was_acknowledged_survives_power_cuts",
            "--exact",
            "--nocapture",
        ])
        .env(FOLDER, &disk.mounted)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut last = 0;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in &mut lines {
        last = acknowledged(&line.unwrap()).unwrap_or(last);
        if last >= upto {
            break;
        }
    }
    assert!(last >= upto, "the writer ended early, after {last}");
    shutdown(&disk.mounted);
    end(&mut child);
    // What it still said before the cut counts as well.
    for line in lines.map_while(Result::ok) {
        last = acknowledged(&line).unwrap_or(last);
    }
    disk.unmount().unwrap();
    last
}

fn acknowledged(line: &str) -> Option<u64> {
    line.strip_prefix("acknowledged ")?.parse().ok()
}

fn end(child: &mut Child) {
    let _ = child.kill();
    child.wait().unwrap();
}

/// Everything up to `acknowledged` is there, as a replica that was never cut has it.
fn check(folder: &Path, acknowledged: u64, model: &Replica) {
    let (_log, group, replica, notices) = open(folder);
    assert_eq!(notices, Vec::<String>::new(), "the store outlives the cut");
    let last = replica.applied().unwrap().index;
    assert!(last >= acknowledged, "{last} of {acknowledged} are there");
    assert_eq!(group.durable(), Some(last));
    for index in model.applied().map_or(1, |at| at.index + 1)..=last {
        model.apply(LogPosition { term: 1, index }, &batch(index));
    }
    assert_eq!(replica.state_hash(), model.state_hash());
    // What was found durable stays: the model goes on from here.
    replica.checkpoint(last).unwrap();
    assert_eq!(replica.scrub().problems, Vec::<String>::new());
}

/// Opens a node's folder as a start does: the store, then what the log has beyond it.
fn open(folder: &Path) -> (Log, GroupLog, Replica, Vec<String>) {
    let options = LogOptions {
        segment_bytes: 1 << 20,
        min_free_bytes: 1 << 20,
        cache_bytes: 1 << 20,
        on_fatal: Arc::new(|_| std::process::exit(3)),
    };
    let disk = RealDisk::open(&folder.join("log")).unwrap();
    let (log, recovery) = Log::open(Arc::new(disk), options).unwrap();
    assert!(recovery.faulty.is_empty(), "{recovery:?}");
    let group = match log.group(GROUP) {
        Some(group) => group,
        None => log.create_group(GROUP).unwrap(),
    };
    let (store, mut notices) = Store::open(
        &folder.join("store"),
        StoreOptions {
            min_free_bytes: 0,
            ..StoreOptions::default()
        },
    )
    .unwrap();
    let replica = Replica::open(&store, GROUP).unwrap();
    notices.extend(replica.notices());
    let next = replica.applied().map_or(1, |at| at.index + 1);
    let end = group.state().last.map_or(next, |last| last.index + 1);
    let mut at = next;
    while at < end {
        for entry in group.read(at..end, 1 << 20).unwrap() {
            assert_eq!(
                entry.position.index, at,
                "the log begins where the store ends"
            );
            replica.apply(entry.position, &entry.payload);
            at += 1;
        }
    }
    (log, group, replica, notices)
}

/// The other process: as fast as it can, until the disk is gone.
fn write_until_cut(folder: &Path) {
    let (_log, group, replica, _) = open(folder);
    std::thread::spawn({
        let (group, replica) = (group.clone(), replica.clone());
        move || {
            for round in 0_u64.. {
                let durable = group.durable().unwrap_or(0);
                let stopped = if round % 8 == 7 {
                    match replica.checkpoint(durable) {
                        Ok(Some(upto)) => {
                            group.purge(upto);
                            false
                        }
                        Ok(None) => false,
                        Err(_) => true,
                    }
                } else {
                    replica.persist(durable).is_err()
                };
                if stopped {
                    std::process::exit(4);
                }
            }
        }
    });
    let mut out = std::io::stdout();
    for index in replica.applied().map_or(1, |at| at.index + 1).. {
        let position = LogPosition { term: 1, index };
        let payload = batch(index);
        let (done, flushed) = mpsc::channel();
        let entry = LogEntry {
            position,
            payload: payload.clone(),
        };
        let done = Box::new(move |result: std::io::Result<()>| {
            let _ = done.send(result.is_ok());
        });
        group.append(vec![entry], done);
        if flushed.recv() != Ok(true) {
            std::process::exit(5);
        }
        replica.apply(position, &payload);
        let said = writeln!(out, "acknowledged {index}").and_then(|()| out.flush());
        if said.is_err() {
            std::process::exit(6);
        }
    }
}

/// The batch of an index, always the same: first the accounts, then payments.
fn batch(index: u64) -> Bytes {
    let time = |index: u64| Timestamp(1_700_000_000_000_000 + 1_000 * index);
    let usd = Currency::parse("USD").unwrap();
    let id = |index, ordinal| {
        let time = time(index);
        Position { time, ordinal }.id(LEDGER)
    };
    let account = |kind| {
        Order::CreateAccount(NewAccount {
            currency: usd,
            kind,
            constraint: Constraint::None,
            overdraft_limit: 0,
            reference: None,
            metadata: Vec::new(),
        })
    };
    let orders: Vec<Order> = match index {
        1 => (0..WALLETS)
            .map(|_| account(AccountKind::Liability))
            .collect(),
        2 => vec![Order::CreateTransfer(NewTransfer {
            debit_account: id(1, 0),
            credit_account: id(1, 1),
            amount: Amount::new(5).unwrap(),
            currency: usd,
            pending: true,
            expires_in: Some(900_000),
            reference: Some("first".into()),
            metadata: Vec::new(),
        })],
        _ => (0..20)
            .map(|nth| {
                Order::CreatePayment(NewPayment {
                    amount: Amount::new(1 + i128::from(index % 90)).unwrap(),
                    currency: usd,
                    source: id(
                        1,
                        1 + ((index * 31 + nth * 7) % u64::from(WALLETS - 1)) as u16,
                    ),
                    destination: Some(id(1, 0)),
                    capture: CaptureMethod::Automatic,
                    reference: Some(format!("{index}-{nth}").into()),
                    description: None,
                    metadata: Vec::new(),
                })
            })
            .collect(),
    };
    let mut batch = BatchBuilder::new();
    for (nth, command) in orders.into_iter().enumerate() {
        let key = u128::from(index) << 32 | nth as u128;
        let once = Some(Once {
            key: key.to_le_bytes(),
            fingerprint: [1; 16],
        });
        let envelope = Envelope {
            ledger: LEDGER,
            once,
            command,
        };
        batch.push(&encode_envelope(&envelope)).unwrap();
    }
    batch.finish(time(index)).into()
}

/// An ext4 file system in a file, taken away again when dropped.
struct LoopDisk {
    device: String,
    mounted: PathBuf,
    _folder: tempfile::TempDir,
}

impl LoopDisk {
    fn make() -> Result<LoopDisk, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let image = folder.path().join("image");
        let made = File::create(&image).and_then(|file| file.set_len(512 << 20));
        made.map_err(|error| error.to_string())?;
        let image = image.to_string_lossy().into_owned();
        run("mkfs.ext4", &["-q", "-F", &image])?;
        let device = run("losetup", &["-f", "--show", &image])?;
        let mounted = folder.path().join("mounted");
        std::fs::create_dir(&mounted).map_err(|error| error.to_string())?;
        Ok(LoopDisk {
            device: device.trim().to_owned(),
            mounted,
            _folder: folder,
        })
    }

    fn mount(&self) -> Result<(), String> {
        run("mount", &[&self.device, &self.mounted.to_string_lossy()]).map(drop)
    }

    fn unmount(&self) -> Result<(), String> {
        run("umount", &[&self.mounted.to_string_lossy()]).map(drop)
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        let _ = self.unmount();
        let _ = run("losetup", &["-d", &self.device]);
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{program} {arguments:?}: {}", said.trim()))
    }
}

/// Shuts the file system down as a power cut would: nothing is written any more, not even ext4's
/// own journal (`EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`, from Linux' `fs/ext4/ext4.h`).
#[allow(unsafe_code, reason = "an ioctl that no crate wraps")]
fn shutdown(mounted: &Path) {
    const EXT4_IOC_SHUTDOWN: rustix::ioctl::Opcode = 0x8004_587d;
    const NO_LOG_FLUSH: u32 = 2;
    let folder = File::open(mounted).unwrap();
    // SAFETY: the kernel reads one u32 behind the pointer that `Setter` passes, and writes nothing.
    unsafe {
        let cut = rustix::ioctl::Setter::<EXT4_IOC_SHUTDOWN, u32>::new(NO_LOG_FLUSH);
        rustix::ioctl::ioctl(&folder, cut).unwrap();
    }
}
