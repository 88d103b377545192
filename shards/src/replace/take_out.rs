//! Taking former selves of a node out of a group.
//!
//! A group may know the node by another incarnation than the directory does: one that lost its disk
//! too while it was coming back. That one is taken out as well. Each request names the incarnation
//! that it is about, the leader takes out no other, and none that it still hears of; an incarnation
//! that has ended never comes back, for it is made with the data folder. So a request that is late
//! cannot take out a newer one, however late it is.

use super::{Asker, ReplaceError, Replacing};
use crate::link::Client;
use crate::wire::proto::RemoveMemberRequest;
use florin_ledger::id::GroupId;

/// What becomes of a member.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Stays,
    Goes,
    /// It should not be there.
    Newer {
        running: u64,
    },
}

/// Whether a group may keep the node by the incarnation `known`, which is not the one that the
/// directory knows.
fn judge(asker: Asker, known: u64, running: Option<u64>) -> Verdict {
    match (asker, running) {
        (_, Some(running)) if known == running => Verdict::Stays,
        (Asker::Operator, _) => Verdict::Goes,
        // It leaves, or is not up yet: what else there is it cannot tell.
        (Asker::Itself, None) => Verdict::Stays,
        (Asker::Itself, Some(running)) if known < running => Verdict::Goes,
        // Incarnations are made from the time, so this one was made later, unless a clock is wrong.
        (Asker::Itself, Some(running)) => Verdict::Newer { running },
    }
}

impl Replacing<'_> {
    /// Takes the node out of a group, by the incarnation `former` and by each other that it finds
    /// in its place and that is not the one that is `running`.
    pub(super) async fn take_out(
        &self,
        group: GroupId,
        former: u64,
        running: Option<u64>,
    ) -> Result<(), ReplaceError> {
        let mut named = former;
        while running != Some(named) {
            let Some(known) = self.remove(group, named).await? else {
                break;
            };
            match judge(self.asker, known, running) {
                Verdict::Stays => break,
                Verdict::Goes => named = known,
                Verdict::Newer { running } => {
                    return Err(ReplaceError::Newer {
                        group,
                        node: self.options.node,
                        known,
                        running,
                    });
                }
            }
        }
        Ok(())
    }

    /// Says by which other incarnation the node is a member then.
    async fn remove(&self, group: GroupId, named: u64) -> Result<Option<u64>, ReplaceError> {
        let request = RemoveMemberRequest {
            group: group.0,
            node: self.options.node.0,
            incarnation: named,
        };
        let doing = "taking its former self out";
        let reply = self
            .at_leader(group, doing, async |client: &mut Client| {
                client.remove_member(request).await
            })
            .await?;
        let member = reply.into_inner().member;
        Ok((member != 0).then_some(member))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_and_what_runs_decide_which_incarnation_goes() {
        use Asker::{Itself, Operator};
        let rows = [
            // who asks; what the group has, what runs; what becomes of it.
            (Operator, 2, None, Verdict::Goes),
            (Operator, 2, Some(3), Verdict::Goes),
            (Operator, 3, Some(3), Verdict::Stays),
            (Operator, 4, Some(3), Verdict::Goes),
            (Itself, 2, None, Verdict::Stays),
            (Itself, 2, Some(3), Verdict::Goes),
            (Itself, 3, Some(3), Verdict::Stays),
            (Itself, 4, Some(3), Verdict::Newer { running: 3 }),
        ];
        for (asker, known, running, verdict) in rows {
            let judged = judge(asker, known, running);
            assert_eq!(judged, verdict, "{asker:?} {known} {running:?}");
        }
    }
}
