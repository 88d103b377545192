//! Known mistakes that tests plant here, where a line is not enough. In no build without the feature
//! `faults`, and done only while one is planted.

use super::backend::{Changes, Tree};
use super::error::BackendError;
use super::key::Key;
use florin_failpoints::mutant;
use florin_ledger::apply::AppliedBatch;
use florin_ledger::command::{BatchBuilder, BatchView, decode_envelope, encode_envelope};
use florin_ledger::id::Timestamp;
use florin_ledger::state::State;
use florin_ledger::store::Store;
use std::borrow::Cow;
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// An envelope and its place among the commands of its batch.
type Placed<'a> = (usize, Cow<'a, [u8]>);

/// As the ledger's own, with the mistakes of a ledger that is not pure or does not remember.
pub(super) fn apply_batch(state: &mut State, store: &mut impl Store, batch: &[u8]) -> AppliedBatch {
    let planted = mutant!("wall-clock-in-apply")
        || mutant!("hash-map-order-in-apply")
        || mutant!("duplicates-caught-in-frontend-only");
    let (true, Ok(view)) = (planted, BatchView::decode(batch)) else {
        return florin_ledger::apply::apply_batch(state, store, batch);
    };
    let time = if mutant!("wall-clock-in-apply") {
        wall_clock()
    } else {
        view.time()
    };
    let envelopes = view.envelopes().map(Cow::Borrowed).enumerate();
    let envelopes: Vec<Placed<'_>> = if mutant!("hash-map-order-in-apply") {
        envelopes.collect::<HashMap<_, _>>().into_iter().collect()
    } else if mutant!("duplicates-caught-in-frontend-only") {
        view.envelopes().map(without_key).enumerate().collect()
    } else {
        envelopes.collect()
    };
    let mut rebuilt = BatchBuilder::new();
    for (_, envelope) in &envelopes {
        if rebuilt.push(envelope).is_err() {
            return florin_ledger::apply::apply_batch(state, store, batch);
        }
    }
    let batch = rebuilt.finish(time);
    let mut applied = florin_ledger::apply::apply_batch(state, store, &batch);
    // Whoever proposed the commands is answered in the order in which they were proposed.
    let mut decisions: Vec<_> = envelopes
        .iter()
        .map(|(at, _)| at)
        .zip(applied.decisions)
        .collect();
    decisions.sort_by_key(|(at, _)| **at);
    applied.decisions = decisions
        .into_iter()
        .map(|(_, decision)| decision)
        .collect();
    applied
}

fn wall_clock() -> Timestamp {
    let now = florin_failpoints::clock(SystemTime::now());
    let micros = now
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_micros();
    Timestamp(u64::try_from(micros).unwrap_or_default())
}

/// The same command, of which nothing says any more that it is to happen once.
fn without_key(envelope: &[u8]) -> Cow<'_, [u8]> {
    match decode_envelope(envelope) {
        Ok(mut decoded) => {
            decoded.once = None;
            Cow::Owned(encode_envelope(&decoded))
        }
        Err(_) => Cow::Borrowed(envelope),
    }
}

/// Writes the header, which makes the journal's keys count, in a batch of its own; answers what is
/// left for a second one.
pub(super) fn effects(tree: &dyn Tree, changes: Changes) -> Result<Changes, BackendError> {
    if !mutant!("key-recorded-apart") {
        return Ok(changes);
    }
    let header = [Key::Header.encode(), Key::Writing.encode()];
    let (keys, effects) = changes
        .into_iter()
        .partition(|(key, _)| header.contains(key));
    tree.write(keys)?;
    Ok(effects)
}
