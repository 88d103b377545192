//! *once*: a key has one effect at most, every answer for it is the same, and nothing is in the
//! books that nobody asked for, that was refused, or that was said surely not to be.

use super::NO_BOOKS;
use crate::history::{Answer, Effect, History, KEY_REUSED};
use crate::verdict::{Finding, Verdict, Wrongs};
use std::collections::{BTreeMap, HashMap};

/// Compares the answers of every key with each other and with the books.
pub fn check(history: &History) -> Verdict {
    let mut wrongs = Wrongs::new("once");
    let keys = history.by_key();
    let mut owners: HashMap<&str, &str> = HashMap::new();
    for (key, numbers) in &keys {
        answers_are_the_same(history, numbers, &mut wrongs);
        for number in numbers {
            if let Answer::Acknowledged { id, .. } = &history.operations[*number].answer {
                let owner = owners.entry(id).or_insert(key);
                if owner != key {
                    let why = format!("{id} was the answer for key {owner} as well");
                    wrongs.operation(*number, why);
                }
            }
        }
    }
    let Some(books) = &history.books else {
        return wrongs.or(history, Finding::Inconclusive(NO_BOOKS.into()));
    };
    let mut effects: BTreeMap<&str, Vec<&Effect>> = BTreeMap::new();
    for effect in &books.effects {
        match &effect.key {
            Some(key) => effects.entry(key).or_default().push(effect),
            None => wrongs.books(format_args!(
                "nobody asked for {}: it has no key",
                effect.id
            )),
        }
    }
    for (key, effects) in &effects {
        match keys.get(key) {
            Some(numbers) => effects_were_asked_for(history, numbers, effects, &mut wrongs),
            None => {
                let id = &effects[0].id;
                wrongs.books(format_args!("nobody asked for {id}, of key {key}"));
            }
        }
    }
    let again = keys.values().filter(|numbers| numbers.len() > 1).count();
    let otherwise = match keys.len() {
        0 => Finding::Inconclusive("nothing was asked for by a key".into()),
        count => Finding::Pass(format!("{count} keys, {again} asked again")),
    };
    wrongs.or(history, otherwise)
}

fn answers_are_the_same(history: &History, numbers: &[usize], wrongs: &mut Wrongs) {
    let operations = || {
        numbers
            .iter()
            .map(|number| (*number, &history.operations[*number]))
    };
    let decided = operations().find(|(_, one)| one.answer.is_final());
    for (number, one) in operations() {
        if let Some((first, decided)) = decided.filter(|_| one.answer.is_final()) {
            if one.answer != decided.answer {
                let why = format!("operation {first} of the same key was answered otherwise");
                wrongs.operation(number, why);
            } else if one.request != decided.request {
                let why = format!("its key was used for another request in operation {first}");
                wrongs.operation(number, why);
            }
        }
        let reused = matches!(&one.answer, Answer::Refused { code } if **code == *KEY_REUSED);
        if reused && operations().all(|(_, other)| other.request == one.request) {
            wrongs.operation(number, "its key was never used for another request");
        }
    }
}

fn effects_were_asked_for(
    history: &History,
    numbers: &[usize],
    effects: &[&Effect],
    wrongs: &mut Wrongs,
) {
    let (first, effect) = (numbers[0], effects[0]);
    let operations = || {
        numbers
            .iter()
            .map(|number| (*number, &history.operations[*number]))
    };
    if let Some(second) = effects.get(1) {
        let why = format!("it happened twice, as {} and {}", effect.id, second.id);
        wrongs.operation(first, why);
    }
    if operations().all(|(_, one)| one.request.moves() != Some(effect.moves())) {
        let why = format!("{} in the books is not what was asked for", effect.id);
        wrongs.operation(first, why);
    }
    if effect.moved > effect.amount {
        wrongs.operation(first, format_args!("{} of it moved", effect.moved));
    }
    let decided = operations().find(|(_, one)| one.answer.is_final());
    if let Some((number, one)) = decided
        && matches!(one.answer, Answer::Refused { .. })
    {
        wrongs.operation(number, format_args!("it is in the books, as {}", effect.id));
    }
    if operations().all(|(_, one)| one.answer == Answer::SurelyNot) {
        wrongs.operation(first, format_args!("it is in the books, as {}", effect.id));
    }
}
