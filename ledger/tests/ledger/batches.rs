//! Many transfers in one command.

use crate::script::check;
use crate::support::*;
use florin_ledger::command::*;
use florin_ledger::effect::*;
use florin_ledger::id::*;
use florin_ledger::query::{Answer, Page, Query};

#[test]
fn each_stands_on_its_own_and_sees_those_before() {
    check(
        "
        account A funded 10.00
        account B
        batch each T1 A->B 6.00, T2 A->B 6.00, T3 B->A 5.00, T4 A->B 6.00 => posted 6.00, refused insufficient_funds debit_account: 4.00 of 6.00, posted 5.00, posted 6.00 | A 3.00 B 7.00
        batch each T5 A->B 1.00 ref r, T6 A->B 1.00 ref r => posted 1.00, refused reference_taken by T5 | A 2.00 B 8.00
        batch each T7 A->A 1.00    => refused same_account          | A 2.00 B 8.00
        batch each T8 A->B 2.00 pending expires 5s, T9 B->A 8.00 => pending, posted 8.00 | A 8.00 B 0.00
        wait 5s                    => expired T8                    | A 10.00 B 0.00
        ",
    );
}

#[test]
fn atomic_batches_happen_wholly_or_not_at_all() {
    check(
        "
        account A funded 10.00
        account B
        account C
        batch atomic T1 A->B 6.00, T2 B->C 5.00, T3 C->A 1.00 => posted 6.00, posted 5.00, posted 1.00 | A 5.00 B 1.00 C 4.00
        batch atomic T4 A->B 5.00, T5 B->C 6.00, T6 B->C 0.01 => refused batch at 2: insufficient_funds debit_account: 0.00 of 0.01 | A 5.00 B 1.00 C 4.00
        post T4                    => refused transfer_not_found
        batch atomic T4 A->B 1.00 ref r, T5 A->B 1.00 ref r => refused batch at 1: reference_taken by nobody | A 5.00 B 1.00
        batch atomic T4 A->B 1.00 ref r => posted 1.00              | A 4.00 B 2.00
        batch atomic T5 A->B 1.00, T6 A->B 1.00 ref r => refused batch at 1: reference_taken by T4 | A 4.00 B 2.00
        batch atomic T7 A->X 1.00  => refused batch at 0: account_not_found credit_account
        batch atomic T8 A->B 4.00 pending expires 5s, T9 B->A 2.00 => pending, posted 2.00 | A 2.00 B 0.00
        post T8                    => posted 4.00                   | A 2.00 B 4.00
        wait 9s                    => nothing
        ",
    );
}

/// As many as a command may have, twice, and then something else, all in one batch.
#[test]
fn eight_thousand_transfers() {
    let mut world = World::new(1);
    let a = world.make(Command::CreateAccount(crate::support::world()));
    let b = world.make(Command::CreateAccount(wallet()));
    let transfers = vec![transfer(a, b, 1); 8_190];
    let create = |atomic| {
        plain(Command::CreateTransfers {
            atomic,
            transfers: transfers.clone(),
        })
    };
    let last = plain(Command::CreateTransfer(transfer(b, a, 16_380)));
    let applied = world.batch(&[create(true), create(false), last]);
    let ordinals: Vec<u16> = applied
        .decisions
        .iter()
        .map(|decision| decision.position.ordinal)
        .collect();
    assert_eq!(ordinals, [0, 8_190, 16_380]);
    assert_eq!(
        world
            .state
            .account(PARTNER, b)
            .unwrap()
            .totals
            .balance(AccountKind::Liability),
        0
    );
    // One in the middle is found by the place it took.
    let id = Position {
        time: applied.time,
        ordinal: 8_190 + 77,
    }
    .id(PARTNER);
    assert!(matches!(world.ask(&Query::Transfer(id)), Answer::Transfer(found) if found.id == id));
    let page = Page {
        limit: 100,
        starting_after: Some(id),
        ..Page::default()
    };
    let Answer::Transfers(list) = world.ask(&Query::Transfers {
        reference: None,
        page,
    }) else {
        panic!()
    };
    assert_eq!((list.items.len(), list.has_more), (100, true));
    assert_eq!(list.items[99].id.position().ordinal, 8_190 + 77 - 100);
    world.check_restart_and_replay();
}

#[test]
fn a_batch_has_as_many_ordinals_as_can_be_counted() {
    let many = plain(Command::CreateTransfers {
        atomic: false,
        transfers: vec![transfer(Id(1), Id(2), 1); 8_190],
    });
    let many = encode_envelope(&many);
    let mut batch = BatchBuilder::new();
    for _ in 0..8 {
        batch.push(&many).unwrap();
    }
    assert_eq!(batch.push(&many), Err(BatchFull));
    let tick = encode_envelope(&plain(Command::Tick));
    for _ in 0..16 {
        batch.push(&tick).unwrap();
    }
    assert_eq!(batch.push(&tick), Err(BatchFull));
    let mut world = World::new(1);
    let applied = world.bytes(&batch.finish(Timestamp(1)));
    assert_eq!(applied.decisions.len(), 24);
    assert_eq!(applied.decisions[23].position.ordinal, u16::MAX);
    assert!(matches!(
        applied.decisions[7].effect,
        Effect::TransfersCreated(_)
    ));
}
