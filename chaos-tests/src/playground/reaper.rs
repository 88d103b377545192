//! The end of processes whose playground is dropped: dead before their disks are taken away.

use florin_node::cluster::process::State;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::watch;

/// A killed process has let go of its files by then, unless the kernel is in trouble.
const PATIENCE: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// Kills what still runs when it is dropped, and waits until it is gone. It must be dropped before
/// the supervisors are, which reap the dead.
#[derive(Debug)]
pub(super) struct Reaper(pub(super) Vec<watch::Receiver<State>>);

impl Drop for Reaper {
    fn drop(&mut self) {
        let running = self.0.iter().filter_map(|process| match *process.borrow() {
            State::Running { pid } => i32::try_from(pid).ok().and_then(Pid::from_raw),
            State::Ended { .. } => None,
        });
        // All are killed before one is waited for.
        let killed: Vec<_> = running
            .filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
            .inspect(|process| {
                let _dead_already = pidfd_send_signal(process, Signal::KILL);
            })
            .collect();
        for process in killed {
            let mut ended = [PollFd::new(&process, PollFlags::IN)];
            let _gone_or_out_of_patience = poll(&mut ended, Some(&PATIENCE));
        }
    }
}
