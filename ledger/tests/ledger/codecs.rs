//! Bytes in, bytes out, and bytes that nobody wrote.

use crate::support::*;
use florin_ledger::command::*;
use florin_ledger::directory::DirectoryCommand;
use florin_ledger::effect::*;
use florin_ledger::id::*;
use florin_ledger::journal::{Record, RecordError};
use proptest::prelude::*;

/// One of each command.
fn commands() -> Vec<Command> {
    let (a, b) = (Id(u128::MAX), Id(3));
    let rich = NewTransfer {
        pending: true,
        expires_in: Some(u64::MAX),
        reference: Some("é".into()),
        metadata: vec![("k".into(), "v".into())],
        ..transfer(a, b, i128::MAX)
    };
    vec![
        Command::CreateAccount(NewAccount {
            overdraft_limit: i128::MAX,
            ..wallet()
        }),
        Command::CreateTransfer(rich.clone()),
        Command::CreateTransfers {
            atomic: true,
            transfers: vec![rich, transfer(b, a, 1)],
        },
        Command::PostTransfer {
            transfer: a,
            amount: Some(amount(1)),
        },
        Command::VoidTransfer { transfer: a },
        Command::ReverseTransfer { transfer: a },
        Command::CreatePayment(payment(a, 5, CaptureMethod::Manual)),
        Command::CapturePayment {
            payment: a,
            amount: None,
        },
        Command::CancelPayment { payment: a },
        Command::CreateRefund {
            payment: a,
            amount: None,
        },
        Command::Directory(DirectoryCommand::ExpireKey {
            key: a,
            at: Timestamp(u64::MAX),
        }),
        Command::Tick,
    ]
}

fn envelopes() -> Vec<Envelope> {
    let once = [
        None,
        Some(Once {
            key: [255; 16],
            fingerprint: [1; 16],
        }),
    ];
    let both = commands()
        .into_iter()
        .flat_map(|command| once.map(|once| (once, command.clone())));
    both.map(|(once, command)| Envelope {
        once,
        ..plain(command)
    })
    .collect()
}

#[test]
fn envelopes_read_back_and_nothing_else_does() {
    for envelope in envelopes() {
        let bytes = encode_envelope(&envelope);
        assert_eq!(decode_envelope(&bytes), Ok(envelope.clone()));
        assert_eq!(decode_head(&bytes), Ok((envelope.ledger, envelope.once)));
        let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
        assert_eq!(decode_envelope(&longer), Err(Malformed));
        for length in 0..bytes.len() {
            assert_eq!(decode_envelope(&bytes[..length]), Err(Malformed));
        }
        for version in [0, 2, 255] {
            let other: Vec<u8> = std::iter::once(version)
                .chain(bytes[1..].iter().copied())
                .collect();
            assert_eq!(decode_envelope(&other), Err(Malformed));
        }
    }
}

#[test]
fn what_breaks_a_rule_of_form_is_malformed() {
    let limit = NewAccount {
        overdraft_limit: -1,
        ..wallet()
    };
    let many = |count| Command::CreateTransfers {
        atomic: false,
        transfers: vec![transfer(Id(1), Id(2), 1); count],
    };
    for command in [Command::CreateAccount(limit), many(0), many(8_191)] {
        assert_eq!(
            decode_envelope(&encode_envelope(&plain(command))),
            Err(Malformed)
        );
    }
    assert!(decode_envelope(&encode_envelope(&plain(many(8_190)))).is_ok());
    // An amount of 1 (2 in zigzag) made 0 and -1; a currency made unknown.
    let bytes = encode_envelope(&plain(Command::PostTransfer {
        transfer: Id(1),
        amount: Some(amount(1)),
    }));
    for zigzag in [0, 1] {
        let mut wrong = bytes.clone();
        *wrong.last_mut().unwrap() = zigzag;
        assert_eq!(decode_envelope(&wrong), Err(Malformed));
    }
    let mut bytes = encode_envelope(&plain(Command::CreateAccount(wallet())));
    let at = bytes.windows(3).position(|code| code == b"USD").unwrap();
    bytes[at] = b'u';
    assert_eq!(decode_envelope(&bytes), Err(Malformed));
}

#[test]
fn batches_read_back_and_malformed_commands_hurt_no_others() {
    let envelopes = envelopes();
    let mut batch = BatchBuilder::new();
    assert!(batch.is_empty());
    for envelope in &envelopes {
        batch.push(&encode_envelope(envelope)).unwrap();
    }
    batch.push(b"").unwrap();
    batch.push(b"nonsense").unwrap();
    let last = encode_envelope(&plain(Command::CreateAccount(wallet())));
    batch.push(&last).unwrap();
    let (length, count) = (batch.bytes(), batch.len());
    let bytes = batch.finish(Timestamp(77));
    assert_eq!(bytes.len(), length);
    let view = BatchView::decode(&bytes).unwrap();
    assert_eq!((view.time(), view.len()), (Timestamp(77), count));
    for (written, envelope) in view.envelopes().zip(&envelopes) {
        assert_eq!(decode_envelope(written).as_ref(), Ok(envelope));
    }
    let mut world = World::new(1);
    let decisions = world.bytes(&bytes).decisions;
    assert_eq!(decisions.len(), count);
    for decision in &decisions[count - 3..count - 1] {
        assert_eq!(decision.effect, Effect::Refused(Refusal::Malformed));
    }
    assert_eq!(decisions[count - 1].effect, Effect::AccountCreated);
    world.check_restart_and_replay();
    for length in 0..bytes.len() {
        assert!(BatchView::decode(&bytes[..length]).is_err());
    }
}

#[test]
fn what_is_no_batch_decides_nothing_and_lets_time_pass() {
    let mut world = World::new(1);
    for (count, bytes) in [b"".as_slice(), &[1], &[255; 40], &[0; 13]]
        .into_iter()
        .enumerate()
    {
        let applied = world.bytes(bytes);
        assert_eq!(
            (applied.time, applied.decisions.len()),
            (Timestamp(count as u64 + 1), 0)
        );
    }
    world.check_restart_and_replay();
}

#[test]
fn records_are_bound_to_their_bytes() {
    let mut world = World::new(1);
    let outside = world.make(Command::CreateAccount(crate::support::world()));
    let wallet = world.make(Command::CreateAccount(wallet()));
    let hold = NewTransfer {
        pending: true,
        expires_in: Some(1),
        ..transfer(outside, wallet, 5)
    };
    let held = world.make(Command::CreateTransfer(hold));
    let applied = world.batch(&[plain(Command::CreateTransfer(transfer(outside, wallet, 6)))]);
    let bytes = world.store.records().last().unwrap().to_vec();
    let record = Record::decode(&bytes).unwrap();
    assert_eq!((record.time(), record.hash()), (applied.time, applied.hash));
    assert_eq!(record.expired(), [(PARTNER, held)]);
    assert_eq!(record.effect(0), Some(Effect::TransferCreated));
    assert_eq!(record.effect(1), None);
    assert_eq!(record.transfer(PARTNER, 0).unwrap().amount, amount(6));
    let other = LedgerId {
        mode: Mode::Test,
        ..PARTNER
    };
    assert_eq!(record.transfer(other, 0), None);
    assert_eq!(record.payment(PARTNER, 0), None);
    for at in 0..bytes.len() {
        let mut wrong = bytes.clone();
        wrong[at] ^= 1;
        assert!(Record::decode(&wrong).is_err());
        if let Ok(record) = Record::decode_trusted(&wrong) {
            let _ = (
                record.lines().count(),
                record.expired(),
                record.transfer(PARTNER, 0),
            );
        }
        assert!(Record::decode(&bytes[..at]).is_err());
    }
    let mut wrong = bytes.clone();
    *wrong.last_mut().unwrap() ^= 1;
    assert!(matches!(Record::decode(&wrong), Err(RecordError::Hash)));
}

#[test]
fn nested_refusals_cannot_end_the_stack() {
    let why = Box::new(Refusal::SameAccount);
    let fine = Effect::Refused(Refusal::BatchRefused { at: 3, why });
    let bytes = postcard::to_allocvec(&fine).unwrap();
    for _ in 0..2 {
        assert_eq!(postcard::from_bytes::<Effect>(&bytes), Ok(fine.clone()));
        // Effect 0, then refusal 12 at 3, for ever.
        let mut deep = vec![0];
        deep.extend([12, 3].repeat(1_000_000));
        assert_eq!(bytes[..3], deep[..3]);
        assert!(postcard::from_bytes::<Effect>(&deep).is_err());
    }
}

/// A batch in which some bytes were changed, but not its frame.
fn damaged() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let envelopes: Vec<Vec<u8>> = envelopes().iter().map(encode_envelope).collect();
    let damage = (any::<prop::sample::Index>(), any::<u8>());
    let one = (
        prop::sample::select(envelopes),
        proptest::collection::vec(damage, 0..4),
    );
    let one = one.prop_map(|(mut bytes, damage)| {
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    });
    proptest::collection::vec(one, 0..20)
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>, prefix in 0..3_u8) {
        let bytes = match prefix {
            0 => bytes,
            _ => [vec![1], bytes].concat(),
        };
        let _ = decode_envelope(&bytes);
        let _ = decode_head(&bytes);
        let _ = Record::decode_trusted(&bytes).map(|record| record.lines().count());
        World::new(u32::from(prefix % 2)).bytes(&bytes);
    }

    #[test]
    fn damaged_commands_never_panic(envelopes in damaged(), group in 0..2_u32) {
        let mut world = World::new(group);
        world.make(Command::Tick);
        for _ in 0..2 {
            let mut batch = BatchBuilder::new();
            for envelope in &envelopes {
                batch.push(envelope).unwrap();
            }
            let applied = world.bytes(&batch.finish(Timestamp(5)));
            prop_assert_eq!(applied.decisions.len(), envelopes.len());
        }
        world.check_restart_and_replay();
    }
}
