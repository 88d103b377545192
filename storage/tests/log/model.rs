//! Random operations over several groups with power cuts, kills and restarts in between, held
//! against a naive model.
//!
//! The model keeps the state after every record since the last start. What a restart finds must
//! be the state after one of them, not before the last one that was answered: everything answered
//! is there, nothing out of order, nothing invented.

use crate::support::*;
use bytes::Bytes;
use florin_ledger::id::GroupId;
use florin_storage::LogPosition;
use florin_storage::disk::sim::{Faults, SimDisk};
use florin_storage::log::{Log, LogEntry, OpenLogError};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[derive(Debug, Clone)]
enum Op {
    Append {
        group: u32,
        count: u8,
        length: u16,
    },
    Vote {
        group: u32,
        vote: u8,
    },
    Truncate {
        group: u32,
        back: u8,
    },
    Purge {
        group: u32,
        share: u8,
    },
    Create {
        group: u32,
    },
    Remove {
        group: u32,
    },
    Step,
    Close,
    Kill,
    /// The power fails so many calls later, at a step or at the restart after it.
    Cut {
        calls: u8,
        again: u8,
        seed: u64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let group = 0..4u32;
    prop_oneof![
        12 => (group.clone(), 0..6u8, prop_oneof![0..40u16, 0..600u16, 3_000..8_000u16])
            .prop_map(|(group, count, length)| Op::Append { group, count, length }),
        3 => (group.clone(), any::<u8>()).prop_map(|(group, vote)| Op::Vote { group, vote }),
        2 => (group.clone(), 0..12u8).prop_map(|(group, back)| Op::Truncate { group, back }),
        2 => (group.clone(), any::<u8>()).prop_map(|(group, share)| Op::Purge { group, share }),
        4 => group.clone().prop_map(|group| Op::Create { group }),
        1 => group.prop_map(|group| Op::Remove { group }),
        6 => Just(Op::Step),
        1 => Just(Op::Close),
        1 => Just(Op::Kill),
        2 => (0..12u8, 0..30u8, any::<u64>())
            .prop_map(|(calls, again, seed)| Op::Cut { calls, again, seed }),
    ]
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Group {
    vote: Option<Vec<u8>>,
    purged: Option<LogPosition>,
    last: Option<LogPosition>,
    entries: BTreeMap<u64, (u64, Vec<u8>)>,
}

type Groups = BTreeMap<GroupId, Group>;

struct Run {
    disk: SimDisk,
    log: Log,
    /// The state after each record since the last start.
    history: Vec<Groups>,
    /// How many of them were answered.
    answered: Arc<Mutex<usize>>,
    term: u64,
}

impl Run {
    fn new() -> Self {
        let disk = SimDisk::new();
        let log = open(&disk).0;
        Run {
            disk,
            log,
            history: vec![Groups::new()],
            answered: Arc::default(),
            term: 1,
        }
    }

    fn now(&self) -> Groups {
        self.history.last().cloned().unwrap()
    }

    fn record(&mut self, change: impl FnOnce(&mut Groups)) -> usize {
        let mut groups = self.now();
        change(&mut groups);
        self.history.push(groups);
        self.history.len() - 1
    }

    /// A completion that says that record number `record` is durable.
    fn done(&self, record: usize) -> florin_storage::log::Done {
        let answered = Arc::clone(&self.answered);
        Box::new(move |answer| {
            if answer.is_ok() {
                let mut answered = answered.lock().unwrap();
                assert!(*answered <= record, "answered out of order");
                *answered = record;
            }
        })
    }

    fn group(&self, group: u32) -> Option<(GroupId, Group)> {
        let id = GroupId(group);
        Some((id, self.now().get(&id)?.clone()))
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Append {
                group,
                count,
                length,
            } => self.append(group, count, length),
            Op::Vote { group, vote } => {
                let Some((id, _)) = self.group(group) else {
                    return;
                };
                let vote = vec![vote; usize::from(vote) % 40];
                let bytes = Bytes::from(vote.clone());
                let record = self.record(|groups| groups.get_mut(&id).unwrap().vote = Some(vote));
                self.log
                    .group(id)
                    .unwrap()
                    .save_vote(bytes, self.done(record));
            }
            Op::Truncate { group, back } => self.truncate(group, back),
            Op::Purge { group, share } => self.purge(group, share),
            Op::Create { group } => {
                let id = GroupId(group);
                if self.group(group).is_none() {
                    let record = self.record(|groups| drop(groups.insert(id, Group::default())));
                    self.log.create_group(id).unwrap();
                    *self.answered.lock().unwrap() = record;
                }
            }
            Op::Remove { group } => {
                let Some((id, _)) = self.group(group) else {
                    return;
                };
                let record = self.record(|groups| drop(groups.remove(&id)));
                assert!(self.log.remove_group(id).unwrap());
                *self.answered.lock().unwrap() = record;
            }
            Op::Step => assert!(self.log.step()),
            Op::Close => {
                self.log.close();
                // Truncations and purges have no answer, but closing writes them too.
                *self.answered.lock().unwrap() = self.history.len() - 1;
                self.restart(self.disk.copy());
            }
            Op::Kill => {
                let disk = self.disk.kill();
                self.restart(disk);
            }
            Op::Cut { calls, again, seed } => self.cut(calls, again, seed),
        }
        self.compare_live();
    }

    fn append(&mut self, group: u32, count: u8, length: u16) {
        let Some((id, known)) = self.group(group) else {
            return;
        };
        let first = known.last.map_or(u64::from(count), |last| last.index + 1);
        let mut entries = Vec::new();
        let mut record = self.history.len() - 1;
        for index in first..first + u64::from(count) {
            let position = at(self.term, index);
            let bytes = payload(group, index ^ self.term, usize::from(length));
            let payload = Bytes::from(bytes.clone());
            entries.push(LogEntry { position, payload });
            record = self.record(|groups| {
                let group = groups.get_mut(&id).unwrap();
                group.entries.insert(index, (position.term, bytes));
                group.last = Some(position);
            });
        }
        let done = self.done(record);
        self.log.group(id).unwrap().append(entries, done);
    }

    fn truncate(&mut self, group: u32, back: u8) {
        let Some((id, known)) = self.group(group) else {
            return;
        };
        self.term += 1;
        let kept = known
            .last
            .and_then(|last| last.index.checked_sub(u64::from(back)));
        self.log.group(id).unwrap().truncate_after(kept);
        let mut after = known.clone();
        after
            .entries
            .retain(|index, _| kept.is_some_and(|kept| *index <= kept));
        let last = after.entries.last_key_value();
        after.last = last
            .map(|(index, (term, _))| at(*term, *index))
            .or(after.purged);
        if after != known {
            self.record(|groups| drop(groups.insert(id, after)));
        }
    }

    fn purge(&mut self, group: u32, share: u8) {
        let Some((id, known)) = self.group(group) else {
            return;
        };
        let start = known.purged.map_or(0, |purged| purged.index);
        let end = known.last.map_or(3, |last| last.index + 3);
        let index = start + (end - start) * u64::from(share) / 255;
        let term = known
            .entries
            .get(&index)
            .map_or(self.term, |(term, _)| *term);
        let upto = at(term, index);
        self.log.group(id).unwrap().purge(upto);
        if known.purged.is_some_and(|purged| purged.index >= index) {
            return;
        }
        self.record(|groups| {
            let group = groups.get_mut(&id).unwrap();
            group.purged = Some(upto);
            group.entries.retain(|other, _| *other > index);
            if group.entries.is_empty() {
                group.last = Some(upto);
            }
        });
    }

    /// The power fails during a step or after it, and perhaps again during the restart.
    fn cut(&mut self, calls: u8, again: u8, seed: u64) {
        self.disk.set_faults(Faults {
            cut_after: Some(u64::from(calls)),
            ..Faults::default()
        });
        self.log.step();
        let disk = self.disk.power_cut(seed);
        disk.set_faults(Faults {
            cut_after: Some(u64::from(again)),
            ..Faults::default()
        });
        match Log::open_stepped(Arc::new(disk.clone()), options()) {
            Ok(_) => {}
            Err(OpenLogError::Io { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        self.restart(disk.power_cut(seed ^ 1));
    }

    fn restart(&mut self, disk: SimDisk) {
        let (log, recovery) = open(&disk);
        assert_eq!((recovery.faulty, recovery.notes), (vec![], vec![]));
        let found = read_all(&log);
        let answered = *self.answered.lock().unwrap();
        let possible = &self.history[answered..];
        assert!(
            possible.contains(&found),
            "found {found:#?}\nanswered {:#?}\nlast {:#?}",
            possible.first(),
            possible.last()
        );
        self.history = vec![found];
        self.answered = Arc::default();
        self.disk = disk;
        self.log = log;
        self.term += 1;
    }

    fn compare_live(&self) {
        assert_eq!(read_all(&self.log), self.now());
    }
}

fn read_all(log: &Log) -> Groups {
    let read = |id: &GroupId| {
        let group = log.group(*id).unwrap();
        let state = group.state();
        let entries = entries(&group).into_iter();
        Group {
            vote: state.vote.map(|vote| vote.to_vec()),
            purged: state.purged,
            last: state.last,
            entries: entries
                .map(|(term, index, bytes)| (index, (term, bytes)))
                .collect(),
        }
    };
    log.groups().iter().map(|id| (*id, read(id))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_restart_finds_what_was_answered_and_nothing_invented(ops in prop::collection::vec(op(), 1..120)) {
        let mut run = Run::new();
        for op in &ops {
            run.apply(op);
        }
        run.apply(&Op::Close);
    }
}
