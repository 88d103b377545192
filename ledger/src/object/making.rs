//! What objects are when they are made. Nothing but the command, the identifier and the effect
//! goes in, for the same is done again when an object is read from the journal.

use super::{Account, Payment, PaymentStatus, Refund, Totals, Transfer, TransferStatus};
use crate::amount::{Amount, Currency};
use crate::command::{AccountKind, CaptureMethod, Constraint, NewAccount, NewPayment, NewTransfer};
use crate::id::{Id, LedgerId, Timestamp};
use crate::state::Expiry;

impl Account {
    /// A new account; its identifier says when.
    pub fn opened(new: NewAccount, id: Id) -> Account {
        Account {
            id,
            currency: new.currency,
            kind: new.kind,
            constraint: new.constraint,
            overdraft_limit: new.overdraft_limit,
            totals: Totals::default(),
            sequence: 0,
            created: id.position().time,
            reference: new.reference,
            metadata: new.metadata,
        }
    }

    /// A partner's own account, which receives payments without a destination. It has the number
    /// of the payment that it appeared with.
    pub fn merchant(id: Id, currency: Currency) -> Account {
        let new = NewAccount {
            currency,
            kind: AccountKind::Liability,
            constraint: Constraint::None,
            overdraft_limit: 0,
            reference: None,
            metadata: Vec::new(),
        };
        Account::opened(new, id)
    }
}

impl Transfer {
    /// A new transfer; its identifier says when.
    pub fn made(new: NewTransfer, id: Id) -> Transfer {
        let created = id.position().time;
        let expiring = new.expires_in.filter(|_| new.pending);
        let expires_at = expiring.map(|after| {
            let at = created.0.saturating_add(after);
            Timestamp(at.min(Timestamp::MAX.0))
        });
        Transfer {
            id,
            debit_account: new.debit_account,
            credit_account: new.credit_account,
            amount: new.amount,
            amount_posted: if new.pending { 0 } else { new.amount.get() },
            currency: new.currency,
            status: if new.pending {
                TransferStatus::Pending
            } else {
                TransferStatus::Posted
            },
            expires_at,
            reversed_by: None,
            reverses: None,
            payment: None,
            created,
            reference: new.reference,
            metadata: new.metadata,
        }
    }

    /// The transfer that reversed this one, as it was made.
    pub fn reversal(&self) -> Option<Transfer> {
        let id = self.reversed_by?;
        let amount = Amount::new(self.amount_posted).ok()?;
        Some(Transfer {
            reverses: Some(self.id),
            ..plain(
                id,
                self.credit_account,
                self.debit_account,
                amount,
                self.currency,
            )
        })
    }
}

/// A posted transfer with nothing special.
fn plain(id: Id, debit: Id, credit: Id, amount: Amount, currency: Currency) -> Transfer {
    Transfer {
        id,
        debit_account: debit,
        credit_account: credit,
        amount,
        amount_posted: amount.get(),
        currency,
        status: TransferStatus::Posted,
        expires_at: None,
        reversed_by: None,
        reverses: None,
        payment: None,
        created: id.position().time,
        reference: None,
        metadata: Vec::new(),
    }
}

impl Payment {
    /// A new payment; its identifier says when.
    pub fn made(new: NewPayment, id: Id, destination: Id) -> Payment {
        let amount = new.amount.get();
        let (captured, capturable, status) = match new.capture {
            CaptureMethod::Automatic => (amount, 0, PaymentStatus::Succeeded),
            CaptureMethod::Manual => (0, amount, PaymentStatus::RequiresCapture),
        };
        Payment {
            id,
            amount: new.amount,
            amount_capturable: capturable,
            amount_captured: captured,
            amount_refunded: 0,
            currency: new.currency,
            source: new.source,
            destination,
            capture: new.capture,
            status,
            created: id.position().time,
            reference: new.reference,
            description: new.description,
            metadata: new.metadata,
        }
    }

    /// The transfer that moves or holds its money.
    pub fn transfer(&self) -> Transfer {
        let plain = plain(
            self.id,
            self.source,
            self.destination,
            self.amount,
            self.currency,
        );
        let status = match self.status {
            PaymentStatus::Succeeded => TransferStatus::Posted,
            PaymentStatus::Processing | PaymentStatus::RequiresCapture => TransferStatus::Pending,
            PaymentStatus::Cancelled | PaymentStatus::Failed => TransferStatus::Voided,
        };
        Transfer {
            amount_posted: self.amount_captured,
            status,
            payment: Some(self.id),
            ..plain
        }
    }
}

impl Refund {
    /// The transfer that moved its money, given the payment it is of.
    pub fn transfer(&self, payment: &Payment) -> Transfer {
        let (debit, credit) = (payment.destination, payment.source);
        Transfer {
            payment: Some(self.payment),
            ..plain(self.id, debit, credit, self.amount, self.currency)
        }
    }
}

impl Expiry {
    /// What waits for a transfer's time, if it has one; the same whatever became of it since.
    pub fn of(ledger: LedgerId, transfer: &Transfer) -> Option<Expiry> {
        Some(Expiry {
            at: transfer.expires_at?,
            transfer: transfer.id,
            ledger,
            debit_account: transfer.debit_account,
            credit_account: transfer.credit_account,
            amount: transfer.amount,
        })
    }
}
