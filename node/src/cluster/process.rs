//! A child process and its supervisor: it is started again when it dies, as a service manager
//! would do it, unless it was told to stay down.
//!
//! The child's standard input is a pipe that only this process writes to. The child ends when the
//! pipe does, so nothing is left behind when this process dies, however it dies.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot, watch};

/// How long a child that was asked to end may take before it is killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// What to start.
#[derive(Clone, Debug)]
pub struct Spec {
    /// For people.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What its environment has beside this process's own.
    pub environment: BTreeMap<String, String>,
    /// Where its output goes; appended to.
    pub log: PathBuf,
}

/// Whether and when a child that died is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// It stays dead until it is started.
    Never,
    /// After this pause.
    After(Duration),
}

/// A supervised child. Dropping it kills the child.
#[derive(Debug)]
pub struct Supervised {
    orders: mpsc::Sender<Order>,
    state: watch::Receiver<State>,
    log: PathBuf,
}

/// What a child is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Running {
        /// Its process number.
        pid: u32,
    },
    /// It ended.
    Ended {
        /// How; nothing if it was never started or could not be.
        status: Option<ExitStatus>,
    },
}

#[derive(Debug)]
enum Order {
    Start(oneshot::Sender<io::Result<()>>),
    Kill {
        stay: bool,
        done: oneshot::Sender<()>,
    },
    Terminate(oneshot::Sender<Option<ExitStatus>>),
}

impl Supervised {
    /// Starts a child. Must be called within a tokio runtime.
    pub fn start(spec: Spec, restart: Restart) -> io::Result<Supervised> {
        let child = spawn(&spec)?;
        let (orders, inbox) = mpsc::channel(4);
        let (told, state) = watch::channel(running(&child));
        let log = spec.log.clone();
        tokio::spawn(supervise(spec, restart, child, inbox, told));
        Ok(Supervised { orders, state, log })
    }

    /// What the child is at the moment.
    pub fn state(&self) -> State {
        *self.state.borrow()
    }

    /// Follows what the child is.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Its process number, if it runs.
    pub fn pid(&self) -> Option<u32> {
        match self.state() {
            State::Running { pid } => Some(pid),
            State::Ended { .. } => None,
        }
    }

    /// SIGKILL; returns when it is dead. Its supervisor starts it again, unless it is to stay down.
    pub async fn kill(&self, stay: bool) {
        let (done, told) = oneshot::channel();
        if self.orders.send(Order::Kill { stay, done }).await.is_ok() {
            let _gone = told.await;
        }
    }

    /// SIGTERM; returns how it ended. It stays down.
    pub async fn terminate(&self) -> Option<ExitStatus> {
        let (done, told) = oneshot::channel();
        self.orders.send(Order::Terminate(done)).await.ok()?;
        told.await.ok().flatten()
    }

    /// Starts it now if it does not run.
    pub async fn start_again(&self) -> io::Result<()> {
        let gone = || io::Error::other("its supervisor is gone");
        let (done, told) = oneshot::channel();
        self.orders
            .send(Order::Start(done))
            .await
            .map_err(|_| gone())?;
        told.await.map_err(|_| gone())?
    }

    /// The last lines of its output, for messages.
    pub fn last_words(&self) -> String {
        last_lines(&self.log, 3)
    }
}

/// A child, and the pipe that it lives by. Waiting for a child closes the pipe that it has, so it
/// must not have this one.
struct Alive {
    child: Child,
    _lifeline: Option<ChildStdin>,
}

fn spawn(spec: &Spec) -> io::Result<Alive> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&spec.log)?;
    let mut child = Command::new(&spec.program)
        .args(&spec.arguments)
        .envs(&spec.environment)
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        // Ctrl-C at the terminal is for the parent, which then ends its children in order.
        .process_group(0)
        .spawn()?;
    Ok(Alive {
        _lifeline: child.stdin.take(),
        child,
    })
}

fn running(alive: &Alive) -> State {
    alive
        .child
        .id()
        .map_or(State::Ended { status: None }, |pid| State::Running { pid })
}

async fn supervise(
    spec: Spec,
    restart: Restart,
    child: Alive,
    mut inbox: mpsc::Receiver<Order>,
    told: watch::Sender<State>,
) {
    let mut current = Some(child);
    let mut stay_down = false;
    loop {
        let wake = async {
            match (&mut current, restart) {
                (Some(alive), _) => alive.child.wait().await.ok(),
                (None, Restart::After(pause)) if !stay_down => {
                    tokio::time::sleep(pause).await;
                    None
                }
                (None, _) => std::future::pending().await,
            }
        };
        tokio::select! {
            order = inbox.recv() => match order {
                None => return,
                Some(Order::Start(done)) => {
                    stay_down = false;
                    let _nobody_waits = done.send(ensure(&spec, &mut current, &told));
                }
                Some(Order::Kill { stay, done }) => {
                    stay_down = stay;
                    end(&mut current, &told, false).await;
                    let _nobody_waits = done.send(());
                }
                Some(Order::Terminate(done)) => {
                    stay_down = true;
                    let _nobody_waits = done.send(end(&mut current, &told, true).await);
                }
            },
            status = wake => {
                if current.take().is_some() {
                    tracing::debug!(name = spec.name, ?status, "a child ended");
                    told.send_replace(State::Ended { status });
                } else if let Err(error) = ensure(&spec, &mut current, &told) {
                    tracing::warn!(name = spec.name, %error, "a child cannot be started");
                }
            }
        }
    }
}

fn ensure(spec: &Spec, current: &mut Option<Alive>, told: &watch::Sender<State>) -> io::Result<()> {
    if current.is_none() {
        let child = spawn(spec)?;
        told.send_replace(running(&child));
        *current = Some(child);
    }
    Ok(())
}

/// Ends a child, gently first if so asked.
async fn end(
    current: &mut Option<Alive>,
    told: &watch::Sender<State>,
    gently: bool,
) -> Option<ExitStatus> {
    let Some(Alive {
        mut child,
        _lifeline,
    }) = current.take()
    else {
        return match *told.borrow() {
            State::Ended { status } => status,
            State::Running { .. } => None,
        };
    };
    let mut status = None;
    if gently {
        terminate(&child);
        status = tokio::time::timeout(PATIENCE, child.wait())
            .await
            .ok()
            .and_then(Result::ok);
    }
    if status.is_none() {
        let _dead_already = child.start_kill();
        status = child.wait().await.ok();
    }
    told.send_replace(State::Ended { status });
    status
}

fn terminate(child: &Child) {
    let pid = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _dead_already = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

/// The last lines of a file, in one.
pub fn last_lines(file: &Path, count: usize) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join(" | ")
}
