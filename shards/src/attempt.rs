//! What to do after an attempt that brought no answer: pure, so that a table can prove it.
//!
//! Two facts decide: whether any attempt may have been applied, and whether the command carries
//! a key, under which it is applied once however often it is sent.

use crate::limits::{PAUSE_FIRST, PAUSE_MOST};
use florin_ledger::id::NodeId;
use std::time::Duration;

/// What is attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A command with an idempotency key: may be sent again.
    Keyed,
    /// A command without one: never sent again once it may have been applied.
    Unkeyed,
    /// A question: has no effect, may always be sent again.
    Question,
}

/// How an attempt ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The replica does not lead.
    NotLeader {
        /// Who does, if the replica knows and that node is connected.
        hint: Option<NodeId>,
    },
    /// The replica's queue, or ours to its node, is full.
    Busy,
    /// The replica's disk is full.
    DiskFull,
    /// No batch could hold the command.
    TooLarge,
    /// The node found no sense in the request.
    Rejected(String),
    /// The replica has stopped, or is not on that node.
    Stopped,
    /// The replica could not be proven fresh in time.
    NotFresh,
    /// It never left this process.
    Unsent,
    /// It left, and the connection broke or nobody answered in time.
    Lost,
    /// It was handed to consensus, which did not say how it ended.
    Unknown,
}

impl End {
    /// For metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            End::NotLeader { .. } => "not_leader",
            End::Busy => "busy",
            End::DiskFull => "disk_full",
            End::TooLarge => "too_large",
            End::Rejected(_) => "rejected",
            End::Stopped => "stopped",
            End::NotFresh => "not_fresh",
            End::Unsent => "unsent",
            End::Lost => "lost",
            End::Unknown => "unknown",
        }
    }

    fn perhaps_applied(&self) -> bool {
        matches!(self, End::Lost | End::Unknown)
    }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Go to this node at once.
    To(NodeId),
    /// Try again, at the leader if it is known by then and at another member if not, after a
    /// pause that the news of another leader cuts short.
    Elsewhere {
        /// At most.
        pause: Duration,
    },
    /// It is over.
    GiveUp(GiveUp),
}

/// How a submission ends without an answer. All but `Unknown` mean: surely not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GiveUp {
    Busy,
    DiskFull,
    TooLarge,
    NoLeader,
    NotFresh,
    Rejected(String),
    Unknown,
}

/// The attempts so far.
#[derive(Clone, Debug)]
pub(crate) struct Attempts {
    kind: Kind,
    /// An attempt may have been applied.
    perhaps: bool,
    /// Some replica answered that it is not fresh enough.
    stale: bool,
    /// The last attempt went where a hint said.
    hinted: bool,
    /// The next pause.
    pause: Duration,
}

impl Attempts {
    pub(crate) fn new(kind: Kind) -> Attempts {
        Attempts {
            kind,
            perhaps: false,
            stale: false,
            hinted: false,
            pause: PAUSE_FIRST,
        }
    }

    /// What to do after an attempt that ended so.
    pub(crate) fn after(&mut self, end: End) -> Next {
        if end.perhaps_applied() && self.kind != Kind::Question {
            self.perhaps = true;
            if self.kind == Kind::Unkeyed {
                return Next::GiveUp(GiveUp::Unknown);
            }
        }
        let hinted = std::mem::take(&mut self.hinted);
        match end {
            // One hint is followed at once; hints that lead on from there are from an election.
            End::NotLeader { hint: Some(node) } if !hinted => {
                self.hinted = true;
                Next::To(node)
            }
            End::NotLeader { .. } | End::Stopped | End::Unsent | End::Lost | End::Unknown => {
                self.elsewhere()
            }
            End::NotFresh => {
                self.stale = true;
                self.elsewhere()
            }
            // Waiting for room would only lengthen the queue, unless an earlier attempt may
            // have been applied: then only an answer can tell.
            End::Busy => self.give_up_or_elsewhere(GiveUp::Busy),
            End::DiskFull => self.give_up_or_elsewhere(GiveUp::DiskFull),
            End::TooLarge => Next::GiveUp(self.truthful(GiveUp::TooLarge)),
            End::Rejected(why) => Next::GiveUp(self.truthful(GiveUp::Rejected(why))),
        }
    }

    /// How it ends if the deadline has come.
    pub(crate) fn out_of_time(&self) -> GiveUp {
        self.truthful(if self.stale {
            GiveUp::NotFresh
        } else {
            GiveUp::NoLeader
        })
    }

    fn elsewhere(&mut self) -> Next {
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSE_MOST);
        Next::Elsewhere { pause }
    }

    fn give_up_or_elsewhere(&mut self, why: GiveUp) -> Next {
        if self.perhaps {
            self.elsewhere()
        } else {
            Next::GiveUp(why)
        }
    }

    fn truthful(&self, why: GiveUp) -> GiveUp {
        if self.perhaps { GiveUp::Unknown } else { why }
    }
}

/// Where the next attempt goes: to the known leader unless that was just tried in vain, else to
/// the member after the one that was tried last. `None` if there is nobody to ask.
pub(crate) fn target(
    members: &[NodeId],
    leader: Option<NodeId>,
    last: Option<NodeId>,
) -> Option<NodeId> {
    if leader.is_some() && leader != last {
        return leader;
    }
    let after = last
        .and_then(|last| members.iter().position(|member| *member == last))
        .map_or(0, |at| at + 1);
    members
        .iter()
        .cycle()
        .skip(after)
        .take(members.len())
        .next()
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: NodeId = NodeId(1);
    const Y: NodeId = NodeId(2);

    fn not_leader() -> End {
        End::NotLeader { hint: None }
    }

    fn hint(node: NodeId) -> End {
        End::NotLeader { hint: Some(node) }
    }

    fn elsewhere(millis: u64) -> Next {
        Next::Elsewhere {
            pause: Duration::from_millis(millis),
        }
    }

    /// Attempts end so, one after the other; this is what is done after the last of them, and
    /// how it ends if the deadline comes then.
    fn check(kind: Kind, ends: &[End], next: Next, out_of_time: GiveUp) {
        let mut attempts = Attempts::new(kind);
        let mut last = None;
        for end in ends {
            if let Some(Next::GiveUp(why)) = &last {
                panic!("{kind:?} {ends:?}: gave up early with {why:?}");
            }
            last = Some(attempts.after(end.clone()));
        }
        assert_eq!(last, Some(next), "{kind:?} {ends:?}");
        assert_eq!(attempts.out_of_time(), out_of_time, "{kind:?} {ends:?}");
    }

    #[test]
    fn after_an_attempt() {
        use End::*;
        use GiveUp as G;
        use Kind::*;
        let give_up = Next::GiveUp;
        for kind in [Keyed, Unkeyed, Question] {
            // What surely had no effect is tried elsewhere, key or not.
            check(kind, &[not_leader()], elsewhere(5), G::NoLeader);
            check(kind, &[Unsent], elsewhere(5), G::NoLeader);
            check(kind, &[Stopped], elsewhere(5), G::NoLeader);
            check(
                kind,
                &[Unsent, Stopped, not_leader()],
                elsewhere(20),
                G::NoLeader,
            );
            // A hint is followed once in a row.
            check(kind, &[hint(X)], Next::To(X), G::NoLeader);
            check(kind, &[hint(X), hint(Y)], elsewhere(5), G::NoLeader);
            check(kind, &[hint(X), hint(Y), hint(X)], Next::To(X), G::NoLeader);
            check(kind, &[hint(X), Unsent, hint(Y)], Next::To(Y), G::NoLeader);
            // Full is full.
            check(kind, &[Busy], give_up(G::Busy), G::NoLeader);
            check(
                kind,
                &[not_leader(), DiskFull],
                give_up(G::DiskFull),
                G::NoLeader,
            );
            check(kind, &[TooLarge], give_up(G::TooLarge), G::NoLeader);
            check(
                kind,
                &[Rejected("x".into())],
                give_up(G::Rejected("x".into())),
                G::NoLeader,
            );
        }
        for end in [Lost, Unknown] {
            // With a key, again and again; the deadline finds it unknown from then on.
            let once = std::slice::from_ref(&end);
            check(Keyed, once, elsewhere(5), G::Unknown);
            check(
                Keyed,
                &[end.clone(), not_leader()],
                elsewhere(10),
                G::Unknown,
            );
            check(Keyed, &[end.clone(), hint(Y)], Next::To(Y), G::Unknown);
            check(Keyed, &[end.clone(), Busy], elsewhere(10), G::Unknown);
            check(Keyed, &[end.clone(), DiskFull], elsewhere(10), G::Unknown);
            check(
                Keyed,
                &[end.clone(), TooLarge],
                give_up(G::Unknown),
                G::Unknown,
            );
            check(
                Keyed,
                &[end.clone(), Rejected("x".into())],
                give_up(G::Unknown),
                G::Unknown,
            );
            check(
                Keyed,
                &[not_leader(), end.clone()],
                elsewhere(10),
                G::Unknown,
            );
            // Without one, never again.
            check(Unkeyed, once, give_up(G::Unknown), G::Unknown);
            check(
                Unkeyed,
                &[hint(X), end.clone()],
                give_up(G::Unknown),
                G::Unknown,
            );
            // A question has no effect.
            check(Question, once, elsewhere(5), G::NoLeader);
            check(
                Question,
                &[end.clone(), Busy],
                give_up(G::Busy),
                G::NoLeader,
            );
        }
        check(Question, &[NotFresh], elsewhere(5), G::NotFresh);
        check(Question, &[NotFresh, Unsent], elsewhere(10), G::NotFresh);
    }

    #[test]
    fn pauses_grow_to_a_bound() {
        let mut attempts = Attempts::new(Kind::Keyed);
        for _ in 0..20 {
            attempts.after(End::Unsent);
        }
        assert_eq!(
            attempts.after(End::Unsent),
            Next::Elsewhere { pause: PAUSE_MOST }
        );
    }

    #[test]
    fn where_the_next_attempt_goes() {
        let z = NodeId(3);
        let members = [X, Y, z];
        for (leader, last, expected) in [
            (None, None, X),
            (None, Some(X), Y),
            (None, Some(z), X),
            (None, Some(NodeId(9)), X),
            (Some(Y), None, Y),
            (Some(Y), Some(X), Y),
            (Some(Y), Some(Y), z),
            (Some(NodeId(9)), Some(X), NodeId(9)),
        ] {
            assert_eq!(
                target(&members, leader, last),
                Some(expected),
                "{leader:?} {last:?}"
            );
        }
        assert_eq!(target(&[], None, Some(X)), None);
        assert_eq!(target(&[X], None, Some(X)), Some(X));
    }
}
