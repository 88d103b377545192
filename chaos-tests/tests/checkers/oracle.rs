//! The search of *linearizable* against another one, stateright's, on random histories of a wallet:
//! whatever one of them rejects the other must reject.

use florin_chaos::check::linearizable;
use florin_chaos::history::{Account, Answer, History, Operation, Request, Side, TOO_LITTLE};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

/// Histories that are compared.
const HISTORIES: u64 = 4_000;

/// The wallet as stateright sees it.
#[derive(Clone, Debug, Default, Hash, PartialEq)]
struct Wallet(i64);

#[derive(Clone, Debug, Hash, PartialEq)]
pub(super) enum Asked {
    Credit(u64),
    Debit(u64),
    Read,
}

#[derive(Clone, Debug, Hash, PartialEq)]
pub(super) enum Told {
    Done,
    TooLittle,
    Balance(i64),
}

impl SequentialSpec for Wallet {
    type Op = Asked;
    type Ret = Told;

    fn invoke(&mut self, asked: &Asked) -> Told {
        match asked {
            Asked::Credit(amount) => self.0 += *amount as i64,
            Asked::Debit(amount) if *amount as i64 > self.0 => return Told::TooLittle,
            Asked::Debit(amount) => self.0 -= *amount as i64,
            Asked::Read => return Told::Balance(self.0),
        }
        Told::Done
    }
}

/// An operation with the moment at which it really happened, if it did.
pub(super) struct Lived {
    pub(super) asked: Asked,
    pub(super) invoked: u64,
    pub(super) happened: Option<u64>,
    pub(super) returned: u64,
    pub(super) told: Option<Told>,
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// A true history of a wallet, of which sometimes one answer is changed.
fn lived(chance: &mut Chance) -> Vec<Lived> {
    let mut all: Vec<Lived> = (0..2 + chance.below(8))
        .map(|_| {
            let invoked = chance.below(40);
            let happened = invoked + chance.below(12);
            let asked = match chance.below(5) {
                0 | 1 => Asked::Credit(1 + chance.below(3)),
                2 => Asked::Debit(1 + chance.below(3)),
                _ => Asked::Read,
            };
            Lived {
                asked,
                invoked,
                // Some are lost on their way.
                happened: (chance.below(8) > 0).then_some(happened),
                returned: happened + chance.below(12),
                told: None,
            }
        })
        .collect();
    all.sort_by_key(|one| one.happened);
    let mut wallet = Wallet::default();
    for one in &mut all {
        if one.happened.is_some() {
            let told = wallet.invoke(&one.asked);
            // Some answers are lost on their way.
            one.told = (chance.below(6) > 0).then_some(told);
        }
    }
    if chance.below(2) == 0 {
        let at = chance.below(all.len() as u64) as usize;
        let one = &mut all[at];
        let debit = matches!(one.asked, Asked::Debit(_));
        match &mut one.told {
            Some(Told::Balance(balance)) => *balance += chance.below(3) as i64 - 1,
            Some(told @ Told::Done) if debit => *told = Told::TooLittle,
            Some(told @ Told::TooLittle) => *told = Told::Done,
            _ => one.returned = one.invoked,
        }
    }
    all
}

pub(super) fn history(all: &[Lived]) -> History {
    let account = |id: &str, grows_by, floored| Account {
        id: id.into(),
        grows_by,
        floored,
        group: None,
    };
    let operations = all.iter().enumerate().map(|(number, one)| {
        let (request, key) = match &one.asked {
            Asked::Credit(amount) => (transfer("B", "W", *amount), true),
            Asked::Debit(amount) => (transfer("W", "B", *amount), true),
            Asked::Read => (
                Request::Balance {
                    account: "W".into(),
                },
                false,
            ),
        };
        let answer = match &one.told {
            None => Answer::Unknown,
            Some(Told::TooLittle) => Answer::Refused {
                code: TOO_LITTLE.into(),
            },
            Some(Told::Balance(balance)) => Answer::Balance {
                balance: *balance,
                sequence: 0,
            },
            Some(Told::Done) => Answer::Acknowledged {
                id: format!("x{number}").into(),
                amount: 1,
            },
        };
        Operation {
            session: "s".into(),
            key: key.then(|| format!("k{number}").into()),
            request,
            invoked: one.invoked,
            returned: one.returned,
            answer,
            group: None,
            token: None,
            decided: None,
            replayed: false,
            frontend: None,
            said: None,
        }
    });
    let mut operations: Vec<Operation> = operations.collect();
    operations.sort_by_key(|one| one.returned);
    History {
        accounts: vec![
            account("B", Side::Debits, false),
            account("W", Side::Credits, true),
        ],
        operations,
        ..History::default()
    }
}

fn transfer(debit: &str, credit: &str, amount: u64) -> Request {
    Request::Transfer {
        debit: debit.into(),
        credit: credit.into(),
        amount,
    }
}

/// What stateright says: whether there is an order.
fn oracle(all: &[Lived]) -> bool {
    let mut ends: Vec<(u64, bool, usize)> = Vec::new();
    for (thread, one) in all.iter().enumerate() {
        // A read that was not answered says nothing to either.
        if one.told.is_some() || one.asked != Asked::Read {
            ends.push((one.invoked, false, thread));
        }
        if one.told.is_some() {
            ends.push((one.returned, true, thread));
        }
    }
    // What was asked when another was answered overlaps it.
    ends.sort_unstable();
    let mut tester = LinearizabilityTester::new(Wallet::default());
    for (_, returns, thread) in ends {
        let one = &all[thread];
        if returns {
            let told = one.told.clone().expect("it was told");
            tester.on_return(thread, told).expect("it was asked");
        } else {
            tester.on_invoke(thread, one.asked.clone()).expect("once");
        }
    }
    tester.is_consistent()
}

#[test]
fn the_search_agrees_with_stateright() {
    let mut chance = Chance(11);
    let (mut accepted, mut rejected) = (0, 0);
    for number in 0..HISTORIES {
        let all = lived(&mut chance);
        let history = history(&all);
        // Without a read there is nothing to search for.
        if all
            .iter()
            .all(|one| !matches!(one.told, Some(Told::Balance(_))))
        {
            continue;
        }
        let verdict = linearizable::check(&history);
        let expected = oracle(&all);
        assert!(
            verdict.passed() == expected && verdict.failed() != expected,
            "history {number}: stateright says {expected}, the search {verdict}: {:#?}",
            history.operations
        );
        *(if expected {
            &mut accepted
        } else {
            &mut rejected
        }) += 1;
    }
    // Otherwise this test says nothing.
    assert!(accepted > 500 && rejected > 500, "{accepted} {rejected}");
}
