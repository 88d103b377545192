//! Files that are not what was written: the node is killed, a file of it is damaged, and it is
//! started again. It must notice. It then repairs itself from its peers, or is replaced by its
//! operator; or, if every copy is damaged, it stops and says so, and what was damaged is put right.

use super::disk::{disk, replace};
use super::process::{all_ended, kill, start};
use super::{Doing, Fault, Injected, Scene};
use crate::disks::damage::{Damage, Damaged, How, Part};
use crate::fabric::Host;
use crate::limits::{REPAIRED, SAYS};
use anyhow::{Context, Result};
use florin_node::cluster::process::State;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tokio::time::Instant;

/// What nodes say when they find damage. Their words are part of what operators rely on.
const WORDS: &[&str] = &[
    "damage", "torn", "cut off", "checksum", "repair", "corrupt", "faulty",
];

/// Damage to files.
pub struct Damaging {
    hosts: Vec<Host>,
    damage: Damage,
    seed: u64,
    done: Vec<Done>,
}

/// What was done to one node.
struct Done {
    host: Host,
    damaged: Damaged,
    /// The bytes as they were, with their places.
    were: Vec<(u64, u8)>,
    /// The length as it was.
    length: u64,
    /// How long its output was before it was started again.
    said: usize,
}

impl Damaging {
    /// To a file of each of these nodes.
    pub fn new(hosts: Vec<Host>, part: Part, how: How, seed: u64) -> Damaging {
        Damaging {
            hosts,
            damage: Damage { part, how },
            seed,
            done: Vec::new(),
        }
    }

    fn damage(&mut self, scene: &Scene, host: Host) -> Result<()> {
        let disk = disk(scene, host)?;
        let before = files(disk.data_dir())?;
        let seed = self.seed.wrapping_add(self.done.len() as u64);
        let damaged = disk.damage(self.damage, seed)?;
        let old = before
            .get(&damaged.file)
            .context("a file that was not there")?;
        let new = fs::read(&damaged.file)?;
        let all = old.iter().enumerate();
        let were = all.filter(|(at, byte)| new.get(*at) != Some(byte));
        let were: Vec<(u64, u8)> = were.map(|(at, byte)| (at as u64, *byte)).collect();
        let (name, file) = (scene.name(host), damaged.file.display());
        let count = were.len();
        scene.note(format_args!(
            "{name}: {count} bytes from {} of {file}",
            damaged.offset
        ));
        self.done.push(Done {
            host,
            damaged,
            were,
            length: old.len() as u64,
            said: scene.printed(host).len(),
        });
        Ok(())
    }

    /// What the nodes said about it since they were started again; nothing if one says nothing.
    fn said(&self, scene: &Scene) -> Option<Vec<String>> {
        let said = |done: &Done| {
            let printed = scene.printed(done.host);
            let new = printed.get(done.said..).unwrap_or_default();
            let told = |line: &&str| WORDS.iter().any(|word| line.to_lowercase().contains(word));
            let line = new.lines().find(told)?;
            Some(format!("{} said: {}", scene.name(done.host), line.trim()))
        };
        self.done.iter().map(said).collect()
    }

    /// Starts what has ended, since an operator would, until all is whole or time is up.
    async fn repaired_alone(&self, scene: &Scene) -> bool {
        let by = Instant::now() + REPAIRED;
        while Instant::now() < by {
            if start(scene, &self.hosts).await.is_err() {
                return false;
            }
            if scene.wait_whole(SAYS).await.is_ok() {
                return true;
            }
        }
        false
    }

    /// Puts back what the damaged bytes were, as if the machine had read them wrongly.
    async fn undo(&self, scene: &Scene) -> Result<()> {
        kill(scene, &self.hosts).await?;
        for done in &self.done {
            // A node that has repaired itself may have thrown the file away.
            let Ok(file) = fs::File::options().write(true).open(&done.damaged.file) else {
                continue;
            };
            if file.metadata()?.len() < done.length {
                file.set_len(done.length)?;
            }
            for (at, byte) in &done.were {
                file.write_all_at(&[*byte], *at)?;
            }
            file.sync_all()?;
        }
        start(scene, &self.hosts).await
    }
}

impl Fault for Damaging {
    fn inject<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Injected> {
        Box::pin(async {
            let injected = kill(scene, &self.hosts).await?;
            for host in self.hosts.clone() {
                self.damage(scene, host)?;
            }
            start(scene, &self.hosts).await?;
            Ok(injected)
        })
    }

    /// The file is damaged, and its node has noticed by itself.
    fn verify_happened<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Option<String>> {
        Box::pin(async {
            let Some(said) = self.said(scene) else {
                return Ok(None);
            };
            let what = |done: &Done| {
                let (how, offset) = (done.damaged.how, done.damaged.offset);
                let file = done.damaged.file.file_name().unwrap_or_default().display();
                format!("{how:?} at {offset} of {file}")
            };
            let damage: Vec<String> = self.done.iter().map(what).collect();
            Ok(Some(format!("{}; {}", damage.join("; "), said.join("; "))))
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, ()> {
        Box::pin(async {
            if self.repaired_alone(scene).await {
                scene.note("repaired without an operator");
                return Ok(());
            }
            let nodes = scene.playground.cluster().nodes().len();
            if self.hosts.len() * 2 > nodes {
                scene.note("a safe stop; the damaged bytes are put right");
                return self.undo(scene).await;
            }
            scene.note("not repaired without an operator: the nodes are replaced");
            for host in &self.hosts {
                if matches!(scene.state(*host)?, State::Running { .. }) {
                    kill(scene, std::slice::from_ref(host)).await?;
                }
                all_ended(scene, &self.hosts)?;
                disk(scene, *host)?.wipe()?;
                replace(scene, *host).await?;
            }
            Ok(())
        })
    }
}

/// Every file below a folder, and what it holds.
fn files(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            all.extend(files(&path)?);
        } else if path.is_file() {
            let bytes = fs::read(&path)?;
            all.insert(path, bytes);
        }
    }
    Ok(all)
}
