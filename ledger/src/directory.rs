//! Who the partners are, where their money lives, and which nodes and groups there are.
//!
//! Its rules are as pure and as replicated as the ledger's, so they live beside them and the
//! directory group is a group like any other. Frontends keep a copy and follow its versions.

mod rules;

use crate::id::{GroupId, Id, Mode, NodeId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The whole directory, in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Grows by one with every change.
    pub version: u64,
    /// By identifier.
    pub partners: BTreeMap<Id, Versioned<Partner>>,
    /// By the BLAKE3 hash of the secret.
    pub keys: BTreeMap<[u8; 32], Versioned<ApiKey>>,
    /// By number.
    pub groups: BTreeMap<GroupId, Versioned<Group>>,
    /// By number.
    pub nodes: BTreeMap<NodeId, Versioned<Node>>,
}

/// An item and the version of the directory that last changed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned<T> {
    /// The directory's version.
    pub version: u64,
    /// What it is.
    pub value: T,
}

/// One item of the directory, for stores and for those who follow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item {
    /// A partner.
    Partner(Versioned<Partner>),
    /// A key.
    Key(Versioned<ApiKey>),
    /// A group.
    Group(Versioned<Group>),
    /// A node.
    Node(Versioned<Node>),
}

/// A partner: whose money this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    /// `ptn_`.
    pub id: Id,
    /// For people.
    pub name: Box<str>,
    /// Where its users are; leaders of its group prefer that region.
    pub home_region: Option<Box<str>>,
    /// Which group holds its ledgers.
    pub group: GroupId,
    /// Nothing is accepted from a suspended partner.
    pub suspended: bool,
    /// Requests a second over all frontends, 0 for no limit.
    pub rate_limit: u32,
    /// When it was onboarded.
    pub created: Timestamp,
}

/// An API key. The secret is shown once and kept as a hash only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// BLAKE3 of the secret.
    pub hash: [u8; 32],
    /// `key_`.
    pub id: Id,
    /// Whose.
    pub partner: Id,
    /// Which of its ledgers.
    pub mode: Mode,
    /// What it may do: `payments:write`, `payments:read`, `ledger:write`, `ledger:read`, `admin`.
    pub scopes: Vec<Box<str>>,
    /// The API version it was made under.
    pub api_version: Box<str>,
    /// Not accepted from then on.
    pub expires_at: Option<Timestamp>,
    /// CIDR networks it is bound to; none for anywhere.
    pub networks: Vec<Box<str>>,
    /// When it was made.
    pub created: Timestamp,
}

/// A shard group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its number.
    pub id: GroupId,
    /// Its voters, preferred leader first.
    pub members: Vec<NodeId>,
    /// The region whose partners are placed here first.
    pub home_region: Option<Box<str>>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its number.
    pub id: NodeId,
    /// For people.
    pub name: Box<str>,
    /// Where it runs.
    pub region: Box<str>,
    /// `host:port` of its gRPC listener, for nodes and frontends.
    pub address: Box<str>,
    /// Made once with its data folder: a node that lost its disk is not its former self.
    pub incarnation: u64,
}

/// A change of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DirectoryCommand {
    /// Adds or replaces a node.
    PutNode(Node),
    /// Adds or replaces a group.
    PutGroup(Group),
    /// Onboards a partner and places it on the group with the fewest partners, home region first.
    CreatePartner {
        /// For people.
        name: Box<str>,
        /// Where its users are.
        home_region: Option<Box<str>>,
        /// Requests a second, 0 for no limit.
        rate_limit: u32,
    },
    /// Suspends or resumes a partner, or changes its limit.
    UpdatePartner {
        /// Which.
        partner: Id,
        /// Nothing is accepted from a suspended partner.
        suspended: Option<bool>,
        /// Requests a second, 0 for no limit.
        rate_limit: Option<u32>,
    },
    /// Adds a key.
    CreateKey {
        /// BLAKE3 of the secret.
        hash: [u8; 32],
        /// Whose.
        partner: Id,
        /// Which of its ledgers.
        mode: Mode,
        /// What it may do.
        scopes: Vec<Box<str>>,
        /// The API version it was made under.
        api_version: Box<str>,
        /// CIDR networks it is bound to.
        networks: Vec<Box<str>>,
    },
    /// Lets a key run out at a time: at once, or after an overlap.
    ExpireKey {
        /// `key_`.
        key: Id,
        /// From then on it is not accepted.
        at: Timestamp,
    },
}

/// What a change of the directory did: the item as it stands now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryEffect {
    /// The item.
    pub item: Item,
}

/// Why the directory said no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DirectoryRefusal {
    /// No such partner.
    PartnerNotFound(Id),
    /// No such key.
    KeyNotFound(Id),
    /// There is no group to place a partner on.
    NoGroup,
    /// The hash is taken.
    KeyTaken,
}
