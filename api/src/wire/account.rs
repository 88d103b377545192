//! Accounts, balances, entries.

use super::scalar::{ConstraintWord, KindWord, MetadataShown, Shown, Sum, Time};
use florin_ledger::id::{Timestamp, prefix};
use florin_ledger::object::{Account, Entry, EntryKind, Side, Totals};
use serde::Serialize;

/// An account. Its totals are its balance's.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Account)]
pub(crate) struct AccountBody<'a> {
    #[schema(value_type = String, example = "acct_01jd0r8gk3v6m1x9q4t7w2y5za")]
    id: Shown,
    /// Always `account`.
    object: &'static str,
    /// ISO 4217.
    #[schema(example = "USD")]
    currency: &'a str,
    kind: KindWord,
    constraint: ConstraintWord,
    /// By how much the constraint may be passed, minor units.
    #[schema(value_type = u64)]
    overdraft_limit: i128,
    /// The partner's own name, unique among accounts.
    #[schema(required = true)]
    reference: Option<&'a str>,
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    metadata: MetadataShown<'a>,
    #[schema(value_type = String, format = DateTime)]
    created: Time,
}

impl<'a> AccountBody<'a> {
    pub(crate) fn new(account: &'a Account) -> AccountBody<'a> {
        AccountBody {
            id: Shown::new(prefix::ACCOUNT, account.id),
            object: "account",
            currency: account.currency.code(),
            kind: account.kind.into(),
            constraint: account.constraint.into(),
            overdraft_limit: account.overdraft_limit,
            reference: account.reference.as_deref(),
            metadata: MetadataShown(&account.metadata),
            created: Time(account.created),
        }
    }
}

/// An account's totals at a moment. Sums are decimal strings of minor units.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Balance)]
pub(crate) struct BalanceBody<'a> {
    /// Always `balance`.
    object: &'static str,
    #[schema(value_type = String)]
    account: Shown,
    currency: &'a str,
    #[serde(flatten)]
    sums: Sums,
    /// The number of the account's newest entry at that moment.
    sequence: u64,
    #[schema(value_type = String, format = DateTime)]
    as_of: Time,
}

/// The four totals of an account and what follows from them, decimal strings of minor units.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Sums {
    #[schema(value_type = String, example = "0")]
    debits_posted: Sum,
    #[schema(value_type = String, example = "100000")]
    credits_posted: Sum,
    #[schema(value_type = String, example = "300")]
    debits_pending: Sum,
    #[schema(value_type = String, example = "0")]
    credits_pending: Sum,
    /// Credits less debits for liability and income, debits less credits for asset and expense.
    #[schema(value_type = String, example = "100000")]
    balance: Sum,
    /// What may still leave the account: pending amounts held back, the overdraft limit added.
    #[schema(value_type = String, example = "99700")]
    available: Sum,
}

impl Sums {
    fn new(account: &Account, totals: &Totals) -> Sums {
        Sums {
            debits_posted: Sum(totals.debits_posted),
            credits_posted: Sum(totals.credits_posted),
            debits_pending: Sum(totals.debits_pending),
            credits_pending: Sum(totals.credits_pending),
            balance: Sum(totals.balance(account.kind)),
            available: Sum(account.available(totals)),
        }
    }
}

impl<'a> BalanceBody<'a> {
    pub(crate) fn new(
        account: &'a Account,
        totals: &Totals,
        sequence: u64,
        as_of: Timestamp,
    ) -> BalanceBody<'a> {
        BalanceBody {
            object: "balance",
            account: Shown::new(prefix::ACCOUNT, account.id),
            currency: account.currency.code(),
            sums: Sums::new(account, totals),
            sequence,
            as_of: Time(as_of),
        }
    }
}

/// One change of an account, with the totals after it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Entry)]
pub(crate) struct EntryBody<'a> {
    /// Always `entry`.
    object: &'static str,
    #[schema(value_type = String)]
    account: Shown,
    /// Counted from 1 within the account, without gaps; the cursor of the list.
    sequence: u64,
    #[schema(value_type = String)]
    transfer: Shown,
    kind: EntryWord,
    side: SideWord,
    /// What was posted, held or released, minor units.
    #[schema(value_type = u64)]
    amount: i128,
    currency: &'a str,
    #[serde(flatten)]
    sums: Sums,
    #[schema(value_type = String, format = DateTime)]
    created: Time,
}

impl<'a> EntryBody<'a> {
    pub(crate) fn new(account: &'a Account, entry: &Entry) -> EntryBody<'a> {
        EntryBody {
            object: "entry",
            account: Shown::new(prefix::ACCOUNT, account.id),
            sequence: entry.sequence,
            transfer: Shown::new(prefix::TRANSFER, entry.transfer),
            kind: match entry.kind {
                EntryKind::Posted => EntryWord::Posted,
                EntryKind::Pending => EntryWord::Pending,
                EntryKind::PendingPosted => EntryWord::PendingPosted,
                EntryKind::PendingVoided => EntryWord::PendingVoided,
                EntryKind::PendingExpired => EntryWord::PendingExpired,
            },
            side: match entry.side {
                Side::Debit => SideWord::Debit,
                Side::Credit => SideWord::Credit,
            },
            amount: entry.amount,
            currency: account.currency.code(),
            sums: Sums::new(account, &entry.totals),
            created: Time(entry.time),
        }
    }
}

/// How an entry changed its account.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = EntryKind)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EntryWord {
    /// Moved at once.
    Posted,
    /// Held.
    Pending,
    /// A held amount, or part of it, moved; the rest was released.
    PendingPosted,
    /// A held amount was released.
    PendingVoided,
    /// A held amount was released because its time was over.
    PendingExpired,
}

/// Which side of the account.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Side)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SideWord {
    /// The debit side.
    Debit,
    /// The credit side.
    Credit,
}
