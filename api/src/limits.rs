//! Bounds of this room.

use std::time::Duration;

/// Connections at once on one listener.
pub const CONNECTIONS: usize = 10_000;
/// How long a TLS handshake may take.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the head of a request may take.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the body of a request may take.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection may be idle.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long requests in flight may take to end at shutdown.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request may take from its last byte to its answer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests at once on one HTTP/2 connection.
pub const STREAMS: u32 = 256;
/// Bytes of a request's head.
pub const HEAD_BYTES: usize = 32 * 1024;
/// Bytes of a request's body.
pub const BODY_BYTES: usize = 1024 * 1024;
/// Bytes of a batch's body.
pub const BATCH_BODY_BYTES: usize = 8 * 1024 * 1024;
/// Bytes that are read and thrown away of a body that is too large, so that its answer is heard.
pub const DISCARD_BYTES: usize = 16 * 1024 * 1024;
/// Transfers of a batch.
pub const BATCH_TRANSFERS: usize = 8_190;
/// Bytes of a command as it is submitted: a group takes 1 MiB at once, headers included.
pub const COMMAND_BYTES: usize = 1024 * 1024 - 4096;

/// The largest amount of a request: what every JSON parser reads exactly.
pub const AMOUNT: u64 = (1 << 53) - 1;
/// Characters of an idempotency key.
pub const IDEMPOTENCY_KEY: usize = 255;
/// Characters of a reference.
pub const REFERENCE: usize = 255;
/// Characters of a description.
pub const DESCRIPTION: usize = 1_000;
/// Keys of metadata.
pub const METADATA_KEYS: usize = 50;
/// Characters of a metadata key.
pub const METADATA_KEY: usize = 40;
/// Characters of a metadata value.
pub const METADATA_VALUE: usize = 500;
/// Characters of a partner's name.
pub const PARTNER_NAME: usize = 255;
/// Characters of a region's name.
pub const REGION: usize = 100;
/// Networks that a key is bound to.
pub const NETWORKS: usize = 100;
/// The longest overlap, in seconds, of a key with its successor: a year.
pub const OVERLAP: u64 = 31_536_000;
/// The longest time, in seconds, that money is held: ten years.
pub const EXPIRES_IN: u64 = 315_360_000;
/// Objects of one page of a list.
pub const PAGE: u16 = 100;
/// Objects of one page unless told.
pub const PAGE_DEFAULT: u16 = 10;

const _: () = assert!(
    COMMAND_BYTES <= florin_shards::limits::ENVELOPE_BYTES,
    "what is accepted here must be accepted on the way"
);
const _: () = assert!(
    BATCH_TRANSFERS <= u16::MAX as usize,
    "a place in a batch is a u16"
);
const _: () = assert!(
    BATCH_TRANSFERS <= florin_ledger::limits::TRANSFERS_PER_COMMAND
        && PAGE as usize <= florin_ledger::limits::PAGE,
    "what is accepted here must be accepted by the ledger"
);
