//! Items of the directory on their way from a replica to its copies.

use crate::limits::DIRECTORY_BYTES;
use crate::wire::encode;
use crate::wire::proto::DirectoryReply;
use florin_ledger::directory::Item;

/// As many of the items as a message should hold, oldest change first; they are all that changed
/// up to `upto`. An item that does not fit is left for the next message.
pub(crate) fn page(upto: u64, mut items: Vec<Item>, current: bool) -> DirectoryReply {
    items.sort_by_key(Item::version);
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
        if bytes > DIRECTORY_BYTES && !reply.items.is_empty() && item.version() > reached {
            reply.version = reached;
            reply.more = true;
            break;
        }
        reached = item.version();
        reply.items.push(encoded);
    }
    reply
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
                .filter(|item| item.version() > since)
                .cloned()
                .collect();
            let reply = page(21, left, true);
            for item in &reply.items {
                got.push(decode::<Item>(item, "item").unwrap().version());
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
