//! `florin demo`: a cluster on this machine, a partner on it, and a story about both.
//!
//! [`story`] is what a newcomer sees, [`burst`] the payments under which a leader dies,
//! [`audit`] what is left to say afterwards, [`ready`] the file for drivers in other languages.

pub mod audit;
pub mod books;
pub mod burst;
pub mod ready;
pub mod story;

mod fault;
mod paper;

use crate::cluster::process::Restart;
use crate::cluster::{Cluster, ClusterOptions, Partner, Topology};
use crate::shutdown::Shutdown;
use anyhow::{Context, Result};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

/// How long a supervisor waits before it starts what died again.
const RESTART: Duration = Duration::from_secs(2);
/// How long the cluster may take to do what the story asks of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What the demo is asked to do.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// The cluster to start.
    pub topology: Topology,
    /// Where everything is kept; a folder that is removed at the end unless told.
    pub data: Option<PathBuf>,
    /// Stop after the story.
    pub once: bool,
    /// Tell no story, write this file.
    pub ready_file: Option<PathBuf>,
    /// Start nodes that died again.
    pub restart: bool,
}

/// Exit code of a story that was interrupted.
const INTERRUPTED: u8 = 130;

/// Runs the demo; the exit code says whether the audit held.
pub async fn run(options: DemoOptions, shutdown: Shutdown) -> Result<ExitCode> {
    let folder = Folder::of(&options)?;
    let restart = if options.restart {
        Restart::After(RESTART)
    } else {
        Restart::Never
    };
    let cluster_options = ClusterOptions {
        restart,
        ..ClusterOptions::new(folder.path())?
    };
    let began = Instant::now();
    let cluster = tokio::select! {
        started = Cluster::start(options.topology.clone(), cluster_options) => started?,
        () = shutdown.requested() => return Ok(ExitCode::from(INTERRUPTED)),
    };
    let shown = match &options.ready_file {
        Some(file) => ready(&cluster, file, &shutdown).await,
        None => show(&cluster, began, options.once, &shutdown).await,
    };
    cluster.stop().await;
    shown
}

/// Writes the file of a cluster that serves, and keeps it true.
async fn ready(cluster: &Cluster, file: &Path, shutdown: &Shutdown) -> Result<ExitCode> {
    let partner = tokio::select! {
        partner = partner(cluster) => partner?,
        () = shutdown.requested() => return Ok(ExitCode::from(INTERRUPTED)),
    };
    ready::keep(cluster, &partner, file, shutdown).await?;
    Ok(ExitCode::SUCCESS)
}

/// Tells the story, and stays up afterwards unless told otherwise.
async fn show(
    cluster: &Cluster,
    began: Instant,
    once: bool,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let tell = async {
        let partner = partner(cluster).await?;
        story::tell(cluster, &partner, began.elapsed()).await
    };
    let held = tokio::select! {
        held = tell => held?,
        () = shutdown.requested() => return Ok(ExitCode::from(INTERRUPTED)),
    };
    if !once {
        story::invite(cluster);
        shutdown.requested().await;
    }
    Ok(if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The partner of an earlier run on the same folder, or a new one.
async fn partner(cluster: &Cluster) -> Result<Partner> {
    let file = cluster.folder().join("partner.toml");
    if let Ok(text) = fs::read_to_string(&file) {
        return toml::from_str(&text).with_context(|| format!("{} is damaged", file.display()));
    }
    let region = cluster
        .topology()
        .regions()
        .first()
        .copied()
        .map(str::to_owned);
    let partner = cluster
        .onboard("Demo Store", region.as_deref(), Instant::now() + PATIENCE)
        .await?;
    let text = toml::to_string(&partner)?;
    let open = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&file);
    open.and_then(|mut open| open.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(partner)
}

/// Where everything is kept.
enum Folder {
    Given(PathBuf),
    /// Removed when this is dropped.
    Ours(PathBuf),
}

impl Folder {
    fn of(options: &DemoOptions) -> Result<Folder> {
        if let Some(given) = &options.data {
            return Ok(Folder::Given(given.clone()));
        }
        let name = format!("florin-demo-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Folder::Ours(path))
    }

    fn path(&self) -> &Path {
        match self {
            Folder::Given(path) | Folder::Ours(path) => path,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Folder::Ours(path) = self {
            let _left_to_the_system = fs::remove_dir_all(path);
        }
    }
}
