//! Every failpoint, and what it means.

/// A failpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// `room.part.step`.
    pub name: &'static str,
    /// Where in the work it stands.
    pub meaning: &'static str,
    /// Whether the step can fail by itself, so that it may be armed with an error.
    pub can_fail: bool,
}

/// A joint that takes no error.
const fn site(name: &'static str, meaning: &'static str) -> Site {
    let can_fail = false;
    Site {
        name,
        meaning,
        can_fail,
    }
}

/// A step that can fail by itself.
const fn step(name: &'static str, meaning: &'static str) -> Site {
    let can_fail = true;
    Site {
        name,
        meaning,
        can_fail,
    }
}

/// The number of a failpoint in [`SITES`]. Fails to compile for a name that is not there.
pub const fn site_number(name: &str) -> usize {
    let mut number = 0;
    while number < SITES.len() {
        if same(SITES[number].name, name) {
            return number;
        }
        number += 1;
    }
    panic!("no failpoint has this name: see SITES")
}

pub(crate) const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// All failpoints, by room and in the order of the work.
pub const SITES: &[Site] = &[
    step(
        "disk.write",
        "before bytes are written to a file of the log on a real disk",
    ),
    step(
        "disk.sync",
        "before a file of the log on a real disk is synced",
    ),
    site(
        "storage.recover.scan",
        "as a log is opened, before its segments are read",
    ),
    site(
        "storage.recover.cut",
        "before a torn round at the log's end is overwritten with zeros",
    ),
    site(
        "storage.recover.remove",
        "before a segment that was never finished is removed",
    ),
    step(
        "storage.recover.sync",
        "before the last segment is synced again, for a killed process may have left its round unsynced",
    ),
    site(
        "storage.log.append",
        "before entries of a group come into the queue of the log's writer",
    ),
    site("storage.log.vote", "before a vote comes into that queue"),
    site(
        "storage.log.truncate",
        "before the dropping of entries that lost their place comes into that queue",
    ),
    site(
        "storage.log.purge",
        "before the dropping of entries that a checkpoint covers comes into that queue",
    ),
    site("storage.log.create", "before a group is made in the log"),
    site(
        "storage.log.remove",
        "before a group is taken out of the log",
    ),
    site(
        "storage.log.roll",
        "before the writer goes on in the next segment",
    ),
    step("storage.log.write", "before a round is written"),
    step(
        "storage.log.sync",
        "after a round was written, before it is synced",
    ),
    site(
        "storage.log.answer",
        "after a round was synced, before anybody is told",
    ),
    site(
        "storage.log.answered",
        "after everybody was told that a round is durable",
    ),
    site(
        "storage.log.seal",
        "before the log, idle or closing, writes a round without content",
    ),
    step(
        "storage.segment.fill",
        "after a new segment's file was made, before it is filled with zeros; an error is a full disk",
    ),
    step(
        "storage.segment.rename",
        "after a new segment was filled, before it gets its name",
    ),
    step(
        "storage.segment.sync",
        "after a new segment got its name, before the folder is synced",
    ),
    site(
        "storage.segment.ready",
        "after a new segment is durable, before the writer may have it",
    ),
    step(
        "storage.segment.remove",
        "before a segment that nobody needs is removed",
    ),
    site(
        "storage.replica.load",
        "before a group's ledger is loaded from the store",
    ),
    step(
        "storage.persist.mark",
        "before the mark is set that says that a persist is under way",
    ),
    step(
        "storage.persist.add",
        "before records, entries, lists and references are written",
    ),
    step(
        "storage.persist.batch",
        "before the balances and the header are written, in one batch",
    ),
    site(
        "storage.persist.done",
        "after that batch, before memory lets go of what was written",
    ),
    site("storage.checkpoint.begin", "before a checkpoint persists"),
    site(
        "storage.checkpoint.synced",
        "after a checkpoint is durable, before anybody relies on it",
    ),
    step("storage.sled.batch", "before sled is given a batch"),
    step("storage.sled.flush", "before sled flushes to the system"),
    step(
        "storage.sled.sync",
        "after that flush, before sled's file is synced",
    ),
    step("storage.sled.folder", "before a folder of sled is synced"),
    site(
        "storage.store.switch",
        "before a generation of a group's ledger is named the current one",
    ),
    site(
        "storage.store.drop",
        "before a generation that is no longer current is dropped",
    ),
    site(
        "storage.snapshot.open",
        "before a snapshot is begun to be read",
    ),
    step(
        "storage.snapshot.chunk",
        "before the next chunk of a snapshot is read; an error is one that was overtaken",
    ),
    site(
        "storage.install.open",
        "before a snapshot is begun to be received",
    ),
    step("storage.install.chunk", "before a received chunk is taken"),
    site(
        "storage.install.check",
        "after the last chunk, before the whole is checked and synced",
    ),
    site(
        "storage.install.switch",
        "before a received ledger takes the place of the old one",
    ),
    site(
        "storage.install.switched",
        "after it has, on disk and in memory, before the old one is dropped",
    ),
    site(
        "raft.propose.gather",
        "before the leader makes a batch of what waits",
    ),
    site("raft.propose.hand", "before a batch is handed to consensus"),
    site("raft.log.append", "before consensus' entries go to the log"),
    site(
        "raft.log.truncate",
        "before consensus drops entries that lost their place",
    ),
    site(
        "raft.log.purge",
        "before consensus drops entries that a checkpoint covers",
    ),
    site("raft.vote.save", "before a vote goes to the log"),
    site(
        "raft.vote.saved",
        "after a vote is durable, before it is sent",
    ),
    site(
        "raft.apply.before",
        "before a committed entry, durable here, is applied",
    ),
    site(
        "raft.apply.after",
        "after it was applied, before its proposer hears of it",
    ),
    site(
        "raft.answer.begin",
        "before the commands of a batch are answered",
    ),
    site("raft.answer.end", "after they were"),
    step("raft.send.append", "before entries are sent to a peer"),
    step(
        "raft.send.heartbeat",
        "before a heartbeat is sent to a peer",
    ),
    step(
        "raft.send.ballot",
        "before a peer is asked for its vote, or whether it would give it",
    ),
    step(
        "raft.send.handover",
        "before a peer is told to take the lead",
    ),
    step("raft.receive.append", "before a leader's entries are taken"),
    step(
        "raft.receive.heartbeat",
        "before a leader's heartbeat is taken",
    ),
    step("raft.receive.ballot", "before a candidate is heard"),
    step(
        "raft.receive.handover",
        "before the lead is taken from a leader who hands it over",
    ),
    site(
        "raft.election.won",
        "after an election was won, before requests are taken",
    ),
    site("raft.transfer.begin", "before leadership is handed over"),
    step("raft.snapshot.send", "before a snapshot is sent to a peer"),
    site("raft.snapshot.sent", "after a peer has taken a snapshot"),
    step(
        "raft.snapshot.receive",
        "before a leader's snapshot is taken",
    ),
    step(
        "raft.snapshot.part",
        "after a part of a snapshot came, before it is written",
    ),
    site(
        "raft.snapshot.received",
        "after a snapshot was received and checked, before consensus hears of it",
    ),
    step(
        "raft.snapshot.fetch",
        "before a replica without a ledger asks a peer for one",
    ),
    site(
        "raft.install.begin",
        "before consensus switches to a received snapshot",
    ),
    site(
        "raft.install.end",
        "after it has, before it counts as a checkpoint",
    ),
    site(
        "raft.checkpoint.taken",
        "after a checkpoint, before consensus may purge the log",
    ),
    site(
        "raft.group.create",
        "before a replica of a group is made on this node",
    ),
    site("raft.group.form", "before this node forms a new group"),
    site(
        "raft.members.learner",
        "before a member that follows without a vote is added",
    ),
    site("raft.members.caught_up", "after it has caught up"),
    site("raft.members.promote", "before it gets a vote"),
    site("raft.members.remove", "before a member is taken out"),
    site(
        "raft.members.changed",
        "after a change of the voters, before whoever asked for it hears of it",
    ),
    step(
        "shards.gateway.receive",
        "before a frontend's frame of requests is taken apart; an error ends its stream",
    ),
    site(
        "shards.gateway.answer",
        "before a decision goes back to the frontend",
    ),
    step(
        "shards.router.send",
        "before a frontend sends a request to a node",
    ),
    step(
        "shards.router.answered",
        "after a node answered, before the frontend believes it",
    ),
    site(
        "shards.directory.read",
        "before a frontend asks for what its copy of the directory lacks",
    ),
    site(
        "shards.directory.send",
        "before a node sends changes of the directory to a frontend",
    ),
    site(
        "shards.form.create",
        "before a new cluster's replica is made on a node",
    ),
    site(
        "shards.form.write",
        "after all groups of a new cluster have leaders, before the directory is written",
    ),
    site(
        "shards.replace.remove",
        "before the former self of a node that comes back is taken out of a group",
    ),
    site(
        "shards.replace.create",
        "before that node makes a new replica of a group",
    ),
    site(
        "shards.replace.add",
        "before that node follows a group again",
    ),
    site(
        "shards.operate.promote",
        "after it has caught up, before it gets its vote",
    ),
    site(
        "shards.replace.write",
        "before the directory learns of its new incarnation",
    ),
];
