//! Balances and entries, now and then.

use crate::queries::{Shop, shop};
use crate::support::*;
use florin_ledger::command::*;
use florin_ledger::id::*;
use florin_ledger::object::*;
use florin_ledger::query::*;

#[test]
fn balances_at_every_moment() {
    let Shop {
        world,
        wallet,
        transfers: ids,
        ..
    } = shop(20);
    let balance = |at| match world.ask(&Query::Balance {
        account: wallet,
        at,
    }) {
        Answer::Balance {
            totals,
            sequence,
            as_of,
            ..
        } => Some((totals.balance(AccountKind::Liability), sequence, as_of)),
        Answer::NoSuchEntry { newest } => {
            assert_eq!(newest, 20);
            None
        }
        other => panic!("{other:?}"),
    };
    let now = world.state.time();
    assert_eq!(balance(None), Some((210, 20, now)));
    assert_eq!(
        balance(Some(At::Time(Timestamp::MAX))),
        Some((210, 20, now))
    );
    assert_eq!(
        balance(Some(At::Time(Timestamp(1)))),
        Some((0, 0, Timestamp(1)))
    );
    assert_eq!(
        balance(Some(At::Sequence(0))),
        Some((0, 0, wallet.position().time))
    );
    assert_eq!(balance(Some(At::Sequence(21))), None);
    let mut sum = 0;
    for (at, id) in ids.iter().enumerate() {
        let (time, sequence) = (id.position().time, at as u64 + 1);
        sum += i128::from(sequence);
        assert_eq!(
            balance(Some(At::Sequence(sequence))),
            Some((sum, sequence, time))
        );
        assert_eq!(balance(Some(At::Time(time))), Some((sum, sequence, time)));
        let later = Timestamp(time.0 + 1);
        if later < now {
            assert_eq!(balance(Some(At::Time(later))), Some((sum, sequence, later)));
        }
    }
}

#[test]
fn entries_run_with_the_balance() {
    let Shop {
        world,
        wallet,
        outside,
        ..
    } = shop(5);
    let entries = |account, limit, starting_after, ending_before| {
        let page = EntryPage {
            limit,
            starting_after,
            ending_before,
        };
        match world.ask(&Query::Entries { account, page }) {
            Answer::Entries(_, list) => {
                let sequences = list.items.iter().map(|entry| entry.sequence);
                (sequences.collect::<Vec<_>>(), list.has_more)
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        entries(wallet, 100, None, None),
        (vec![5, 4, 3, 2, 1], false)
    );
    assert_eq!(entries(outside, 2, None, None), (vec![5, 4], true));
    assert_eq!(entries(wallet, 2, Some(4), None), (vec![3, 2], true));
    assert_eq!(entries(wallet, 2, Some(3), None), (vec![2, 1], false));
    assert_eq!(entries(wallet, 2, None, Some(1)), (vec![3, 2], true));
    assert_eq!(entries(wallet, 2, None, Some(3)), (vec![5, 4], false));
    assert_eq!(entries(wallet, 2, None, Some(u64::MAX)), (vec![], false));
    assert_eq!(entries(wallet, 2, Some(1), None), (vec![], false));
    assert_eq!(entries(wallet, 2, Some(0), None), (vec![], false));
    assert_eq!(
        entries(wallet, 2, Some(u64::MAX), Some(4)),
        (vec![5], false)
    );

    let page = EntryPage {
        limit: 1,
        ..EntryPage::default()
    };
    let Answer::Entries(_, list) = world.ask(&Query::Entries {
        account: wallet,
        page,
    }) else {
        panic!()
    };
    let entry = list.items[0];
    assert_eq!(
        (entry.kind, entry.side, entry.amount),
        (EntryKind::Posted, Side::Credit, 5)
    );
    assert_eq!(
        entry.totals,
        Totals {
            credits_posted: 15,
            ..Totals::default()
        }
    );
}

/// What a wallet's entries say, oldest first: how, which side, how much, and what is then left.
#[test]
fn every_movement_has_an_entry_of_its_kind() {
    let Shop {
        mut world,
        wallet,
        outside,
        ..
    } = shop(4);
    let hold = |minor| {
        Command::CreateTransfer(NewTransfer {
            pending: true,
            ..transfer(wallet, outside, minor)
        })
    };
    let posted = world.make(hold(5));
    world.make(Command::PostTransfer {
        transfer: posted,
        amount: Some(amount(3)),
    });
    let voided = world.make(hold(2));
    world.make(Command::VoidTransfer { transfer: voided });
    let expiring = NewTransfer {
        pending: true,
        expires_in: Some(1),
        ..transfer(wallet, outside, 1)
    };
    world.make(Command::CreateTransfer(expiring));
    let pay = |capture| Command::CreatePayment(payment(wallet, 4, capture));
    let cancelled = world.make(pay(CaptureMethod::Manual));
    world.make(Command::CancelPayment { payment: cancelled });
    let captured = world.make(pay(CaptureMethod::Manual));
    world.make(Command::CapturePayment {
        payment: captured,
        amount: Some(amount(1)),
    });
    world.make(Command::CreateRefund {
        payment: captured,
        amount: None,
    });
    world.make(Command::ReverseTransfer { transfer: posted });
    let page = EntryPage {
        limit: 100,
        ending_before: Some(4),
        starting_after: None,
    };
    let Answer::Entries(account, list) = world.ask(&Query::Entries {
        account: wallet,
        page,
    }) else {
        panic!("the wallet is there");
    };
    let rows = list.items.iter().rev();
    let rows = rows.map(|entry| {
        (
            entry.kind,
            entry.side,
            entry.amount,
            account.available(&entry.totals),
        )
    });
    use EntryKind::*;
    use Side::*;
    assert_eq!(
        rows.collect::<Vec<_>>(),
        [
            (Pending, Debit, 5, 5),
            (PendingPosted, Debit, 3, 7),
            (Pending, Debit, 2, 5),
            (PendingVoided, Debit, 2, 7),
            (Pending, Debit, 1, 6),
            (PendingExpired, Debit, 1, 7),
            (Pending, Debit, 4, 3),
            (PendingVoided, Debit, 4, 7),
            (Pending, Debit, 4, 3),
            (PendingPosted, Debit, 1, 6),
            (Posted, Credit, 1, 7),
            (Posted, Credit, 3, 10),
        ]
    );
}
