//! Once for each key, time that only moves forward, and commands that came to the wrong place.

use crate::support::*;
use florin_ledger::command::*;
use florin_ledger::directory::DirectoryCommand;
use florin_ledger::effect::*;
use florin_ledger::id::*;
use florin_ledger::limits;
use florin_ledger::query::{Answer, Query};

fn once(key: u8, fingerprint: u8) -> Option<Once> {
    Some(Once {
        key: [key; 16],
        fingerprint: [fingerprint; 16],
    })
}

fn keyed(once: Option<Once>, command: Command) -> Envelope {
    Envelope {
        ledger: PARTNER,
        once,
        command,
    }
}

struct Shop {
    world: World,
    wallet: Id,
}

impl Shop {
    fn new() -> Shop {
        let mut world = World::new(1);
        let outside = world.make(Command::CreateAccount(crate::support::world()));
        let wallet = world.make(Command::CreateAccount(wallet()));
        world.make(Command::CreateTransfer(transfer(outside, wallet, 1_000)));
        Shop { world, wallet }
    }

    fn pay(&self, minor: i128) -> Command {
        Command::CreatePayment(payment(self.wallet, minor, CaptureMethod::Automatic))
    }

    fn available(&self) -> i128 {
        let account = self.world.state.account(PARTNER, self.wallet).unwrap();
        account.available(&account.totals)
    }
}

#[test]
fn the_first_answer_again() {
    let mut shop = Shop::new();
    let pay = shop.pay(400);
    let first = shop.world.submit(keyed(once(1, 1), pay.clone()));
    assert!(!first.replayed);
    for _ in 0..2 {
        let again = shop.world.submit(keyed(once(1, 1), pay.clone()));
        assert_eq!(
            again,
            Decision {
                replayed: true,
                ..first.clone()
            }
        );
    }
    assert_eq!(shop.available(), 600);
    shop.world.check_restart_and_replay();
}

#[test]
fn within_one_batch_too() {
    let mut shop = Shop::new();
    let pay = shop.pay(400);
    let same = keyed(once(1, 1), pay.clone());
    let batch = [
        plain(Command::Tick),
        same.clone(),
        same,
        keyed(once(1, 2), pay),
    ];
    let decisions = shop.world.batch(&batch).decisions;
    assert_eq!(
        decisions[2],
        Decision {
            replayed: true,
            ..decisions[1].clone()
        }
    );
    assert_eq!(decisions[3].effect, Effect::Refused(Refusal::KeyReused));
    assert_eq!(decisions[3].position.ordinal, 3);
    assert_eq!(shop.available(), 600);
    shop.world.check_restart_and_replay();
}

#[test]
fn a_refusal_is_remembered_even_if_it_would_be_granted_now() {
    let mut shop = Shop::new();
    let pay = shop.pay(1_001);
    let first = shop.world.submit(keyed(once(1, 1), pay.clone()));
    assert!(matches!(
        first.effect,
        Effect::Refused(Refusal::InsufficientFunds { .. })
    ));
    let outside = account(AccountKind::Asset, Constraint::None);
    let outside = shop.world.make(Command::CreateAccount(outside));
    shop.world.make(Command::CreateTransfer(transfer(
        outside,
        shop.wallet,
        1_000,
    )));
    let again = shop.world.submit(keyed(once(1, 1), pay));
    assert_eq!(
        again,
        Decision {
            replayed: true,
            ..first
        }
    );
    assert_eq!(shop.available(), 2_000);
}

#[test]
fn a_reused_key_is_refused_and_changes_no_memory() {
    let mut shop = Shop::new();
    let pay = shop.pay(400);
    let first = shop.world.submit(keyed(once(1, 1), pay.clone()));
    let other = shop.pay(500);
    let reused = shop.world.submit(keyed(once(1, 2), other));
    assert_eq!(reused.effect, Effect::Refused(Refusal::KeyReused));
    assert!(!reused.replayed);
    let again = shop.world.submit(keyed(once(1, 1), pay));
    assert_eq!(
        again,
        Decision {
            replayed: true,
            ..first
        }
    );
    shop.world.check_restart_and_replay();
}

#[test]
fn keys_are_a_ledgers_own() {
    let mut shop = Shop::new();
    let pay = shop.pay(400);
    shop.world.submit(keyed(once(1, 1), pay));
    for ledger in [
        LedgerId {
            mode: Mode::Test,
            ..PARTNER
        },
        LedgerId {
            partner: Id(8),
            ..PARTNER
        },
    ] {
        let command = Command::CreateAccount(wallet());
        let decision = shop.world.submit(Envelope {
            ledger,
            once: once(1, 9),
            command,
        });
        assert_eq!(
            (decision.effect, decision.replayed),
            (Effect::AccountCreated, false)
        );
        // What one ledger has, the other does not find.
        let command =
            Command::CreateTransfer(transfer(shop.wallet, decision.position.id(ledger), 1));
        let decision = shop.world.submit(Envelope {
            ledger,
            once: None,
            command,
        });
        let why = Refusal::AccountNotFound {
            param: Param::DebitAccount,
            account: shop.wallet,
        };
        assert_eq!(decision.effect, Effect::Refused(why));
    }
    assert_eq!(shop.available(), 600);
    shop.world.check_restart_and_replay();
}

#[test]
fn a_key_is_remembered_for_a_day_of_group_time() {
    let mut shop = Shop::new();
    let pay = keyed(once(1, 1), shop.pay(400));
    let key = pay.once.unwrap();
    let first = shop.world.submit(pay.clone());
    // The last moment of that day: a batch's time is a millisecond after the last one's.
    shop.world.clock = first.position.time.0 + limits::KEY_RETENTION - 1_000 - 1;
    assert!(shop.world.submit(pay.clone()).replayed);
    shop.world.check_restart_and_replay();
    shop.world.clock -= 1_000 - 1;
    let again = shop.world.submit(pay);
    assert_eq!(
        again.position.time.0,
        first.position.time.0 + limits::KEY_RETENTION
    );
    assert!(!again.replayed);
    assert_eq!(shop.available(), 200);
    assert_eq!(
        shop.world.state.remembered(PARTNER, &key),
        Some(again.position)
    );
    shop.world.check_restart_and_replay();
}

#[test]
fn time_only_moves_forward_whatever_the_stamps_say() {
    let mut world = World::new(1);
    let tick = encode_envelope(&plain(Command::Tick));
    let mut last = 0;
    for (stamp, expected) in [
        (100, 100),
        (100, 101),
        (50, 102),
        (103, 103),
        (u64::MAX, 104),
        (limits::LATEST_STAMP + 1, 105),
        (limits::LATEST_STAMP, limits::LATEST_STAMP),
        (7, limits::LATEST_STAMP + 1),
    ] {
        let mut batch = BatchBuilder::new();
        batch.push(&tick).unwrap();
        let applied = world.bytes(&batch.finish(Timestamp(stamp)));
        assert_eq!(applied.time, Timestamp(expected));
        assert!(applied.time.0 > last);
        last = applied.time.0;
    }
    world.check_restart_and_replay();
}

#[test]
fn each_group_accepts_its_own_commands_only() {
    let wrong = Effect::Refused(Refusal::WrongGroup);
    let update = DirectoryCommand::UpdatePartner {
        partner: Id(1),
        suspended: None,
        rate_limit: None,
    };
    let directory = Command::Directory(update);
    let money = Command::CreateAccount(wallet());
    assert_eq!(World::new(1).run(directory.clone()).effect, wrong);
    assert_eq!(World::new(1).run(Command::Tick).effect, Effect::Ticked);
    let mut world = World::new(0);
    assert_eq!(world.run(Command::Tick).effect, Effect::Ticked);
    // It was not decided: with the same key the right group may be asked, or this one again.
    let first = world.submit(keyed(once(1, 1), money.clone()));
    let again = world.submit(keyed(once(1, 1), money));
    assert_eq!(
        (first.effect, again.effect, again.replayed),
        (wrong.clone(), wrong, false)
    );
    world.check_restart_and_replay();
}

#[test]
fn a_transfer_expires_at_its_time_and_not_before() {
    let mut shop = Shop::new();
    let outside = shop
        .world
        .make(Command::CreateAccount(crate::support::world()));
    let new = NewTransfer {
        pending: true,
        expires_in: Some(1_000_000),
        ..transfer(shop.wallet, outside, 1)
    };
    let made = shop.world.run(Command::CreateTransfer(new)).position;
    assert_eq!(
        shop.world.state.next_expiry(),
        Some(Timestamp(made.time.0 + 1_000_000))
    );
    for (after, expired) in [
        (999_999, vec![]),
        (1_000_000, vec![(PARTNER, made.id(PARTNER))]),
    ] {
        shop.world.clock = made.time.0 + after - 1_000;
        assert_eq!(shop.world.batch(&[]).expired, expired);
    }
}

#[test]
fn what_is_due_and_not_yet_processed_is_expired_already() {
    let mut shop = Shop::new();
    let one = NewTransfer {
        pending: true,
        expires_in: Some(1_000_000),
        ..transfer(shop.wallet, shop.wallet, 1)
    };
    let outside = shop
        .world
        .make(Command::CreateAccount(crate::support::world()));
    let transfers = vec![
        NewTransfer {
            credit_account: outside,
            ..one
        };
        limits::EXPIRIES_PER_BATCH + 10
    ];
    let count = transfers.len();
    let first = shop.world.run(Command::CreateTransfers {
        atomic: true,
        transfers,
    });
    let last = Position {
        ordinal: count as u16 - 1,
        ..first.position
    }
    .id(PARTNER);
    shop.world.clock += 1_000_000;
    let applied = shop.world.batch(&[
        plain(Command::PostTransfer {
            transfer: last,
            amount: None,
        }),
        plain(Command::VoidTransfer { transfer: last }),
    ]);
    assert_eq!(applied.expired.len(), limits::EXPIRIES_PER_BATCH);
    for decision in &applied.decisions {
        assert_eq!(decision.effect, Effect::Refused(Refusal::Expired(last)));
    }
    assert!(shop.world.state.next_expiry().is_some());
    shop.world.check_restart_and_replay();
    assert_eq!(shop.world.batch(&[]).expired.len(), 10);
    assert_eq!(shop.world.state.next_expiry(), None);
    assert_eq!(shop.available(), 1_000);
    let Answer::Transfer(found) = shop.world.ask(&Query::Transfer(last)) else {
        panic!()
    };
    assert_eq!(found.status, florin_ledger::object::TransferStatus::Expired);
    shop.world.check_restart_and_replay();
}
