//! Tells whoever waits how far a run is.

use crate::load::Load;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How often it is told on a terminal, and elsewhere.
const TOLD: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// How far a run is. Clones tell of the same run.
#[derive(Clone)]
pub struct Progress(Arc<Told>);

struct Told {
    name: String,
    began: Instant,
    shown: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    phase: String,
    active: Vec<String>,
    load: Weak<Load>,
    over: bool,
    /// When it was told last, and how much was acknowledged then.
    last: Option<(Instant, u64)>,
}

/// A fault that is in effect until this is dropped.
pub struct Active {
    what: String,
    progress: Progress,
}

impl Progress {
    /// Begins to tell, on standard error. Must be called within a tokio runtime.
    pub fn start(name: &str, shown: bool) -> Progress {
        let progress = Progress(Arc::new(Told {
            name: name.to_owned(),
            began: Instant::now(),
            shown,
            state: Mutex::default(),
        }));
        if shown {
            let told = Arc::downgrade(&progress.0);
            tokio::spawn(tell(told));
        }
        progress
    }

    /// A new phase has begun.
    pub fn phase(&self, phase: &str) {
        self.state().phase = phase.to_owned();
        if self.0.shown && !std::io::stderr().is_terminal() {
            eprintln!("{}", self.line());
        }
    }

    /// Follows a load.
    pub fn follow(&self, load: Arc<Load>) {
        self.state().load = Arc::downgrade(&load);
    }

    /// Does not follow it any more.
    pub fn unfollow(&self) {
        self.state().load = Weak::new();
    }

    /// A fault is in effect.
    pub fn active(&self, what: &str) -> Active {
        self.state().active.push(what.to_owned());
        let (what, progress) = (what.to_owned(), self.clone());
        Active { what, progress }
    }

    /// The run is over.
    pub fn end(&self) {
        self.state().over = true;
        if self.0.shown && std::io::stderr().is_terminal() {
            eprintln!();
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self) -> String {
        let mut state = self.state();
        let now = Instant::now();
        let acknowledged = state.load.upgrade().map(|load| load.counts().acknowledged);
        let rate = match (state.last, acknowledged) {
            (Some((then, before)), Some(count)) if now > then => {
                let each = count.saturating_sub(before) as f64;
                format!(", {:.0} acknowledged/s", each / (now - then).as_secs_f64())
            }
            _ => String::new(),
        };
        state.last = acknowledged.map(|count| (now, count));
        let elapsed = self.0.began.elapsed().as_secs();
        let (name, phase) = (&self.0.name, &state.phase);
        let active = match state.active.is_empty() {
            true => String::new(),
            false => format!(" [{}]", state.active.join(" + ")),
        };
        format!("{name}: {elapsed:>3} s, {phase}{rate}{active}")
    }
}

async fn tell(told: Weak<Told>) {
    let terminal = std::io::stderr().is_terminal();
    loop {
        tokio::time::sleep(if terminal { TOLD.0 } else { TOLD.1 }).await;
        let Some(told) = told.upgrade() else { return };
        let progress = Progress(told);
        if progress.state().over {
            return;
        }
        let line = progress.line();
        let mut to = std::io::stderr().lock();
        // Nobody may be there to see it.
        let _nobody_looks = match terminal {
            true => write!(to, "\r\x1b[K{line}").and_then(|()| to.flush()),
            false => writeln!(to, "{line}"),
        };
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let mut state = self.progress.state();
        if let Some(at) = state.active.iter().position(|one| *one == self.what) {
            state.active.remove(at);
        }
    }
}
