//! The same key, the same request, the same answer to the byte.

use crate::support::{Answer, Frontend, accounts, text};
use florin_shards::SubmitError;
use std::time::Duration;

/// What a replay must repeat.
fn told(answer: &Answer) -> (u16, bytes::Bytes, Option<&str>, Option<&str>) {
    (
        answer.status,
        answer.body.clone(),
        answer.header("content-type"),
        answer.header("request-id"),
    )
}

#[tokio::test]
async fn a_replay_is_the_first_answer_to_the_byte() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let accounts = accounts(&mut client).await;
    let (bank, wallet) = (&accounts.bank, &accounts.wallet);
    let manual = client
        .made(
            "/v1/payments",
            &format!(
                r#"{{"amount":50,"currency":"USD","source":"{wallet}","capture_method":"manual"}}"#
            ),
        )
        .await;
    let manual = text(&manual["id"]);
    let transfer = |debit: &str, credit: &str, amount: u64| {
        format!(
            r#"{{"debit_account":"{debit}","credit_account":"{credit}","amount":{amount},"currency":"USD","metadata":{{"z":"1","a":"é\n"}}}}"#
        )
    };
    let batch = |atomic: bool| {
        let (fine, not) = (transfer(bank, wallet, 5), transfer(wallet, bank, 999_999));
        format!(r#"{{"atomic":{atomic},"transfers":[{fine},{not}]}}"#)
    };
    let rows = [
        (
            "/v1/accounts".to_owned(),
            r#"{"currency":"JPY","kind":"income","reference":"r"}"#.to_owned(),
            200,
        ),
        (
            "/v1/accounts".to_owned(),
            r#"{"currency":"JPY","kind":"income","reference":"r"}"#.to_owned(),
            409,
        ),
        ("/v1/transfers".to_owned(), transfer(bank, wallet, 7), 200),
        (
            "/v1/transfers".to_owned(),
            transfer(wallet, bank, 999_999),
            402,
        ),
        ("/v1/transfers/batch".to_owned(), batch(false), 200),
        ("/v1/transfers/batch".to_owned(), batch(true), 402),
        (
            "/v1/payments".to_owned(),
            format!(r#"{{"amount":10,"currency":"USD","source":"{wallet}"}}"#),
            200,
        ),
        (
            "/v1/payments".to_owned(),
            format!(r#"{{"amount":999999,"currency":"USD","source":"{wallet}"}}"#),
            402,
        ),
        (
            format!("/v1/payments/{manual}/capture"),
            r#"{"amount":20}"#.to_owned(),
            200,
        ),
        (format!("/v1/payments/{manual}/cancel"), String::new(), 409),
        (
            "/v1/refunds".to_owned(),
            format!(r#"{{"payment":"{manual}","amount":5}}"#),
            200,
        ),
    ];
    let mut first = Vec::new();
    for (at, (path, body, status)) in rows.iter().enumerate() {
        let answer = client.post(path, &format!("key-of-row-{at}"), body).await;
        assert_eq!(answer.status, *status, "{path} {body}: {:?}", answer.body);
        assert_eq!(answer.header("idempotent-replayed"), None);
        assert!(answer.header("consistency-token").is_some(), "{path}");
        first.push(answer);
    }
    for (at, (path, body, _)) in rows.iter().enumerate() {
        let quoted = format!("\"key-of-row-{at}\"");
        let replay = client.post(path, &quoted, body).await;
        assert_eq!(told(&replay), told(&first[at]), "{path} {body}");
        assert_eq!(replay.header("idempotent-replayed"), Some("true"));
    }
    let balance = client
        .found(&format!("/v1/accounts/{wallet}/balance"))
        .await;
    let expected = 1000 + 7 + 5 - 10 - 20 + 5;
    assert_eq!(
        balance["balance"],
        expected.to_string(),
        "every row had one effect"
    );
}

#[tokio::test]
async fn one_key_is_one_request() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let accounts = accounts(&mut client).await;
    let pay = |amount: &str| {
        format!(
            r#"{{"amount{amount},"currency":"USD","source":"{}"}}"#,
            accounts.wallet
        )
    };
    let first = client.post("/v1/payments", "k", &pay(r#"":100"#)).await;
    assert_eq!(first.status, 200);
    let other = client.post("/v1/payments", "k", &pay(r#"":101"#)).await;
    assert_eq!(other.problem().1, "idempotency_key_reused");
    assert_eq!(other.status, 422);
    assert_eq!(other.header("idempotent-replayed"), None);
    assert_ne!(other.header("request-id"), first.header("request-id"));
    let route = client
        .post("/v1/accounts", "k", r#"{"currency":"USD","kind":"asset"}"#)
        .await;
    assert_eq!(
        route.status, 422,
        "the scope is the partner, over all routes"
    );
    let spelled = client
        .post("/v1/payments", "k", &pay(r#"_decimal":"1.00""#))
        .await;
    assert_eq!(
        spelled.body, first.body,
        "another spelling is the same request"
    );
    let fresh = client.post("/v1/payments", "k2", &pay(r#"":100"#)).await;
    assert_ne!(fresh.body, first.body);
    client.token(crate::support::TEST);
    let test = client.post("/v1/payments", "k", &pay(r#"":101"#)).await;
    assert_eq!(test.status, 404, "test keys are their own");
}

#[tokio::test]
async fn what_the_ledger_did_not_decide_is_not_remembered() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let accounts = accounts(&mut client).await;
    let good = format!(
        r#"{{"amount":1,"currency":"USD","source":"{}"}}"#,
        accounts.wallet
    );
    let bad = client.post("/v1/payments", "k", r#"{"amount":0}"#).await;
    assert_eq!(bad.status, 400);
    let busy = SubmitError::Busy {
        retry_after: Duration::from_millis(1500),
    };
    for (failure, status, code, retry) in [
        (busy, 503, "busy", Some("2")),
        (SubmitError::NoLeader, 503, "no_leader", Some("1")),
        (SubmitError::DiskFull, 503, "disk_full", Some("1")),
        (SubmitError::NotReady, 503, "not_ready", Some("1")),
        (SubmitError::OutcomeUnknown, 504, "outcome_unknown", None),
        (SubmitError::TooLarge, 413, "request_too_large", None),
    ] {
        *frontend.books.failure.lock() = Some(failure);
        let answer = client.post("/v1/payments", "k", &good).await;
        assert_eq!(
            (answer.problem().0, answer.problem().1.as_str()),
            (status, code)
        );
        assert_eq!(answer.header("retry-after"), retry, "{code}");
        assert_eq!(answer.json()["error"]["retryable"], status != 413);
    }
    assert_eq!(client.post("/v1/payments", "k", &good).await.status, 200);
}

#[tokio::test]
async fn a_defect_is_one_requests_end() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let accounts = accounts(&mut client).await;
    let body = format!(
        r#"{{"amount":1,"currency":"USD","source":"{}"}}"#,
        accounts.wallet
    );
    *frontend.books.defect.lock() = true;
    let answer = client.post("/v1/payments", "k", &body).await;
    assert_eq!(answer.problem().1, "outcome_unknown");
    assert_eq!(
        client.post("/v1/payments", "k", &body).await.status,
        200,
        "the connection lives"
    );
}
