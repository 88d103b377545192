//! Keys, chunks and numbers come back as they went in, and keys sort as what they stand for.

use crate::replica::chunk::{EntryChunks, decode_entries, decode_ids, encode_ids, first_time};
use crate::replica::key::Key;
use crate::replica::numbers::{Numbers, put, put_signed};
use florin_ledger::id::{Id, LedgerId, Mode, Timestamp};
use florin_ledger::object::{Entry, EntryKind, Kind, Side, Totals};
use proptest::collection::vec;
use proptest::prelude::*;

fn ledgers() -> impl Strategy<Value = LedgerId> {
    (any::<u128>(), any::<bool>()).prop_map(|(partner, live)| LedgerId {
        partner: Id(partner),
        mode: if live { Mode::Live } else { Mode::Test },
    })
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Account),
        Just(Kind::Transfer),
        Just(Kind::Payment),
        Just(Kind::Refund)
    ]
}

fn ids() -> impl Strategy<Value = Id> {
    any::<u128>().prop_map(Id)
}

fn keys() -> impl Strategy<Value = Key> {
    prop_oneof![
        Just(Key::Header),
        Just(Key::Writing),
        ledgers().prop_map(Key::Ledger),
        (ledgers(), ids()).prop_map(|(a, b)| Key::Account(a, b)),
        (ledgers(), kinds(), ids()).prop_map(|(a, b, c)| Key::Object(a, b, c)),
        (ledgers(), ids()).prop_map(|(a, b)| Key::Expiry(a, b)),
        (any::<u8>(), vec(any::<u8>(), 0..40)).prop_map(|(a, b)| Key::Directory(a, b)),
        any::<[u8; 16]>().prop_map(Key::Reference),
        (ledgers(), ids(), any::<u64>()).prop_map(|(a, b, c)| Key::Entries(a, b, c)),
        (ledgers(), kinds(), ids()).prop_map(|(a, b, c)| Key::List(a, b, c)),
        (any::<u64>(), any::<u16>()).prop_map(|(a, b)| Key::Journal(Timestamp(a), b)),
    ]
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let total = || prop_oneof![Just(0), 0..1000_i128, any::<i128>()];
    let entry = (
        any::<(u64, u64, u16, u64, bool, bool)>(),
        0..5_u8,
        prop_oneof![1..500_i128, any::<i128>()],
        [total(), total(), total(), total()],
    )
        .prop_map(
            |((time, made, ordinal, tag, same, credit), kind, amount, totals)| {
                let time = Timestamp(time & Timestamp::MAX.0);
                let made = if same { time } else { Timestamp(made) };
                let [
                    debits_posted,
                    credits_posted,
                    debits_pending,
                    credits_pending,
                ] = totals;
                Entry {
                    sequence: 0,
                    transfer: Id::new(made, ordinal, if same { 7 } else { tag }),
                    time,
                    kind: [
                        EntryKind::Posted,
                        EntryKind::Pending,
                        EntryKind::PendingPosted,
                        EntryKind::PendingVoided,
                        EntryKind::PendingExpired,
                    ][usize::from(kind)],
                    side: if credit { Side::Credit } else { Side::Debit },
                    amount,
                    totals: Totals {
                        debits_posted,
                        credits_posted,
                        debits_pending,
                        credits_pending,
                    },
                }
            },
        );
    (vec(entry, 0..300), 1..1_000_000_u64).prop_map(|(mut entries, first)| {
        for (entry, sequence) in entries.iter_mut().zip(first..) {
            entry.sequence = sequence;
        }
        entries
    })
}

fn chunked(entries: &[Entry]) -> EntryChunks {
    let mut chunks = EntryChunks::default();
    for entry in entries {
        chunks.push(*entry);
    }
    chunks
}

proptest! {
    #[test]
    fn keys_come_back(key in keys()) {
        prop_assert_eq!(Key::decode(&key.encode()).unwrap(), key);
    }

    #[test]
    fn keys_sort_as_their_parts(ledger in ledgers(), a in any::<(u128, u64)>(), b in any::<(u128, u64)>()) {
        let key = |it: (u128, u64)| Key::Entries(ledger, Id(it.0), it.1).encode();
        prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
    }

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in vec(any::<u8>(), 0..60)) {
        let _ = Key::decode(&bytes);
        let _ = decode_entries(1, &bytes);
        let _ = decode_ids(&bytes);
    }

    #[test]
    fn entries_come_back(entries in entries()) {
        let chunks = chunked(&entries);
        let mut back = Vec::new();
        for (first, chunk) in chunks.chunks() {
            let part = decode_entries(*first, chunk).unwrap();
            prop_assert_eq!(part[0].sequence, *first);
            prop_assert_eq!(part[0].time, first_time(*first, chunk).unwrap());
            back.extend(part);
        }
        prop_assert_eq!(back, entries);
    }

    #[test]
    fn parts_of_entries_are_read(
        entries in entries(), from in 0..320_u64, length in 0..320_u64, newest_first: bool, limit in 0..320_usize
    ) {
        let first = entries.first().map_or(1, |entry| entry.sequence);
        let range = (first + from).saturating_sub(10)..=(first + from + length).saturating_sub(20);
        let inside = entries.iter().filter(|entry| range.contains(&entry.sequence));
        let mut expected: Vec<Entry> = inside.copied().collect();
        if newest_first {
            expected.drain(..expected.len().saturating_sub(limit));
        }
        expected.truncate(limit);
        let read = chunked(&entries).read(&range, newest_first, limit).unwrap();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn identifiers_come_back(mut ids in vec(any::<u128>(), 0..3000)) {
        ids.sort_unstable();
        ids.dedup();
        let ids: Vec<Id> = ids.into_iter().map(Id).collect();
        let mut back = Vec::new();
        for (first, chunk) in encode_ids(&ids) {
            let part = decode_ids(&chunk).unwrap();
            prop_assert_eq!(part[0], first);
            back.extend(part);
        }
        prop_assert_eq!(back, ids);
    }

    #[test]
    fn numbers_come_back(unsigned in any::<u128>(), signed in any::<i128>()) {
        let mut bytes = Vec::new();
        put(&mut bytes, unsigned);
        put_signed(&mut bytes, signed);
        let mut numbers = Numbers(&bytes);
        prop_assert_eq!(numbers.number().unwrap(), unsigned);
        prop_assert_eq!(numbers.signed().unwrap(), signed);
        prop_assert!(numbers.is_empty());
    }
}
