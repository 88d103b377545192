//! A cluster that is none: every payment has succeeded already.

use florin_api::Backend;
use florin_api::backend::Pending;
use florin_ledger::command::{Envelope, Once};
use florin_ledger::directory::{
    ApiKey, Directory, DirectoryCommand, Group, Item, Partner, Versioned,
};
use florin_ledger::effect::{Decision, Effect};
use florin_ledger::id::{GroupId, Id, LedgerId, Mode, NodeId, Position, Timestamp};
use florin_ledger::query::Query;
use florin_shards::{
    Consistency, DirectoryError, NodeStatus, Read, ReadError, SubmitError, Submitted,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;

/// The only group.
const GROUP: GroupId = GroupId(1);

/// Microseconds since 1970 at which its clock begins.
const BEGINNING: u64 = 1_790_000_000_000_000;

/// Answers each payment as the ledger would answer one that succeeds, at once.
pub struct Fixed {
    directory: Arc<Directory>,
    clock: AtomicU64,
}

impl Fixed {
    /// With so many partners, and the secret key of each.
    pub fn new(partners: u32) -> (Fixed, Vec<(Id, String)>) {
        let mut directory = Directory {
            version: 1,
            ..Directory::default()
        };
        directory.groups.insert(GROUP, versioned(group()));
        let mut keys = Vec::new();
        for number in 1..=partners {
            let id = Id(u128::from(number));
            let secret = format!("sk_live_{number:032x}");
            let hash = *blake3::hash(secret.as_bytes()).as_bytes();
            directory.partners.insert(id, versioned(partner(id)));
            directory.keys.insert(hash, versioned(key(hash, id)));
            keys.push((id, secret));
        }
        let fixed = Fixed {
            directory: Arc::new(directory),
            clock: AtomicU64::new(BEGINNING),
        };
        (fixed, keys)
    }

    /// A moment later than all before.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.clock.fetch_add(1, Ordering::Relaxed))
    }
}

fn versioned<T>(value: T) -> Versioned<T> {
    Versioned { version: 1, value }
}

fn group() -> Group {
    Group {
        id: GROUP,
        members: vec![NodeId(1)],
        home_region: None,
    }
}

fn partner(id: Id) -> Partner {
    Partner {
        id,
        name: "fixed".into(),
        home_region: None,
        group: GROUP,
        suspended: false,
        rate_limit: 0,
        created: Timestamp(BEGINNING),
    }
}

fn key(hash: [u8; 32], partner: Id) -> ApiKey {
    ApiKey {
        hash,
        id: partner,
        partner,
        mode: Mode::Live,
        scopes: vec!["payments:write".into()],
        api_version: "2026-11-01".into(),
        expires_at: None,
        networks: Vec::new(),
        created: Timestamp(BEGINNING),
    }
}

impl Backend for Fixed {
    fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory)
    }

    fn refresh(&self, _deadline: Instant) -> Pending<'_, Result<Arc<Directory>, ReadError>> {
        Box::pin(async { Ok(self.directory()) })
    }

    fn submit<'a>(
        &'a self,
        _envelope: &'a Envelope,
        _deadline: Instant,
    ) -> Pending<'a, Result<Submitted, SubmitError>> {
        let time = self.now();
        let decision = Decision {
            position: Position { time, ordinal: 0 },
            effect: Effect::PaymentCreated {
                destination: Id(1),
                opened: false,
            },
            replayed: false,
        };
        let submitted = Submitted {
            decision,
            group: GROUP,
            index: time.0,
            time,
        };
        Box::pin(std::future::ready(Ok(submitted)))
    }

    fn submit_directory(
        &self,
        _command: DirectoryCommand,
        _once: Option<Once>,
        _deadline: Instant,
    ) -> Pending<'_, Result<Item, DirectoryError>> {
        Box::pin(async { Err(SubmitError::NoLeader.into()) })
    }

    fn read(
        &self,
        _ledger: LedgerId,
        _query: Query,
        _consistency: Consistency,
        _deadline: Instant,
    ) -> Pending<'_, Result<Read, ReadError>> {
        Box::pin(async { Err(ReadError::NoLeader) })
    }

    fn status(&self, _hashes: bool) -> Pending<'_, Vec<NodeStatus>> {
        Box::pin(async { Vec::new() })
    }
}
