//! Requests that come over both connections of a session: done once, answered on both.

use crate::limits::COPIES;
use crate::wire::proto::Reply;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

/// The sessions that are open, by the number that their frontend gave them.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<u64, Weak<Copies>>>);

impl Sessions {
    /// The copies of a session: the same for both of its connections.
    pub(super) fn join(&self, session: u64) -> Arc<Copies> {
        let mut sessions = self.0.lock();
        if let Some(copies) = sessions.get(&session).and_then(Weak::upgrade) {
            return copies;
        }
        let copies = Arc::default();
        sessions.retain(|_, copies| copies.strong_count() > 0);
        sessions.insert(session, Arc::downgrade(&copies));
        copies
    }
}

/// Requests whose other copy has not come yet. Those that are too many are forgotten, the oldest
/// first, and a copy of theirs is neither done nor answered: whoever was told "surely not applied"
/// must not be belied by it.
#[derive(Default)]
pub(super) struct Copies(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// By their numbers, which grow.
    states: BTreeMap<u64, State>,
    /// The newest that was forgotten.
    forgotten: Option<u64>,
}

/// Sends a reply over one connection.
pub(super) type Answer = Box<dyn FnOnce(Reply) + Send>;

enum State {
    /// It is being worked on; how the copy is to be answered, once that has come.
    Working(Option<Answer>),
    Answered(Reply),
}

impl Copies {
    /// A request came. If it did for the first time it is to be done, and `answer` comes back; if it
    /// is the copy of one that did, it is answered by that, now or when that is done.
    pub(super) fn came(&self, request: u64, answer: Answer) -> Option<Answer> {
        let mut known = self.0.lock();
        match known.states.remove(&request) {
            None if known.forgotten >= Some(request) => None,
            None => {
                known.states.insert(request, State::Working(None));
                if known.states.len() > COPIES {
                    known.forgotten = known.states.pop_first().map(|(oldest, _)| oldest);
                }
                Some(answer)
            }
            Some(State::Working(_)) => {
                known.states.insert(request, State::Working(Some(answer)));
                None
            }
            Some(State::Answered(reply)) => {
                drop(known);
                answer(reply);
                None
            }
        }
    }

    /// It was done, and this is the reply to it and to its copy.
    pub(super) fn done(&self, reply: &Reply) {
        let mut known = self.0.lock();
        match known.states.remove(&reply.id) {
            Some(State::Working(Some(answer))) => {
                drop(known);
                answer(reply.clone());
            }
            Some(State::Working(None)) => {
                let answered = State::Answered(reply.clone());
                known.states.insert(reply.id, answered);
            }
            Some(State::Answered(_)) | None => (),
        }
    }

    /// It will not be done, and nobody will say so: its copy need not wait.
    pub(super) fn given_up(&self, request: u64) {
        self.0.lock().states.remove(&request);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(id: u64) -> Reply {
        Reply { id, outcome: None }
    }

    /// Notes what was answered over a connection.
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<u64>>>);

    impl Heard {
        fn answer(&self) -> Answer {
            let heard = self.clone();
            Box::new(move |reply| heard.0.lock().push(reply.id))
        }
    }

    #[test]
    fn a_copy_is_answered_whenever_it_comes_and_nothing_is_done_twice() {
        let (copies, heard) = (Copies::default(), Heard::default());
        let is_first = |request| copies.came(request, heard.answer()).is_some();
        // Before the answer.
        assert!(is_first(1));
        assert!(!is_first(1));
        assert!(heard.0.lock().is_empty());
        copies.done(&reply(1));
        assert_eq!(*heard.0.lock(), [1]);
        // After it.
        assert!(is_first(2));
        copies.done(&reply(2));
        assert_eq!(*heard.0.lock(), [1]);
        assert!(!is_first(2));
        assert_eq!(*heard.0.lock(), [1, 2]);
        assert!(copies.0.lock().states.is_empty());
    }

    #[test]
    fn those_whose_copy_never_comes_are_forgotten() {
        let (copies, heard) = (Copies::default(), Heard::default());
        for request in 0..2 * COPIES as u64 {
            assert!(copies.came(request, heard.answer()).is_some());
            copies.done(&reply(request));
        }
        assert_eq!(copies.0.lock().states.len(), COPIES);
        // Nor is their copy done after that.
        let first = COPIES as u64 - 1;
        assert!(copies.came(first, heard.answer()).is_none());
        assert!(heard.0.lock().is_empty());
        let last = 2 * COPIES as u64 - 1;
        assert!(copies.came(last, heard.answer()).is_none());
        assert_eq!(*heard.0.lock(), [last]);
    }

    #[test]
    fn both_connections_of_a_session_share_its_copies() {
        let sessions = Sessions::default();
        let one = sessions.join(7);
        assert!(Arc::ptr_eq(&one, &sessions.join(7)));
        assert!(!Arc::ptr_eq(&one, &sessions.join(8)));
        drop(one);
        sessions.join(9);
        assert_eq!(sessions.0.lock().len(), 1);
    }
}
