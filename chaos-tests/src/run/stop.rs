//! How a run is ended early: what is broken is healed, and the report is written.

use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether the run is to end.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: watch::Receiver<bool>,
    _ask: std::sync::Arc<watch::Sender<bool>>,
}

impl Stop {
    /// Nobody can ask.
    pub fn never() -> Stop {
        let (ask, asked) = watch::channel(false);
        let _ask = std::sync::Arc::new(ask);
        Stop { asked, _ask }
    }

    /// Ctrl-C and SIGTERM ask for it; a second one ends the process as usual. Must be called
    /// within a tokio runtime.
    pub fn by_signal() -> std::io::Result<Stop> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let stop = Stop::never();
        let ask = stop._ask.clone();
        tokio::spawn(async move {
            for times in 0.. {
                tokio::select! {
                    _ = interrupt.recv() => (),
                    _ = terminate.recv() => (),
                }
                if times > 0 {
                    // What is left on the machine is swept by the next run.
                    std::process::exit(130);
                }
                eprintln!("\nhealing, then writing the report; once more to end at once");
                ask.send_replace(true);
            }
        });
        Ok(stop)
    }

    /// Whether it was asked for.
    pub fn asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Returns when it is asked for.
    pub async fn wait(&self) {
        let mut asked = self.asked.clone();
        // The sender lives as long as this does.
        let _sender_is_there = asked.wait_for(|asked| *asked).await;
    }

    /// Sleeps, but not after it was asked for.
    pub async fn sleep(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => (),
            () = self.wait() => (),
        }
    }
}
