//! Attempts, one after the other, until there is an answer or time is over.

use super::Shared;
use crate::attempt::{Attempts, End, GiveUp, Kind, Next, target};
use crate::wire::proto::reply::Outcome;
use crate::wire::proto::request::What;
use crate::wire::proto::{Failed, Failure};
use florin_failpoints::failpoint;
use florin_ledger::directory::Directory;
use florin_ledger::id::{DIRECTORY, GroupId, NodeId};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// What is asked of a group.
pub(super) struct Ask {
    pub(super) group: GroupId,
    pub(super) what: What,
    pub(super) kind: Kind,
    /// Any replica may answer; else the leader alone does.
    pub(super) any_replica: bool,
}

impl Shared {
    /// Asks until there is an answer, it cannot be had, or the deadline has come.
    pub(super) async fn ask(
        &self,
        ask: Ask,
        deadline: Instant,
    ) -> Result<(NodeId, Outcome), GiveUp> {
        let mut attempts = Attempts::new(ask.kind);
        let mut to = None;
        let mut last = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(attempts.out_of_time());
            }
            let node = to.take().or_else(|| self.choose(&ask, last));
            let end = match node {
                None => End::Unsent,
                Some(node) => match self.attempt(&ask, node, left).await {
                    Ok(outcome) => return Ok((node, outcome)),
                    Err(end) => end,
                },
            };
            if let (Some(node), false) = (node, ask.any_replica) {
                self.note(ask.group, node, &end);
            }
            metrics::counter!("florin_router_attempts_failed_total", "why" => end.name())
                .increment(1);
            last = node;
            match attempts.after(end) {
                Next::To(node) => to = Some(node),
                Next::Elsewhere { pause } => self.wait(&ask, last, pause, deadline).await,
                Next::GiveUp(why) => return Err(why),
            }
        }
    }

    /// One attempt at one node.
    async fn attempt(&self, ask: &Ask, node: NodeId, left: Duration) -> Result<Outcome, End> {
        let Some(link) = self.links.load().of(node) else {
            return Err(End::Unsent);
        };
        failpoint!(async "shards.router.send", Err(End::Unsent));
        // What cannot be sent again waits as long as it may.
        let patience = match ask.kind {
            Kind::Unkeyed => left,
            Kind::Keyed | Kind::Question => left.min(self.options.attempt_timeout),
        };
        let answered = link
            .call(ask.group, ask.what.clone(), ask.kind, patience)
            .await?;
        failpoint!(async "shards.router.answered", Err(End::Lost));
        match answered {
            Outcome::Failed(failed) => Err(self.end(failed)),
            outcome => Ok(outcome),
        }
    }

    /// What a node's "no" means.
    fn end(&self, failed: Failed) -> End {
        match failed.why() {
            Failure::NotLeader => {
                let hint = (failed.leader != 0).then_some(NodeId(failed.leader));
                End::NotLeader {
                    hint: hint.filter(|node| self.links.load().is_up(*node)),
                }
            }
            Failure::Busy => End::Busy,
            Failure::DiskFull => End::DiskFull,
            Failure::TooLarge => End::TooLarge,
            Failure::Stopped => End::Stopped,
            Failure::NotFresh => End::NotFresh,
            Failure::Rejected => End::Rejected(failed.detail),
            // A failure of a newer node that this one does not know may be anything.
            Failure::Unknown | Failure::Unspecified => End::Unknown,
        }
    }

    /// Learns from an attempt who leads and who does not.
    fn note(&self, group: GroupId, node: NodeId, end: &End) {
        match end {
            End::NotLeader { hint: Some(leader) } if *leader != node => {
                self.leaders.hinted(group, *leader)
            }
            End::NotLeader { .. } | End::Stopped | End::Unsent | End::Lost | End::Unknown => {
                self.leaders.not(group, node);
            }
            End::NotFresh | End::Busy | End::DiskFull | End::TooLarge | End::Rejected(_) => {}
        }
    }

    /// Whom to ask next.
    fn choose(&self, ask: &Ask, last: Option<NodeId>) -> Option<NodeId> {
        let links = self.links.load();
        let leader = self.leaders.of(ask.group).filter(|node| links.is_up(*node));
        let preferred = if ask.any_replica && is_stale(&ask.what) {
            None
        } else {
            leader
        };
        if preferred.is_some() && preferred != last {
            return preferred;
        }
        let directory = self.directory.load();
        let mut members = self.members(&directory, ask.group);
        members.retain(|node| links.is_up(*node));
        if ask.any_replica {
            // Near ones first; the sort is stable, so that the others keep their order.
            members.sort_by_key(|node| !self.is_near(&directory, *node));
        }
        target(&members, preferred, last)
    }

    /// The members of a group. Before there is a directory, any node may be one of its group.
    fn members(&self, directory: &Directory, group: GroupId) -> Vec<NodeId> {
        match directory.groups.get(&group) {
            Some(group) => group.value.members.clone(),
            None if group == DIRECTORY => self.links.load().nodes(),
            None => Vec::new(),
        }
    }

    fn is_near(&self, directory: &Directory, node: NodeId) -> bool {
        directory
            .nodes
            .get(&node)
            .is_some_and(|node| *node.value.region == *self.options.region)
    }

    /// Waits for a pause, for the deadline, or for news of another leader than the one that was
    /// tried last, whichever comes first.
    async fn wait(&self, ask: &Ask, last: Option<NodeId>, pause: Duration, deadline: Instant) {
        let mut changes = self.leaders.changes();
        let pause = spread(pause, self.pauses.fetch_add(1, Ordering::Relaxed));
        let until = deadline.min(Instant::now() + pause);
        while let Ok(Ok(())) = tokio::time::timeout_at(until, changes.changed()).await {
            let leader = self.leaders.of(ask.group);
            if !ask.any_replica && leader.is_some() && leader != last {
                return;
            }
        }
    }
}

fn is_stale(what: &What) -> bool {
    use crate::wire::proto::question::Freshness;
    matches!(what, What::Read(question) if matches!(question.freshness, Some(Freshness::Stale(_))))
}

/// Between half of a pause and all of it: callers that failed together shall not come back together.
/// By a number in turn, so that a simulation is the same again.
fn spread(pause: Duration, number: u64) -> Duration {
    // Fibonacci hashing: neighbours land far apart.
    let place = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
    pause / 2 + pause / 2 * place as u32 / 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_spread_over_their_second_half() {
        let pause = Duration::from_millis(200);
        let pauses: Vec<Duration> = (0..1_000).map(|number| spread(pause, number)).collect();
        let halves = pauses
            .iter()
            .all(|found| (pause / 2..=pause).contains(found));
        assert!(halves, "{pauses:?}");
        let early = pauses
            .iter()
            .filter(|found| **found < pause * 3 / 4)
            .count();
        assert!((450..550).contains(&early), "{early}");
    }
}
