//! The life of accounts, transfers, payments and refunds as partners see it.

use crate::support::{Frontend, accounts, fields, text};
use serde_json::{Value, json};

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
    // The transfers of a payment and of its refunds are the payment's to move.
    for transfer in [
        text(&refund["id"]).replace("re_", "tr_"),
        id.replace("pay_", "tr_"),
    ] {
        let path = format!("/v1/transfers/{transfer}/reverse");
        let refused = client.post(&path, &format!("reverse-{transfer}"), "").await;
        let detail = format!("the transfer belongs to {id} and is moved through it");
        assert_eq!(refused.problem().1, "invalid_state");
        assert_eq!(refused.json()["detail"], detail);
    }
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
