//! What sessions ask for, as commands of the ledger, and what an answer means.

use crate::dice::mix;
use crate::system;
use florin_chaos::history::{Answer, Decided, KEY_REUSED, Name, Operation, Request, TOO_LITTLE};
use florin_ledger::amount::{Amount, Currency};
use florin_ledger::command::{
    AccountKind, CaptureMethod, Command, Constraint, Envelope, Metadata, NewAccount, NewPayment,
    NewTransfer, Once,
};
use florin_ledger::effect::{Effect, Refusal};
use florin_ledger::id::{GroupId, Id, LedgerId, prefix};
use florin_shards::{SubmitError, Submitted};

/// The one currency.
pub(crate) const CURRENCY: &str = "EUR";

/// Money from one account to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Money {
    pub(crate) debit: Id,
    pub(crate) credit: Id,
    pub(crate) amount: u32,
}

/// A payment, captured at once; `weight` bytes of notes go with it.
pub(crate) fn payment(
    ledger: LedgerId,
    key: &str,
    money: Money,
    weight: usize,
) -> Option<(Envelope, Request)> {
    let request = Request::Payment {
        source: account_text(money.debit),
        destination: account_text(money.credit),
        amount: money.amount.into(),
    };
    let command = Command::CreatePayment(NewPayment {
        amount: Amount::from_minor(money.amount.into()).ok()?,
        currency: currency()?,
        source: money.debit,
        destination: Some(money.credit),
        capture: CaptureMethod::Automatic,
        reference: None,
        description: None,
        metadata: notes(key, weight),
    });
    Some((envelope(ledger, key, command), request))
}

/// A transfer, posted at once.
pub(crate) fn transfer(ledger: LedgerId, key: &str, money: Money) -> Option<(Envelope, Request)> {
    let request = Request::Transfer {
        debit: account_text(money.debit),
        credit: account_text(money.credit),
        amount: money.amount.into(),
    };
    let command = Command::CreateTransfer(NewTransfer {
        debit_account: money.debit,
        credit_account: money.credit,
        amount: Amount::from_minor(money.amount.into()).ok()?,
        currency: currency()?,
        pending: false,
        expires_in: None,
        reference: None,
        metadata: notes(key, 0),
    });
    Some((envelope(ledger, key, command), request))
}

/// An account; a floored one is a wallet, which never goes below zero.
pub(crate) fn account(
    ledger: LedgerId,
    key: &str,
    kind: AccountKind,
    floored: bool,
) -> Option<Envelope> {
    let constraint = if floored {
        Constraint::DebitsWithinCredits
    } else {
        Constraint::None
    };
    let command = Command::CreateAccount(NewAccount {
        currency: currency()?,
        kind,
        constraint,
        overdraft_limit: 0,
        reference: None,
        metadata: Vec::new(),
    });
    Some(envelope(ledger, key, command))
}

fn currency() -> Option<Currency> {
    Currency::parse(CURRENCY).ok()
}

fn notes(key: &str, weight: usize) -> Metadata {
    let mut notes: Metadata = vec![("key".into(), key.into())];
    if weight > 0 {
        notes.push(("weight".into(), "x".repeat(weight).into()));
    }
    notes
}

fn envelope(ledger: LedgerId, key: &str, command: Command) -> Envelope {
    let once = Once {
        key: digest(key.as_bytes()),
        fingerprint: digest(format!("{command:?}").as_bytes()),
    };
    Envelope {
        ledger,
        once: Some(once),
        command,
    }
}

/// 16 bytes that differ where the text differs.
fn digest(text: &[u8]) -> [u8; 16] {
    let half = |salt| {
        text.iter().fold(mix(salt), |state, byte| {
            mix(state ^ u64::from(*byte)).wrapping_add(salt)
        })
    };
    let mut digest = [0; 16];
    let words = half(1)
        .to_le_bytes()
        .into_iter()
        .chain(half(2).to_le_bytes());
    for (to, from) in digest.iter_mut().zip(words) {
        *to = from;
    }
    digest
}

/// An account's identifier as partners see it.
pub(crate) fn account_text(id: Id) -> Name {
    id.display(prefix::ACCOUNT).to_string().into()
}

/// What a submission's end means to a partner, written into what was asked; docs/reliability has
/// the table.
pub(crate) fn understood(
    operation: &mut Operation,
    ledger: LedgerId,
    submitted: Result<Submitted, SubmitError>,
) {
    let submitted = match submitted {
        Ok(submitted) => submitted,
        Err(error) => {
            operation.answer = match error {
                SubmitError::OutcomeUnknown => Answer::Unknown,
                _ => Answer::SurelyNot,
            };
            operation.said = Some(error.to_string().into());
            return;
        }
    };
    let id = submitted.decision.position.id(ledger);
    operation.token = Some(submitted.index);
    operation.decided = Some(Decided::of(id));
    operation.replayed = submitted.decision.replayed;
    let amount = operation.request.moves().map_or(0, |money| money.amount);
    let acknowledged = |prefix| Answer::Acknowledged {
        id: id.display(prefix).to_string().into(),
        amount,
    };
    operation.answer = match (submitted.decision.effect, &operation.request) {
        (Effect::PaymentCreated { .. }, Request::Payment { .. }) => acknowledged(prefix::PAYMENT),
        (Effect::TransferCreated, Request::Transfer { .. }) => acknowledged(prefix::TRANSFER),
        (Effect::Refused(refusal), _) => Answer::Refused {
            code: code(&refusal).into(),
        },
        (other, _) => Answer::Refused {
            code: format!("answered {other:?}").into(),
        },
    };
}

/// A request that is being sent now.
pub(crate) fn begun(
    session: &str,
    key: Option<&str>,
    group: GroupId,
    request: Request,
) -> Operation {
    let now = system::micros();
    Operation {
        session: session.into(),
        key: key.map(Into::into),
        request,
        invoked: now,
        returned: now,
        answer: Answer::Unknown,
        group: Some(group.0.into()),
        token: None,
        decided: None,
        replayed: false,
        frontend: None,
        said: None,
    }
}

fn code(refusal: &Refusal) -> String {
    match refusal {
        Refusal::InsufficientFunds { .. } => TOO_LITTLE.to_owned(),
        Refusal::KeyReused => KEY_REUSED.to_owned(),
        other => format!("{other:?}"),
    }
}
