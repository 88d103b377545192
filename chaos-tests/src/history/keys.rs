//! The sendings of each key, found without a map: a history may have millions of them.

use super::{Answer, History, Name, Operation};
use std::cmp::Ordering;

/// The operations that have a key, sorted by key, and by number within a key.
pub struct Keys<'a> {
    history: &'a History,
    sorted: Vec<usize>,
}

/// All sendings of one key, in the order of their answers.
#[derive(Clone, Copy)]
pub struct Sendings<'a> {
    history: &'a History,
    numbers: &'a [usize],
    /// The key.
    pub key: &'a Name,
}

impl<'a> Keys<'a> {
    /// Sorts a history by keys.
    pub fn of(history: &'a History) -> Keys<'a> {
        let operations = &history.operations;
        let mut sorted: Vec<usize> = Vec::with_capacity(operations.len());
        sorted.extend((0..operations.len()).filter(|number| operations[*number].key.is_some()));
        sorted.sort_unstable_by(|one, other| {
            let by_key = operations[*one].key.cmp(&operations[*other].key);
            by_key.then(one.cmp(other))
        });
        Keys { history, sorted }
    }

    /// Key after key.
    pub fn iter(&self) -> impl Iterator<Item = Sendings<'_>> {
        let operations = &self.history.operations;
        let same = |one: &usize, other: &usize| operations[*one].key == operations[*other].key;
        let groups = self.sorted.chunk_by(same);
        groups.filter_map(|numbers| {
            let key = operations[*numbers.first()?].key.as_ref()?;
            Some(Sendings {
                history: self.history,
                numbers,
                key,
            })
        })
    }

    /// The sendings of one key.
    pub fn get(&self, key: &str) -> Option<Sendings<'_>> {
        let operations = &self.history.operations;
        let of = |number: &usize| operations[*number].key.as_deref().unwrap_or_default();
        let start = self
            .sorted
            .partition_point(|one| of(one).cmp(key) == Ordering::Less);
        let end = self
            .sorted
            .partition_point(|one| of(one).cmp(key) != Ordering::Greater);
        let numbers = self.sorted.get(start..end)?;
        let first = *numbers.first()?;
        Some(Sendings {
            history: self.history,
            numbers,
            key: operations[first].key.as_ref()?,
        })
    }

    /// How many keys there are.
    pub fn count(&self) -> usize {
        self.iter().count()
    }
}

impl<'a> Sendings<'a> {
    /// Each with its number.
    pub fn all(&self) -> impl Iterator<Item = (usize, &'a Operation)> + Clone + use<'a> {
        let (history, numbers) = (self.history, self.numbers);
        numbers
            .iter()
            .map(move |number| (*number, &history.operations[*number]))
    }

    /// The number of the first that was answered, or given up.
    pub fn first(&self) -> usize {
        self.numbers.first().copied().unwrap_or_default()
    }

    /// How often it was sent.
    pub fn count(&self) -> usize {
        self.numbers.len()
    }

    /// When it was sent for the first time.
    pub fn invoked(&self) -> u64 {
        self.all()
            .map(|(_, one)| one.invoked)
            .min()
            .unwrap_or_default()
    }

    /// The first acknowledgement.
    pub fn acknowledged(&self) -> Option<(usize, &'a Operation)> {
        self.all()
            .find(|(_, one)| matches!(one.answer, Answer::Acknowledged { .. }))
    }

    /// The first answer that repeating cannot change.
    pub fn decided(&self) -> Option<(usize, &'a Operation)> {
        self.all().find(|(_, one)| one.answer.is_final())
    }
}
