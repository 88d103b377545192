//! The life of accounts, transfers, payments and refunds as partners see it.

use crate::support::{Frontend, accounts, text};
use florin_ledger::id::GroupId;
use florin_shards::Consistency;
use serde_json::{Value, json};

/// The fields of an object that a row is about.
fn fields<'a>(object: &'a Value, names: &[&str]) -> Vec<&'a Value> {
    names.iter().map(|name| &object[*name]).collect()
}

#[tokio::test]
async fn a_payment_from_authorization_to_refund() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let wallet = accounts(&mut client).await.wallet;
    let amounts = [
        "status",
        "amount",
        "amount_capturable",
        "amount_captured",
        "amount_refunded",
    ];
    let body = json!({"amount_decimal": "4.00", "currency": "USD", "source": wallet,
        "capture_method": "manual", "reference": "order 7", "description": "Shoes",
        "metadata": {"b": "2", "a": "1"}});
    let made = client.made("/v1/payments", &body.to_string()).await;
    assert_eq!(
        fields(&made, &amounts),
        [
            &json!("requires_capture"),
            &json!(400),
            &json!(400),
            &json!(0),
            &json!(0)
        ]
    );
    assert_eq!(made["object"], "payment");
    assert_eq!(made["metadata"], json!({"a": "1", "b": "2"}));
    let id = text(&made["id"]);
    let balance = client
        .found(&format!("/v1/accounts/{wallet}/balance"))
        .await;
    let sums = ["balance", "available", "debits_pending", "credits_posted"];
    assert_eq!(
        fields(&balance, &sums),
        [&json!("1000"), &json!("600"), &json!("400"), &json!("1000")]
    );

    let captured = client
        .made(
            &format!("/v1/payments/{id}/capture"),
            r#"{"amount_decimal":"2.50"}"#,
        )
        .await;
    assert_eq!(
        fields(&captured, &amounts),
        [
            &json!("succeeded"),
            &json!(400),
            &json!(0),
            &json!(250),
            &json!(0)
        ]
    );
    let refund = client
        .made(
            "/v1/refunds",
            &json!({"payment": id, "amount": 100}).to_string(),
        )
        .await;
    assert_eq!(
        fields(
            &refund,
            &["object", "payment", "amount", "currency", "status"]
        ),
        [
            &json!("refund"),
            &json!(id),
            &json!(100),
            &json!("USD"),
            &json!("succeeded")
        ]
    );
    client
        .made("/v1/refunds", &json!({"payment": id}).to_string())
        .await;

    let found = client.found(&format!("/v1/payments/{id}")).await;
    assert_eq!(
        fields(&found, &amounts),
        [
            &json!("succeeded"),
            &json!(400),
            &json!(0),
            &json!(250),
            &json!(250)
        ]
    );
    assert_eq!(found["reference"], "order 7");
    assert_eq!(found["description"], "Shoes");
    let found = client
        .found(&format!("/v1/refunds/{}", text(&refund["id"])))
        .await;
    assert_eq!(found, refund);
    let listed = client.found(&format!("/v1/refunds?payment={id}")).await;
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(2));
    let listed = client.found("/v1/payments?reference=order%207").await;
    assert_eq!(listed["data"][0]["id"], json!(id));
    let balance = client
        .found(&format!("/v1/accounts/{wallet}/balance"))
        .await;
    assert_eq!(balance["available"], "1000");

    let body =
        json!({"amount": 10, "currency": "USD", "source": wallet, "capture_method": "manual"});
    let held = client.made("/v1/payments", &body.to_string()).await;
    let cancelled = client
        .made(&format!("/v1/payments/{}/cancel", text(&held["id"])), "")
        .await;
    assert_eq!(
        fields(&cancelled, &amounts),
        [
            &json!("cancelled"),
            &json!(10),
            &json!(0),
            &json!(0),
            &json!(0)
        ]
    );
}

#[tokio::test]
async fn a_transfer_pending_posted_voided_expired_reversed() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let accounts = accounts(&mut client).await;
    let hold = |amount: u64| {
        json!({"debit_account": accounts.wallet, "credit_account": accounts.bank,
            "amount": amount, "currency": "USD", "pending": true, "expires_in": 60})
        .to_string()
    };
    let status = ["status", "amount", "amount_posted"];
    let held = client.made("/v1/transfers", &hold(300)).await;
    assert_eq!(
        fields(&held, &status),
        [&json!("pending"), &json!(300), &json!(0)]
    );
    assert!(
        held["expires_at"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z'))
    );
    let path = format!("/v1/transfers/{}", text(&held["id"]));
    let posted = client
        .made(&format!("{path}/post"), r#"{"amount":200}"#)
        .await;
    assert_eq!(
        fields(&posted, &status),
        [&json!("posted"), &json!(300), &json!(200)]
    );
    let reversed = client.made(&format!("{path}/reverse"), "{}").await;
    assert_eq!(reversed["status"], "reversed");
    let opposite = client
        .found(&format!("/v1/transfers/{}", text(&reversed["reversed_by"])))
        .await;
    assert_eq!(opposite["reverses"], held["id"]);
    assert_eq!(opposite["amount"], 200);
    assert_eq!(client.found(&path).await, reversed);

    let held = client.made("/v1/transfers", &hold(100)).await;
    let path = format!("/v1/transfers/{}", text(&held["id"]));
    assert_eq!(
        client.made(&format!("{path}/void"), "").await["status"],
        "voided"
    );
    let again = client.post(&format!("{path}/post"), "again", "").await;
    assert_eq!(again.problem().1, "invalid_state");

    let held = client.made("/v1/transfers", &hold(100)).await;
    frontend.books.pass(61);
    let path = format!("/v1/transfers/{}/post", text(&held["id"]));
    assert_eq!(
        client.post(&path, "late", "").await.problem().1,
        "invalid_state"
    );
    let path = format!("/v1/transfers/{}", text(&held["id"]));
    assert_eq!(client.found(&path).await["status"], "expired");
}

#[tokio::test]
async fn a_batch_answers_each_transfer_in_order() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let accounts = accounts(&mut client).await;
    let transfer = |debit: &str, credit: &str, amount: u64| json!({"debit_account": debit, "credit_account": credit, "amount": amount, "currency": "USD"});
    let (bank, wallet) = (&accounts.bank, &accounts.wallet);
    let rows = [
        transfer(bank, wallet, 1),
        transfer(wallet, bank, 5000),
        transfer(wallet, bank, 2),
    ];
    let body = json!({"atomic": false, "transfers": rows}).to_string();
    let answer = client.made("/v1/transfers/batch", &body).await;
    assert_eq!(answer["object"], "transfer_batch");
    assert_eq!(answer["data"][0]["status"], "posted");
    let error = &answer["data"][1]["error"];
    assert_eq!(
        fields(error, &["type", "code", "param", "retryable"]),
        [
            &json!("refusal"),
            &json!("insufficient_funds"),
            &json!("debit_account"),
            &json!(false)
        ]
    );
    assert!(
        error["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("1001 USD")),
        "{error}"
    );
    assert_eq!(answer["data"][2]["amount"], 2);

    let many: Vec<Value> = (0..8_191).map(|_| transfer(bank, wallet, 1)).collect();
    let body = json!({"atomic": true, "transfers": many}).to_string();
    assert!(
        body.len() > 1024 * 1024,
        "a batch may be larger than other requests"
    );
    let answer = client.post("/v1/transfers/batch", "too-many", &body).await;
    assert_eq!(answer.problem().2.as_deref(), Some("transfers"));
    let body = json!({"atomic": true, "transfers": &many[1..]}).to_string();
    let answer = client.made("/v1/transfers/batch", &body).await;
    assert_eq!(answer["data"].as_array().map(Vec::len), Some(8_190));
    let metadata = json!({"k": "v".repeat(400)});
    let wide: Vec<Value> = (0..8_000)
        .map(|_| {
            let mut row = transfer(bank, wallet, 1);
            row["metadata"] = metadata.clone();
            row
        })
        .collect();
    let body = json!({"atomic": true, "transfers": wide}).to_string();
    let answer = client.post("/v1/transfers/batch", "too-wide", &body).await;
    assert_eq!(
        answer.problem().1,
        "request_too_large",
        "a group takes 1 MiB at once"
    );
}

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
