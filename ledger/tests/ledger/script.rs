//! Scenarios as tables that a payments engineer can read.
//!
//! ```text
//! account  A funded 10.00
//! account  B
//! transfer T1 B->A 10.00   => refused insufficient_funds debit_account: 0.00 of 10.00
//! pending  T2 A->B 3.00    => pending | A 7.00
//! post     T2 2.00         => posted 2.00 | A 8.00 B 2.00
//! ```
//!
//! Left of `=>` what is asked, right of it what is answered, after `|` what the accounts have
//! available. Words of a row after the amounts: `EUR`, `ref R`, `expires 5s`, `manual`,
//! `overdraft 5.00`, a kind, a constraint. `wait 5s` lets time pass.

use crate::support::*;
use florin_ledger::amount::{Amount, amount_from_decimal};
use florin_ledger::command::*;
use florin_ledger::effect::*;
use florin_ledger::id::*;
use florin_ledger::object::{PaymentStatus, TransferStatus};
use florin_ledger::query::{Answer, Query};
use std::collections::BTreeMap;

/// Runs a table and holds every row against what happens.
pub(crate) fn check(table: &str) {
    let mut script = Script::new();
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        script.row(row);
    }
    script.world.check_restart_and_replay();
}

struct Script {
    world: World,
    names: BTreeMap<String, Id>,
}

impl Script {
    fn new() -> Script {
        let mut world = World::new(1);
        let outside = world.make(Command::CreateAccount(crate::support::world()));
        let names = BTreeMap::from([("outside".to_owned(), outside)]);
        Script { world, names }
    }

    fn row(&mut self, row: &str) {
        let (row_left, available) = row.split_once('|').unwrap_or((row, ""));
        let (asked, expected) = row_left.split_once("=>").unwrap_or((row_left, ""));
        let mut words: Vec<&str> = asked.split_whitespace().collect();
        let answer = match words.remove(0) {
            "wait" => self.wait(words[0]),
            "account" => self.account(words),
            "batch" => self.transfers(asked),
            verb => {
                let (name, command) = self.command(verb, &words);
                self.submit(name, command)
            }
        };
        let expected = expected.trim();
        if expected.is_empty() {
            assert!(!answer.starts_with("refused"), "{row}: {answer}");
        } else {
            assert_eq!(answer, expected, "{row}");
        }
        let available: Vec<&str> = available.split_whitespace().collect();
        for pair in available.chunks(2) {
            let account = self
                .world
                .state
                .account(PARTNER, self.names[pair[0]])
                .unwrap();
            let has = decimal(account.available(&account.totals));
            assert_eq!(has, pair[1], "{row}: available in {}", pair[0]);
        }
    }

    fn wait(&mut self, time: &str) -> String {
        self.world.clock += duration(time);
        let applied = self.world.batch(&[plain(Command::Tick)]);
        let names = applied
            .expired
            .iter()
            .map(|(_, id)| self.name(*id))
            .collect::<Vec<_>>();
        if names.is_empty() {
            "nothing".to_owned()
        } else {
            format!("expired {}", names.join(" "))
        }
    }

    fn account(&mut self, words: Vec<&str>) -> String {
        let mut new = wallet();
        let mut funded = None;
        let mut rest = words[1..].iter();
        while let Some(&word) = rest.next() {
            match word {
                "asset" => new.kind = AccountKind::Asset,
                "income" => new.kind = AccountKind::Income,
                "expense" => new.kind = AccountKind::Expense,
                "unconstrained" => new.constraint = Constraint::None,
                "credits_within_debits" => new.constraint = Constraint::CreditsWithinDebits,
                "overdraft" => new.overdraft_limit = money(rest.next().unwrap()).get(),
                "ref" => new.reference = Some((*rest.next().unwrap()).into()),
                "funded" => funded = Some(money(rest.next().unwrap())),
                code => new.currency = currency(code),
            }
        }
        let answer = self.submit(words[0], Command::CreateAccount(new));
        if let Some(amount) = funded {
            let (from, to) = (self.names["outside"], self.names[words[0]]);
            self.world
                .make(Command::CreateTransfer(transfer(from, to, amount.get())));
        }
        answer
    }

    /// `batch atomic T1 A->B 1.00, T2 B->C 2.00`
    fn transfers(&mut self, asked: &str) -> String {
        let asked = asked.trim().strip_prefix("batch").unwrap().trim();
        let (mode, rows) = asked.split_once(' ').unwrap();
        let rows: Vec<Vec<&str>> = rows
            .split(',')
            .map(|row| row.split_whitespace().collect())
            .collect();
        let transfers = rows.iter().map(|words| self.transfer(words)).collect();
        let envelope = plain(Command::CreateTransfers {
            atomic: mode == "atomic",
            transfers,
        });
        let decision = self.world.submit(envelope.clone());
        let Outcome::Transfers(made) = decision.effect.outcome(&envelope, decision.position) else {
            return self.describe(&decision.effect.outcome(&envelope, decision.position));
        };
        for (words, made) in rows.iter().zip(&made) {
            if let Ok(transfer) = made {
                self.names.insert(words[0].to_owned(), transfer.id);
                let found = self.world.ask(&Query::Transfer(transfer.id));
                assert_eq!(found, Answer::Transfer(transfer.clone()));
            }
        }
        let answers = made.into_iter().map(|made| match made {
            Ok(transfer) => self.describe(&Outcome::Transfer(transfer)),
            Err(refusal) => self.describe(&Outcome::Refused(refusal)),
        });
        answers.collect::<Vec<_>>().join(", ")
    }

    fn command<'a>(&self, verb: &str, words: &[&'a str]) -> (&'a str, Command) {
        let id = |at: usize| self.id(words[at]);
        let money = |at: usize| words.get(at).map(|text| money(text));
        let command = match verb {
            "transfer" => Command::CreateTransfer(self.transfer(words)),
            "pending" => Command::CreateTransfer(NewTransfer {
                pending: true,
                ..self.transfer(words)
            }),
            "post" => Command::PostTransfer {
                transfer: id(0),
                amount: money(1),
            },
            "void" => Command::VoidTransfer { transfer: id(0) },
            "reverse" => Command::ReverseTransfer { transfer: id(1) },
            "pay" => Command::CreatePayment(self.payment(words)),
            "capture" => Command::CapturePayment {
                payment: id(0),
                amount: money(1),
            },
            "cancel" => Command::CancelPayment { payment: id(0) },
            "refund" => Command::CreateRefund {
                payment: id(1),
                amount: money(2),
            },
            other => panic!("no such verb: {other}"),
        };
        (words[0], command)
    }

    /// `T1 A->B 1.00 pending EUR expires 5s ref R`
    fn transfer(&self, words: &[&str]) -> NewTransfer {
        let (debit, credit) = words[1].split_once("->").unwrap();
        let mut new = transfer(self.id(debit), self.id(credit), money(words[2]).get());
        let mut rest = words[3..].iter();
        while let Some(&word) = rest.next() {
            match word {
                "pending" => new.pending = true,
                "expires" => new.expires_in = Some(duration(rest.next().unwrap())),
                "ref" => new.reference = Some((*rest.next().unwrap()).into()),
                code => new.currency = currency(code),
            }
        }
        new
    }

    /// `P1 A->B 1.00 manual EUR ref R`, or `A` alone for the merchant account.
    fn payment(&self, words: &[&str]) -> NewPayment {
        let (source, destination) = match words[1].split_once("->") {
            Some((source, destination)) => (source, Some(destination)),
            None => (words[1], None),
        };
        let amount = money(words[2]).get();
        let mut new = payment(self.id(source), amount, CaptureMethod::Automatic);
        new.destination = destination.map(|name| self.id(name));
        let mut rest = words[3..].iter();
        while let Some(&word) = rest.next() {
            match word {
                "manual" => new.capture = CaptureMethod::Manual,
                "ref" => new.reference = Some((*rest.next().unwrap()).into()),
                code => new.currency = currency(code),
            }
        }
        new
    }

    fn submit(&mut self, name: &str, command: Command) -> String {
        let envelope = plain(command);
        let decision = self.world.submit(envelope.clone());
        let outcome = decision.effect.outcome(&envelope, decision.position);
        let made = decision.position.id(PARTNER);
        let (id, query) = match &outcome {
            Outcome::Account(account) => (account.id, Query::Account(made)),
            Outcome::Transfer(transfer) => (made, Query::Transfer(transfer.id)),
            Outcome::Payment(payment) => (payment.id, Query::Payment(payment.id)),
            Outcome::Refund(refund) => (refund.id, Query::Refund(refund.id)),
            _ => return self.describe(&outcome),
        };
        if !self.names.contains_key(name)
            || !matches!(
                envelope.command,
                Command::PostTransfer { .. } | Command::VoidTransfer { .. }
            )
        {
            self.names.insert(name.to_owned(), id);
        }
        if let Effect::PaymentCreated {
            destination,
            opened: true,
        } = decision.effect
        {
            self.names.insert("merchant".to_owned(), destination);
        }
        // What is answered is what is found, in a store that has kept the journal only.
        match (self.world.ask(&query), &outcome) {
            (Answer::Account(found), Outcome::Account(account)) => assert_eq!(found, *account),
            (Answer::Transfer(found), Outcome::Transfer(transfer)) => assert_eq!(found, *transfer),
            (Answer::Payment(found), Outcome::Payment(payment)) => assert_eq!(found, *payment),
            (Answer::Refund(found), Outcome::Refund(refund)) => assert_eq!(found, *refund),
            (found, _) => panic!("{outcome:?} is found as {found:?}"),
        }
        self.describe(&outcome)
    }

    fn id(&self, name: &str) -> Id {
        // A name that stands for nothing is an identifier that was never given out.
        self.names.get(name).copied().unwrap_or(Id(99))
    }

    fn name(&self, id: Id) -> String {
        let found = self.names.iter().find(|(_, of)| **of == id);
        found.map_or("nobody".to_owned(), |(name, _)| name.clone())
    }

    fn describe(&self, outcome: &Outcome) -> String {
        match outcome {
            Outcome::Refused(refusal) => format!("refused {}", self.refusal(refusal)),
            Outcome::Transfer(transfer) => match transfer.status {
                TransferStatus::Posted => format!("posted {}", decimal(transfer.amount_posted)),
                TransferStatus::Reversed => format!("reversed {}", decimal(transfer.amount_posted)),
                status => format!("{status:?}").to_lowercase(),
            },
            Outcome::Payment(payment) => match payment.status {
                PaymentStatus::Succeeded => {
                    format!("succeeded {}", decimal(payment.amount_captured))
                }
                PaymentStatus::RequiresCapture => "requires_capture".to_owned(),
                status => format!("{status:?}").to_lowercase(),
            },
            Outcome::Refund(refund) => format!("refunded {}", decimal(refund.amount.get())),
            other => format!("{other:?}"),
        }
    }

    fn refusal(&self, refusal: &Refusal) -> String {
        let param = |param: &Param| match param {
            Param::DebitAccount => "debit_account",
            Param::CreditAccount => "credit_account",
            Param::Source => "source",
            Param::Destination => "destination",
        };
        match refusal {
            Refusal::AccountNotFound { param: field, .. } => {
                format!("account_not_found {}", param(field))
            }
            Refusal::TransferNotFound(_) => "transfer_not_found".to_owned(),
            Refusal::PaymentNotFound(_) => "payment_not_found".to_owned(),
            Refusal::SameAccount => "same_account".to_owned(),
            Refusal::CurrencyMismatch {
                param: field,
                account,
            } => {
                format!(
                    "currency_mismatch {}: {}",
                    param(field),
                    self.name(*account)
                )
            }
            Refusal::InsufficientFunds {
                param: field,
                available,
                needed,
                ..
            } => {
                let (field, has, needs) = (param(field), decimal(*available), decimal(*needed));
                format!("insufficient_funds {field}: {has} of {needs}")
            }
            Refusal::Overflow { account } => format!("overflow {}", self.name(*account)),
            Refusal::ReferenceTaken(id) => format!("reference_taken by {}", self.name(*id)),
            Refusal::InvalidState { status, action, .. } => {
                let status = match status {
                    Status::Transfer(status) => format!("{status:?}"),
                    Status::Payment(status) => format!("{status:?}"),
                };
                format!("invalid_state: {action:?} when {status}")
            }
            Refusal::AmountTooLarge { available, needed } => {
                format!(
                    "amount_too_large: {} of {}",
                    decimal(*available),
                    decimal(*needed)
                )
            }
            Refusal::Expired(_) => "expired".to_owned(),
            Refusal::BatchRefused { at, why } => format!("batch at {at}: {}", self.refusal(why)),
            Refusal::OwnedByPayment(id) => format!("owned_by_payment {}", self.name(*id)),
            other => format!("{other:?}"),
        }
    }
}

fn money(text: &str) -> Amount {
    if text == "max" {
        return amount(i128::MAX);
    }
    amount_from_decimal(text, currency("USD")).unwrap()
}

fn decimal(minor: i128) -> String {
    if minor == i128::MAX {
        return "max".to_owned();
    }
    let sign = if minor < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", minor.abs() / 100, minor.abs() % 100)
}

/// `5s`
fn duration(text: &str) -> u64 {
    text.strip_suffix('s').unwrap().parse::<u64>().unwrap() * 1_000_000
}
