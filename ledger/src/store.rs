//! What the rules need of a store: the objects that are too many for memory.
//!
//! A write is visible to the next read at once; when it reaches a disk is the store's business.
//! A store that cannot read what it holds must end the process rather than answer `None`:
//! a replica that guesses diverges.

use crate::effect::Effect;
use crate::id::{Id, LedgerId, Position, Timestamp};
use crate::object::{Account, Entry, Kind, Payment, Refund, Transfer};
use crate::state::{Expiry, LedgerMeta};
use std::ops::RangeInclusive;

/// Reads by identifier and by range.
pub trait Records {
    /// The transfer as it stands now. The transfer of a payment or refund is not kept as one:
    /// the payment or refund of that number says everything about it ([`crate::query::answer`]).
    fn transfer(&self, ledger: LedgerId, id: Id) -> Option<Transfer>;
    /// The payment as it stands now.
    fn payment(&self, ledger: LedgerId, id: Id) -> Option<Payment>;
    /// The refund.
    fn refund(&self, ledger: LedgerId, id: Id) -> Option<Refund>;
    /// Who took this reference, among objects of this kind.
    fn reference(&self, ledger: LedgerId, kind: Kind, reference: &str) -> Option<Id>;
    /// The effect that the command at this position had, from the journal ([`crate::journal::Record::effect`]).
    /// Never asked for positions of the batch that is being applied.
    fn effect(&self, ledger: LedgerId, position: Position) -> Option<Effect>;
    /// Up to `limit` entries of an account whose sequence lies in `range`; newest first if `newest_first`.
    fn entries(
        &self,
        ledger: LedgerId,
        account: Id,
        range: RangeInclusive<u64>,
        newest_first: bool,
        limit: usize,
    ) -> Vec<Entry>;
    /// Up to `limit` identifiers of objects of a kind that lie in `range`; newest first if `newest_first`.
    fn list(
        &self,
        ledger: LedgerId,
        kind: Kind,
        range: RangeInclusive<Id>,
        newest_first: bool,
        limit: usize,
    ) -> Vec<Id>;
}

/// Writes. What a creating command and its effect already say in the journal is marked
/// `derivable`: the store may drop the object from memory once the journal record is written,
/// and build it again from there. Whatever else changes an object is stored whole.
pub trait Store: Records {
    /// The account was opened; but for its totals it stays so.
    fn put_account(&mut self, ledger: LedgerId, account: &Account);
    /// A transfer was made or changed.
    fn put_transfer(&mut self, ledger: LedgerId, transfer: Transfer, derivable: bool);
    /// A payment was made or changed.
    fn put_payment(&mut self, ledger: LedgerId, payment: Payment, derivable: bool);
    /// A refund was made.
    fn put_refund(&mut self, ledger: LedgerId, refund: Refund, derivable: bool);
    /// A reference was taken.
    fn put_reference(&mut self, ledger: LedgerId, kind: Kind, reference: &str, id: Id);
    /// An account's totals moved: the entry says what they are now. An account's entries come with
    /// sequences that grow by one.
    fn add_entry(&mut self, ledger: LedgerId, account: Id, entry: Entry);
    /// An object was made; those of a ledger and kind come with identifiers that grow.
    fn add_to_list(&mut self, ledger: LedgerId, kind: Kind, id: Id);
    /// The directory changed; the item as it stands now.
    fn put_directory(&mut self, item: crate::directory::Item);
    /// The ledger's sequence or its merchant accounts changed. Needed for
    /// [`crate::state::State::restore_ledger`]; at most once per command.
    fn put_ledger(&mut self, ledger: LedgerId, meta: &LedgerMeta);
    /// A pending transfer waits for its time. Needed for [`crate::state::State::restore_expiry`].
    fn put_expiry(&mut self, expiry: &Expiry);
    /// It waits no longer; exactly what was put.
    fn remove_expiry(&mut self, expiry: &Expiry);
    /// The batch is applied: its journal record, by the batch's time. The last call of
    /// [`crate::apply::apply_batch`]; what was derivable in this batch is in it.
    fn put_record(&mut self, time: Timestamp, record: Vec<u8>);
}
