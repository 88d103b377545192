//! What must hold inside the cluster at every moment, read from the nodes' own state and logs.
//!
//! *raft*: a term has one leader; logs that hold an entry of the same term at the same index hold
//! the same there; what was committed never changes. *durable*: what a node's log held durably, and
//! was committed, it holds after any restart; what its store holds, its log held durably before.
//! *agreement*: replicas that have applied as much are in the same state.

use crate::machine::Machine;
use crate::record::Record;
use florin_chaos::history::{Leader, Replica};
use florin_ledger::id::{GroupId, NodeId};
use florin_raft::Role;
use florin_storage::LogPosition;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Steps between two looks at who leads, and between two looks at logs and states.
const LEADERS_EVERY: u64 = 3;
const LOGS_EVERY: u64 = 100;
/// So many looks at disks in a row a store may be seen ahead of its log.
const AHEAD_LOOKS: u64 = 5;
/// Bytes of a log that are read at once.
const READ_BYTES: usize = 4 << 20;

/// What was seen so far.
#[derive(Default)]
pub(crate) struct Watch {
    /// Who led which group in which term.
    leaders: BTreeMap<(GroupId, u64), String>,
    /// The content at a position of a group's log.
    entries: BTreeMap<(GroupId, LogPosition), u64>,
    /// The term of what was committed, by index.
    committed: BTreeMap<(GroupId, u64), u64>,
    /// Up to where the log of a life was read: by node, life and group.
    read: BTreeMap<(u64, usize, GroupId), u64>,
    /// The state at an index.
    states: BTreeMap<(GroupId, LogPosition), ([u8; 32], String)>,
    /// What a data folder held durably and knew to be committed: by node, incarnation and group.
    held: BTreeMap<(u64, u64, GroupId), u64>,
    /// For how many looks a store has been ahead of its log.
    ahead: BTreeMap<(u64, GroupId), u64>,
    /// What was told already.
    told: BTreeSet<String>,
}

impl Watch {
    /// Looks at everything that is due at this step.
    pub(crate) fn look(
        &mut self,
        step: u64,
        machines: &[Arc<Machine>],
        damaged: &BTreeSet<NodeId>,
        record: &Record,
    ) {
        if step.is_multiple_of(LEADERS_EVERY) {
            self.look_at_leaders(machines, record);
            self.look_at_disks(machines, damaged, record);
        }
        if step.is_multiple_of(LOGS_EVERY) {
            self.look_at_logs(machines, record);
            self.look_at_states(machines, record);
        }
    }

    fn tell(&mut self, record: &Record, what: String) {
        if self.told.insert(what.clone()) {
            record.broken(what);
        }
    }

    fn look_at_leaders(&mut self, machines: &[Arc<Machine>], record: &Record) {
        for machine in machines {
            let Some(running) = machine.running() else {
                continue;
            };
            for id in running.host.groups() {
                let Some(group) = running.host.group(id) else {
                    continue;
                };
                let status = group.status();
                if status.role != Role::Leader {
                    continue;
                }
                let seen = self.leaders.get(&(id, status.term)).cloned();
                match seen {
                    None => {
                        let name = machine.name.clone();
                        self.leaders.insert((id, status.term), name.clone());
                        record.leader(Leader {
                            at: crate::system::micros(),
                            group: id.0.into(),
                            node: Some(name),
                            term: status.term,
                        });
                    }
                    Some(first) if first != machine.name => self.tell(
                        record,
                        format!(
                            "raft: {first} and {} both lead group {} in term {}",
                            machine.name, id.0, status.term
                        ),
                    ),
                    Some(_) => {}
                }
            }
        }
    }

    fn look_at_disks(
        &mut self,
        machines: &[Arc<Machine>],
        damaged: &BTreeSet<NodeId>,
        record: &Record,
    ) {
        for machine in machines {
            let Some(running) = machine.running() else {
                continue;
            };
            if damaged.contains(&machine.node) {
                continue;
            }
            for id in running.host.groups() {
                let (Some(group), Some(log)) = (running.host.group(id), running.log.group(id))
                else {
                    continue;
                };
                let status = group.status();
                let purged = log.state().purged.map(|at| at.index);
                let durable = log.durable().max(purged);
                self.look_at_store(machine, id, status.persisted, durable, record);
                let key = (machine.node.0, machine.incarnation(), id);
                let held = self.held.get(&key).copied();
                if held > durable {
                    let what = format!(
                        "durable: {} held entry {held:?} of group {} durably, and holds {durable:?} after a restart",
                        machine.name, id.0
                    );
                    self.tell(record, what);
                }
                let committed = status.committed.map(|at| at.index);
                let held = held.max(durable.min(committed));
                if let Some(held) = held {
                    self.held.insert(key, held);
                }
            }
        }
    }

    fn look_at_store(
        &mut self,
        machine: &Machine,
        id: GroupId,
        persisted: Option<LogPosition>,
        durable: Option<u64>,
        record: &Record,
    ) {
        let looks = self.ahead.entry((machine.node.0, id)).or_default();
        if persisted.map(|at| at.index) <= durable {
            *looks = 0;
            return;
        }
        *looks += 1;
        // An installed snapshot is ahead for the moment until the log is purged.
        if *looks == AHEAD_LOOKS {
            let what = format!(
                "durable: the store of {} holds group {} up to {persisted:?}, its log up to {durable:?}",
                machine.name, id.0
            );
            self.tell(record, what);
        }
    }

    fn look_at_logs(&mut self, machines: &[Arc<Machine>], record: &Record) {
        for machine in machines {
            let Some(running) = machine.running() else {
                continue;
            };
            let life = machine.life_number();
            for id in running.host.groups() {
                let (Some(group), Some(log)) = (running.host.group(id), running.log.group(id))
                else {
                    continue;
                };
                let status = group.status();
                let state = log.state();
                let Some(committed) = status.committed else {
                    continue;
                };
                let purged = state.purged.map_or(0, |at| at.index + 1);
                let durable = log.durable().map_or(0, |index| index + 1);
                let key = (machine.node.0, life, id);
                let from = self.read.get(&key).copied().unwrap_or(0).max(purged);
                let to = (committed.index + 1).min(durable);
                if from >= to {
                    continue;
                }
                let Ok(read) = log.read(from..to, READ_BYTES) else {
                    continue;
                };
                let mut next = from;
                for entry in read {
                    next = entry.position.index + 1;
                    let content = entry
                        .payload
                        .iter()
                        .fold(0, |state, byte| crate::dice::mix(state ^ u64::from(*byte)));
                    self.entry(record, &machine.name, id, entry.position, content);
                }
                self.read.insert(key, next);
            }
        }
    }

    /// A committed entry of a log.
    fn entry(&mut self, record: &Record, name: &str, id: GroupId, at: LogPosition, content: u64) {
        let term = *self.committed.entry((id, at.index)).or_insert(at.term);
        let same = *self.entries.entry((id, at)).or_insert(content);
        if term != at.term {
            let what = format!(
                "raft: entry {} of group {} was committed in term {term}, and {name} holds one of term {} as committed",
                at.index, id.0, at.term
            );
            self.tell(record, what);
        } else if same != content {
            let what = format!(
                "raft: {name} holds another entry {at} of group {} than others",
                id.0
            );
            self.tell(record, what);
        }
    }

    fn look_at_states(&mut self, machines: &[Arc<Machine>], record: &Record) {
        for machine in machines {
            let Some(running) = machine.running() else {
                continue;
            };
            for id in running.host.groups() {
                let Some(group) = running.host.group(id) else {
                    continue;
                };
                let state = group.replica().state_hash();
                let Some(applied) = state.applied else {
                    continue;
                };
                let seen = self
                    .states
                    .entry((id, applied))
                    .or_insert((state.hash, machine.name.clone()));
                if seen.0 != state.hash {
                    let what = format!(
                        "agreement: {} and {} have applied {applied} of group {} and are in different states",
                        seen.1, machine.name, id.0
                    );
                    self.tell(record, what);
                }
            }
        }
    }

    /// Whether all replicas have applied as much and are in the same state.
    pub(crate) fn agreed(&self, machines: &[Arc<Machine>]) -> bool {
        let mut states = BTreeMap::new();
        machines.iter().all(|machine| {
            let Some(running) = machine.running() else {
                return false;
            };
            running.host.groups().into_iter().all(|id| {
                let group = running.host.group(id);
                let state = group.map(|group| group.replica().state_hash());
                state.is_some() && *states.entry(id).or_insert(state) == state
            })
        })
    }

    /// How the replicas stand, for people.
    pub(crate) fn disagreement(&self, machines: &[Arc<Machine>]) -> String {
        let mut words = Vec::new();
        for machine in machines {
            let Some(running) = machine.running() else {
                words.push(format!("{} is down", machine.name));
                continue;
            };
            for id in running.host.groups() {
                if let Some(group) = running.host.group(id) {
                    let status = group.status();
                    words.push(format!(
                        "{} group {} {:?} of term {}, leader {:?}, log {:?}, committed {:?}, applied {:?}, voters {:?}",
                        machine.name,
                        id.0,
                        status.role,
                        status.term,
                        status.leader.map(|node| node.0),
                        status.last_log,
                        status.committed.map(|at| at.index),
                        status.applied.map(|at| at.index),
                        status.voters.iter().map(|node| node.0).collect::<Vec<_>>(),
                    ));
                }
            }
        }
        words.join("; ")
    }

    /// The last look: every ledger is read through, and every state is written down.
    pub(crate) fn finish(&mut self, machines: &[Arc<Machine>], record: &Record) {
        self.look_at_logs(machines, record);
        self.look_at_states(machines, record);
        for machine in machines {
            let Some(running) = machine.running() else {
                continue;
            };
            for id in running.host.groups() {
                let Some(group) = running.host.group(id) else {
                    continue;
                };
                let state = group.replica().state_hash();
                record.replica(Replica {
                    node: machine.name.clone(),
                    group: id.0.into(),
                    applied: state.applied.map_or(0, |at| at.index),
                    hash: Some(
                        state
                            .hash
                            .iter()
                            .map(|byte| format!("{byte:02x}"))
                            .collect(),
                    ),
                });
                for problem in group.replica().scrub().problems {
                    let what = format!("{} group {}: {problem}", machine.name, id.0);
                    self.tell(record, what);
                }
            }
        }
    }
}
