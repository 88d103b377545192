//! Items of the directory on their way from a replica to its copies.

use crate::limits::DIRECTORY_BYTES;
use crate::wire::encode;
use crate::wire::proto::DirectoryReply;
use florin_ledger::directory::{Directory, Item};

/// The version of the directory that last changed the item.
pub(crate) fn version(item: &Item) -> u64 {
    match item {
        Item::Partner(partner) => partner.version,
        Item::Key(key) => key.version,
        Item::Group(group) => group.version,
        Item::Node(node) => node.version,
    }
}

/// As many of the items as a message should hold, oldest change first; they are all that changed
/// up to `upto`. An item that does not fit is left for the next message.
pub(crate) fn page(upto: u64, mut items: Vec<Item>, current: bool) -> DirectoryReply {
    items.sort_by_key(version);
    let mut reply = DirectoryReply {
        version: upto,
        items: Vec::new(),
        current,
        more: false,
    };
    let mut bytes = 0;
    let mut reached = 0;
    for item in items {
        let encoded = encode(&item);
        bytes += encoded.len();
        // Items of one change stay together, for the version says that none of them is missing.
        if bytes > DIRECTORY_BYTES && !reply.items.is_empty() && version(&item) > reached {
            reply.version = reached;
            reply.more = true;
            break;
        }
        reached = version(&item);
        reply.items.push(encoded);
    }
    reply
}

/// Takes over an item unless it is known as new or newer: items come by several ways and may
/// overtake each other.
pub(crate) fn put_if_newer(directory: &mut Directory, item: Item) {
    let known = match &item {
        Item::Partner(partner) => directory
            .partners
            .get(&partner.value.id)
            .map(|known| known.version),
        Item::Key(key) => directory
            .keys
            .get(&key.value.hash)
            .map(|known| known.version),
        Item::Group(group) => directory
            .groups
            .get(&group.value.id)
            .map(|known| known.version),
        Item::Node(node) => directory
            .nodes
            .get(&node.value.id)
            .map(|known| known.version),
    };
    if known.is_none_or(|known| known < version(&item)) {
        directory.put(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::decode;
    use florin_ledger::directory::{Node, Versioned};
    use florin_ledger::id::NodeId;

    fn node(id: u64, version: u64, name_bytes: usize) -> Item {
        let value = Node {
            id: NodeId(id),
            name: "n".repeat(name_bytes).into(),
            region: "r".into(),
            address: "a:1".into(),
            incarnation: 1,
        };
        Item::Node(Versioned { version, value })
    }

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        let all: Vec<Item> = (1..=10)
            .rev()
            .map(|at| node(at, at * 2, DIRECTORY_BYTES / 3))
            .collect();
        let mut since = 0;
        let mut got = Vec::new();
        loop {
            let left = all
                .iter()
                .filter(|item| version(item) > since)
                .cloned()
                .collect();
            let reply = page(21, left, true);
            for item in &reply.items {
                got.push(version(&decode(item, "item").unwrap()));
            }
            since = reply.version;
            if !reply.more {
                break;
            }
        }
        assert_eq!(since, 21);
        assert_eq!(got, (1..=10).map(|at| at * 2).collect::<Vec<_>>());
    }
}
