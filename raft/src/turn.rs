//! Letting others go first, so that what they have to say travels along.
//!
//! Whoever puts a message into an empty queue wakes the task that sends, and tokio runs that task
//! next: before the others that are ready, each with a message of its own. A frame for each of
//! them costs every process on its way a system call, a wake-up and a record of TLS. A task that
//! gives way once is put behind those others, and finds their messages when its turn comes. It
//! waits for nobody who is not ready: a lone message is not held up.

use std::task::Context;

/// Whether the task that sends has let the others go first.
#[derive(Debug, Default)]
pub struct Turn {
    given: bool,
}

impl Turn {
    /// Gives way, unless it has done so since the last [`Turn::take`]. If so, the task is woken
    /// already, and its poll must end with `Pending`.
    pub fn give(&mut self, context: &Context<'_>) -> bool {
        if std::mem::replace(&mut self.given, true) {
            return false;
        }
        context.waker().wake_by_ref();
        true
    }

    /// The turn has come: the next message is a new one's beginning.
    pub fn take(&mut self) {
        self.given = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::future::poll_fn;
    use std::rc::Rc;
    use std::task::Poll;

    /// Ten tasks say something each; one task carries away whatever has been said.
    #[test]
    fn who_gives_way_carries_what_the_others_say() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let said: Rc<RefCell<Vec<u32>>> = Rc::default();
        let carried = tokio::task::LocalSet::new().block_on(&runtime, async {
            let mut turn = Turn::default();
            let mine = said.clone();
            let carrier = tokio::task::spawn_local(poll_fn(move |context| {
                if mine.borrow().is_empty() {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                if turn.give(context) {
                    return Poll::Pending;
                }
                turn.take();
                Poll::Ready(mine.take().len())
            }));
            for number in 0..10 {
                let said = said.clone();
                tokio::task::spawn_local(async move { said.borrow_mut().push(number) });
            }
            carrier.await.unwrap()
        });
        assert_eq!(carried, 10);
    }
}
