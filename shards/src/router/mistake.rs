//! A known mistake that tests plant: a frontend that catches duplicates by itself. In no build without
//! the feature `faults`.

use super::Submitted;
use florin_failpoints::mutant;
use florin_ledger::command::Envelope;
use florin_ledger::id::LedgerId;
use parking_lot::Mutex;
use std::collections::HashMap;

/// The answers that this frontend gave, by ledger and key.
#[derive(Default)]
pub(super) struct Answers(Mutex<HashMap<(LedgerId, [u8; 16]), Submitted>>);

impl Answers {
    /// What was answered under the envelope's key, if the mistake is planted.
    pub(super) fn first(&self, envelope: &Envelope) -> Option<Submitted> {
        if !mutant!("duplicates-caught-in-frontend-only") {
            return None;
        }
        let once = envelope.once.as_ref()?;
        let mut first = self.0.lock().get(&(envelope.ledger, once.key))?.clone();
        first.decision.replayed = true;
        Some(first)
    }

    /// Remembers an answer.
    pub(super) fn keep(&self, envelope: &Envelope, submitted: &Submitted) {
        if let Some(once) = &envelope.once
            && mutant!("duplicates-caught-in-frontend-only")
        {
            let of = (envelope.ledger, once.key);
            self.0.lock().insert(of, submitted.clone());
        }
    }
}
