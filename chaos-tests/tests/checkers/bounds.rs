//! What was seen of the cluster from outside: replicas, leaders, healing, faults and their bounds.

use crate::{does_not_know, rejects, with};
use florin_chaos::check::{agreement, coverage, liveness, raft, recovery};

#[test]
fn agreement_rejects_replicas_that_differ() {
    rejects(
        agreement::check,
        &[
            (r#""applied":8,"hash":"ab""#, r#""applied":8,"hash":"cd""#),
            // They agree in the end, and did not before.
            (
                r#"{"line":"failpoint""#,
                "{\"line\":\"replica\",\"node\":\"n1\",\"group\":1,\"applied\":5,\"hash\":\"11\"}\n{\"line\":\"replica\",\"node\":\"n2\",\"group\":1,\"applied\":5,\"hash\":\"12\"}\n{\"line\":\"failpoint\"",
            ),
            // The third is another.
            (
                r#"{"line":"failpoint""#,
                "{\"line\":\"replica\",\"node\":\"n3\",\"group\":1,\"applied\":8,\"hash\":\"ac\"}\n{\"line\":\"failpoint\"",
            ),
        ],
    );
    does_not_know(
        agreement::check,
        &[
            (r#""applied":8,"hash":"ab""#, r#""applied":7,"hash":"ab""#),
            (r#""applied":8,"hash":"ab""#, r#""applied":8"#),
            (
                r#""node":"n2","group":1,"applied""#,
                r#""node":"n1","group":1,"applied""#,
            ),
        ],
    );
}

#[test]
fn raft_rejects_two_leaders_of_a_term() {
    rejects(
        raft::check,
        &[
            (r#""node":"n2","term":2"#, r#""node":"n2","term":1"#),
            (
                r#"{"line":"leader","at":1500,"group":1,"term":1}"#,
                r#"{"line":"leader","at":1500,"group":1,"node":"n3","term":1}"#,
            ),
            (
                r#"{"line":"leader","at":1500,"group":1,"term":1}"#,
                r#"{"line":"leader","at":1500,"group":1,"node":"n3","term":2}"#,
            ),
        ],
    );
    // The same term of another group is another term.
    let other = with(
        r#"{"line":"leader","at":1500,"group":1,"term":1}"#,
        r#"{"line":"leader","at":1500,"group":2,"node":"n3","term":1}"#,
    );
    assert!(raft::check(&other).passed());
}

#[test]
fn liveness_rejects_groups_that_stay_silent() {
    rejects(
        liveness::check,
        &[
            // Too late; not at all; only an old payment's replay.
            (r#""returned":9900"#, r#""returned":10050"#),
            (
                r#""answer":{"is":"acknowledged","id":"p2","amount":5},"group":1,"token":7"#,
                r#""answer":{"is":"unknown"},"group":1,"token":7"#,
            ),
            (
                r#""invoked":9100,"returned":9900,"answer":{"is":"acknowledged","id":"p2","amount":5}"#,
                r#""invoked":9100,"returned":10100,"answer":{"is":"surely_not"}"#,
            ),
        ],
    );
    does_not_know(
        liveness::check,
        &[
            (
                r#"{"line":"healed","at":9000,"bound_ms":1}"#,
                r#"{"line":"healed","at":9500,"bound_ms":1}"#,
            ),
            (
                r#"{"line":"healed","at":9000,"bound_ms":1}"#,
                r#"{"line":"leader","at":9000,"group":1,"term":2}"#,
            ),
        ],
    );
}

#[test]
fn recovery_rejects_what_takes_longer_than_its_bound() {
    rejects(
        recovery::check,
        &[
            (r#""recover_ms":3"#, r#""recover_ms":2"#),
            (r#""recover_after_ms":1"#, r#""recover_after_ms":0"#),
            (r#""gap_ms":6"#, r#""gap_ms":5"#),
            (r#""p99_round_trips":4"#, r#""p99_round_trips":1"#),
            (r#""leader_changes":1"#, r#""leader_changes":0"#),
            // What was sent before the fault does not show that it is overcome.
            (r#""invoked":3100"#, r#""invoked":999"#),
        ],
    );
    does_not_know(
        recovery::check,
        &[
            (r#","round_trip_ms":1"#, ""),
            (
                r#""recover_ms":3,"recover_after_ms":1,"gap_ms":6,"p99_round_trips":4,"round_trip_ms":1,"leader_changes":1"#,
                "",
            ),
            // A group that nobody asked anything of.
            (r#""groups":[1],"began""#, r#""groups":[2],"began""#),
        ],
    );
}

/// A replay of what was first sent before the fault may have been decided before it. What was first
/// sent after it was decided after it, even if a frontend repeated it on its own.
#[test]
fn a_replay_shows_recovery_only_if_its_key_is_younger_than_the_fault() {
    for (first_sent, passes) in [(900, false), (2_000, true)] {
        let mut history = with(r#""leader_changes":1"#, r#""leader_changes":1"#);
        history.operations[2].invoked = first_sent;
        history.operations[3].replayed = true;
        let verdict = recovery::check(&history);
        assert_eq!(verdict.passed(), passes, "{first_sent}: {verdict}");
        assert_eq!(verdict.failed(), !passes, "{first_sent}: {verdict}");
    }
}

#[test]
fn coverage_does_not_pass_a_run_without_faults_or_payments_in_them() {
    does_not_know(
        coverage::check,
        &[
            (r#","evidence":"signal 9""#, ""),
            (
                r#""began":1000,"ended":9000"#,
                r#""began":2500,"ended":9000"#,
            ),
            (r#""returned":4000"#, r#""returned":9050"#),
            (r#""groups":[1],"began""#, r#""groups":[2],"began""#),
        ],
    );
    // Without a quorum it is enough that payments were sent.
    let mut lost = with(r#""returned":4000"#, r#""returned":9050"#);
    lost.faults[0].quorum_lost = true;
    assert!(coverage::check(&lost).passed());
}
