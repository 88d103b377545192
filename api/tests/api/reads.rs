//! Lists, history, and how fresh a read is.

use crate::support::{Frontend, accounts, fields, text};
use florin_ledger::id::GroupId;
use florin_shards::Consistency;
use serde_json::{Value, json};

#[tokio::test]
async fn lists_are_walked_in_both_directions() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let wallet = accounts(&mut client).await.wallet;
    let mut made = Vec::new();
    for amount in 1..=25 {
        let body = json!({"amount": amount, "currency": "USD", "source": wallet});
        made.push(client.made("/v1/payments", &body.to_string()).await);
    }
    let page = client.found("/v1/payments").await;
    assert_eq!(
        fields(&page, &["object", "has_more", "url"]),
        [&json!("list"), &json!(true), &json!("/v1/payments")]
    );
    assert_eq!(
        page["data"].as_array().map(Vec::len),
        Some(10),
        "10 unless told"
    );
    let (mut walked, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.found(&format!("/v1/payments?limit=7{cursor}")).await;
        let data = page["data"].as_array().expect("data").clone();
        walked.extend(data);
        cursor = format!(
            "&starting_after={}",
            text(&walked.last().expect("one")["id"])
        );
        if page["has_more"] == false {
            break;
        }
    }
    let newest_first: Vec<Value> = made.iter().rev().cloned().collect();
    assert_eq!(walked, newest_first);
    let back = format!(
        "/v1/payments?limit=5&ending_before={}",
        text(&made[0]["id"])
    );
    let page = client.found(&back).await;
    assert_eq!(
        page["data"],
        json!(made[1..=5].iter().rev().collect::<Vec<_>>())
    );
    assert_eq!(page["has_more"], true);

    let (from, to) = (text(&made[10]["created"]), text(&made[14]["created"]));
    for (query, count) in [
        (format!("created[gte]={from}&created[lte]={to}"), 5),
        (format!("created[gt]={from}&created[lt]={to}"), 3),
        (format!("created%5Bgt%5D={from}&created%5Blte%5D={to}"), 4),
        (
            format!("created[gte]={}", from.replace('Z', "%2B00:00")),
            15,
        ),
    ] {
        let page = client
            .found(&format!("/v1/payments?limit=100&{query}"))
            .await;
        assert_eq!(
            page["data"].as_array().map(Vec::len),
            Some(count),
            "{query}"
        );
    }
}

#[tokio::test]
async fn accounts_have_history() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let wallet = accounts(&mut client).await.wallet;
    let body = json!({"amount": 300, "currency": "USD", "source": wallet});
    let payment = client.made("/v1/payments", &body.to_string()).await;
    let entries = client
        .found(&format!("/v1/accounts/{wallet}/entries"))
        .await;
    assert_eq!(entries["url"], format!("/v1/accounts/{wallet}/entries"));
    let names = [
        "object", "sequence", "kind", "side", "amount", "balance", "currency",
    ];
    assert_eq!(
        fields(&entries["data"][0], &names),
        [
            &json!("entry"),
            &json!(2),
            &json!("posted"),
            &json!("debit"),
            &json!(300),
            &json!("700"),
            &json!("USD")
        ]
    );
    assert_eq!(
        fields(&entries["data"][1], &names),
        [
            &json!("entry"),
            &json!(1),
            &json!("posted"),
            &json!("credit"),
            &json!(1000),
            &json!("1000"),
            &json!("USD")
        ]
    );
    let older = client
        .found(&format!(
            "/v1/accounts/{wallet}/entries?starting_after=2&limit=1"
        ))
        .await;
    assert_eq!(older["data"][0], entries["data"][1]);
    assert_eq!(older["has_more"], false);
    let first_moment = text(&entries["data"][1]["created"]);
    for (at, balance) in [
        ("0", "0"),
        ("1", "1000"),
        ("2", "700"),
        (first_moment.as_str(), "1000"),
        (payment["created"].as_str().expect("a time"), "700"),
    ] {
        let then = client
            .found(&format!("/v1/accounts/{wallet}/balance?at={at}"))
            .await;
        assert_eq!(then["balance"], balance, "at {at}");
    }
    let beyond = client
        .get(&format!("/v1/accounts/{wallet}/balance?at=3"))
        .await;
    let invalid = "parameter_invalid".to_owned();
    assert_eq!(beyond.problem(), (400, invalid, Some("at".to_owned())));
    let listed = client.found("/v1/accounts?currency=USD&limit=100").await;
    assert_eq!(
        listed["data"].as_array().map(Vec::len),
        Some(3),
        "bank, wallet, merchant"
    );
    let listed = client.found("/v1/accounts?currency=EUR").await;
    assert_eq!(listed["data"], json!([]));
}

#[tokio::test]
async fn reads_are_as_fresh_as_they_ask() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let body = r#"{"currency":"USD","kind":"asset"}"#;
    let made = client.post("/v1/accounts", "k", body).await;
    let token = made
        .header("consistency-token")
        .expect("a token")
        .to_owned();
    assert_eq!(token, "1-1");
    let at_least = Consistency::AtLeast {
        group: GroupId(1),
        index: 1,
    };
    for (headers, wanted) in [
        (vec![], Consistency::Linearizable),
        (
            vec![("consistency", "linearizable")],
            Consistency::Linearizable,
        ),
        (vec![("consistency", "stale")], Consistency::Stale),
        (vec![("consistency-token", token.as_str())], at_least),
        (
            vec![("consistency-token", "9-1")],
            Consistency::Linearizable,
        ),
    ] {
        let answer = client.send("GET", "/v1/accounts", &headers, "").await;
        assert_eq!(answer.status, 200);
        assert_eq!(*frontend.books.asked.lock(), Some(wanted), "{headers:?}");
        assert_eq!(answer.header("consistency-token"), Some("1-1"));
    }
}

#[tokio::test]
async fn what_a_write_looks_up_is_never_stale() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let wallet = accounts(&mut client).await.wallet;
    let body =
        json!({"amount": 10, "currency": "USD", "source": wallet, "capture_method": "manual"});
    let held = client.made("/v1/payments", &body.to_string()).await;
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "capture"),
        ("consistency", "stale"),
    ];
    let path = format!("/v1/payments/{}/capture", text(&held["id"]));
    let body = r#"{"amount_decimal":"0.07"}"#;
    let captured = client.send("POST", &path, &headers, body).await;
    assert_eq!(captured.json()["amount_captured"], 7);
    let asked = *frontend.books.asked.lock();
    assert_eq!(asked, Some(Consistency::Linearizable));
}

#[tokio::test]
async fn every_answer_has_a_name_and_a_version() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    for (method, path, status) in [
        ("GET", "/v1/payments", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/v1/nothing", 404),
        ("DELETE", "/v1/payments", 405),
        ("POST", "/v1/accounts", 504),
    ] {
        *frontend.books.defect.lock() = status == 504;
        let headers = [("content-type", "application/json")];
        let body = match method {
            "POST" => r#"{"currency":"USD","kind":"asset"}"#,
            _ => "",
        };
        let answer = client.send(method, path, &headers, body).await;
        assert_eq!(answer.status, status, "{method} {path}");
        let name = answer.header("request-id").unwrap_or_default();
        assert!(name.starts_with("req_"), "{method} {path}");
        assert_eq!(answer.header("api-version"), Some("2026-11-01"), "{path}");
    }
}
