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
/// The largest envelope that a frontend sends and a node takes.
pub const ENVELOPE_BYTES: usize = 8 * 1024 * 1024;
/// What a client that was told "busy" should wait.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

const _: () = assert!(
    FRAME_BYTES + ENVELOPE_BYTES < MESSAGE_BYTES,
    "the last item that enters a frame must fit"
);
