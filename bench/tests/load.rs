//! The load generator against a frontend with faults: does it count and audit truthfully?

mod fake;

use clap::Parser;
use fake::{Fake, Fault};
use florin_bench::audit::Audit;
use florin_bench::cli::Cli;
use florin_bench::client::{Request, Target};
use florin_bench::report::Report;
use std::time::Duration;
use tokio::task::LocalSet;

async fn load(fault: Fault) -> Report {
    load_with(fault, &[]).await
}

async fn load_with(fault: Fault, more: &[&str]) -> Report {
    let fake = Fake::start(fault).await;
    let authority = fake.authority.display().to_string();
    let mut line = vec![
        "florin-bench",
        "pay",
        "--connections=8",
        "--partners=20",
        "--duration=200ms",
        "--url",
        &fake.url,
        "--admin-url",
        &fake.url,
        "--admin-token=operator",
        "--ca",
        &authority,
    ];
    line.extend(more);
    let asked = Cli::try_parse_from(line).unwrap();
    let ran = LocalSet::new()
        .run_until(florin_bench::run(&asked.bench))
        .await;
    ran.unwrap().remove(0)
}

fn audit(report: &Report) -> &Audit {
    report.audit.as_ref().unwrap()
}

#[tokio::test]
async fn an_honest_frontend_passes() {
    let report = load(Fault::None).await;
    assert!(audit(&report).held(), "{report}");
    assert_eq!(audit(&report).wallets, 20);
    assert!(report.acknowledged > 100, "{report}");
    assert_eq!((report.refused, report.errors), (0, 0), "{report}");
    assert!(report.seconds >= 0.19, "{report}");
    assert!(
        report.p50_ms <= report.p99_ms && report.p99_ms <= report.max_ms,
        "{report}"
    );
}

#[tokio::test]
async fn what_is_paid_over_http2_is_counted_as_well() {
    for (fault, held, errors) in [
        (Fault::None, true, false),
        (Fault::Doubles, false, false),
        (Fault::BreaksOff, true, true),
    ] {
        let report = load_with(fault, &["--http2=4"]).await;
        assert_eq!(audit(&report).held(), held, "{fault:?}: {report}");
        assert_eq!(report.errors > 0, errors, "{fault:?}: {report}");
        assert!(report.acknowledged > 100, "{fault:?}: {report}");
    }
}

#[tokio::test]
async fn money_that_moved_twice_is_found() {
    let report = load(Fault::Doubles).await;
    assert!(
        !audit(&report).held() && audit(&report).found > audit(&report).acknowledged,
        "{report}"
    );
}

#[tokio::test]
async fn money_that_never_moved_is_found() {
    let report = load(Fault::Loses).await;
    assert!(
        !audit(&report).held() && audit(&report).found < audit(&report).acknowledged,
        "{report}"
    );
}

#[tokio::test]
async fn an_unknown_outcome_is_no_fault() {
    for fault in [Fault::HidesTheOutcome, Fault::BreaksOff] {
        let report = load(fault).await;
        assert!(
            audit(&report).held() && audit(&report).unknown > 0,
            "{report}"
        );
        assert!(report.errors > 0, "{report}");
    }
}

#[tokio::test]
async fn refusals_are_counted_by_their_reason() {
    let report = load(Fault::Refuses).await;
    assert!(
        audit(&report).held() && report.refused > 0 && report.errors == 0,
        "{report}"
    );
    assert!(
        report.reasons.contains_key("402 insufficient_funds"),
        "{report}"
    );
}

#[tokio::test]
async fn another_authority_is_not_trusted() {
    let (fake, other) = (
        Fake::start(Fault::None).await,
        Fake::start(Fault::None).await,
    );
    let target = Target::new(&fake.url, Some(&other.authority)).unwrap();
    assert!(target.connect().await.is_err());
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let fake = Fake::start(Fault::None).await;
    let target = Target::new(&fake.url, Some(&fake.authority)).unwrap();
    let mut connection = target.connect().await.unwrap();
    for path in ["/nothing", "/v1/accounts/a/balance"].repeat(50) {
        let request = Request::get(path, "t");
        let response = connection
            .send(&request, Duration::from_secs(5))
            .await
            .unwrap();
        let expected: (u16, &[u8]) = match path {
            "/nothing" => (404, b"{}"),
            _ => (200, br#"{"balance":"0"}"#),
        };
        assert_eq!((response.status, response.body), expected);
    }
}

#[test]
fn addresses() {
    for wrong in ["", "localhost", "ftp://localhost:1", "https://", "/v1"] {
        assert!(Target::new(wrong, None).is_err(), "{wrong}");
    }
    assert!(
        Target::new("https://localhost:1", None).is_err(),
        "an authority is missing"
    );
    assert!(Target::new("http://127.0.0.1:1", None).is_ok());
}
