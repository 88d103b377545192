//! Programs of others, run as an unprivileged user: database servers refuse to be root's.

use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::process::Child;

/// How long a program that was asked to end may take before it is killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who runs them: somebody else if this process is root's, this process's user otherwise.
pub(super) struct Guest {
    ids: Option<(u32, u32)>,
    folder: PathBuf,
}

/// A program that goes on running; dropping it kills it.
pub(super) struct Program {
    child: Child,
    log: PathBuf,
}

impl Guest {
    /// This user, in a folder that becomes theirs.
    pub(super) fn new(user: &str, folder: &Path) -> Result<Guest> {
        let ids = match rustix::process::geteuid().is_root() {
            false => None,
            true => Some(ids_of(user)?),
        };
        if let Some((uid, gid)) = ids {
            chown(folder, Some(uid), Some(gid))?;
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        Ok(Guest {
            ids,
            folder: folder.to_owned(),
        })
    }

    /// Runs a program to its end and answers what it said.
    pub(super) fn run(&self, command: &mut Command) -> Result<String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let ended = self.dressed(command).output();
        let ended = ended.with_context(|| format!("cannot run {name}"))?;
        if !ended.status.success() {
            let words = String::from_utf8_lossy(&ended.stderr);
            bail!("{name} failed: {}", words.trim());
        }
        Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
    }

    /// Starts a program that goes on running.
    pub(super) fn start(&self, mut command: Command, log: &Path) -> Result<Program> {
        let name = command.get_program().to_string_lossy().into_owned();
        let said = File::create(log)?;
        self.dressed(&mut command)
            .stdout(said.try_clone()?)
            .stderr(said)
            // Ctrl-C at the terminal is for this process, which then ends them.
            .process_group(0);
        let mut command = tokio::process::Command::from(command);
        let child = command.kill_on_drop(true).spawn();
        Ok(Program {
            child: child.with_context(|| format!("cannot start {name}"))?,
            log: log.to_owned(),
        })
    }

    fn dressed<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        if let Some((uid, gid)) = self.ids {
            command.uid(uid).gid(gid);
        }
        command.current_dir(&self.folder).stdin(Stdio::null())
    }
}

impl Program {
    /// Asks it to end and waits until it has; SIGINT is what databases take for "at once".
    pub(super) async fn stop(mut self) -> Result<()> {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
        }
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        if ended.is_err() {
            self.child.kill().await?;
        }
        Ok(())
    }

    /// The end of what it said, for messages.
    pub(super) fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let last: Vec<&str> = text.lines().rev().take(3).collect();
        last.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }
}

/// Ports that nobody listens at, all different.
pub(super) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        *port = listener.local_addr()?.port();
        // Held until all are known: the same port is not given twice.
        listeners.push(listener);
    }
    Ok(ports)
}

/// The numbers of a user and their group.
fn ids_of(user: &str) -> Result<(u32, u32)> {
    let file = "/etc/passwd";
    let text = fs::read_to_string(file).context(file)?;
    let line = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(user)).then(|| fields.collect::<Vec<_>>())
    });
    let fields = line.with_context(|| format!("there is no user {user}"))?;
    let number = |at: usize| fields.get(at).and_then(|field| field.parse().ok());
    match (number(1), number(2)) {
        (Some(0), _) => bail!("{user} is root"),
        (Some(uid), Some(gid)) => Ok((uid, gid)),
        _ => bail!("{file} is not understood"),
    }
}
