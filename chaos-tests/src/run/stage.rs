//! Makes everything that a scenario is played on.

use super::RunOptions;
use super::stop::Stop;
use crate::fabric::Link;
use crate::faults::Scene;
use crate::history::clock::Clock;
use crate::limits::{FLOWING, STARTED};
use crate::load::{Load, LoadOptions, PartnerKey};
use crate::playground::{FabricChoice, Playground, PlaygroundSpec, Shape};
use crate::scenario::{Inject, Scenario};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Starts the cluster, makes partners and starts the load.
pub(super) async fn stage(scenario: &Scenario, options: &RunOptions) -> Result<Scene> {
    let playground = Playground::start(spec(scenario, options)?).await?;
    able(scenario, &playground).await?;
    let cluster = playground.cluster();
    let by = Instant::now() + STARTED;
    let (mut partners, mut groups) = (Vec::new(), Vec::new());
    for number in 0..scenario.load.partners {
        let name = format!("partner-{number}");
        let partner = cluster.onboard(&name, None, by).await?;
        let group = u64::from(cluster.group_of(&partner, by).await?.0);
        if !groups.contains(&group) {
            groups.push(group);
        }
        let secret = partner.secret_key;
        let group = Some(group);
        partners.push(PartnerKey {
            name,
            secret,
            group,
        });
    }
    let mut load = LoadOptions::new(cluster.urls(), Some(cluster.ca()), partners);
    load.mix = scenario.load.mix();
    load.seed = options.seed;
    load.clock = Clock::start();
    let surges = scenario
        .injections()
        .iter()
        .any(|(_, inject)| matches!(inject, Inject::Overload { .. } | Inject::HotAccount { .. }));
    let more_load = match surges {
        true => Some(beside(&playground, &load, by).await?),
        false => None,
    };
    let storage = cluster.topology().storage.clone();
    let kept = storage.checkpoint_seconds * storage.keep_checkpoints as u64;
    let load = Arc::new(Load::start(load).await?);
    let kept = Duration::from_secs(kept);
    Ok(Scene::new(playground, load, groups, more_load, kept))
}

/// What the playground is made from.
fn spec(scenario: &Scenario, options: &RunOptions) -> Result<PlaygroundSpec> {
    let folder = &options.report;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let topology = folder.join("topology.toml");
    let mut cluster = scenario.cluster.clone();
    // A group that nobody asks anything of costs a little, and shows nothing.
    let groups = u32::try_from(scenario.load.partners)?;
    cluster.groups = Some(cluster.groups.unwrap_or(groups));
    fs::write(&topology, cluster.text()?)?;
    let mut spec = PlaygroundSpec::new(Shape::File(topology));
    spec.fabric = match (scenario.fabric(), options.fabric) {
        // Nothing of it is about the network.
        (FabricChoice::None, _) => FabricChoice::None,
        (own, chosen) => chosen.unwrap_or(own),
    };
    spec.disks = scenario.cluster.disks;
    spec.program.clone_from(&options.florin);
    spec.seed = options.seed;
    spec.patience = STARTED;
    Ok(spec)
}

/// Refuses what cannot be injected here, with what it lacks.
async fn able(scenario: &Scenario, playground: &Playground) -> Result<()> {
    for (_, inject) in scenario.injections() {
        let class = inject.class();
        if inject.needs_packets() {
            let lossy = Link {
                loss: 0.1,
                duplicate: 0.1,
                reorder: 0.1,
                ..Link::default()
            };
            let fabric = playground.fabric().context("no fabric")?;
            fabric.can(&lossy).with_context(|| {
                format!("`{class}` cannot be done here; `florin-chaos doctor` says what is missing")
            })?;
        }
        if inject.needs_failpoints() {
            let host = playground
                .hosts()
                .into_iter()
                .next()
                .context("no process")?;
            if playground.arm(host)?.hits().is_empty() {
                bail!(
                    "`{class}` needs a florin with failpoints: cargo build --profile chaos \
                     --features florin-chaos/faults -p florin-node -p florin-chaos"
                );
            }
        }
    }
    Ok(())
}

/// A partner that surges ask.
async fn beside(playground: &Playground, load: &LoadOptions, by: Instant) -> Result<LoadOptions> {
    let cluster = playground.cluster();
    let name = "more".to_owned();
    let partner = cluster.onboard(&name, None, by).await?;
    let group = Some(u64::from(cluster.group_of(&partner, by).await?.0));
    let secret = partner.secret_key;
    let mut more = load.clone();
    more.partners = vec![PartnerKey {
        name,
        secret,
        group,
    }];
    more.run = format!("{}-more", load.run);
    Ok(more)
}

/// Waits until payments flow, and lets them flow for a while.
pub(super) async fn warm_up(scene: &Scene, time: Duration, stop: &Stop) -> Result<()> {
    let some = 10 * scene.groups.len() as u64;
    if !scene.load.wait_for_more(some, FLOWING).await {
        bail!("payments do not flow: {:?}", scene.load.counts());
    }
    scene.wait_back().await?;
    stop.sleep(time).await;
    Ok(())
}

/// Copies what processes have printed to the report.
pub(super) fn keep_logs(playground: &Playground, report: &Path) -> Result<()> {
    let to = report.join("logs");
    fs::create_dir_all(&to)?;
    for entry in fs::read_dir(playground.folder())? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "log")
            && let Some(name) = path.file_name()
        {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
