//! The largest batch of plain transfers, on every hop: the proposer, the log, the peers, the
//! journal in the store, a snapshot.

use crate::support::{Cluster, GROUP, block, deadline, eventually, partner, propose};
use bytes::Bytes;
use florin_ledger::amount::{Amount, Currency};
use florin_ledger::command::{Command, Envelope, NewTransfer, Once, encode_envelope};
use florin_ledger::effect::Effect;
use florin_ledger::id::{Id, LedgerId, Mode, NodeId};
use florin_ledger::limits::TRANSFERS_PER_COMMAND;
use florin_ledger::query::{Answer, Query};
use florin_raft::Consistency;
use florin_raft::limits::COMMAND_BYTES;

fn ledger() -> LedgerId {
    LedgerId {
        partner: partner(1),
        mode: Mode::Live,
    }
}

/// As many transfers as a command may have, none with a reference or metadata.
fn batch(from: Id, to: Id) -> Bytes {
    let transfer = NewTransfer {
        debit_account: from,
        credit_account: to,
        amount: Amount::new((1 << 53) - 1).unwrap(),
        currency: Currency::parse("EUR").unwrap(),
        pending: true,
        expires_in: Some(86_400_000_000),
        reference: None,
        metadata: Vec::new(),
    };
    Bytes::from(encode_envelope(&Envelope {
        ledger: ledger(),
        once: Some(Once {
            key: [0xff; 16],
            fingerprint: [0xff; 16],
        }),
        command: Command::CreateTransfers {
            atomic: true,
            transfers: vec![transfer; TRANSFERS_PER_COMMAND],
        },
    }))
}

#[test]
fn the_largest_batch_of_plain_transfers_fits_every_hop() {
    let mut cluster = Cluster::formed(3);
    let leader = cluster.leader(GROUP);
    // Accounts 1 and 8 are of one partner.
    let [from, to] = [1, 8].map(|number| {
        let opened = propose(&leader, number).unwrap();
        opened.decision.position.id(ledger())
    });
    let envelope = batch(from, to);
    assert!(
        envelope.len() < COMMAND_BYTES / 2 - 4_096,
        "frontends send less than a mebibyte: {}",
        envelope.len()
    );
    let committed = block(leader.propose(partner(1), envelope, deadline())).unwrap();
    let Effect::TransfersCreated(refusals) = &committed.decision.effect else {
        panic!("{:?}", committed.decision.effect);
    };
    assert_eq!(refusals.len(), TRANSFERS_PER_COMMAND);
    assert!(refusals.iter().all(Option::is_none));
    cluster.assert_agreement(GROUP);
    for group in cluster.groups(GROUP) {
        let replica = group.replica();
        replica.persist(u64::MAX).unwrap();
        assert_eq!(replica.scrub().problems, Vec::<String>::new());
    }

    // A node without its ledger fetches it as a snapshot.
    let lost = NodeId(1);
    cluster.node(lost).shut_down();
    cluster.node(lost).lose_store();
    cluster.node(lost).start();
    let group = eventually("the group", || cluster.node(lost).host().group(GROUP));
    let at_least = Consistency::AtLeast(committed.at.index);
    let last =
        Id(committed.decision.position.id(ledger()).0
            + ((TRANSFERS_PER_COMMAND as u128 - 1) << 56));
    let read = block(group.read(at_least, ledger(), &Query::Transfer(last), deadline()));
    assert!(matches!(read.unwrap().0, Answer::Transfer(found) if found.id == last));
    cluster.assert_agreement(GROUP);
}
