//! *liveness*: once everything is healed, every group acknowledges fresh payments within a bound.
//! Fresh is what was sent for the first time after it: an old answer proves nothing.

use crate::history::History;
use crate::history::groups::Groups;
use crate::history::keys::Keys;
use crate::verdict::{Finding, Verdict, Wrongs};
use std::collections::BTreeMap;

/// What became of a group's payments that were sent after a moment.
#[derive(Default)]
struct Fresh {
    asked: Option<u64>,
    acknowledged: Option<u64>,
}

/// Looks for the first fresh payment after each healing.
pub fn check(history: &History) -> Verdict {
    let mut wrongs = Wrongs::new("liveness");
    let groups = Groups::of(history);
    let all = groups.all(history);
    let end = history.operations.last().map_or(0, |one| one.returned);
    let (mut lack, mut slowest) = (None, (0, 0));
    let keys = Keys::of(history);
    for healed in &history.healed {
        let mut fresh: BTreeMap<u64, Fresh> =
            all.iter().map(|group| (*group, Fresh::default())).collect();
        for sendings in keys.iter() {
            let invoked = sendings.invoked();
            let Some((_, first)) = sendings.all().next().filter(|_| invoked >= healed.at) else {
                continue;
            };
            let its = fresh.entry(groups.asked(first)).or_default();
            its.asked = Some(its.asked.map_or(invoked, |before| before.min(invoked)));
            if let Some((_, one)) = sendings.acknowledged() {
                let at = one.returned;
                its.acknowledged = Some(its.acknowledged.map_or(at, |before| before.min(at)));
            }
        }
        let bound = healed.bound_ms;
        let until = healed.at.saturating_add(bound.saturating_mul(1_000));
        for (group, fresh) in fresh {
            let took = fresh
                .acknowledged
                .map(|at| (at - healed.at).div_ceil(1_000));
            match (took, fresh.asked) {
                (Some(took), _) if took <= bound => slowest = slowest.max((took, bound)),
                (Some(took), _) => wrongs.books(format_args!(
                    "group {group} acknowledged a payment {took} ms after all was healed, {bound} ms are allowed"
                )),
                (None, Some(_)) if end >= until => wrongs.books(format_args!(
                    "group {group} acknowledged no payment that was sent after all was healed"
                )),
                (None, _) => {
                    lack = Some(format!("group {group} was not asked long enough after all was healed"));
                }
            }
        }
    }
    let otherwise = match lack {
        Some(lack) => Finding::Inconclusive(lack),
        None if history.healed.is_empty() || all.is_empty() => {
            Finding::Inconclusive("nothing says when all was healed".into())
        }
        None => {
            let ((took, bound), groups) = (slowest, all.len());
            Finding::Pass(format!(
                "{groups} groups, the slowest after {took} ms of {bound} ms"
            ))
        }
    };
    wrongs.or(history, otherwise)
}
