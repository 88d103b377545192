//! Runs a scenario: starts a cluster, puts load on it, breaks it and heals it as the scenario says,
//! watches, and judges what was seen.
//!
//! [`plan`] makes the steps that a seed stands for, [`steps`] drives each, [`watch`] notes who leads,
//! [`settle`] asks what is left, [`progress`] tells whoever waits, [`stop`] is how they end it early.

pub mod plan;
pub mod progress;
pub mod settle;
pub mod steps;
pub mod stop;
pub mod watch;

pub(crate) mod about;
mod stage;

use crate::check;
use crate::faults::{Scene, surge};
use crate::history::{Healed, History};
use crate::limits::BACK;
use crate::load::Load;
use crate::playground::FabricChoice;
use crate::report;
use crate::scenario::Scenario;
use crate::verdict::{Finding, Verdict, exit_code};
use anyhow::{Context, Result, bail};
use futures_util::future::join_all;
use plan::Planned;
use progress::Progress;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use steps::Done;
use stop::Stop;

/// How a scenario is run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// What all chance is drawn from.
    pub seed: u64,
    /// Where the report goes.
    pub report: PathBuf,
    /// The `florin` binary; nothing: the one beside this one.
    pub florin: Option<PathBuf>,
    /// What lies between the processes, instead of what the scenario says.
    pub fabric: Option<FabricChoice>,
    /// What bounds on times are multiplied by: 1, except for builds that are slow.
    pub slower: f64,
    /// Prints how far it is.
    pub progress: bool,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What checkers say.
    pub verdicts: Vec<Verdict>,
    /// 0: all holds; 1: something does not; 2: too little was seen.
    pub code: u8,
    /// What was seen.
    pub history: History,
}

/// Runs a scenario and writes its report. An error means that it cannot run here, and says why.
pub async fn run(scenario: &Scenario, options: &RunOptions, stop: &Stop) -> Result<Outcome> {
    if let Some(reason) = &scenario.waiting {
        bail!("{} waits: {reason}", scenario.name);
    }
    let planned = plan::plan(scenario, options.seed);
    let progress = Progress::start(&scenario.name, options.progress);
    progress.phase("starting the cluster");
    let scene = stage::stage(scenario, options).await?;
    let scene = Arc::new(scene);
    progress.follow(scene.load.clone());
    let watched = scene.clone();
    let watching = watch::start(scene.clock, move || {
        let scene = watched.clone();
        async move { scene.status().await }
    });
    progress.phase("warming up");
    stage::warm_up(
        &scene,
        Duration::from_secs_f64(scenario.phases.warm_up_s),
        stop,
    )
    .await?;
    progress.phase("faults");
    let mut seen = break_and_heal(&scene, planned, options, stop, &progress).await;
    progress.phase("healed");
    let healed = heal_the_rest(&scene, &mut seen, &progress).await;
    let after = Duration::from_secs_f64(scenario.phases.after_s);
    stop.sleep(after).await;
    progress.phase("reading the books");
    let leaders = watching.finish(&scene.groups).await;
    progress.unfollow();
    let scene = Arc::into_inner(scene).context("a fault still goes on")?;
    let settle = Duration::from_secs_f64(scenario.phases.settle_s);
    let alive_ms = scaled(scenario.phases.alive_ms, options.slower);
    let mut history = finish(scene, scenario, options, &mut seen, settle).await?;
    history.leaders = leaders;
    history.healed = vec![Healed {
        at: healed,
        bound_ms: alive_ms,
    }];
    progress.phase("judging");
    let mut verdicts = check::all(&history);
    verdicts.push(seen.verdict(stop));
    report::write(&options.report, &history, &verdicts)
        .with_context(|| format!("no report in {}", options.report.display()))?;
    progress.end();
    Ok(Outcome {
        code: exit_code(&verdicts),
        verdicts,
        history,
    })
}

/// A bound on a time, in milliseconds, for a build that is slower.
pub(crate) fn scaled(ms: u64, slower: f64) -> u64 {
    (ms as f64 * slower).round() as u64
}

/// What the run itself has to say, beside what checkers find in the history.
#[derive(Default)]
struct Seen {
    faults: Vec<crate::history::Fault>,
    /// What did not come back.
    broken: Vec<String>,
    /// What could not be done.
    undone: Vec<String>,
}

impl Seen {
    fn take(&mut self, done: Done) {
        self.faults.push(done.fault);
        self.broken.extend(done.broken);
        self.undone.extend(done.undone);
    }

    /// *whole*: after everything was healed, every process runs and every replica takes part and
    /// holds the same.
    fn verdict(&self, stop: &Stop) -> Verdict {
        let finding = if let Some(first) = self.broken.first() {
            Finding::Fail {
                operation: None,
                why: first.clone(),
                more: self.broken.len() - 1,
            }
        } else if let Some(first) = self.undone.first() {
            Finding::Inconclusive(first.clone())
        } else if stop.asked() {
            Finding::Inconclusive("the run was ended early".into())
        } else {
            Finding::Pass("every process runs, every replica takes part".into())
        };
        let checker = "whole";
        Verdict { checker, finding }
    }
}

async fn break_and_heal(
    scene: &Arc<Scene>,
    planned: Vec<Planned>,
    options: &RunOptions,
    stop: &Stop,
    progress: &Progress,
) -> Seen {
    let began = tokio::time::Instant::now();
    let each = planned.into_iter();
    let each = each.map(|one| steps::drive(scene, one, began, options.slower, stop, progress));
    let mut seen = Seen::default();
    for done in join_all(each).await.into_iter().flatten() {
        seen.take(done);
    }
    seen.faults.sort_by_key(|fault| fault.began);
    seen
}

/// Heals what is left broken, and waits until the cluster is whole; answers since when nothing is
/// broken any more.
async fn heal_the_rest(scene: &Arc<Scene>, seen: &mut Seen, progress: &Progress) -> u64 {
    if let Some(fabric) = scene.playground.fabric() {
        fabric.heal_all("the end of all faults");
    }
    for host in scene.playground.hosts() {
        if let Ok(arm) = scene.playground.arm(host)
            && let Err(error) = arm.clear()
        {
            seen.undone.push(format!("{}: {error}", scene.name(host)));
        }
        // A process that runs is left alone, one that stands still goes on.
        let started = scene.playground.start_again(host).await;
        let going_on = scene.playground.resume(host);
        if let Err(error) = started.and(going_on) {
            seen.broken.push(format!("{}: {error:#}", scene.name(host)));
        }
    }
    let healed = scene.now();
    progress.phase("waiting until all is whole");
    if let Err(error) = scene.wait_whole(BACK).await {
        seen.broken.push(format!("{error:#}"));
    }
    healed
}

/// Ends the load, reads the books, and asks every node what it holds.
async fn finish(
    scene: Scene,
    scenario: &Scenario,
    options: &RunOptions,
    seen: &mut Seen,
    settle: Duration,
) -> Result<History> {
    let (story, beside) = (scene.story(), scene.kept());
    let Scene {
        playground, load, ..
    } = scene;
    let load: Load = Arc::into_inner(load).context("somebody still uses the load")?;
    let faults = std::mem::take(&mut seen.faults);
    let mut history = load.finish(&scenario.about, faults).await?;
    surge::merge(&mut history, beside);
    let (replicas, lack) = settle::replicas(playground.cluster(), settle).await;
    history.replicas = replicas;
    seen.broken.extend(lack);
    history.failpoints = settle::hits(&playground);
    history.run = Some(about::run(scenario, options, &playground));
    let folder = &options.report;
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join(STORY), story.join("\n") + "\n")?;
    stage::keep_logs(&playground, folder)?;
    if !playground.stop().await {
        seen.broken
            .push("a process did not end well when it was told to".into());
    }
    Ok(history)
}

/// What was done when, for people.
const STORY: &str = "story.txt";
