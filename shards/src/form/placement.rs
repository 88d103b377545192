//! Which nodes hold which group: pure, and the same for the same nodes in any order.
//!
//! Home regions take turns. A group's preferred leader is the node of its home region that is
//! preferred least often so far; the other replicas go to other regions first, and to the nodes
//! that hold the fewest replicas.

use florin_ledger::directory::Group;
use florin_ledger::id::{DIRECTORY, GroupId, NodeId};
use std::collections::BTreeMap;

/// A node that can hold replicas.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Site {
    pub(crate) node: NodeId,
    pub(crate) region: String,
}

#[derive(Clone, Copy, Default)]
struct Load {
    leads: usize,
    holds: usize,
}

/// Places groups 1 to `groups` and the directory group, each with so many replicas; by number.
pub(crate) fn place(sites: &[Site], groups: u32, replicas: usize) -> Vec<Group> {
    let mut sites = sites.to_vec();
    sites.sort();
    let mut regions: Vec<&str> = sites.iter().map(|site| site.region.as_str()).collect();
    regions.sort_unstable();
    regions.dedup();
    let mut load = BTreeMap::new();
    let mut homes = regions.iter().cycle();
    let mut placed: Vec<Group> = (1..=groups)
        .map(|number| {
            place_one(
                GroupId(number),
                homes.next().copied(),
                &sites,
                replicas,
                &mut load,
            )
        })
        .collect();
    // The directory is at home everywhere: it goes last, to where there is least.
    placed.insert(0, place_one(DIRECTORY, None, &sites, replicas, &mut load));
    placed
}

fn place_one(
    id: GroupId,
    home: Option<&str>,
    sites: &[Site],
    replicas: usize,
    load: &mut BTreeMap<NodeId, Load>,
) -> Group {
    let mut members: Vec<&Site> = Vec::new();
    while members.len() < replicas {
        let first = members.is_empty();
        let next = sites
            .iter()
            .filter(|site| !members.contains(site))
            .min_by_key(|site| {
                let of = load.get(&site.node).copied().unwrap_or_default();
                let away = first && home.is_some_and(|home| home != site.region);
                let together = members
                    .iter()
                    .filter(|member| member.region == site.region)
                    .count();
                (
                    away,
                    together,
                    if first { of.leads } else { 0 },
                    of.holds,
                    site.node,
                )
            });
        let Some(next) = next else { break };
        let of = load.entry(next.node).or_default();
        of.holds += 1;
        of.leads += usize::from(first);
        members.push(next);
    }
    let members = members.into_iter().map(|site| site.node).collect();
    Group {
        id,
        members,
        home_region: home.map(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn sites(regions: &[&str]) -> Vec<Site> {
        let site = |(at, region): (usize, &&str)| Site {
            node: NodeId(at as u64 + 1),
            region: (*region).to_owned(),
        };
        regions.iter().enumerate().map(site).collect()
    }

    /// Nodes by region, groups, replicas => how often each node leads, how many replicas it holds.
    #[track_caller]
    fn check(regions: &[&str], groups: u32, replicas: usize, leads: &[usize], holds: &[usize]) {
        let sites = sites(regions);
        let placed = place(&sites, groups, replicas);
        let mut mixed = sites.clone();
        mixed.reverse();
        assert_eq!(
            place(&mixed, groups, replicas),
            placed,
            "the order of nodes does not matter"
        );
        assert_eq!(placed.len(), groups as usize + 1);
        let kinds = regions.iter().collect::<BTreeSet<_>>().len();
        for (number, group) in placed.iter().enumerate() {
            assert_eq!(group.id, GroupId(number as u32));
            let nodes: BTreeSet<_> = group.members.iter().collect();
            assert_eq!(nodes.len(), replicas, "{group:?}");
            let region = |node: &NodeId| &sites[node.0 as usize - 1].region;
            let spread: BTreeSet<_> = group.members.iter().map(region).collect();
            assert_eq!(spread.len(), kinds.min(replicas), "{group:?}");
            if let Some(home) = &group.home_region {
                assert_eq!(**home, **region(&group.members[0]));
            }
        }
        let count = |of: &dyn Fn(&Group, NodeId) -> bool| -> Vec<usize> {
            sites
                .iter()
                .map(|site| placed.iter().filter(|group| of(group, site.node)).count())
                .collect()
        };
        assert_eq!(count(&|group, node| group.members[0] == node), leads);
        assert_eq!(count(&|group, node| group.members.contains(&node)), holds);
    }

    #[test]
    fn groups_are_spread() {
        check(&["a"], 3, 1, &[4], &[4]);
        check(&["a", "b", "c"], 6, 3, &[3, 2, 2], &[7, 7, 7]);
        check(&["a", "a", "a"], 5, 3, &[2, 2, 2], &[6, 6, 6]);
        check(
            &["a", "a", "b", "b", "c"],
            6,
            5,
            &[2, 1, 1, 1, 2],
            &[7, 7, 7, 7, 7],
        );
        check(
            &["a", "a", "b", "b", "c"],
            5,
            3,
            &[1, 2, 1, 1, 1],
            &[3, 3, 3, 3, 6],
        );
        check(
            &["a", "a", "b", "b", "c", "c"],
            6,
            3,
            &[2, 1, 1, 1, 1, 1],
            &[4, 3, 4, 3, 4, 3],
        );
    }
}
