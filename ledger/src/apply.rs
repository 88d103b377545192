//! How a batch changes the state: the one way in.
//!
//! Every command is validated fully first; after its last check nothing can fail, and only then
//! is anything changed. `books` holds the arithmetic that all movements of money share.

mod account;
mod books;
mod payment;
mod settle;
mod transfer;

use crate::command::{BatchView, Command, Envelope, Envelopes, decode_envelope};
use crate::directory;
use crate::effect::{Decision, Effect, Refusal};
use crate::id::{DIRECTORY, Id, LedgerId, Position, Timestamp};
use crate::journal::encode_record;
use crate::limits;
use crate::state::State;
use crate::state::book::BookIndex;
use crate::state::keys::short;
use crate::store::Store;

/// What a batch did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedBatch {
    /// The group's time: the batch's own, or one more than the last if that is later.
    pub time: Timestamp,
    /// One for each command, in order. None at all if the bytes are no batch.
    pub decisions: Vec<Decision>,
    /// Pending transfers that expired before the first command.
    pub expired: Vec<(LedgerId, Id)>,
    /// The hash of its journal record, which the store was given.
    pub hash: [u8; 32],
}

/// Applies an encoded batch ([`crate::command::BatchBuilder`]). Whatever the bytes are, it ends,
/// alike on every replica: it panics only when an invariant is broken already.
pub fn apply_batch(state: &mut State, store: &mut impl Store, batch: &[u8]) -> AppliedBatch {
    let view = BatchView::decode(batch);
    let stamp = view.as_ref().map_or(Timestamp(0), BatchView::time);
    let time = forward(state.meta.time, stamp);
    state.meta.time = time;
    let mut apply = Apply {
        state,
        store,
        now: time,
    };
    let expired = apply.expire_due();
    let (count, envelopes) = view.map_or((0, Envelopes::none()), |view| {
        (view.len(), view.envelopes())
    });
    let mut decisions = Decisions::of(count);
    for bytes in envelopes {
        let decision = apply.command(bytes, &decisions);
        decisions.add(decision);
    }
    let decisions = decisions.made;
    let previous = state.meta.chain;
    let (record, hash) = encode_record(time, batch, &decisions, &expired, previous);
    state.meta.chain = hash;
    store.put_record(time, record);
    state.keys.sweep(state.horizon());
    AppliedBatch {
        time,
        decisions,
        expired,
        hash,
    }
}

/// **time** never runs backwards, and a stamp out of all bounds is not believed.
fn forward(last: Timestamp, stamp: Timestamp) -> Timestamp {
    let believed = if stamp.0 <= limits::LATEST_STAMP {
        stamp.0
    } else {
        0
    };
    let time = Timestamp(believed.max(last.0 + 1));
    assert!(
        time > last && time <= Timestamp::MAX,
        "time: the group's clock ran out"
    );
    time
}

/// What was decided in this batch so far.
struct Decisions {
    made: Vec<Decision>,
    /// The first ordinal of each.
    starts: Vec<u16>,
    /// The next free one; all commands that are still to come have room.
    next: usize,
    /// Commands still to come.
    left: usize,
}

impl Decisions {
    fn of(count: usize) -> Decisions {
        Decisions {
            made: Vec::with_capacity(count),
            starts: Vec::with_capacity(count),
            next: 0,
            left: count,
        }
    }

    fn next_ordinal(&self) -> u16 {
        u16::try_from(self.next).unwrap_or(u16::MAX)
    }

    /// How many ordinals a command may take so that the others have one each.
    fn room(&self) -> usize {
        limits::ORDINALS_PER_BATCH.saturating_sub(self.next + self.left.saturating_sub(1))
    }

    fn add(&mut self, decision: Decision) {
        self.starts.push(self.next_ordinal());
        self.next += if decision.replayed {
            1
        } else {
            decision.effect.ordinals()
        };
        self.left -= 1;
        self.made.push(decision);
    }

    fn at(&self, ordinal: u16) -> Option<&Effect> {
        let at = self.starts.binary_search(&ordinal).ok()?;
        self.made.get(at).map(|decision| &decision.effect)
    }
}

/// One batch being applied.
struct Apply<'a, S> {
    state: &'a mut State,
    store: &'a mut S,
    now: Timestamp,
}

impl<S: Store> Apply<'_, S> {
    fn command(&mut self, bytes: &[u8], decisions: &Decisions) -> Decision {
        let position = Position {
            time: self.now,
            ordinal: decisions.next_ordinal(),
        };
        let decided = |effect| Decision {
            position,
            effect,
            replayed: false,
        };
        let Ok(Envelope {
            ledger,
            once,
            command,
        }) = decode_envelope(bytes)
        else {
            return decided(Effect::Refused(Refusal::Malformed));
        };
        if command.ordinals() > decisions.room() {
            return decided(Effect::Refused(Refusal::Malformed));
        }
        if !self.is_for_this_group(&command) {
            return decided(Effect::Refused(Refusal::WrongGroup));
        }
        let book = self.state.books.open(ledger);
        let Some(once) = once else {
            return decided(self.decide(book, command, position));
        };
        let horizon = self.state.horizon();
        let key = self.state.books.get(book).scoped(&once);
        let fingerprint = short(&once.fingerprint);
        match self.state.keys.get(key, horizon) {
            Some((first, _)) if first != fingerprint => {
                decided(Effect::Refused(Refusal::KeyReused))
            }
            Some((_, first)) => Decision {
                position: first,
                effect: self.first_effect(ledger, first, decisions),
                replayed: true,
            },
            None => {
                let effect = self.decide(book, command, position);
                assert!(
                    effect.is_remembered(),
                    "once: {effect:?} cannot be remembered"
                );
                self.state.keys.insert(key, fingerprint, position, horizon);
                decided(effect)
            }
        }
    }

    fn is_for_this_group(&self, command: &Command) -> bool {
        match command {
            Command::Tick => true,
            Command::Directory(_) => self.state.group() == DIRECTORY,
            _ => self.state.group() != DIRECTORY,
        }
    }

    fn first_effect(&self, ledger: LedgerId, first: Position, decisions: &Decisions) -> Effect {
        let effect = if first.time == self.now {
            decisions.at(first.ordinal).cloned()
        } else {
            self.store.effect(ledger, first)
        };
        match effect {
            Some(effect) => effect,
            None => panic!("once: the journal has lost the effect at {first:?}"),
        }
    }

    fn decide(&mut self, book: BookIndex, command: Command, position: Position) -> Effect {
        let before = self.state.books.get(book).meta.sequence;
        let effect = match command {
            Command::CreateAccount(new) => self.create_account(book, new, position),
            Command::CreateTransfer(new) => self
                .create_transfer(book, new, position)
                .map(|()| Effect::TransferCreated),
            Command::CreateTransfers {
                atomic: true,
                transfers,
            } => self.create_all(book, transfers, position),
            Command::CreateTransfers {
                atomic: false,
                transfers,
            } => Ok(self.create_each(book, transfers, position)),
            Command::PostTransfer { transfer, amount } => self.post(book, transfer, amount),
            Command::VoidTransfer { transfer } => self.void(book, transfer),
            Command::ReverseTransfer { transfer } => self.reverse(book, transfer, position),
            Command::CreatePayment(new) => self.create_payment(book, new, position),
            Command::CapturePayment { payment, amount } => self.capture(book, payment, amount),
            Command::CancelPayment { payment } => self.cancel(book, payment),
            Command::CreateRefund { payment, amount } => {
                self.create_refund(book, payment, amount, position)
            }
            Command::Directory(command) => self.change_directory(command, position),
            Command::Tick => Ok(Effect::Ticked),
        };
        let book = self.state.books.get(book);
        if book.meta.sequence != before {
            self.store.put_ledger(book.ledger, &book.meta);
        }
        effect.unwrap_or_else(Effect::Refused)
    }

    fn change_directory(
        &mut self,
        command: directory::DirectoryCommand,
        position: Position,
    ) -> Result<Effect, Refusal> {
        let change = self.state.directory.decide(command, position);
        let effect = change.map_err(Refusal::Directory)?;
        self.state.directory.put(effect.item.clone());
        self.store.put_directory(effect.item.clone());
        Ok(Effect::Directory(effect))
    }

    /// **gapless**: one more event in that ledger.
    fn count_event(&mut self, book: BookIndex) {
        self.state.books.get_mut(book).meta.sequence += 1;
    }
}
