//! Batches in their binary form: the same rules, the same answers.

use crate::support::{Answer, Client, Frontend, LIVE, accounts, fresh, text};
use florin_api::proto::transfer_result::Result as One;
use florin_api::proto::{
    CONTENT_TYPE, CreateTransfer, CreateTransfers, TransferBatch, TransferStatus,
};
use florin_ledger::id::{Id, Timestamp, prefix};
use prost::Message;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const PATH: &str = "/v1/transfers/batch";

fn account(id: &str) -> bytes::Bytes {
    let id = Id::parse(prefix::ACCOUNT, id).expect("an account");
    id.0.to_be_bytes().to_vec().into()
}

fn transfer(debit: &str, credit: &str, amount: u64) -> CreateTransfer {
    CreateTransfer {
        debit_account: account(debit),
        credit_account: account(credit),
        amount,
        currency: "USD".to_owned(),
        ..CreateTransfer::default()
    }
}

fn batch(atomic: bool, transfers: Vec<CreateTransfer>) -> CreateTransfers {
    CreateTransfers {
        atomic: Some(atomic),
        transfers,
    }
}

async fn send(client: &mut Client, key: &str, body: impl Into<bytes::Bytes>) -> Answer {
    let headers = [("content-type", CONTENT_TYPE), ("idempotency-key", key)];
    client.send("POST", PATH, &headers, body).await
}

/// The same request in JSON.
fn as_json(batch: &CreateTransfers) -> String {
    let shown = |bytes: &bytes::Bytes| {
        let bytes: [u8; 16] = bytes.as_ref().try_into().expect("16 bytes");
        Id(u128::from_be_bytes(bytes))
            .display(prefix::ACCOUNT)
            .to_string()
    };
    let transfers: Vec<Value> = batch
        .transfers
        .iter()
        .map(|one| {
            json!({
                "debit_account": shown(&one.debit_account),
                "credit_account": shown(&one.credit_account),
                "amount": one.amount,
                "currency": one.currency,
                "pending": one.pending,
                "expires_in": one.expires_in,
                "reference": one.reference,
                "metadata": one.metadata,
            })
        })
        .collect();
    json!({"atomic": batch.atomic, "transfers": transfers}).to_string()
}

/// What the JSON form says in place of this answer, as far as the binary form has it.
fn told(answer: &TransferBatch) -> Value {
    let id = |prefix, bytes: &bytes::Bytes| {
        let bytes: [u8; 16] = bytes.as_ref().try_into().expect("16 bytes");
        Id(u128::from_be_bytes(bytes)).display(prefix).to_string()
    };
    let time = |micros| Timestamp(micros).rfc3339();
    let data: Vec<Value> = answer
        .data
        .iter()
        .map(|one| match one.result.as_ref().expect("a result") {
            One::Transfer(one) => json!({
                "id": id(prefix::TRANSFER, &one.id),
                "object": "transfer",
                "status": match one.status() {
                    TransferStatus::Posted => "posted",
                    TransferStatus::Pending => "pending",
                    TransferStatus::Unspecified => "unspecified",
                },
                "amount": one.amount,
                "amount_posted": one.amount_posted,
                "currency": one.currency,
                "debit_account": id(prefix::ACCOUNT, &one.debit_account),
                "credit_account": id(prefix::ACCOUNT, &one.credit_account),
                "expires_at": one.expires_at.map(time),
                "reversed_by": null,
                "reverses": null,
                "payment": null,
                "reference": one.reference,
                "metadata": one.metadata,
                "created": time(one.created),
            }),
            One::Error(one) => json!({"error": {
                "type": one.r#type,
                "code": one.code,
                "param": one.param,
                "retryable": one.retryable,
                "detail": one.detail,
            }}),
        })
        .collect();
    json!({"object": "transfer_batch", "atomic": answer.atomic, "data": data})
}

/// One that holds every field, one that is refused, one that is pending.
fn varied(bank: &str, wallet: &str) -> Vec<CreateTransfer> {
    let note = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let full = CreateTransfer {
        pending: true,
        expires_in: Some(60),
        reference: Some("first".to_owned()),
        metadata: BTreeMap::from([note("z", ""), note("é", "ü\n")]),
        ..transfer(bank, wallet, (1 << 53) - 1)
    };
    let held = CreateTransfer {
        pending: true,
        ..transfer(wallet, bank, 4)
    };
    vec![full, transfer(wallet, bank, 5_000), held]
}

#[tokio::test]
async fn both_forms_are_one_request_with_one_answer() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let accounts = accounts(&mut client).await;
    let request = batch(false, varied(&accounts.bank, &accounts.wallet));
    let first = send(&mut client, "k", request.encode_to_vec()).await;
    assert_eq!(first.status, 200, "{:?}", first.body);
    assert_eq!(first.header("content-type"), Some(CONTENT_TYPE));
    assert_eq!(first.header("idempotent-replayed"), None);
    let answer = TransferBatch::decode(first.body.clone()).expect("an answer");
    assert!(matches!(answer.data[1].result, Some(One::Error(_))));

    let replay = send(&mut client, "k", request.encode_to_vec()).await;
    assert_eq!(replay.body, first.body, "to the byte");
    let replay = client.post(PATH, "k", &as_json(&request)).await;
    assert_eq!(replay.status, 200, "{:?}", replay.body);
    assert_eq!(replay.header("idempotent-replayed"), Some("true"));
    assert_eq!(replay.json(), told(&answer));
    let path = format!("/v1/transfers/{}", text(&replay.json()["data"][2]["id"]));
    assert_eq!(client.found(&path).await, replay.json()["data"][2]);

    // And the other way round, with another request.
    let request = batch(false, vec![transfer(&accounts.wallet, &accounts.bank, 5)]);
    let first = client.post(PATH, "json-first", &as_json(&request)).await;
    let replay = send(&mut client, "json-first", request.encode_to_vec()).await;
    assert_eq!(replay.header("idempotent-replayed"), Some("true"));
    let answer = TransferBatch::decode(replay.body.clone()).expect("an answer");
    assert_eq!(told(&answer), first.json());
    let other = batch(false, vec![transfer(&accounts.wallet, &accounts.bank, 6)]);
    let reused = send(&mut client, "json-first", other.encode_to_vec()).await;
    assert_eq!(reused.problem().1, "idempotency_key_reused");
}

#[tokio::test]
async fn a_refused_atomic_batch_is_the_same_problem_in_both_forms() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let accounts = accounts(&mut client).await;
    let (bank, wallet) = (&accounts.bank, &accounts.wallet);
    let request = batch(
        true,
        vec![transfer(bank, wallet, 1), transfer(wallet, bank, 5_000)],
    );
    let binary = send(&mut client, "k", request.encode_to_vec()).await;
    assert_eq!(
        binary.problem(),
        (
            402,
            "insufficient_funds".to_owned(),
            Some("transfers[1]".to_owned())
        )
    );
    let replay = client.post(PATH, "k", &as_json(&request)).await;
    assert_eq!((replay.status, replay.body), (402, binary.body));
}

#[tokio::test]
async fn limits_are_those_of_json() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let accounts = accounts(&mut client).await;
    let one = transfer(&accounts.bank, &accounts.wallet, 1);
    let full = batch(true, vec![one.clone(); 8_190]);
    let answer = send(&mut client, &fresh(), full.encode_to_vec()).await;
    let answer = TransferBatch::decode(answer.body).expect("an answer");
    assert_eq!(answer.data.len(), 8_190);
    let wide = CreateTransfer {
        metadata: BTreeMap::from([("k".to_owned(), "v".repeat(400))]),
        ..one.clone()
    };
    for (transfers, code, param) in [
        (
            vec![one.clone(); 8_191],
            "parameter_invalid",
            Some("transfers"),
        ),
        (vec![], "parameter_invalid", Some("transfers")),
        (vec![wide; 8_000], "request_too_large", None),
    ] {
        let body = batch(true, transfers).encode_to_vec();
        let answer = send(&mut client, &fresh(), body).await;
        let (_, told, about) = answer.problem();
        assert_eq!((told.as_str(), about.as_deref()), (code, param));
    }
    let mut other = Client::tls(frontend.api, &frontend.trust, b"h2", LIVE).await;
    let answer = send(&mut other, &fresh(), vec![0; 8 * 1024 * 1024 + 1]).await;
    assert_eq!(answer.problem().1, "request_too_large");
}

/// Changes one transfer, and what must be said of it.
type Wrong = (fn(&mut CreateTransfer), &'static str, &'static str);

#[tokio::test]
async fn wrong_values_are_named_as_in_json() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let accounts = accounts(&mut client).await;
    let rows: &[Wrong] = &[
        (|one| one.amount = 0, "parameter_missing", "amount"),
        (|one| one.amount = 1 << 53, "parameter_invalid", "amount"),
        (
            |one| one.currency = "usd".to_owned(),
            "parameter_invalid",
            "currency",
        ),
        (|one| one.currency.clear(), "parameter_missing", "currency"),
        (
            |one| one.debit_account = "short".into(),
            "parameter_invalid",
            "debit_account",
        ),
        (
            |one| one.credit_account.clear(),
            "parameter_missing",
            "credit_account",
        ),
        (
            |one| one.expires_in = Some(60),
            "parameter_invalid",
            "expires_in",
        ),
        (
            |one| (one.pending, one.expires_in) = (true, Some(0)),
            "parameter_invalid",
            "expires_in",
        ),
        (
            |one| one.reference = Some(String::new()),
            "parameter_invalid",
            "reference",
        ),
        (
            |one| one.reference = Some("r".repeat(256)),
            "parameter_invalid",
            "reference",
        ),
        (
            |one| one.metadata = (0..51).map(|n| (n.to_string(), String::new())).collect(),
            "parameter_invalid",
            "metadata",
        ),
        (
            |one| one.metadata = BTreeMap::from([(String::new(), "v".to_owned())]),
            "parameter_invalid",
            "metadata",
        ),
    ];
    let right = transfer(&accounts.bank, &accounts.wallet, 1);
    for (at, (change, code, param)) in rows.iter().enumerate() {
        let mut wrong = right.clone();
        change(&mut wrong);
        let body = batch(true, vec![right.clone(), wrong]).encode_to_vec();
        let answer = send(&mut client, &fresh(), body).await;
        let (status, told, about) = answer.problem();
        assert_eq!((status, told.as_str()), (400, *code), "row {at}");
        assert_eq!(about, Some(format!("transfers[1].{param}")), "row {at}");
    }
    let mut body = batch(true, vec![right.clone()]);
    body.atomic = None;
    let answer = send(&mut client, &fresh(), body.encode_to_vec()).await;
    assert_eq!(answer.problem().2.as_deref(), Some("atomic"));
}

#[tokio::test]
async fn malformed_bytes_have_no_effect() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let accounts = accounts(&mut client).await;
    let path = format!("/v1/accounts/{}/balance", accounts.wallet);
    let before = client.found(&path).await;
    let one = transfer(&accounts.bank, &accounts.wallet, 1);
    let whole = batch(false, vec![one.clone(), one]).encode_to_vec();
    let second = whole.len() - (whole.len() - 2) / 2;
    for end in 1..whole.len() {
        // A cut between two fields of the batch leaves a smaller batch, which is whole.
        if end == 2 || end == second {
            continue;
        }
        let answer = send(&mut client, &fresh(), whole[..end].to_vec()).await;
        assert_eq!(answer.problem().1, "malformed_protobuf", "cut at {end}");
    }
    let with = |more: &[u8]| [whole.as_slice(), more].concat();
    let inside = |more: &[u8]| {
        let length = u8::try_from(more.len()).expect("short");
        [b"\x08\x01\x12", &[length][..], more].concat()
    };
    let cases = [
        (with(b"\x18\x01"), "parameter_unknown", Some("3")),
        (
            inside(b"\x48\x01"),
            "parameter_unknown",
            Some("transfers[0].9"),
        ),
        (with(b"\x08\x01"), "parameter_invalid", Some("atomic")),
        (
            inside(b"\x18\x01\x18\x01"),
            "parameter_invalid",
            Some("transfers[0].amount"),
        ),
        (b"{\"atomic\":true}".to_vec(), "malformed_protobuf", None),
        (
            inside(b"\x0a\x7f"),
            "malformed_protobuf",
            Some("transfers[0]"),
        ),
        (Vec::new(), "parameter_missing", Some("atomic")),
    ];
    for (body, code, param) in cases {
        let answer = send(&mut client, &fresh(), body.clone()).await;
        let (status, told, about) = answer.problem();
        assert_eq!(
            (status, told.as_str(), about.as_deref()),
            (400, code, param),
            "{body:?}"
        );
    }
    assert_eq!(client.found(&path).await, before);
}

#[tokio::test]
async fn other_routes_take_json_alone() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let headers = [("content-type", CONTENT_TYPE), ("idempotency-key", "k")];
    let answer = client.send("POST", "/v1/transfers", &headers, "x").await;
    assert_eq!(answer.problem().1, "unsupported_media_type");
}
