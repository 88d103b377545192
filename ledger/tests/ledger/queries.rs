//! Reading the books.

use crate::support::*;
use florin_ledger::command::*;
use florin_ledger::id::*;
use florin_ledger::object::*;
use florin_ledger::query::*;

pub(crate) struct Shop {
    pub(crate) world: World,
    pub(crate) outside: Id,
    pub(crate) wallet: Id,
    /// Oldest first.
    pub(crate) transfers: Vec<Id>,
}

/// A wallet that was given 1, 2, 3 … minor units.
pub(crate) fn shop(transfers: i128) -> Shop {
    let mut world = World::new(1);
    let outside = world.make(Command::CreateAccount(crate::support::world()));
    let new = NewAccount {
        reference: Some("w".into()),
        ..wallet()
    };
    let wallet = world.make(Command::CreateAccount(new));
    let give = |minor| NewTransfer {
        reference: Some(format!("t{minor}").into()),
        ..transfer(outside, wallet, minor)
    };
    let transfers = (1..=transfers).map(|minor| world.make(Command::CreateTransfer(give(minor))));
    let transfers = transfers.collect();
    Shop {
        world,
        outside,
        wallet,
        transfers,
    }
}

fn transfers(world: &World, page: Page) -> (Vec<Id>, bool) {
    match world.ask(&Query::Transfers {
        reference: None,
        page,
    }) {
        Answer::Transfers(list) => (
            list.items.iter().map(|item| item.id).collect(),
            list.has_more,
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn lists_come_in_pages_newest_first() {
    let Shop {
        world,
        transfers: ids,
        ..
    } = shop(7);
    let newest =
        |range: std::ops::Range<usize>| ids[range].iter().rev().copied().collect::<Vec<_>>();
    let page = |limit| Page {
        limit,
        ..Page::default()
    };
    let after = |id| Page {
        starting_after: Some(id),
        ..page(3)
    };
    let before = |id| Page {
        ending_before: Some(id),
        ..page(3)
    };
    for (asked, expected) in [
        (page(100), (newest(0..7), false)),
        (page(7), (newest(0..7), false)),
        (page(3), (newest(4..7), true)),
        (page(0), (newest(6..7), true)),
        (after(ids[4]), (newest(1..4), true)),
        (after(ids[1]), (newest(0..1), false)),
        (after(ids[0]), (vec![], false)),
        (before(ids[6]), (vec![], false)),
        (before(ids[4]), (newest(5..7), false)),
        (before(ids[1]), (newest(2..5), true)),
        (
            Page {
                ending_before: Some(ids[0]),
                ..after(ids[6])
            },
            (newest(3..6), true),
        ),
        (after(Id(0)), (vec![], false)),
        (before(Id(u128::MAX)), (vec![], false)),
    ] {
        assert_eq!(transfers(&world, asked.clone()), expected, "{asked:?}");
    }
    let time = |at: usize| ids[at].position().time;
    let created = |from, to| Page {
        created_from: from,
        created_to: to,
        ..page(100)
    };
    for (asked, expected) in [
        (created(Some(time(2)), Some(time(4))), newest(2..5)),
        (created(Some(time(2)), None), newest(2..7)),
        (created(None, Some(time(2))), newest(0..3)),
        (created(Some(Timestamp(u64::MAX)), None), vec![]),
        (created(Some(time(4)), Some(time(2))), vec![]),
    ] {
        assert_eq!(transfers(&world, asked), (expected, false));
    }
}

#[test]
fn lists_are_filtered_by_reference_currency_and_payment() {
    let Shop {
        mut world,
        wallet,
        transfers: ids,
        ..
    } = shop(3);
    let all = Page {
        limit: 100,
        ..Page::default()
    };
    let by = |world: &World, reference: &str, page: Page| {
        let reference = Some(reference.into());
        match world.ask(&Query::Transfers { reference, page }) {
            Answer::Transfers(list) => list.items.iter().map(|item| item.id).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(by(&world, "t2", all.clone()), [ids[1]]);
    assert_eq!(by(&world, "none", all.clone()), []);
    assert_eq!(
        by(
            &world,
            "t2",
            Page {
                starting_after: Some(ids[1]),
                ..all.clone()
            }
        ),
        []
    );

    let euros = NewAccount {
        currency: currency("EUR"),
        ..wallet_of("e")
    };
    let mut euro_accounts = vec![];
    for at in 0..300 {
        let new = NewAccount {
            reference: None,
            ..euros.clone()
        };
        euro_accounts.push(world.make(Command::CreateAccount(new)));
        if at == 150 {
            world.make(Command::CreateAccount(wallet_of("late")));
        }
    }
    let accounts = |reference: Option<&str>, code: &str, page: &Page| {
        let (reference, page) = (reference.map(Into::into), page.clone());
        match world.ask(&Query::Accounts {
            reference,
            currency: Some(currency(code)),
            page,
        }) {
            Answer::Accounts(list) => (list.items.len(), list.has_more),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(accounts(None, "USD", &all), (3, false));
    assert_eq!(
        accounts(
            None,
            "USD",
            &Page {
                limit: 2,
                ..all.clone()
            }
        ),
        (2, true)
    );
    assert_eq!(accounts(None, "EUR", &all), (100, true));
    assert_eq!(accounts(None, "JPY", &all), (0, false));
    assert_eq!(accounts(Some("late"), "USD", &all), (1, false));
    assert_eq!(accounts(Some("late"), "EUR", &all), (0, false));

    let pay = Command::CreatePayment(payment(wallet, 3, CaptureMethod::Automatic));
    let (first, second) = (world.make(pay.clone()), world.make(pay));
    let refund = |payment, minor| Command::CreateRefund {
        payment,
        amount: Some(amount(minor)),
    };
    let mut refunds = vec![];
    for (payment, minor) in [(first, 1), (second, 1), (first, 1), (second, 2), (first, 1)] {
        refunds.push(world.make(refund(payment, minor)));
    }
    let of = |payment, page: Page| match world.ask(&Query::Refunds { payment, page }) {
        Answer::Refunds(list) => (
            list.items.iter().map(|item| item.id).collect::<Vec<_>>(),
            list.has_more,
        ),
        other => panic!("{other:?}"),
    };
    let two = Page {
        limit: 2,
        ..all.clone()
    };
    assert_eq!(of(None, all.clone()).0.len(), 5);
    assert_eq!(
        of(Some(first), all.clone()),
        (vec![refunds[4], refunds[2], refunds[0]], false)
    );
    assert_eq!(
        of(Some(second), all.clone()),
        (vec![refunds[3], refunds[1]], false)
    );
    assert_eq!(
        of(Some(first), two.clone()),
        (vec![refunds[4], refunds[2]], true)
    );
    let older = Page {
        starting_after: Some(refunds[2]),
        ..two.clone()
    };
    assert_eq!(of(Some(first), older), (vec![refunds[0]], false));
    let newer = Page {
        ending_before: Some(refunds[0]),
        limit: 1,
        ..two
    };
    assert_eq!(of(Some(first), newer), (vec![refunds[2]], true));
    assert_eq!(of(Some(Id(5)), all), (vec![], false));
}

fn wallet_of(reference: &str) -> NewAccount {
    NewAccount {
        reference: Some(reference.into()),
        ..wallet()
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let Shop {
        mut world,
        wallet,
        transfers: ids,
        ..
    } = shop(1);
    let pay = Command::CreatePayment(payment(wallet, 1, CaptureMethod::Manual));
    let paid = world.make(pay);
    let page = EntryPage::default();
    for query in [
        Query::Account(Id(1)),
        Query::Account(ids[0]),
        Query::Transfer(wallet),
        Query::Transfer(Id(u128::MAX)),
        Query::Payment(ids[0]),
        Query::Refund(paid),
        Query::Balance {
            account: ids[0],
            at: None,
        },
        Query::Entries {
            account: ids[0],
            page,
        },
    ] {
        assert_eq!(world.ask(&query), Answer::NotFound, "{query:?}");
    }
    // A payment's own transfer is found, but not listed.
    let Answer::Transfer(own) = world.ask(&Query::Transfer(paid)) else {
        panic!()
    };
    assert_eq!(
        (own.status, own.payment),
        (TransferStatus::Pending, Some(paid))
    );
    assert_eq!(
        transfers(
            &world,
            Page {
                limit: 9,
                ..Page::default()
            }
        ),
        (ids, false)
    );
    // Nor does another ledger find any of it.
    let other = LedgerId {
        mode: Mode::Test,
        ..PARTNER
    };
    for query in [
        Query::Account(wallet),
        Query::Payment(paid),
        Query::Transfer(paid),
    ] {
        assert_eq!(
            answer(&world.state, &world.store, other, &query),
            Answer::NotFound
        );
    }
}
