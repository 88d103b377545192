//! *once*: a key has one effect at most, every answer for it is the same, and nothing is in the
//! books that nobody asked for, that was refused, or that was said surely not to be.
//!
//! A sending without an answer may have had the effect, or may have it later: whatever the books
//! say of its key then is right, as long as they say it once.

use super::NO_BOOKS;
use crate::history::keys::{Keys, Sendings};
use crate::history::{Answer, Effect, History, KEY_REUSED};
use crate::verdict::{Finding, Verdict, Wrongs};
use std::collections::HashMap;

/// Compares the answers of every key with each other and with the books.
pub fn check(history: &History) -> Verdict {
    let mut wrongs = Wrongs::new("once");
    let keys = Keys::of(history);
    let mut owners: HashMap<&str, &str> = HashMap::new();
    let (mut count, mut again) = (0, 0);
    for sendings in keys.iter() {
        count += 1;
        again += usize::from(sendings.count() > 1);
        answers_are_the_same(sendings, &mut wrongs);
        if let Some((number, one)) = sendings.acknowledged()
            && let Answer::Acknowledged { id, .. } = &one.answer
        {
            let owner = *owners.entry(id).or_insert(sendings.key);
            if *owner != **sendings.key {
                let why = format!("{id} was the answer for key {owner} as well");
                wrongs.operation(number, why);
            }
        }
    }
    let Some(books) = &history.books else {
        return wrongs.or(history, Finding::Inconclusive(NO_BOOKS.into()));
    };
    let mut effects: Vec<(&str, &Effect)> = Vec::with_capacity(books.effects.len());
    for effect in &books.effects {
        match &effect.key {
            Some(key) => effects.push((key, effect)),
            None => wrongs.books(format_args!(
                "nobody asked for {}: it has no key",
                effect.id
            )),
        }
    }
    effects.sort_by_key(|(key, _)| *key);
    for effects in effects.chunk_by(|one, other| one.0 == other.0) {
        let (key, first) = effects[0];
        match keys.get(key) {
            Some(sendings) => effects_were_asked_for(sendings, effects, &mut wrongs),
            None => wrongs.books(format_args!("nobody asked for {}, of key {key}", first.id)),
        }
    }
    let otherwise = match count {
        0 => Finding::Inconclusive("nothing was asked for by a key".into()),
        count => Finding::Pass(format!("{count} keys, {again} asked again")),
    };
    wrongs.or(history, otherwise)
}

fn answers_are_the_same(sendings: Sendings<'_>, wrongs: &mut Wrongs) {
    let decided = sendings.decided();
    for (number, one) in sendings.all() {
        if let Some((first, decided)) = decided.filter(|_| one.answer.is_final()) {
            if one.answer != decided.answer {
                let why = format!("operation {first} of the same key was answered otherwise");
                wrongs.operation(number, why);
            } else if one.request != decided.request {
                let why = format!("its key was used for another request in operation {first}");
                wrongs.operation(number, why);
            } else if one.decided.is_some()
                && decided.decided.is_some()
                && one.decided != decided.decided
            {
                let why = format!("operation {first} of the same key was decided elsewhere");
                wrongs.operation(number, why);
            }
        }
        let reused = matches!(&one.answer, Answer::Refused { code } if **code == *KEY_REUSED);
        if reused
            && sendings
                .all()
                .all(|(_, other)| other.request == one.request)
        {
            wrongs.operation(number, "its key was never used for another request");
        }
    }
}

fn effects_were_asked_for(
    sendings: Sendings<'_>,
    effects: &[(&str, &Effect)],
    wrongs: &mut Wrongs,
) {
    let (first, (_, effect)) = (sendings.first(), effects[0]);
    if let Some((_, second)) = effects.get(1) {
        let why = format!("it happened twice, as {} and {}", effect.id, second.id);
        wrongs.operation(first, why);
    }
    let mut asked = sendings.all();
    if asked.all(|(_, one)| one.request.moves() != Some(effect.moves())) {
        let why = format!("{} in the books is not what was asked for", effect.id);
        wrongs.operation(first, why);
    }
    if effect.moved > effect.amount {
        wrongs.operation(first, format_args!("{} of it moved", effect.moved));
    }
    if let Some((number, one)) = sendings.decided()
        && matches!(one.answer, Answer::Refused { .. })
    {
        wrongs.operation(number, format_args!("it is in the books, as {}", effect.id));
    }
    let mut all = sendings.all();
    if all.all(|(_, one)| one.answer == Answer::SurelyNot) {
        wrongs.operation(first, format_args!("it is in the books, as {}", effect.id));
    }
}
