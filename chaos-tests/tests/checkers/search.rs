//! The search of *linearizable* on histories that are long, and in which much was not answered.

use crate::oracle::{Asked, Lived, Told, history};
use florin_chaos::check::linearizable;

/// Windows of the history.
const WINDOWS: u64 = 8;
/// What is paid in each window, at the same time.
const PAID: [u64; 4] = [10, 11, 12, 13];
/// As many payments without an answer as a search takes on; all of them even.
const UNKNOWN: u64 = 16;

fn lived(asked: Asked, invoked: u64, returned: u64, told: Option<Told>) -> Lived {
    Lived {
        asked,
        invoked,
        happened: Some(returned),
        returned,
        told,
    }
}

/// Long faults, in which payments of a wallet go without an answer; then many windows in which
/// payments overlap each other and a read. Now and then one of the unanswered happens. The last
/// read sees something else than there is, by `wrong`.
fn run(wrong: i64) -> Vec<Lived> {
    let mut balance = 9_000;
    let mut all = vec![lived(Asked::Credit(9_000), 0, 5, Some(Told::Done))];
    all.extend((1..=UNKNOWN).map(|number| lived(Asked::Debit(number * 2), 10, 20, None)));
    for window in 1..=WINDOWS {
        let at = window * 100;
        if window % 2 == 0 {
            balance -= window as i64;
        }
        for (number, amount) in PAID.into_iter().enumerate() {
            all.push(lived(Asked::Debit(amount), at, at + 40, Some(Told::Done)));
            balance -= amount as i64;
            if number == 1 {
                let seen = Told::Balance(balance);
                all.push(lived(Asked::Read, at + 5, at + 45, Some(seen)));
            }
        }
    }
    let (at, seen) = ((WINDOWS + 1) * 100, Told::Balance(balance + wrong));
    all.push(lived(Asked::Read, at, at + 10, Some(seen)));
    all
}

#[test]
fn what_was_not_answered_for_long_is_still_searched_to_the_end() {
    // 2, 4, 6 and 8 have happened by then, or others of that sum. The rest may have: 252 at most.
    for wrong in [0, -2, -10, -250, -252] {
        let verdict = linearizable::check(&history(&run(wrong)));
        assert!(verdict.passed(), "{wrong}: {verdict}");
    }
    for wrong in [1, 22, -1, -251, -254, -1_000] {
        let verdict = linearizable::check(&history(&run(wrong)));
        assert!(verdict.failed(), "{wrong}: {verdict}");
    }
}

#[test]
fn what_was_not_answered_makes_up_for_too_little_only_if_it_was_asked_in_time() {
    let pay = |asked: u64| {
        vec![
            lived(Asked::Credit(5), 0, 5, Some(Told::Done)),
            lived(Asked::Debit(4), 10, 20, None),
            lived(Asked::Credit(20), asked, asked + 5, None),
            lived(Asked::Debit(8), 40, 50, Some(Told::Done)),
            lived(Asked::Read, 60, 70, Some(Told::Balance(17))),
        ]
    };
    let verdict = linearizable::check(&history(&pay(30)));
    assert!(verdict.passed(), "{verdict}");
    let verdict = linearizable::check(&history(&pay(55)));
    assert!(verdict.failed(), "{verdict}");
}
