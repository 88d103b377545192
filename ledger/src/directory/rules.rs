//! How the directory changes.

use super::{
    ApiKey, Directory, DirectoryCommand, DirectoryEffect, DirectoryRefusal, Group, Item, Node,
    Partner, Versioned,
};
use crate::id::{DIRECTORY, GroupId, Id, LedgerId, Mode, Position};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The directory belongs to nobody; its identifiers end with this owner's tag.
const NOBODY: LedgerId = LedgerId {
    partner: Id(0),
    mode: Mode::Live,
};

impl Item {
    /// The version of the directory that last changed it.
    pub fn version(&self) -> u64 {
        match self {
            Item::Partner(item) => item.version,
            Item::Key(item) => item.version,
            Item::Group(item) => item.version,
            Item::Node(item) => item.version,
        }
    }
}

impl Directory {
    /// Takes over an item as it stands: decided here, restored, or sent by another copy. An older
    /// version than what is there changes nothing.
    pub fn put(&mut self, item: Item) {
        self.version = self.version.max(item.version());
        match item {
            Item::Partner(partner) => put(&mut self.partners, partner.value.id, partner),
            Item::Key(key) => put(&mut self.keys, key.value.hash, key),
            Item::Group(group) => put(&mut self.groups, group.value.id, group),
            Item::Node(node) => put(&mut self.nodes, node.value.id, node),
        }
    }

    /// The items that changed after that version, in order of change.
    pub fn since(&self, version: u64) -> Vec<Item> {
        let partners = newer(&self.partners, version).map(Item::Partner);
        let keys = newer(&self.keys, version).map(Item::Key);
        let groups = newer(&self.groups, version).map(Item::Group);
        let nodes = newer(&self.nodes, version).map(Item::Node);
        let mut items: Vec<_> = partners.chain(keys).chain(groups).chain(nodes).collect();
        items.sort_by_key(Item::version);
        items
    }

    /// The key with that hash and its partner.
    pub fn key(&self, hash: &[u8; 32]) -> Option<(&ApiKey, &Partner)> {
        let key = &self.keys.get(hash)?.value;
        let partner = &self.partners.get(&key.partner)?.value;
        Some((key, partner))
    }

    /// Decides a change; [`Directory::put`] makes it. What is there already is not changed again.
    pub(crate) fn decide(
        &self,
        command: DirectoryCommand,
        position: Position,
    ) -> Result<DirectoryEffect, DirectoryRefusal> {
        let item = match command {
            DirectoryCommand::PutNode(node) => self.put_node(node),
            DirectoryCommand::PutGroup(group) => self.put_group(group),
            DirectoryCommand::CreatePartner {
                name,
                home_region,
                rate_limit,
            } => {
                let group = self.place(home_region.as_deref())?;
                let partner = Partner {
                    id: position.id(NOBODY),
                    name,
                    home_region,
                    group,
                    suspended: false,
                    rate_limit,
                    created: position.time,
                };
                Item::Partner(self.changed(partner))
            }
            DirectoryCommand::UpdatePartner {
                partner,
                suspended,
                rate_limit,
            } => {
                let mut partner = self.partner(partner)?.clone();
                partner.suspended = suspended.unwrap_or(partner.suspended);
                partner.rate_limit = rate_limit.unwrap_or(partner.rate_limit);
                Item::Partner(self.changed(partner))
            }
            DirectoryCommand::CreateKey {
                hash,
                partner,
                mode,
                scopes,
                api_version,
                networks,
            } => {
                self.partner(partner)?;
                if self.keys.contains_key(&hash) {
                    return Err(DirectoryRefusal::KeyTaken);
                }
                Item::Key(self.changed(ApiKey {
                    hash,
                    id: position.id(NOBODY),
                    partner,
                    mode,
                    scopes,
                    api_version,
                    expires_at: None,
                    networks,
                    created: position.time,
                }))
            }
            DirectoryCommand::ExpireKey { key: id, at } => {
                let held = self.keys.values().find(|held| held.value.id == id);
                let held = held.ok_or(DirectoryRefusal::KeyNotFound(id))?;
                // An end never moves away: what has run out stays so, and a repeated request
                // does not prolong an overlap.
                let end = held.value.expires_at.map_or(at, |end| end.min(at));
                if held.value.expires_at == Some(end) {
                    Item::Key(held.clone())
                } else {
                    let mut key = held.value.clone();
                    key.expires_at = Some(end);
                    Item::Key(self.changed(key))
                }
            }
        };
        Ok(DirectoryEffect { item })
    }

    fn put_node(&self, node: Node) -> Item {
        let same = self.nodes.get(&node.id).filter(|there| there.value == node);
        Item::Node(same.cloned().unwrap_or_else(|| self.changed(node)))
    }

    fn put_group(&self, group: Group) -> Item {
        let same = self
            .groups
            .get(&group.id)
            .filter(|there| there.value == group);
        Item::Group(same.cloned().unwrap_or_else(|| self.changed(group)))
    }

    fn changed<T>(&self, value: T) -> Versioned<T> {
        Versioned {
            version: self.version + 1,
            value,
        }
    }

    fn partner(&self, id: Id) -> Result<&Partner, DirectoryRefusal> {
        let partner = self.partners.get(&id).map(|partner| &partner.value);
        partner.ok_or(DirectoryRefusal::PartnerNotFound(id))
    }

    /// The group with the fewest partners; one of the home region if there is any.
    fn place(&self, home_region: Option<&str>) -> Result<GroupId, DirectoryRefusal> {
        let mut partners: BTreeMap<GroupId, usize> = BTreeMap::new();
        for partner in self.partners.values() {
            *partners.entry(partner.value.group).or_default() += 1;
        }
        let groups = self.groups.values().map(|group| &group.value);
        let best = groups
            .filter(|group| group.id != DIRECTORY)
            .min_by_key(|group| {
                let at_home = home_region.is_some() && group.home_region.as_deref() == home_region;
                (
                    Reverse(at_home),
                    partners.get(&group.id).copied().unwrap_or(0),
                    group.id,
                )
            });
        best.map(|group| group.id).ok_or(DirectoryRefusal::NoGroup)
    }
}

fn put<K: Ord, T>(items: &mut BTreeMap<K, Versioned<T>>, key: K, item: Versioned<T>) {
    if items
        .get(&key)
        .is_none_or(|there| there.version <= item.version)
    {
        items.insert(key, item);
    }
}

fn newer<K, T: Clone>(
    items: &BTreeMap<K, Versioned<T>>,
    version: u64,
) -> impl Iterator<Item = Versioned<T>> {
    items
        .values()
        .filter(move |item| item.version > version)
        .cloned()
}
