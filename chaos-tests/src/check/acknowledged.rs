//! *acknowledged*: everything that a client was told had happened is in the final books, under the
//! identifier and with the amount that it was told.
//!
//! The books are read from one replica of each group. Where *agreement* finds equal states on all
//! of them after the last operation, what is in these books is in every replica's.

use super::{NO_BOOKS, agreement};
use crate::history::{Answer, Effect, History};
use crate::verdict::{Finding, Verdict, Wrongs};
use std::collections::HashMap;

/// Looks for every acknowledged payment and transfer in the books.
pub fn check(history: &History) -> Verdict {
    let mut wrongs = Wrongs::new("acknowledged");
    let there: Option<HashMap<&str, &Effect>> = history.books.as_ref().map(|books| {
        let effects = books.effects.iter();
        effects.map(|effect| (&*effect.id, effect)).collect()
    });
    let mut acknowledged = 0;
    for (number, operation) in history.operations.iter().enumerate() {
        let (Answer::Acknowledged { id, amount }, Some(asked)) =
            (&operation.answer, operation.request.moves())
        else {
            continue;
        };
        acknowledged += 1;
        if *amount != asked.amount {
            wrongs.operation(number, "another amount was answered than asked for");
            continue;
        }
        let Some(there) = &there else { continue };
        match there.get(&**id) {
            None => wrongs.operation(number, "it is not in the final books"),
            Some(effect) if effect.moves() != asked => {
                wrongs.operation(
                    number,
                    format_args!("in the books {id} is another movement"),
                );
            }
            Some(effect) if effect.key != operation.key => {
                wrongs.operation(number, format_args!("in the books {id} is another key's"));
            }
            Some(effect) if effect.moved != effect.amount => {
                wrongs.operation(number, format_args!("only {} of it moved", effect.moved));
            }
            Some(_) => {}
        }
    }
    let otherwise = match (&there, acknowledged) {
        (None, _) => Finding::Inconclusive(NO_BOOKS.into()),
        (Some(_), 0) => Finding::Inconclusive("nothing was acknowledged".into()),
        (Some(_), count) => Finding::Pass(match agreement::proven(history) {
            Some(replicas) => format!(
                "{count} acknowledgements, all in the books, which are every replica's ({replicas})"
            ),
            None => {
                format!("{count} acknowledgements, all in the books of the replicas that were read")
            }
        }),
    };
    wrongs.or(history, otherwise)
}
