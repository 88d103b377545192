//! Balances and entries, now and then.

use crate::queries::{Shop, shop};
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
        Answer::NotFound => None,
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
