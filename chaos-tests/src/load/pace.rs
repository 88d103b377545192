//! How fast operations are begun: as soon as the last one is answered, or so many a second.

use super::recorder::Recorder;
use super::session::{Books, Session};
use crate::limits::SESSIONS;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

/// How often an open load looks how many operations are due.
const TICK: Duration = Duration::from_millis(5);

/// Sessions that go on as soon as they are answered.
pub(super) async fn closed(books: Arc<Books>, recorder: Arc<Recorder>, seed: u64) {
    let mut sessions = JoinSet::new();
    for lane in 0..books.mix.sessions.max(1) {
        sessions.spawn(Session::new(lane, &books, &recorder, seed).run());
    }
    sessions.join_all().await;
}

/// Sessions that use the probed wallet and nothing else.
pub(super) async fn probes(books: Arc<Books>, recorder: Arc<Recorder>, seed: u64) {
    let mut sessions = JoinSet::new();
    for number in 0..books.mix.probes {
        sessions.spawn(Session::probe(number, &books, &recorder, seed).run_probe());
    }
    sessions.join_all().await;
}

/// Operations that begin in time, whatever becomes of those before: a session that is free does
/// the next one, and when none is free there is one more. What would need more than
/// [`SESSIONS`] of them is left out.
pub(super) async fn open(
    books: Arc<Books>,
    recorder: Arc<Recorder>,
    seed: u64,
    rate: watch::Receiver<f64>,
) {
    let mut idle: Vec<Session> = Vec::new();
    let mut made = 0;
    let mut busy: JoinSet<Session> = JoinSet::new();
    let mut tick = interval_at(Instant::now() + TICK, TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut last, mut due) = (Instant::now(), 0.0);
    while !recorder.stopped() {
        tick.tick().await;
        while let Some(Ok(free)) = busy.try_join_next() {
            idle.push(free);
        }
        let now = Instant::now();
        due += (now - last).as_secs_f64() * *rate.borrow();
        last = now;
        while due >= 1.0 {
            due -= 1.0;
            let session = match idle.pop() {
                Some(free) => free,
                None if made < SESSIONS => {
                    made += 1;
                    Session::new(made - 1, &books, &recorder, seed)
                }
                None => continue,
            };
            busy.spawn(async move {
                let mut session = session;
                Box::pin(session.step()).await;
                session
            });
        }
    }
    // What was begun is answered or given up, so that nothing happens after the books are read.
    let by = Instant::now() + Duration::from_millis(books.mix.insist_ms + books.mix.attempt_ms);
    tokio::select! {
        () = sleep_until(by) => {}
        () = async { while busy.join_next().await.is_some() {} } => {}
    }
}
