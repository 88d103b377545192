//! Every bound of this room. A full queue answers "busy" or drops what has a deadline; it does
//! not grow.

use std::time::Duration;

/// Commands in a batch.
pub const BATCH_COMMANDS: usize = 256;
/// Bytes in a batch, unless one command alone is larger.
pub const BATCH_BYTES: usize = 64 << 10;
/// Bytes of one encoded command. Frontends take commands of 1 MiB at most, of which 8,190 plain
/// transfers are about half; as many with long references or metadata may be more.
pub const COMMAND_BYTES: usize = 2 << 20;
/// Bytes of the largest log entry: a batch of one such command, and what frames it.
pub const ENTRY_BYTES: usize = COMMAND_BYTES + 64;
/// Batches of one group that are proposed and not answered: a round trip of 64 ms at one a
/// millisecond.
pub const BATCHES_UNDER_WAY: usize = 64;
/// Bytes of batches of one group that are proposed and not answered.
pub const BYTES_UNDER_WAY: usize = 8 << 20;
/// How long requests gather while a batch is under way, where answers take long: at least, and at most.
pub const GATHER: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(8));
/// The same where packets are lost on a long way.
pub const GATHER_LOSSY: Duration = Duration::from_millis(18);
/// Where batches are answered sooner than this, requests gather until one is, and so long at most.
pub const NEAR: Duration = Duration::from_millis(5);
/// So many requests go without waiting longer, if no more than as many are under way.
pub const BATCH_WORTH: usize = 16;
/// The shortest pause of consensus that is one: tokio's timer makes a millisecond or two of any.
pub const PAUSE_LEAST: Duration = Duration::from_micros(2);
/// How often requests whose deadline has passed are answered.
pub const SWEEP_INTERVAL: Duration = Duration::from_millis(50);
/// How long a tick may wait for its decision.
pub const TICK_DEADLINE: Duration = Duration::from_secs(5);
/// Requests of one partner that wait in a group.
pub const QUEUE_PER_PARTNER: usize = 4_096;
/// Requests that wait in a group.
pub const QUEUE_PER_GROUP: usize = 16_384;
/// Bytes of requests that wait in a group.
pub const QUEUE_BYTES_PER_GROUP: usize = 32 << 20;

/// Entries in one append message.
pub const APPEND_ENTRIES: u64 = 256;
/// Bytes in one append message; a single larger entry travels alone.
pub const APPEND_BYTES: usize = 2 << 20;
/// Append messages of one group and peer that are sent and not answered.
pub const APPENDS_IN_FLIGHT: usize = 16;
/// Messages that wait for one peer, of all groups together.
pub const PEER_QUEUE: usize = 4_096;
/// Messages in a frame that nobody else's message is waited for.
pub const FRAME_MESSAGES: usize = 64;
/// Bytes after which a frame is closed.
pub const FRAME_BYTES: usize = 1 << 20;
/// The largest message that is accepted from a peer.
pub const MESSAGE_BYTES: usize = 16 << 20;
/// Bytes that may be under way in one stream before the receiver says it has read some.
pub const WINDOW_BYTES: u32 = 8 << 20;
/// Appends of one session that wait on the receiving side.
pub const INBOX_PER_SESSION: usize = 64;
/// Questions of one stream that are answered at the same time.
pub const CALLS_PER_STREAM: usize = 1_024;
/// How long the news that something is committed waits for entries to travel with.
pub const COMMIT_LINGER: Duration = Duration::from_millis(4);
/// How long a heartbeat may wait for company.
pub const HEARTBEAT_LINGER: Duration = Duration::from_millis(10);
/// The first and the longest pause before a peer is dialled again.
pub const RECONNECT: (Duration, Duration) =
    (Duration::from_millis(20), Duration::from_millis(1_000));
/// How often a connection is probed, and how long the probe may take.
pub const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long a peer that opened a connection may leave a probe unanswered.
pub const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(20);
/// How long a connection attempt may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Entries behind after which a follower is given a snapshot although the log could serve it.
pub const LAG_FOR_SNAPSHOT: u64 = 1 << 40;
/// A snapshot of which nothing came for so long is given up.
pub const SNAPSHOT_STALL: Duration = Duration::from_secs(30);
/// How long a peer may take no part of a snapshot, or, once it has all, read and check it. However long
/// the whole takes, a large ledger arrives.
pub const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(3_600);
/// How long the log is kept for a follower that has received a snapshot, so that it can go on.
pub const CATCH_UP: Duration = Duration::from_secs(300);
/// How much of the log is kept for it altogether: the disk is everybody's.
pub const KEPT_TO_CATCH_UP_BYTES: u64 = 4 << 30;
/// Chunks of a snapshot that wait to be sent or written.
pub const SNAPSHOT_CHUNKS: usize = 4;
/// Bytes of a snapshot that are read before the first is sent, so that what may change in the ledger
/// need not stand still while a slow peer takes it: some hundred thousand accounts.
pub const SNAPSHOT_AHEAD_BYTES: usize = 32 << 20;
/// Unwritten bytes of a group after which it is persisted at once: some 50,000 payments. The
/// seldomer, the cheaper each is, in time and on the disk (docs/adr/0002-sled-written-behind.md).
pub const PERSIST_BYTES: usize = 16 << 20;
/// With so much unwritten, over all groups of the node, what comes next of a group is not applied
/// before its own part is written: a disk that cannot keep up makes payments wait, and fills no more
/// memory. With half of it groups are persisted before their time.
pub const MOST_UNWRITTEN_BYTES: usize = 512 << 20;
/// A group that has less than this neither waits nor is hurried for what others have.
pub const LEAST_UNWRITTEN_BYTES: usize = 4 << 20;
/// So many batches may wait to be applied before consensus itself waits: a follower whose ledger is
/// held up goes on to write its log and to answer for a minute at least. A leader makes no more than
/// it can apply.
pub const APPLY_QUEUE: u64 = 1 << 16;
/// How often every group is persisted. A restart applies again what came since, from the log.
pub const PERSIST_INTERVAL: Duration = Duration::from_secs(30);
/// A store that takes no step for so long, because it hangs or fails each time, will not: what
/// is applied would fill the memory, and the log the disk. The process ends, and starts from its log.
pub const PERSIST_STALL: Duration = Duration::from_secs(180);
/// The part of a leader's lease under which it answers reads without asking: clocks may run
/// at different rates.
pub const LEASE_PART: (u32, u32) = (7, 10);
/// How long a peer's clock counts after it was last heard.
pub const CLOCK_FRESH: Duration = Duration::from_secs(30);
/// How many voters a group usually has at most: room for their clocks.
pub const VOTERS_USUAL: usize = 5;
/// How long a preferred leader must have been ready before it is given the lead.
pub const SPREAD_AFTER: Duration = Duration::from_secs(4);
/// How many entries it may be behind.
pub const SPREAD_LAG: u64 = 64;
/// How long handing leadership over may take.
pub const TRANSFER_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a change of the members waits for the one before it.
pub const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause before a leader looks again whether it has finished a change of the voters.
pub const SETTLE_PAUSE: Duration = Duration::from_millis(100);
/// Walks along lists that read at the same time, over all groups of the node.
pub const WALKS: usize = 8;
/// Bytes a second that a scrub reads: a gibibyte in about four minutes.
pub const SCRUB_BYTES_PER_SECOND: u64 = 4 << 20;
/// How long after the start the first group is scrubbed, and the pause between two groups.
pub const SCRUB_AFTER: Duration = Duration::from_secs(300);
/// Entries that a replica with a damaged log asks for at once.
pub const REPAIR_ENTRIES: usize = 4_096;
/// How long a peer may take to answer that.
pub const REPAIR_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two attempts to fetch a lost ledger from the peers.
pub const REFILL_PAUSE: Duration = Duration::from_millis(500);
/// How often the groups are looked at for something to write.
pub const PERSIST_TICK: Duration = Duration::from_millis(250);
/// How often leaderships are looked at.
pub const SPREAD_INTERVAL: Duration = Duration::from_secs(2);

const _: () = assert!(BATCH_BYTES <= COMMAND_BYTES);
const _: () = assert!(QUEUE_PER_PARTNER < QUEUE_PER_GROUP);
const _: () = assert!(COMMAND_BYTES < QUEUE_BYTES_PER_GROUP);
// A single entry that exceeds APPEND_BYTES still fits a message, with room for its frame.
const _: () = assert!(APPEND_BYTES + COMMAND_BYTES + FRAME_BYTES + (64 << 10) < MESSAGE_BYTES);
const _: () = assert!(APPENDS_IN_FLIGHT < INBOX_PER_SESSION);
const _: () = assert!(LEASE_PART.0 < LEASE_PART.1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Payload;
    use florin_ledger::command::BatchBuilder;
    use florin_ledger::id::Timestamp;

    #[test]
    fn a_batch_of_the_largest_command_is_no_larger_than_an_entry() {
        let mut builder = BatchBuilder::new();
        builder.push(&vec![0xff; COMMAND_BYTES]).unwrap();
        let payload = Payload::new(builder.finish(Timestamp(u64::MAX)));
        assert!(payload.len() <= ENTRY_BYTES, "{}", payload.len());
    }
}
