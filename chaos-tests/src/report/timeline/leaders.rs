//! Who led each group, one lane a group.

use super::Axis;
use crate::history::{History, Leader};
use crate::report::facts;
use crate::report::svg::{Anchor, Svg};

/// How high a lane is, and how far the next one begins below it.
const LANE: f64 = 18.0;
const STEP: f64 = 23.0;
/// Lanes at most.
const LANES: usize = 24;
/// Colours of nodes; the seventh node has the first's again.
const COLOURS: usize = 6;

/// The groups that have a lane.
pub(super) fn groups(history: &History) -> Vec<u64> {
    if history.leaders.is_empty() {
        return Vec::new();
    }
    facts::groups(history).into_iter().take(LANES).collect()
}

pub(super) fn height(groups: &[u64]) -> f64 {
    groups.len() as f64 * STEP
}

pub(super) fn draw(svg: &mut Svg, history: &History, axis: &Axis, groups: &[u64], top: f64) {
    if groups.is_empty() {
        return;
    }
    svg.text("name", Anchor::Start, axis.left, top - 9.0, "Leaders");
    let mut nodes: Vec<&str> = history
        .leaders
        .iter()
        .filter_map(|one| one.node.as_deref())
        .collect();
    nodes.sort_unstable();
    nodes.dedup();
    for (lane, group) in groups.iter().enumerate() {
        let y = top + lane as f64 * STEP;
        let name = format!("group {group}");
        svg.text("tick", Anchor::End, axis.left - 6.0, y + 13.0, name);
        svg.rect(
            "lane",
            [axis.left, y, axis.right - axis.left, LANE],
            "nobody was seen to lead",
        );
        let seen: Vec<&Leader> = history
            .leaders
            .iter()
            .filter(|one| one.group == *group)
            .collect();
        for (at, one) in seen.iter().enumerate() {
            let Some(node) = &one.node else { continue };
            let from = axis.x(one.at);
            let until = seen.get(at + 1).map_or(axis.right, |next| axis.x(next.at));
            let colour = nodes.binary_search(&node.as_str()).unwrap_or_default() % COLOURS;
            let told = format!("{node} leads group {group}, term {}", one.term);
            svg.rect(
                &format!("node n{colour}"),
                [from, y, until - from, LANE],
                &told,
            );
            let shown = format!("{node} · term {}", one.term);
            let room = (until - from - 10.0) / 6.6;
            let shown = [shown.as_str(), node]
                .into_iter()
                .find(|text| (text.chars().count() as f64) < room);
            if let Some(shown) = shown {
                svg.text("leads", Anchor::Start, from + 6.0, y + 13.0, shown);
            }
        }
    }
}
