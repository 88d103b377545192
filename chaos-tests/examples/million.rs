//! How long a history of a million acknowledged payments takes to be read and judged, and how much
//! memory: `cargo run --release -p florin-chaos --example million [PAYMENTS [FILE]]`.
//!
//! The history is made up, and true: several partners' wallets pay shops, some sendings are not
//! answered and sent again, keys are replayed long after, balances are read; a fault takes a second.

use anyhow::{Context, Result, ensure};
use florin_chaos::check;
use florin_chaos::history::{
    Account, Answer, Bound, Decided, Effect, Fault, Healed, History, Leader, Name, Operation,
    Replica, Request, Side, Totals, lines,
};
use florin_chaos::verdict::exit_code;
use florin_ledger::id::{Id, Timestamp, prefix};
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::time::Instant;

/// Each in a group of its own.
const PARTNERS: u64 = 4;
/// Of each partner.
const WALLETS: u64 = 8;
/// Between two sendings, microseconds; an answer takes five times as long.
const STEP: u64 = 100;
const TOOK: u64 = 5 * STEP;

/// A history that grows.
#[derive(Default)]
struct Made {
    history: History,
    totals: Vec<Totals>,
    effects: Vec<Effect>,
    sequences: Vec<u64>,
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let payments = arguments
        .next()
        .map_or(Ok(1_000_000), |text| text.parse())?;
    let file = arguments.next().map_or_else(
        || std::env::temp_dir().join("florin-million.jsonl"),
        PathBuf::from,
    );
    let began = Instant::now();
    let history = made(payments);
    lines::write(&history, File::create(&file)?)?;
    let operations = history.operations.len();
    drop(history);
    println!("made {operations} operations in {:.1?}", began.elapsed());
    let began = Instant::now();
    let history = lines::read(BufReader::new(File::open(&file)?))?;
    let read = began.elapsed();
    let verdicts = check::all(&history);
    let judged = began.elapsed();
    for verdict in &verdicts {
        println!("{verdict}");
    }
    let size = std::fs::metadata(&file)?.len() >> 20;
    println!(
        "{size} MiB read in {read:.1?}, read and judged in {judged:.1?}; {}",
        memory()?
    );
    ensure!(exit_code(&verdicts) == 0, "a true history did not pass");
    std::fs::remove_file(&file).context("the file is left")
}

/// The most memory that this process ever held.
fn memory() -> Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    Ok(peak
        .unwrap_or("peak unknown")
        .replace("VmHWM:\t", "peak of "))
}

fn made(payments: u64) -> History {
    let mut made = Made::default();
    for partner in 0..PARTNERS {
        made.account(partner, "bank", Side::Debits, false);
        made.account(partner, "shop", Side::Credits, false);
        for wallet in 0..WALLETS {
            made.account(partner, &format!("wallet-{wallet}"), Side::Credits, true);
        }
    }
    let mut at = 0;
    for number in 0..PARTNERS * WALLETS {
        at += STEP;
        made.fund(number % PARTNERS, number / PARTNERS, at);
    }
    for number in 0..payments {
        at += STEP;
        made.payment(number, at);
    }
    made.finished(at + 10 * TOOK)
}

impl Made {
    fn account(&mut self, partner: u64, name: &str, grows_by: Side, floored: bool) {
        let id: Name = format!("acct_{partner}_{name}").into();
        self.history.accounts.push(Account {
            id: id.clone(),
            grows_by,
            floored,
            group: Some(partner + 1),
        });
        self.totals.push(Totals {
            id,
            sequence: None,
            currency: "EUR".into(),
            debits: 0,
            credits: 0,
            balance: 0,
        });
        self.sequences.push(0);
    }

    fn fund(&mut self, partner: u64, wallet: u64, at: u64) {
        let (bank, wallet) = (slot(partner, 0), slot(partner, 2 + wallet));
        let request = Request::Transfer {
            debit: self.totals[bank].id.clone(),
            credit: self.totals[wallet].id.clone(),
            amount: 1 << 40,
        };
        let key = format!("fund-{at}").into();
        self.moved(partner, (bank, wallet), &key, request, at, false);
    }

    fn payment(&mut self, number: u64, at: u64) {
        let partner = number % PARTNERS;
        // Any spread will do that does not follow the sessions'.
        let wallet = slot(
            partner,
            2 + number.wrapping_mul(2_654_435_761) / 7 % WALLETS,
        );
        let shop = slot(partner, 1);
        let request = Request::Payment {
            source: self.totals[wallet].id.clone(),
            destination: self.totals[shop].id.clone(),
            amount: 1 + number % 97,
        };
        let key: Name = format!("run-1:partner-{partner}:{number}").into();
        if number % 50 == 7 {
            let lost = operation(
                partner,
                Some(&key),
                request.clone(),
                at - STEP,
                Answer::Unknown,
            );
            self.history.operations.push(lost);
        }
        let answered = self.moved(partner, (wallet, shop), &key, request, at, true);
        if number % 25 == 3 {
            let mut again = answered;
            again.replayed = true;
            again.invoked = at + 400 * TOOK;
            again.returned = again.invoked + STEP;
            self.history.operations.push(again);
        }
        if number % 6 == 1 {
            let account = self.totals[wallet].id.clone();
            let answer = Answer::Balance {
                balance: self.totals[wallet].balance,
                sequence: self.sequences[wallet],
            };
            // Nothing else is decided between the payment and the next one.
            let mut read = operation(
                partner,
                None,
                Request::Balance { account },
                at + STEP,
                answer,
            );
            read.invoked = at + STEP / 2;
            self.history.operations.push(read);
        }
    }

    /// Money between two accounts, decided as soon as it was sent.
    fn moved(
        &mut self,
        partner: u64,
        (debit, credit): (usize, usize),
        key: &Name,
        request: Request,
        at: u64,
        payment: bool,
    ) -> Operation {
        let amount = request.moves().map_or(0, |moves| moves.amount);
        self.totals[debit].debits += amount;
        self.totals[credit].credits += amount;
        for slot in [debit, credit] {
            let totals = &mut self.totals[slot];
            let (debits, credits) = (totals.debits as i64, totals.credits as i64);
            let of_debits = self.history.accounts[slot].grows_by == Side::Debits;
            totals.balance = if of_debits {
                debits - credits
            } else {
                credits - debits
            };
            self.sequences[slot] += 1;
        }
        let kind = if payment {
            prefix::PAYMENT
        } else {
            prefix::TRANSFER
        };
        let id: Name = Id::new(Timestamp(at), 0, partner)
            .display(kind)
            .to_string()
            .into();
        self.effects.push(Effect {
            id: id.clone(),
            key: Some(key.clone()),
            debit: self.totals[debit].id.clone(),
            credit: self.totals[credit].id.clone(),
            amount,
            moved: amount,
            payment,
        });
        let answer = Answer::Acknowledged { id, amount };
        let mut told = operation(partner, Some(key), request, at, answer);
        told.decided = Some(Decided {
            time: at,
            ordinal: 0,
        });
        told.token = Some(at / STEP);
        self.history.operations.push(told.clone());
        told
    }

    fn finished(mut self, end: u64) -> History {
        let mut history = self.history;
        history.about = "made up".into();
        history.operations.sort_by_key(|one| one.returned);
        for (totals, sequence) in self.totals.iter_mut().zip(&self.sequences) {
            totals.sequence = Some(*sequence);
        }
        history.books = Some(florin_chaos::history::Books {
            accounts: self.totals,
            effects: self.effects,
        });
        let bound = Bound {
            recover_ms: Some(3_000),
            ..Bound::default()
        };
        history.faults.push(Fault {
            what: "made up".into(),
            began: end / 2,
            ended: Some(end / 2 + 1_000_000),
            evidence: Some("made up".into()),
            bound: Some(bound),
            ..Fault::default()
        });
        history.healed.push(Healed {
            at: end / 2 + 1_000_000,
            bound_ms: 5_000,
        });
        for group in 1..=PARTNERS {
            for node in ["fra-1", "dub-1", "sto-1"] {
                history.replicas.push(Replica {
                    node: node.into(),
                    group,
                    applied: end,
                    hash: Some("00".into()),
                });
            }
            history.leaders.push(Leader {
                at: 0,
                group,
                node: Some("fra-1".into()),
                term: 1,
            });
        }
        history
    }
}

/// Where a partner's account stands among all.
fn slot(partner: u64, account: u64) -> usize {
    (partner * (2 + WALLETS) + account) as usize
}

fn operation(
    partner: u64,
    key: Option<&Name>,
    request: Request,
    at: u64,
    answer: Answer,
) -> Operation {
    Operation {
        session: format!("partner-{partner}-{}", at / STEP % 8).into(),
        key: key.cloned(),
        request,
        invoked: at,
        returned: at + TOOK,
        answer,
        group: Some(partner + 1),
        token: None,
        decided: None,
        replayed: false,
        frontend: None,
        said: None,
    }
}
