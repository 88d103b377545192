//! Requests that wait, one queue per partner, served in turn: one partner's flood fills its own
//! queue and nobody else's.

use crate::limits;
use florin_ledger::id::Id;
use std::collections::{HashMap, VecDeque};

/// Something that waits, with its size.
pub(crate) struct Waiting<T> {
    pub(crate) bytes: usize,
    pub(crate) item: T,
}

/// The queues of one group.
pub(crate) struct FairQueue<T> {
    partners: HashMap<Id, VecDeque<Waiting<T>>>,
    /// Partners with something waiting, whose turn it is first.
    turns: VecDeque<Id>,
    len: usize,
    bytes: usize,
}

impl<T> FairQueue<T> {
    pub(crate) fn new() -> FairQueue<T> {
        FairQueue {
            partners: HashMap::new(),
            turns: VecDeque::new(),
            len: 0,
            bytes: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// As much waits as a batch may hold: waiting for more gains nothing.
    pub(crate) fn fills_a_batch(&self) -> bool {
        self.len >= limits::BATCH_COMMANDS || self.bytes >= limits::BATCH_BYTES
    }

    /// Gives the item back if there is no room.
    pub(crate) fn push(&mut self, partner: Id, bytes: usize, item: T) -> Result<(), T> {
        let queue = self.partners.entry(partner).or_default();
        let full = queue.len() >= limits::QUEUE_PER_PARTNER
            || self.len >= limits::QUEUE_PER_GROUP
            || self.bytes + bytes > limits::QUEUE_BYTES_PER_GROUP;
        if full {
            if queue.is_empty() {
                self.partners.remove(&partner);
            }
            return Err(item);
        }
        if queue.is_empty() {
            self.turns.push_back(partner);
        }
        queue.push_back(Waiting { bytes, item });
        self.len += 1;
        self.bytes += bytes;
        Ok(())
    }

    /// The next batch: one item of each partner in turn, again and again, until it is full. An
    /// item larger than a batch comes alone.
    pub(crate) fn batch(&mut self) -> Vec<T> {
        let mut batch = Vec::new();
        let mut room = limits::BATCH_BYTES;
        while batch.len() < limits::BATCH_COMMANDS {
            let Some(partner) = self.turns.pop_front() else {
                break;
            };
            let Some(queue) = self.partners.get_mut(&partner) else {
                continue;
            };
            let Some(next) = queue.front() else { continue };
            if next.bytes > room && !batch.is_empty() {
                self.turns.push_front(partner);
                break;
            }
            let Some(next) = queue.pop_front() else {
                continue;
            };
            if queue.is_empty() {
                self.partners.remove(&partner);
            } else {
                self.turns.push_back(partner);
            }
            self.len -= 1;
            self.bytes -= next.bytes;
            room = room.saturating_sub(next.bytes);
            batch.push(next.item);
        }
        batch
    }

    /// Takes out whatever `gone` says.
    pub(crate) fn remove_where(&mut self, mut gone: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut removed = Vec::new();
        for queue in self.partners.values_mut() {
            if !queue.iter().any(|waiting| gone(&waiting.item)) {
                continue;
            }
            for waiting in std::mem::take(queue) {
                if gone(&waiting.item) {
                    self.len -= 1;
                    self.bytes -= waiting.bytes;
                    removed.push(waiting.item);
                } else {
                    queue.push_back(waiting);
                }
            }
        }
        self.partners.retain(|_, queue| !queue.is_empty());
        self.turns
            .retain(|partner| self.partners.contains_key(partner));
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(items: &[(u128, usize)]) -> FairQueue<(u128, usize)> {
        let mut queue = FairQueue::new();
        for (number, (partner, bytes)) in items.iter().enumerate() {
            queue
                .push(Id(*partner), *bytes, (*partner, number))
                .unwrap();
        }
        queue
    }

    fn partners(batch: &[(u128, usize)]) -> Vec<u128> {
        batch.iter().map(|(partner, _)| *partner).collect()
    }

    #[test]
    fn a_flood_does_not_starve_others() {
        let mut queue = FairQueue::new();
        let mut accepted = 0;
        while queue.push(Id(1), 100, (1, accepted)).is_ok() {
            accepted += 1;
        }
        assert_eq!(accepted, limits::QUEUE_PER_PARTNER);
        for number in 0..3 {
            queue.push(Id(2), 100, (2, number)).unwrap();
        }
        let batch = queue.batch();
        assert_eq!(partners(&batch)[..6], [1, 2, 1, 2, 1, 2]);
        assert_eq!(batch.len(), limits::BATCH_COMMANDS);
    }

    #[test]
    fn a_partner_keeps_its_order() {
        let mut queue = queue(&[(1, 10), (2, 10), (1, 10), (1, 10)]);
        assert_eq!(queue.batch(), [(1, 0), (2, 1), (1, 2), (1, 3)]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_large_item_comes_alone_and_keeps_its_turn() {
        let large = limits::BATCH_BYTES * 4;
        let mut queue = queue(&[(1, 10), (2, large), (3, 10), (1, 10)]);
        assert_eq!(partners(&queue.batch()), [1]);
        assert_eq!(partners(&queue.batch()), [2]);
        assert_eq!(partners(&queue.batch()), [3, 1]);
    }

    #[test]
    fn a_batch_ends_at_its_bytes() {
        let half = limits::BATCH_BYTES / 2;
        let mut queue = queue(&[(1, half), (2, half), (3, half)]);
        assert!(queue.fills_a_batch());
        assert_eq!(partners(&queue.batch()), [1, 2]);
        assert_eq!(partners(&queue.batch()), [3]);
    }

    #[test]
    fn what_is_removed_leaves_no_trace() {
        let mut queue = queue(&[(1, 10), (2, 10), (1, 10), (3, 10)]);
        let removed = queue.remove_where(|(partner, number)| *partner == 2 || *number == 0);
        assert_eq!(removed.len(), 2);
        assert_eq!(queue.len(), 2);
        assert_eq!(partners(&queue.batch()), [1, 3]);
        assert_eq!((queue.len, queue.bytes, queue.partners.len()), (0, 0, 0));
    }

    #[test]
    fn bytes_are_bounded() {
        let mut queue = FairQueue::new();
        let mut accepted = 0;
        while queue.push(Id(accepted), limits::COMMAND_BYTES, ()).is_ok() {
            accepted += 1;
        }
        assert!(queue.bytes <= limits::QUEUE_BYTES_PER_GROUP);
        assert!(accepted > 1);
    }
}
