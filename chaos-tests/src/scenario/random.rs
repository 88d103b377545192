//! Faults drawn from a seed, alone and together.

use super::{Inject, Span, Step, Target};
use crate::fabric::dice::Dice;
use crate::history::Bound;
use serde::Deserialize;

/// What a run of a soak is drawn from.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Random {
    /// Seconds from the end of the warm-up in which faults begin.
    pub seconds: f64,
    /// How many faults at least and at most.
    pub faults: (u32, u32),
    /// How many of the choices a run leaves out, so that some classes meet alone now and then.
    #[serde(default)]
    pub leave_out: u32,
    /// What may be drawn.
    #[serde(rename = "choice")]
    pub choices: Vec<Choice>,
}

/// What may be drawn.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What.
    pub inject: Inject,
    /// To one of these.
    pub targets: Vec<Target>,
    /// For so long.
    #[serde(rename = "for")]
    pub lasts: Span,
}

impl Random {
    /// The faults of the run with this seed, in the order in which they begin.
    pub fn draw(&self, dice: &mut Dice) -> Vec<Step> {
        let mut choices: Vec<&Choice> = self.choices.iter().collect();
        for _ in 0..self.leave_out {
            if choices.len() > 1 {
                choices.swap_remove(dice.below(choices.len() as u64) as usize);
            }
        }
        let (least, most) = self.faults;
        let count = least + dice.below(u64::from(most - least) + 1) as u32;
        let mut steps = Vec::new();
        for _ in 0..count {
            let choice = choices[dice.below(choices.len() as u64) as usize];
            let target = choice.targets[dice.below(choice.targets.len() as u64) as usize];
            steps.push((self.seconds * dice.part(), choice, target));
        }
        steps.sort_by(|one, other| one.0.total_cmp(&other.0));
        let all = steps.iter().enumerate();
        all.map(|(number, one)| step(*one, meets_another(number, &steps)))
            .collect()
    }

    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.choices.is_empty() {
            return Err(("random.choice", "there is none".into()));
        }
        if !(1.0..=3_600.0).contains(&self.seconds) {
            return Err(("random.seconds", "must be from 1 to 3600".into()));
        }
        if self.faults.0 == 0 || self.faults.0 > self.faults.1 {
            return Err(("random.faults", "must be at least 1, the less first".into()));
        }
        for choice in &self.choices {
            choice.lasts.check("random.choice.for")?;
            if choice.targets.is_empty() {
                return Err(("random.choice.targets", "there is none".into()));
            }
            let elsewhere = choice.targets.iter().any(|one| *one != Target::Victim);
            if choice.inject.destroys() && elsewhere {
                let why = format!("`{}` may only be done to `victim`", choice.inject.class());
                return Err(("random.choice.targets", why));
            }
        }
        Ok(())
    }
}

/// Whatever else is broken by then: another fault may hold payments up, but not for ever.
const BOUND: Bound = Bound {
    recover_ms: None,
    recover_after_ms: Some(60_000),
    gap_ms: None,
    p99_round_trips: None,
    round_trip_ms: None,
    leader_changes: None,
};

/// When it begins, what, and to whom.
type Drawn<'a> = (f64, &'a Choice, Target);

/// Less than this may pass before another leader is there.
const SHORT: f64 = 5.0;

fn step((at, choice, target): Drawn<'_>, meets_another: bool) -> Step {
    let short = choice.lasts.least() < SHORT;
    Step {
        at: Span::Exactly(at),
        lasts: choice.lasts,
        target,
        inject: choice.inject.clone(),
        bound: Some(BOUND),
        // Two of them at a time may take the quorum away, and one that is over soon may end before
        // payments flow again; what is bounded then is the time after all of them.
        quorum_lost: meets_another || short || target == Target::All,
        times: 1,
        rest: 0.0,
    }
}

/// Whether it may be in effect, or be recovered from, at the same time as another.
fn meets_another(number: usize, all: &[Drawn<'_>]) -> bool {
    let span = |(at, choice, _): &Drawn<'_>| (*at, at + choice.lasts.most().as_secs_f64() + SHORT);
    let Some((from, to)) = all.get(number).map(span) else {
        return false;
    };
    let others = all.iter().enumerate().filter(|(other, _)| *other != number);
    others
        .map(|(_, one)| span(one))
        .any(|(begin, end)| begin < to && from < end)
}
