//! Faults that somebody injects by hand, as they write them on standard input.

use crate::history::clock::Clock;
use crate::history::{Bound, Fault};
use std::io::BufRead;
use std::sync::{Arc, Mutex, PoisonError};

/// What was noted.
pub(super) struct Notes {
    clock: Clock,
    all: Arc<Mutex<Vec<Fault>>>,
}

impl Notes {
    /// Begins to read standard input, on a thread of its own that ends with it or with the process.
    pub(super) fn take(clock: Clock, bound: Option<Bound>, first: Option<String>) -> Notes {
        let notes = Notes {
            clock,
            all: Arc::default(),
        };
        if let Some(first) = first {
            note(&notes.all, &first, clock.now(), bound);
        }
        let all = notes.all.clone();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                note(&all, &line, clock.now(), bound);
            }
        });
        notes
    }

    /// What was noted; what was not healed lasted until now.
    pub(super) fn end(self) -> Vec<Fault> {
        note(&self.all, "", self.clock.now(), None);
        std::mem::take(&mut *self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A fault begins, or all that have begun are over.
fn note(all: &Mutex<Vec<Fault>>, line: &str, at: u64, bound: Option<Bound>) {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    let line = line.trim();
    if line.is_empty() || line.eq_ignore_ascii_case("healed") {
        for fault in all.iter_mut().filter(|fault| fault.ended.is_none()) {
            fault.ended = Some(at);
            fault.healed = Some(at);
        }
        return;
    }
    all.push(Fault {
        what: line.to_owned(),
        class: "by-hand".into(),
        began: at,
        evidence: Some("noted by whoever did it".into()),
        bound,
        ..Fault::default()
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_a_band_and_healed_ends_what_has_begun() {
        let all = Mutex::default();
        for (at, line) in [
            (1, "killed fra-1"),
            (2, "cut sin-1 "),
            (5, "Healed"),
            (7, "again"),
            (9, ""),
        ] {
            note(&all, line, at, None);
        }
        let all = all.into_inner().unwrap();
        let bands: Vec<_> = all
            .iter()
            .map(|one| (&*one.what, one.began, one.ended))
            .collect();
        let expected = [
            ("killed fra-1", 1, Some(5)),
            ("cut sin-1", 2, Some(5)),
            ("again", 7, Some(9)),
        ];
        assert_eq!(bands, expected);
    }
}
