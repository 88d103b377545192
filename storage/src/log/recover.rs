//! Opens a log: scans it, cuts off what was torn, and builds the writer.

use super::books::Books;
use super::group::Group;
use super::kinds::{GroupFault, GroupLogState, LogOptions, OpenLogError, Recovery};
use super::limits::{RESERVE_DIVISOR, SECTOR, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, ZERO_BYTES};
use super::mark::Mark;
use super::queue::Queue;
use super::round::Tip;
use super::scan::{Scan, failed, scan};
use super::segments::{FIRST_SEGMENT, Segments, fill_with_zeros, segment_name};
use super::shared::Shared;
use super::writer::Writer;
use crate::disk::{Disk, DiskFile};
use bytes::Bytes;
use florin_failpoints::failpoint;
use florin_ledger::id::GroupId;
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;

/// Recovers the log. The writer and the segments are ready; nothing runs yet.
pub(super) fn recover(
    disk: Arc<dyn Disk>,
    options: LogOptions,
) -> Result<(Writer, Arc<Shared>, Recovery), OpenLogError> {
    check(&options)?;
    failpoint!("storage.recover.scan");
    let mut scan = scan(&*disk, Some(options.segment_bytes))?;
    check_groups(&scan, &options)?;
    repair(&*disk, &mut scan, options.segment_bytes)?;
    let recovery = report(&scan);
    let segments = Segments::new(
        Arc::clone(&disk),
        options.segment_bytes,
        options.min_free_bytes,
    );
    let mut current = None;
    for (number, length) in &scan.segments {
        let file = open(&*disk, *number)?;
        segments.install(*number, Arc::clone(&file), *length);
        current = Some((file, *length));
    }
    if let Some((number, _)) = scan.prepared {
        segments.install_prepared(number, open(&*disk, number)?);
    }
    if let Some((file, length)) = &current {
        failpoint!(
            "storage.recover.sync",
            Err(failed("cannot sync")(rustix::io::Errno::IO.into()))
        );
        renew(&**file, scan.last_round, *length).map_err(failed("cannot sync"))?;
    }
    let groups = groups(&mut scan);
    let shared = Arc::new(Shared {
        options,
        queue: Queue::default(),
        segments,
        groups: Mutex::new(groups),
        faulty: Mutex::new(scan.faults),
    });
    let tip = scan.tip.unwrap_or(Tip {
        segment: FIRST_SEGMENT - 1,
        offset: 0,
        round: 1,
        chain: 0,
    });
    let fresh = scan.tip.is_none();
    let mark = Mark::open(&*disk);
    let mut writer = Writer::new(Arc::clone(&shared), scan.books, tip, current, mark);
    if fresh {
        shared.segments.need(FIRST_SEGMENT);
        let prepared = shared.segments.work();
        prepared.map_err(failed("cannot make the first segment"))?;
        let begun = writer.begin();
        begun.map_err(failed("cannot begin the first segment"))?;
    }
    writer.collect_garbage();
    Ok((writer, shared, recovery))
}

/// Where each group that is whole stands, in order.
pub(super) fn standing(scan: &Scan) -> Vec<(GroupId, GroupLogState)> {
    let groups = scan.books.groups.iter();
    let whole = groups.filter(|(group, _)| !scan.faults.contains_key(group));
    let standing = whole.map(|(group, book)| {
        let state = &book.state;
        let vote = state.vote.clone().map(Bytes::from);
        let (purged, last) = (state.purged, state.last.or(state.purged));
        (*group, GroupLogState { vote, purged, last })
    });
    standing.collect()
}

/// What a scan found, for the caller.
pub(super) fn report(scan: &Scan) -> Recovery {
    let faulty = scan.faults.iter().map(|(group, reason)| GroupFault {
        group: *group,
        reason: reason.clone(),
    });
    Recovery {
        torn: scan.torn,
        faulty: faulty.collect(),
        damaged: scan.damaged.clone(),
        notes: scan.notes.clone(),
    }
}

fn check(options: &LogOptions) -> Result<(), OpenLogError> {
    let bytes = options.segment_bytes;
    if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&bytes) {
        return Err(OpenLogError::Options(format!(
            "a segment of {bytes} bytes; {SEGMENT_BYTES_MIN} to {SEGMENT_BYTES_MAX} are possible"
        )));
    }
    if !bytes.is_multiple_of(SECTOR as u64) {
        return Err(OpenLogError::Options(format!(
            "a segment of {bytes} bytes, which is no multiple of {SECTOR}"
        )));
    }
    Ok(())
}

/// Segments may have been larger at an earlier start, with more groups than fit in a summary now.
fn check_groups(scan: &Scan, options: &LogOptions) -> Result<(), OpenLogError> {
    let groups = scan.books.groups.len();
    if Books::summary_bound(groups) as u64 <= options.segment_bytes / RESERVE_DIVISOR {
        return Ok(());
    }
    let bytes = options.segment_bytes;
    Err(OpenLogError::Options(format!(
        "a segment of {bytes} bytes cannot sum up {groups} groups"
    )))
}

/// Brings the files into the state in which the writer left them. A crash in between changes
/// nothing: what is torn stays torn until all of it is zeros again.
fn repair(disk: &dyn Disk, scan: &mut Scan, segment_bytes: u64) -> Result<(), OpenLogError> {
    if let Some(torn) = scan.torn {
        failpoint!("storage.recover.cut");
        let file = open(disk, torn.segment)?;
        let bytes = torn.bytes.next_multiple_of(SECTOR as u64);
        let cut = fill_with_zeros(&*file, torn.offset, bytes, ZERO_BYTES);
        cut.map_err(failed("cannot cut off the torn round"))?;
    }
    let mut removed = std::mem::take(&mut scan.leftovers);
    if let Some((number, length)) = scan.prepared
        && length != segment_bytes
    {
        removed.push(segment_name(number));
        scan.prepared = None;
    }
    for name in removed {
        failpoint!("storage.recover.remove");
        let done = disk.remove(&name);
        done.map_err(failed("cannot remove an unfinished segment"))?;
    }
    disk.sync_folder().map_err(failed("cannot sync the folder"))
}

/// Writes the last round again, and the zeros that follow. After a killed process they may be in
/// the kernel's memory only, and after a failed sync the kernel may take them for written: what
/// reached no disk and is not written anew would be missing after a power cut, with rounds that
/// were acknowledged behind the gap.
fn renew(file: &dyn DiskFile, from: u64, length: u64) -> io::Result<()> {
    let mut bytes = vec![0; ZERO_BYTES];
    let mut at = from;
    while at < length {
        let size = (length - at).min(ZERO_BYTES as u64);
        let piece = bytes.get_mut(..size as usize).unwrap_or_default();
        file.read_exact_at(piece, at)?;
        file.write_all_at(piece, at)?;
        at += size;
    }
    file.sync_data()
}

fn open(disk: &dyn Disk, number: u64) -> Result<Arc<dyn DiskFile>, OpenLogError> {
    let file = disk.open(&segment_name(number));
    file.map_err(failed("cannot open a segment"))
}

fn groups(scan: &mut Scan) -> std::collections::BTreeMap<florin_ledger::id::GroupId, Arc<Group>> {
    let whole = scan
        .books
        .groups
        .iter()
        .filter(|(_, book)| !book.state.faulty);
    let groups = whole.map(|(id, book)| {
        let slots = scan.slots.remove(id).unwrap_or_default();
        (*id, Arc::new(Group::recovered(*id, &book.state, slots)))
    });
    groups.collect()
}
