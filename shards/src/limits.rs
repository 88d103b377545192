//! Bounds of this room. A full queue answers "busy"; it does not grow.

use std::time::Duration;

/// Requests that wait for a place in a frame to one node.
pub const STREAM_QUEUE: usize = 4_096;
/// Requests of one stream that a node works on at once.
pub const STREAM_IN_FLIGHT: usize = 8_192;
/// Requests or replies in one frame.
pub const FRAME_ITEMS: usize = 512;
/// Bytes of requests or replies after which a frame is sent.
pub const FRAME_BYTES: usize = 256 * 1024;
/// The largest gRPC message on the gateway.
pub const MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// The largest envelope that a frontend sends and a node takes: what a group takes.
pub const ENVELOPE_BYTES: usize = florin_raft::limits::COMMAND_BYTES;
/// What a client that was told "busy" should wait.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Frames that wait for a second connection; more are not sent over it.
pub const SECOND_QUEUE: usize = 256;
/// Requests to one node under way beyond which none goes over two connections: then it is busy.
pub const TWICE_MOST: usize = 1_024;
/// Requests of a session that a node remembers until their copies come.
pub const COPIES: usize = 4_096;
/// Bytes that wait for a place in a frame to one node.
pub const STREAM_BYTES: usize = 64 * 1024 * 1024;
/// Items of the directory in one message, and their bytes.
pub const DIRECTORY_BYTES: usize = 1024 * 1024;
/// The first pause before an attempt is made again.
pub const PAUSE_FIRST: Duration = Duration::from_millis(5);
/// The longest one; news of another leader cuts it short.
pub const PAUSE_MOST: Duration = Duration::from_millis(200);
/// How long an attempt may take before it is made elsewhere, unless told.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1_000);
/// How long a node may take to be connected and to introduce itself.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The first and the longest pause before a node is connected again.
pub const RECONNECT: (Duration, Duration) =
    (Duration::from_millis(20), Duration::from_millis(1_000));
/// How often an idle connection is tried, and how long it may be silent then.
pub const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(2));
/// How often a node tells those who follow its directory that it is there.
pub const DIRECTORY_HEARTBEAT: Duration = Duration::from_secs(1);
/// After how long without a word, or without a leader, another node's directory is followed.
pub const DIRECTORY_SILENCE: Duration = Duration::from_secs(3);
/// The shortest time between two questions to the directory's leader.
pub const REFRESH_INTERVAL: Duration = Duration::from_millis(50);
/// Callers that wait for one such question.
pub const REFRESH_WAITING: usize = 4_096;
/// The longest that a node works on a request.
pub const PATIENCE_MOST: Duration = Duration::from_secs(60);
/// How often a node that tells of its leaders looks for new groups.
pub const GROUPS_INTERVAL: Duration = Duration::from_millis(500);
/// How long a cluster that is formed waits for a node that does not answer, and between attempts.
pub const REACH_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause between two attempts to reach such a node.
pub const REACH_PAUSE: Duration = Duration::from_millis(100);
/// How long a node's former self must be silent before the node may take it out by itself.
pub const FORMER_SELF_SILENCE: Duration = Duration::from_secs(2);
/// The first and the longest pause before a node that comes back tries again.
pub const COME_BACK_PAUSE: (Duration, Duration) =
    (Duration::from_millis(250), Duration::from_secs(5));
/// How long nodes may take to say how they are.
pub const STATUS_TIMEOUT: Duration = Duration::from_secs(2);
/// The same with hashes of all their replicas.
pub const HASHES_TIMEOUT: Duration = Duration::from_secs(30);
/// HTTP/2 windows of a stream and of a connection: what is bounded is bounded above.
pub const WINDOWS: (u32, u32) = (4 * 1024 * 1024, 16 * 1024 * 1024);

const _: () = assert!(
    FRAME_ITEMS < STREAM_IN_FLIGHT,
    "the last places of a stream answer \"busy\""
);
const _: () = assert!(PAUSE_FIRST.as_millis() < PAUSE_MOST.as_millis());
const _: () = assert!(
    ENVELOPE_BYTES < STREAM_BYTES,
    "one envelope must fit the queue"
);
const _: () = assert!(
    FRAME_BYTES + ENVELOPE_BYTES < MESSAGE_BYTES,
    "the last item that enters a frame must fit"
);
