//! What the ledger refused, in the words of the API: a pure function of command and refusal, so
//! that a replay says the same to the byte.

use crate::code::Code;
use crate::problem::Problem;
use florin_ledger::amount::Currency;
use florin_ledger::command::Command;
use florin_ledger::effect::{Action, Param, Refusal, Status};
use florin_ledger::id::{Id, prefix};
use florin_ledger::object::{PaymentStatus, TransferStatus};

/// Why a command was refused.
pub(crate) fn refused(refusal: &Refusal, command: &Command) -> Problem {
    match (refusal, command) {
        (Refusal::BatchRefused { at, why }, Command::CreateTransfers { transfers, .. }) => {
            let currency = transfers.get(usize::from(*at)).map(|one| one.currency);
            let why = one(why, currency, command);
            Problem::new(
                why.code,
                format!("transfer {at} of the batch: {}", why.detail),
            )
            .about(format!("transfers[{at}]"))
        }
        _ => one(refusal, currency(command), command),
    }
}

/// Why one transfer of a batch was refused while others were made.
pub(crate) fn refused_in_batch(refusal: &Refusal, at: usize, command: &Command) -> Problem {
    let currency = match command {
        Command::CreateTransfers { transfers, .. } => transfers.get(at).map(|one| one.currency),
        _ => None,
    };
    one(refusal, currency, command)
}

fn one(refusal: &Refusal, currency: Option<Currency>, command: &Command) -> Problem {
    match refusal {
        Refusal::KeyReused => Problem::new(
            Code::IdempotencyKeyReused,
            "the idempotency key was used for another request before",
        )
        .about("Idempotency-Key"),
        Refusal::AccountNotFound { param, account } => Problem::new(
            Code::AccountNotFound,
            format!("there is no account {}", account.display(prefix::ACCOUNT)),
        )
        .about(name(*param)),
        Refusal::TransferNotFound(id) => Problem::new(
            Code::TransferNotFound,
            format!("there is no transfer {}", id.display(prefix::TRANSFER)),
        )
        .about("id"),
        Refusal::PaymentNotFound(id) => {
            let detail = format!("there is no payment {}", id.display(prefix::PAYMENT));
            Problem::new(Code::PaymentNotFound, detail).about(target(command))
        }
        Refusal::SameAccount => {
            let param = match command {
                Command::CreatePayment(_) => "destination",
                _ => "credit_account",
            };
            let detail = "money cannot be moved from an account to itself";
            Problem::new(Code::SameAccount, detail).about(param)
        }
        Refusal::CurrencyMismatch { param, account } => {
            let account = account.display(prefix::ACCOUNT);
            let detail = match currency {
                Some(currency) => format!("{account} keeps another currency than {currency}"),
                None => format!("{account} keeps another currency"),
            };
            Problem::new(Code::CurrencyMismatch, detail).about(name(*param))
        }
        Refusal::InsufficientFunds {
            param,
            account,
            available,
            needed,
        } => {
            let account = account.display(prefix::ACCOUNT);
            let unit = unit(currency);
            let detail = format!("{account} has {available} {unit} available, {needed} are needed");
            Problem::new(Code::InsufficientFunds, detail).about(name(*param))
        }
        Refusal::Overflow { account } => Problem::new(
            Code::BalanceOverflow,
            format!(
                "a total of {} would leave the range of 128 bits",
                account.display(prefix::ACCOUNT)
            ),
        )
        .about("amount"),
        Refusal::AmountTooLarge { available, needed } => Problem::new(
            Code::AmountTooLarge,
            format!(
                "{} {} are left, {needed} were asked for",
                available,
                unit(currency)
            ),
        )
        .about("amount"),
        _ => state(refusal, command),
    }
}

/// Refusals that are not about money.
fn state(refusal: &Refusal, command: &Command) -> Problem {
    match refusal {
        Refusal::ReferenceTaken(id) => {
            let prefix = match command {
                Command::CreateAccount(_) => prefix::ACCOUNT,
                Command::CreatePayment(_) => prefix::PAYMENT,
                _ => prefix::TRANSFER,
            };
            let detail = format!("the reference was taken by {}", id.display(prefix));
            Problem::new(Code::ReferenceTaken, detail).about("reference")
        }
        Refusal::InvalidState { id, status, action } => {
            let (id, status) = object(*id, *status);
            let verb = verb(*action);
            let detail = format!("{id} is {status} and cannot be {verb}");
            Problem::new(Code::InvalidState, detail).about(target(command))
        }
        Refusal::Expired(id) => {
            let detail = format!("{} has expired", id.display(prefix::TRANSFER));
            Problem::new(Code::InvalidState, detail).about("id")
        }
        Refusal::OwnedByPayment(id) => {
            let payment = id.display(prefix::PAYMENT);
            let detail = format!("the transfer belongs to {payment} and is moved through it");
            Problem::new(Code::InvalidState, detail).about("id")
        }
        // The directory named a group that does not hold this ledger (any more): nothing was
        // done, and the directory will have caught up when the request comes again.
        Refusal::WrongGroup => Problem::new(
            Code::NoLeader,
            "the ledger is not where this frontend looked for it; nothing was done",
        ),
        // Every command was parsed here, so a node that cannot read it speaks another version.
        _ => Problem::new(
            Code::InternalError,
            "the command was not understood and nothing was done",
        ),
    }
}

/// Where the request names the object that it changes.
fn target(command: &Command) -> &'static str {
    match command {
        Command::CreateRefund { .. } => "payment",
        _ => "id",
    }
}

fn currency(command: &Command) -> Option<Currency> {
    match command {
        Command::CreateTransfer(transfer) => Some(transfer.currency),
        Command::CreatePayment(payment) => Some(payment.currency),
        _ => None,
    }
}

fn unit(currency: Option<Currency>) -> String {
    match currency {
        Some(currency) => format!("{currency} minor units"),
        None => "minor units".to_owned(),
    }
}

fn name(param: Param) -> &'static str {
    match param {
        Param::DebitAccount => "debit_account",
        Param::CreditAccount => "credit_account",
        Param::Source => "source",
        Param::Destination => "destination",
    }
}

fn object(id: Id, status: Status) -> (florin_ledger::id::DisplayId, &'static str) {
    match status {
        Status::Transfer(status) => (
            id.display(prefix::TRANSFER),
            match status {
                TransferStatus::Posted => "posted",
                TransferStatus::Pending => "pending",
                TransferStatus::Voided => "voided",
                TransferStatus::Expired => "expired",
                TransferStatus::Reversed => "reversed",
            },
        ),
        Status::Payment(status) => (
            id.display(prefix::PAYMENT),
            match status {
                PaymentStatus::Processing => "processing",
                PaymentStatus::RequiresCapture => "requires_capture",
                PaymentStatus::Succeeded => "succeeded",
                PaymentStatus::Cancelled => "cancelled",
                PaymentStatus::Failed => "failed",
            },
        ),
    }
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Post => "posted",
        Action::Void => "voided",
        Action::Reverse => "reversed",
        Action::Capture => "captured",
        Action::Cancel => "cancelled",
        Action::Refund => "refunded",
    }
}
