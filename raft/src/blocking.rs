//! Where work that blocks is done: on threads of their own, unless a simulation brings another
//! place. Threads run when the system pleases, so with them the same seed would not give the same
//! run; therefore all blocking work of this room, and of the gateway above it, goes through here.

use std::sync::Arc;
use tokio::sync::oneshot;

/// Something that may block.
pub type Work = Box<dyn FnOnce() + Send>;

/// Does blocking work away from the threads that serve requests. Cheap to clone.
#[derive(Clone)]
pub struct Blocking(Arc<dyn Fn(Work) + Send + Sync>);

/// The work ended without a result: it panicked, or the process is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("blocking work ended without a result")]
pub struct Unfinished;

impl Blocking {
    /// On tokio's threads for blocking work.
    pub fn threads() -> Blocking {
        Blocking::by(|work| drop(tokio::task::spawn_blocking(work)))
    }

    /// By this function, which is called on the async side and must not block there for long.
    pub fn by(run: impl Fn(Work) + Send + Sync + 'static) -> Blocking {
        Blocking(Arc::new(run))
    }

    /// Does it, and waits for the result. Dropped meanwhile, the work still goes on to its end.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unfinished> {
        let (done, result) = oneshot::channel();
        (self.0)(Box::new(move || drop(done.send(work()))));
        result.await.map_err(|_| Unfinished)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn results_come_back_and_panics_are_told() {
        for blocking in [Blocking::threads(), Blocking::by(|work| work())] {
            assert_eq!(blocking.run(|| 7).await, Ok(7));
        }
        let panics = Blocking::threads().run(|| panic!("on purpose")).await;
        assert_eq!(panics, Err(Unfinished));
    }
}
