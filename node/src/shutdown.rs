//! When a process is to stop: SIGTERM, SIGINT, or the end of the process that started it.

use std::io::{self, Read};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Tells that the process is to stop. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Follows SIGTERM and SIGINT. Must be called within a tokio runtime.
    pub fn on_signals() -> io::Result<Shutdown> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (requested, told) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            requested.send_replace(true);
            // A second one does not wait for anything.
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(130);
        });
        Ok(Shutdown(told))
    }

    /// Waits until the process is to stop.
    pub async fn requested(&self) {
        let mut told = self.0.clone();
        let _sender_gone = told.wait_for(|requested| *requested).await;
    }
}

/// Ends this process at once when standard input ends: a child whose parent holds the other end
/// of that pipe does not outlive it, however the parent dies.
pub fn end_with_parent() -> io::Result<()> {
    let watch = || {
        let mut nothing = [0u8; 64];
        while let Ok(1..) = io::stdin().read(&mut nothing) {}
        std::process::exit(0);
    };
    std::thread::Builder::new()
        .name("parent".into())
        .spawn(watch)
        .map(drop)
}
