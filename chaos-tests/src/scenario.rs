//! Scenarios: what is broken when, in which cluster, under which load, and what clients may notice
//! of it at most. Each is a TOML file; docs/reliability/running.md explains every field.
//!
//! [`Scenario`] is a whole file; [`Step`] one fault of it: when, how long, [`Target`] and
//! [`Inject`]. [`random`] draws steps for a soak; [`shape`] makes the topology.

pub mod draw;
pub mod inject;
pub mod random;
pub mod shape;
pub mod target;

pub use draw::Span;
pub use inject::Inject;
pub use random::Random;
pub use shape::{ClusterPart, Size};
pub use target::Target;

use crate::disks::Disks;
use crate::history::Bound;
use crate::load::Mix;
use crate::playground::FabricChoice;
use florin_node::config::{self, Checked, ConfigError};
use serde::Deserialize;
use std::path::Path;

/// A scenario's file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The file's name, without `.toml`.
    pub name: String,
    /// What happens and what is expected of the cluster, in a sentence or two.
    pub about: String,
    /// Why it cannot run yet; the rest of the file may be left out then.
    #[serde(default)]
    pub waiting: Option<String>,
    /// What is broken.
    #[serde(default)]
    pub cluster: ClusterPart,
    /// What is asked of it.
    #[serde(default)]
    pub load: LoadPart,
    /// How long what comes before and after the faults takes.
    #[serde(default)]
    pub phases: Phases,
    /// The faults.
    #[serde(default, rename = "fault")]
    pub steps: Vec<Step>,
    /// Faults that are drawn from the seed, beside those.
    #[serde(default)]
    pub random: Option<Random>,
}

/// The load of a scenario.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoadPart {
    /// On how many partners' books. The group of the first is the one whose leader and followers
    /// targets mean.
    pub partners: usize,
    /// What is asked, and how often.
    pub mix: Mix,
}

/// How long what comes before and after the faults takes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Phases {
    /// Payments flow for so long before the first fault.
    pub warm_up_s: f64,
    /// Payments flow for so long after everything is healed.
    pub after_s: f64,
    /// Within this time after healing, every group must acknowledge fresh payments.
    pub alive_ms: u64,
    /// All replicas must hold the same state within this time after the load has ended.
    pub settle_s: f64,
    /// The cluster may end in a safe stop: it answers nothing and says why. What was on the disks
    /// before the faults is then put back, and must hold everything that was acknowledged.
    pub may_stop: bool,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Seconds from the end of the warm-up until it is injected; two numbers: drawn between them.
    pub at: Span,
    /// Seconds until it is healed.
    #[serde(rename = "for")]
    pub lasts: Span,
    /// To whom.
    pub target: Target,
    /// What.
    pub inject: Inject,
    /// What clients may notice of it at most.
    #[serde(default)]
    pub bound: Option<Bound>,
    /// It takes the quorum away: nothing can be acknowledged while it lasts.
    #[serde(default)]
    pub quorum_lost: bool,
    /// It is done so many times, each after the cluster is whole again.
    #[serde(default = "once")]
    pub times: u32,
    /// Seconds of calm between two times, from when the cluster is whole.
    #[serde(default)]
    pub rest: f64,
}

fn once() -> u32 {
    1
}

impl Default for LoadPart {
    fn default() -> Self {
        LoadPart {
            partners: 2,
            mix: Mix::default(),
        }
    }
}

impl Default for Phases {
    fn default() -> Self {
        Phases {
            warm_up_s: 4.0,
            after_s: 6.0,
            alive_ms: 10_000,
            settle_s: 60.0,
            may_stop: false,
        }
    }
}

/// Operations a second, unless the scenario says otherwise: enough to see every gap, and few enough
/// that the books of a run of minutes are read in seconds.
const PER_SECOND: f64 = 400.0;

impl LoadPart {
    /// What is asked, and how often.
    pub fn mix(&self) -> Mix {
        let mut mix = self.mix.clone();
        mix.per_second.get_or_insert(PER_SECOND);
        mix
    }
}

impl Scenario {
    /// Reads a scenario's file.
    pub fn load(file: &Path) -> Result<Scenario, ConfigError> {
        let scenario: Scenario = config::load(file)?;
        let stem = file.file_stem().and_then(|stem| stem.to_str());
        match stem {
            Some(stem) if stem == scenario.name => Ok(scenario),
            _ => Err(ConfigError::Nonsense {
                file: file.to_owned(),
                field: "name",
                why: format!("`{}` is not the file's name", scenario.name),
            }),
        }
    }

    /// The fabric that it needs if nobody chooses another.
    pub fn fabric(&self) -> FabricChoice {
        self.cluster.fabric
    }

    /// Everything that may be injected, with whom it is done to.
    pub fn injections(&self) -> Vec<(Target, Inject)> {
        let steps = self.steps.iter();
        let fixed = steps.map(|step| (step.target, step.inject.clone()));
        let choices = self.random.iter().flat_map(|random| &random.choices);
        let drawn = choices.flat_map(|choice| {
            let targets = choice.targets.iter();
            targets.map(|target| (*target, choice.inject.clone()))
        });
        fixed.chain(drawn).collect()
    }

    /// The first injection that this cluster's parts do not allow.
    fn check_parts(&self) -> Result<(), (&'static str, String)> {
        for (target, inject) in self.injections() {
            inject.check()?;
            let class = inject.class();
            if inject.needs_network() && self.cluster.fabric == FabricChoice::None {
                let why = format!("`{class}` needs another fabric than none");
                return Err(("cluster.fabric", why));
            }
            if inject.needs_power() && self.cluster.disks == Disks::Plain {
                return Err(("cluster.disks", format!("`{class}` needs loop disks")));
            }
            if inject.needs_small_disk() && self.cluster.disks != Disks::Small {
                return Err(("cluster.disks", format!("`{class}` needs small disks")));
            }
            if !inject.allows(target) {
                let why = format!("`{class}` cannot be done to `{target}`");
                return Err(("fault.target", why));
            }
            if let Target::Node(id) = target
                && id > self.cluster.size.nodes()
            {
                return Err(("fault.target", format!("there is no node {id}")));
            }
        }
        Ok(())
    }
}

impl Checked for Scenario {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.waiting.is_some() {
            return Ok(());
        }
        if self.steps.is_empty() && self.random.is_none() {
            return Err(("fault", "there is none".into()));
        }
        if self.load.partners == 0 {
            return Err(("load.partners", "must be at least 1".into()));
        }
        self.cluster
            .topology()
            .map_err(|why| ("cluster", format!("{why:#}")))?;
        for step in &self.steps {
            step.at.check("fault.at")?;
            step.lasts.check("fault.for")?;
            if step.times == 0 {
                return Err(("fault.times", "must be at least 1".into()));
            }
            if !(0.0..=600.0).contains(&step.rest) {
                return Err(("fault.rest", "must be from 0 to 600 seconds".into()));
            }
        }
        if let Some(random) = &self.random {
            random.check()?;
        }
        self.check_parts()
    }

    fn resolve(&mut self, _folder: &Path) {}
}

#[cfg(test)]
mod tests;
