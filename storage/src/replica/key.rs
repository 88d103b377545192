//! The keys of a group's tree.
//!
//! One byte says what a key is of; numbers follow in big-endian order, so that keys sort as what
//! they stand for. A ledger is its partner's number (16 bytes) and its mode (1 byte).
//!
//! | byte | key after it | value |
//! |---|---|---|
//! | 0 | | header: positions, membership, the ledger's clock and chain |
//! | 1 | ledger | the ledger's sequence and merchant accounts |
//! | 2 | ledger, account | the account with its totals |
//! | 3 | ledger, kind, object | a transfer, payment or refund that changed after it was made |
//! | 4 | ledger, transfer | a pending transfer that waits for its time |
//! | 5 | item kind, item key | a directory item |
//! | 6 | | nothing: a persist is under way, or a crash cut it short |
//! | 16 | hash of ledger, kind and reference | who took the reference |
//! | 17 | ledger, account, first sequence | several entries |
//! | 18 | ledger, kind, first object | several identifiers |
//! | 19 | batch time, piece | a piece of a journal record |
//!
//! Up to 15, a pair may change: a snapshot needs them all as of one moment. From 16 on, pairs
//! are only added, and each says by its time whether it belongs to a snapshot.

use super::error::BackendError;
use florin_ledger::directory::Item;
use florin_ledger::id::{Id, LedgerId, Mode, Timestamp};
use florin_ledger::object::Kind;

/// What a pair of the tree is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// Where the whole tree stands.
    Header,
    /// What is a ledger's own.
    Ledger(LedgerId),
    /// An account.
    Account(LedgerId, Id),
    /// An object that is no longer what its creation in the journal says.
    Object(LedgerId, Kind, Id),
    /// A pending transfer that waits for its time.
    Expiry(LedgerId, Id),
    /// A directory item, by the kind and its own key.
    Directory(u8, Vec<u8>),
    /// A persist is under way, or a crash cut it short.
    Writing,
    /// A reference that is taken.
    Reference([u8; 16]),
    /// Entries of an account from this sequence on.
    Entries(LedgerId, Id, u64),
    /// Identifiers of a kind from this one on.
    List(LedgerId, Kind, Id),
    /// A piece of the record of the batch of this time.
    Journal(Timestamp, u16),
}

/// The first byte of each sort of key.
pub(crate) mod tag {
    pub(crate) const HEADER: u8 = 0;
    pub(crate) const LEDGER: u8 = 1;
    pub(crate) const ACCOUNT: u8 = 2;
    pub(crate) const OBJECT: u8 = 3;
    pub(crate) const EXPIRY: u8 = 4;
    pub(crate) const DIRECTORY: u8 = 5;
    pub(crate) const WRITING: u8 = 6;
    /// Pairs below may change, pairs from here on are only added.
    pub(crate) const FIRST_IMMUTABLE: u8 = 16;
    pub(crate) const REFERENCE: u8 = 16;
    pub(crate) const ENTRIES: u8 = 17;
    pub(crate) const LIST: u8 = 18;
    pub(crate) const JOURNAL: u8 = 19;
}

impl Key {
    /// Its bytes in the tree.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(48);
        match self {
            Key::Header => key.push(tag::HEADER),
            Key::Ledger(ledger) => {
                key.push(tag::LEDGER);
                put_ledger(&mut key, *ledger);
            }
            Key::Account(ledger, id) => {
                key.push(tag::ACCOUNT);
                put_ledger(&mut key, *ledger);
                key.extend(id.0.to_be_bytes());
            }
            Key::Object(ledger, kind, id) => {
                key.push(tag::OBJECT);
                put_ledger(&mut key, *ledger);
                key.push(kind_byte(*kind));
                key.extend(id.0.to_be_bytes());
            }
            Key::Expiry(ledger, id) => {
                key.push(tag::EXPIRY);
                put_ledger(&mut key, *ledger);
                key.extend(id.0.to_be_bytes());
            }
            Key::Directory(kind, item) => {
                key.push(tag::DIRECTORY);
                key.push(*kind);
                key.extend(item);
            }
            Key::Writing => key.push(tag::WRITING),
            Key::Reference(hash) => {
                key.push(tag::REFERENCE);
                key.extend(hash);
            }
            Key::Entries(ledger, account, first) => {
                key.push(tag::ENTRIES);
                put_ledger(&mut key, *ledger);
                key.extend(account.0.to_be_bytes());
                key.extend(first.to_be_bytes());
            }
            Key::List(ledger, kind, first) => {
                key.push(tag::LIST);
                put_ledger(&mut key, *ledger);
                key.push(kind_byte(*kind));
                key.extend(first.0.to_be_bytes());
            }
            Key::Journal(time, piece) => {
                key.push(tag::JOURNAL);
                key.extend(time.0.to_be_bytes());
                key.extend(piece.to_be_bytes());
            }
        }
        key
    }

    /// What bytes of the tree stand for.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Key, BackendError> {
        let mut rest = Fields(bytes);
        let key = match rest.byte()? {
            tag::HEADER => Key::Header,
            tag::LEDGER => Key::Ledger(rest.ledger()?),
            tag::ACCOUNT => Key::Account(rest.ledger()?, rest.id()?),
            tag::OBJECT => Key::Object(rest.ledger()?, rest.kind()?, rest.id()?),
            tag::EXPIRY => Key::Expiry(rest.ledger()?, rest.id()?),
            tag::DIRECTORY => {
                let kind = rest.byte()?;
                Key::Directory(kind, std::mem::take(&mut rest.0).to_vec())
            }
            tag::WRITING => Key::Writing,
            tag::REFERENCE => Key::Reference(rest.array()?),
            tag::ENTRIES => {
                let (ledger, account) = (rest.ledger()?, rest.id()?);
                Key::Entries(ledger, account, u64::from_be_bytes(rest.array()?))
            }
            tag::LIST => Key::List(rest.ledger()?, rest.kind()?, rest.id()?),
            tag::JOURNAL => {
                let time = Timestamp(u64::from_be_bytes(rest.array()?));
                Key::Journal(time, u16::from_be_bytes(rest.array()?))
            }
            _ => return Err(damaged(bytes)),
        };
        if rest.0.is_empty() {
            Ok(key)
        } else {
            Err(damaged(bytes))
        }
    }

    /// The key of a directory item.
    pub(crate) fn of_item(item: &Item) -> Key {
        match item {
            Item::Partner(it) => Key::Directory(0, it.value.id.0.to_be_bytes().to_vec()),
            Item::Key(it) => Key::Directory(1, it.value.hash.to_vec()),
            Item::Group(it) => Key::Directory(2, it.value.id.0.to_be_bytes().to_vec()),
            Item::Node(it) => Key::Directory(3, it.value.id.0.to_be_bytes().to_vec()),
        }
    }

    /// The key of a reference: 128 bits of a hash, so that it has one length.
    pub(crate) fn of_reference(ledger: LedgerId, kind: Kind, reference: &str) -> Key {
        let mut hasher = blake3::Hasher::new();
        let mut name = Vec::with_capacity(18);
        put_ledger(&mut name, ledger);
        name.push(kind_byte(kind));
        hasher.update(&name).update(reference.as_bytes());
        let mut hash = [0; 16];
        hasher.finalize_xof().fill(&mut hash);
        Key::Reference(hash)
    }
}

/// The first and the last possible key of a sort.
pub(crate) fn all(tag: u8) -> (Vec<u8>, Vec<u8>) {
    // No key of a sort is longer than 64 bytes, and none is all ones.
    let mut last = vec![0xff; 64];
    if let Some(first) = last.first_mut() {
        *first = tag;
    }
    (vec![tag], last)
}

/// The kind as a byte of keys; the order of kinds is part of the format.
pub(crate) fn kind_byte(kind: Kind) -> u8 {
    match kind {
        Kind::Account => 0,
        Kind::Transfer => 1,
        Kind::Payment => 2,
        Kind::Refund => 3,
    }
}

fn put_ledger(key: &mut Vec<u8>, ledger: LedgerId) {
    key.extend(ledger.partner.0.to_be_bytes());
    key.push(match ledger.mode {
        Mode::Live => 0,
        Mode::Test => 1,
    });
}

fn damaged(key: &[u8]) -> BackendError {
    BackendError::Damaged(format!("the key {key:02x?}"))
}

/// What is left of a key.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn byte(&mut self) -> Result<u8, BackendError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BackendError> {
        let (head, tail) = self.0.split_first_chunk().ok_or_else(|| damaged(self.0))?;
        self.0 = tail;
        Ok(*head)
    }

    fn id(&mut self) -> Result<Id, BackendError> {
        Ok(Id(u128::from_be_bytes(self.array()?)))
    }

    fn kind(&mut self) -> Result<Kind, BackendError> {
        match self.byte()? {
            0 => Ok(Kind::Account),
            1 => Ok(Kind::Transfer),
            2 => Ok(Kind::Payment),
            3 => Ok(Kind::Refund),
            _ => Err(damaged(self.0)),
        }
    }

    fn ledger(&mut self) -> Result<LedgerId, BackendError> {
        let partner = self.id()?;
        let mode = match self.byte()? {
            0 => Mode::Live,
            1 => Mode::Test,
            _ => return Err(damaged(self.0)),
        };
        Ok(LedgerId { partner, mode })
    }
}
