//! Drives one step of a scenario: when its time has come, to whom it is done, whether it was seen,
//! and what came back after it.

use super::plan::Planned;
use super::progress::Progress;
use super::scaled;
use super::stop::Stop;
use crate::fabric::dice::Dice;
use crate::faults::whom::{Whom, whom};
use crate::faults::{self, Fault as Breaking, Scene};
use crate::history::{Bound, Fault};
use crate::limits::{BACK, LOOK};
use std::time::Duration;
use tokio::time::Instant;

/// One fault that is over.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// As the history tells it.
    pub fault: Fault,
    /// What did not come back after it.
    pub broken: Option<String>,
    /// Why it could not be injected or seen.
    pub undone: Option<String>,
}

/// Waits for the step's time and does it, as often as it says.
pub async fn drive(
    scene: &Scene,
    planned: Planned,
    began: Instant,
    slower: f64,
    stop: &Stop,
    progress: &Progress,
) -> Vec<Done> {
    let (step, mut dice) = (&planned.step, Dice::new(planned.seed));
    stop.sleep(planned.at.saturating_sub(began.elapsed())).await;
    let mut done = Vec::new();
    for time in 0..step.times {
        if stop.asked() {
            break;
        }
        let each = match whom(scene, step.target, &mut dice, planned.run).await {
            Ok(each) => each,
            Err(error) => {
                done.push(undone(scene, &planned, format!("{error:#}")));
                continue;
            }
        };
        let again = step.times > 1 || each.len() > 1;
        for (place, one) in each.into_iter().enumerate() {
            if again && (time > 0 || place > 0) {
                calm(scene, step.rest, stop, &mut done).await;
            }
            if stop.asked() {
                break;
            }
            let drawn = dice.draw();
            done.push(once(scene, &planned, one, drawn, slower, stop, progress).await);
        }
    }
    done
}

/// Waits until the cluster is whole after the fault before, and a little longer.
async fn calm(scene: &Scene, rest: f64, stop: &Stop, done: &mut [Done]) {
    let whole = tokio::select! {
        whole = scene.wait_whole(BACK) => whole,
        () = stop.wait() => return,
    };
    if let (Err(error), Some(last)) = (whole, done.last_mut()) {
        last.broken.get_or_insert(format!("{error:#}"));
    }
    stop.sleep(Duration::from_secs_f64(rest)).await;
}

async fn once(
    scene: &Scene,
    planned: &Planned,
    whom: Whom,
    seed: u64,
    slower: f64,
    stop: &Stop,
    progress: &Progress,
) -> Done {
    let inject = &planned.step.inject;
    let claims = match faults::takes_processes(inject) {
        true => scene.claim(&whom.hosts).await,
        false => Vec::new(),
    };
    let (class, targets) = (inject.class(), scene.names(&whom.hosts));
    let what = match targets.is_empty() {
        true => class.to_owned(),
        false => format!("{class}: {}", targets.join(", ")),
    };
    let active = progress.active(&what);
    scene.note(format_args!("{what} begins ({inject:?})"));
    let mut done = Done {
        fault: Fault {
            what: what.clone(),
            class: class.into(),
            targets,
            groups: whom.groups,
            quorum_lost: planned.step.quorum_lost,
            bound: planned.step.bound.map(|bound| slowed(bound, slower)),
            began: scene.now(),
            ..Fault::default()
        },
        ..Done::default()
    };
    let mut fault = faults::make(inject, whom.hosts, seed);
    match fault.inject(scene).await {
        Ok(injected) => {
            done.fault.began = injected.began;
            done.fault.evidence = last_as_long(scene, &mut *fault, planned.lasts, stop).await;
        }
        Err(error) => {
            scene.note(format_args!("{what}: not injected: {error:#}"));
            done.undone = Some(format!("{what} could not be injected: {error:#}"));
        }
    }
    scene.note(format_args!("{what} is healed"));
    done.fault.ended = Some(scene.now());
    if let Err(error) = fault.heal(scene).await {
        scene.note(format_args!("{what}: not healed: {error:#}"));
        done.broken = Some(format!("{what} was not healed: {error:#}"));
    }
    done.fault.healed = Some(scene.now());
    if done.fault.evidence.is_none() {
        done.fault.evidence = fault.verify_happened(scene).await.unwrap_or_default();
    }
    let evidence = done.fault.evidence.as_deref().unwrap_or("not seen");
    scene.note(format_args!("{what} is over: {evidence}"));
    drop((claims, active));
    done
}

/// Looks at the fault until its time is over; answers how it was last seen.
async fn last_as_long(
    scene: &Scene,
    fault: &mut dyn Breaking,
    lasts: Duration,
    stop: &Stop,
) -> Option<String> {
    let by = Instant::now() + lasts;
    let mut evidence = None;
    loop {
        match fault.verify_happened(scene).await {
            Ok(Some(seen)) => evidence = Some(seen),
            Ok(None) => (),
            Err(error) => scene.note(format_args!("cannot see it: {error:#}")),
        }
        let left = by.saturating_duration_since(Instant::now());
        if left.is_zero() || stop.asked() {
            return evidence;
        }
        stop.sleep(left.min(LOOK)).await;
    }
}

fn undone(scene: &Scene, planned: &Planned, why: String) -> Done {
    let class = planned.step.inject.class();
    let what = format!("{class}: {}", planned.step.target);
    Done {
        undone: Some(format!("{what} could not be injected: {why}")),
        fault: Fault {
            what,
            class: class.into(),
            began: scene.now(),
            ended: Some(scene.now()),
            ..Fault::default()
        },
        broken: None,
    }
}

/// Bounds on times are longer for a slower build; what else is bounded stays.
fn slowed(bound: Bound, slower: f64) -> Bound {
    let longer = |ms: Option<u64>| ms.map(|ms| scaled(ms, slower));
    Bound {
        recover_ms: longer(bound.recover_ms),
        recover_after_ms: longer(bound.recover_after_ms),
        gap_ms: longer(bound.gap_ms),
        ..bound
    }
}
