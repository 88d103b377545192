//! What consensus runs on: tokio, but for pauses that are shorter than its timer can tell.
//!
//! openraft waits for a microsecond before it looks at what the log has made durable, so that
//! completions come together. tokio's timer has a grain of a millisecond and rounds up: each such
//! wait lasted one to two milliseconds, in which what a quorum held was not known to be committed.

use crate::limits;
use futures_util::future::Either;
use openraft::async_runtime::{AsyncRuntime, Instant as _};
use openraft::impls::TokioRuntime;
use std::future::{Future, Ready, ready};
use std::sync::OnceLock;
use std::time::Duration;

type Moment = <TokioRuntime as AsyncRuntime>::Instant;

/// From when on, and how far apart, the timers of groups ring, if they ring together.
static TOGETHER: OnceLock<(Moment, Duration)> = OnceLock::new();

/// From now on the timers of all groups of this process ring together, so far apart: a fraction of
/// the heartbeats' interval. Each group looks five times in such an interval whether something is
/// due; where there are many, waking up for each of them alone is most of what they cost at rest.
/// For processes that run by the real clock, for it is counted from here; the first call counts.
pub fn ring_together(apart: Duration) {
    TOGETHER.get_or_init(|| (Moment::now(), apart));
}

/// A moment, or a little later: when others ring.
fn together(moment: Moment, (began, apart): (Moment, Duration)) -> Moment {
    let apart = apart.as_nanos().max(1);
    let since = (moment - began).as_nanos();
    let rest = (apart - since % apart) % apart;
    moment + Duration::from_nanos(u64::try_from(rest).unwrap_or_default())
}

/// tokio, whose timer is not asked for pauses below [`limits::PAUSE_LEAST`]: those end at once.
#[derive(Debug)]
pub(crate) struct Runtime(TokioRuntime);

type Tokio<T> = <TokioRuntime as AsyncRuntime>::JoinHandle<T>;

impl AsyncRuntime for Runtime {
    type JoinError = <TokioRuntime as AsyncRuntime>::JoinError;
    type JoinHandle<T: Send + 'static> = Tokio<T>;
    type Sleep = Either<<TokioRuntime as AsyncRuntime>::Sleep, Ready<()>>;
    type Instant = <TokioRuntime as AsyncRuntime>::Instant;
    type TimeoutError = <TokioRuntime as AsyncRuntime>::TimeoutError;
    type Timeout<R, T: Future<Output = R> + Send> = <TokioRuntime as AsyncRuntime>::Timeout<R, T>;
    type ThreadLocalRng = <TokioRuntime as AsyncRuntime>::ThreadLocalRng;
    type Mpsc = <TokioRuntime as AsyncRuntime>::Mpsc;
    type Watch = <TokioRuntime as AsyncRuntime>::Watch;
    type Oneshot = <TokioRuntime as AsyncRuntime>::Oneshot;
    type Mutex<T: Send + 'static> = <TokioRuntime as AsyncRuntime>::Mutex<T>;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + Send + 'static,
        T::Output: Send + 'static,
    {
        TokioRuntime::spawn(future)
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        if duration < limits::PAUSE_LEAST {
            return Either::Right(ready(()));
        }
        Either::Left(TokioRuntime::sleep(duration))
    }

    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        if deadline < Self::Instant::now() + limits::PAUSE_LEAST {
            return Either::Right(ready(()));
        }
        // By it openraft waits for its next look; its other pauses are told by their length.
        let deadline = TOGETHER
            .get()
            .map_or(deadline, |rings| together(deadline, *rings));
        Either::Left(TokioRuntime::sleep_until(deadline))
    }

    fn timeout<R, F: Future<Output = R> + Send>(
        duration: Duration,
        future: F,
    ) -> Self::Timeout<R, F> {
        TokioRuntime::timeout(duration, future)
    }

    fn timeout_at<R, F: Future<Output = R> + Send>(
        deadline: Self::Instant,
        future: F,
    ) -> Self::Timeout<R, F> {
        TokioRuntime::timeout_at(deadline, future)
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        TokioRuntime::is_panic(join_error)
    }

    fn thread_rng() -> Self::ThreadLocalRng {
        TokioRuntime::thread_rng()
    }

    fn new(threads: usize) -> Self {
        Runtime(TokioRuntime::new(threads))
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        self.0.block_on(future)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn timers_ring_together_and_never_early() {
        let (began, ring) = (Moment::now(), Duration::from_millis(40));
        for (after, rings) in [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1), 1),
            (ring - Duration::from_nanos(1), 1),
            (ring, 1),
            (ring * 7 / 2, 4),
        ] {
            assert_eq!(together(began + after, (began, ring)), began + ring * rings);
        }
    }

    #[test]
    fn it_is_a_runtime_as_consensus_wants_it() {
        // openraft's own suite is for whoever writes one from nothing; what differs is here.
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(async {
                let now = <Runtime as AsyncRuntime>::Instant::now();
                assert!(
                    Runtime::sleep_until(now + Duration::from_micros(1))
                        .now_or_never()
                        .is_some()
                );
                assert!(
                    Runtime::sleep(Duration::from_micros(1))
                        .now_or_never()
                        .is_some()
                );
                let later = now + Duration::from_secs(60);
                assert!(Runtime::sleep_until(later).now_or_never().is_none());
                assert!(
                    Runtime::sleep(Duration::from_secs(60))
                        .now_or_never()
                        .is_none()
                );
            });
    }
}
