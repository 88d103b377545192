//! The steps that a seed stands for.

use crate::fabric::dice::Dice;
use crate::scenario::{Scenario, Step};
use std::time::Duration;

/// A step with everything drawn that can be before it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The scenario's step.
    pub step: Step,
    /// From the end of the warm-up until it begins.
    pub at: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// What else of it is drawn from.
    pub seed: u64,
    /// What the run is drawn from.
    pub run: u64,
}

/// Keeps what is drawn for a soak apart from what is drawn for steps.
const RANDOM: u64 = 1 << 32;

/// The steps of a run, in the order in which they begin.
pub fn plan(scenario: &Scenario, seed: u64) -> Vec<Planned> {
    let random = scenario.random.as_ref();
    let drawn = random.map(|random| random.draw(&mut Dice::apart(seed, RANDOM)));
    let steps = scenario.steps.iter().cloned();
    let all = steps.chain(drawn.unwrap_or_default()).enumerate();
    let planned = all.map(|(number, step)| {
        let mut dice = Dice::apart(seed, number as u64);
        Planned {
            at: step.at.draw(&mut dice),
            lasts: step.lasts.draw(&mut dice),
            seed: dice.draw(),
            run: seed,
            step,
        }
    });
    let mut planned: Vec<Planned> = planned.collect();
    planned.sort_by_key(|one| one.at);
    planned
}
