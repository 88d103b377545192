//! Work that may take long, as long as it goes on.

use std::pin::Pin;
use tokio::time::Duration;

/// Waits for it; none if it takes no step for as long as the limit. `steps` says how many it has
/// taken.
pub(crate) async fn while_going<W: Future>(
    mut work: Pin<&mut W>,
    limit: Duration,
    steps: impl Fn() -> u64,
) -> Option<W::Output> {
    let mut taken = steps();
    loop {
        match tokio::time::timeout(limit, work.as_mut()).await {
            Ok(done) => return Some(done),
            Err(_) if steps() == taken => return None,
            Err(_) => taken = steps(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::future::{pending, ready};
    use std::pin::pin;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn what_takes_no_step_is_not_waited_for() {
        let (limit, still) = (Duration::ZERO, || 0);
        assert_eq!(while_going(pin!(ready(7)), limit, still).await, Some(7));
        let hangs = pin!(pending::<()>());
        assert_eq!(while_going(hangs, limit, still).await, None);
        // A step whenever it is looked at; the hundredth ends it.
        let (ends, work) = oneshot::channel();
        let (steps, ends) = (Cell::new(0), Cell::new(Some(ends)));
        let step = || {
            steps.set(steps.get() + 1);
            if steps.get() == 100 {
                ends.take().unwrap().send(7).unwrap();
            }
            steps.get()
        };
        let slow = while_going(pin!(work), limit, step).await;
        assert_eq!(slow, Some(Ok(7)));
    }
}
