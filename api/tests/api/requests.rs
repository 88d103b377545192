//! Tables: a request, and the status, code and param that it is answered with.

use crate::support::{Accounts, Client, Frontend, accounts, text};

/// `{B}` and `{W}` stand for the bank and the wallet.
fn fill(template: &str, accounts: &Accounts) -> String {
    template
        .replace("{B}", &accounts.bank)
        .replace("{W}", &accounts.wallet)
}

async fn check(client: &mut Client, rows: &[(&str, &str, u16, &str, &str)], accounts: &Accounts) {
    for (path, body, status, code, param) in rows {
        let (path, body) = (fill(path, accounts), fill(body, accounts));
        let answer = client.post(&path, &row_key(), &body).await;
        let param = (!param.is_empty()).then(|| (*param).to_owned());
        let expected = (*status, (*code).to_owned(), param);
        assert_eq!(
            answer.problem(),
            expected,
            "{path} {body}: {:?}",
            answer.body
        );
        assert!(!answer.body.is_empty());
    }
}

fn row_key() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("row-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Method, path, headers, body; status and code.
type Row<'a> = (
    &'a str,
    &'a str,
    &'a [(&'a str, &'a str)],
    &'a str,
    u16,
    &'a str,
);

const NO_ACCOUNT: &str = "acct_00000000000000000000000000";
const ID: &str = "00000000000000000000000000";

#[tokio::test]
async fn malformed_requests_are_told_by_name() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let accounts = accounts(&mut client).await;
    let long = format!(
        r#"{{"amount":1,"currency":"USD","source":"{{W}}","reference":"{}"}}"#,
        "r".repeat(256)
    );
    let notes: Vec<String> = (0..51).map(|at| format!(r#""k{at}":"v""#)).collect();
    let many = format!(
        r#"{{"amount":1,"currency":"USD","source":"{{W}}","metadata":{{{}}}}}"#,
        notes.join(",")
    );
    let wide = format!(
        r#"{{"amount":1,"currency":"USD","source":"{{W}}","metadata":{{"{}":"v"}}}}"#,
        "k".repeat(41)
    );
    let wide_key = format!("metadata.{}", "k".repeat(41));
    #[rustfmt::skip]
    let rows: &[(&str, &str, u16, &str, &str)] = &[
        ("/v1/payments", "", 400, "malformed_json", ""),
        ("/v1/payments", "{", 400, "malformed_json", ""),
        ("/v1/payments", "{} {}", 400, "parameter_missing", "currency"),
        ("/v1/payments", "[]", 400, "parameter_invalid", ""),
        ("/v1/payments", "\u{0}", 400, "malformed_json", ""),
        ("/v1/payments", r#"{"currency":"USD","source":"{W}"}"#, 400, "parameter_missing", "amount"),
        ("/v1/payments", r#"{"amount":1,"source":"{W}"}"#, 400, "parameter_missing", "currency"),
        ("/v1/payments", r#"{"amount":1,"currency":"USD"}"#, 400, "parameter_missing", "source"),
        ("/v1/payments", r#"{"amount":0,"currency":"USD","source":"{W}"}"#, 400, "parameter_invalid", "amount"),
        ("/v1/payments", r#"{"amount":-5,"currency":"USD","source":"{W}"}"#, 400, "parameter_invalid", "amount"),
        ("/v1/payments", r#"{"amount":1.5,"currency":"USD","source":"{W}"}"#, 400, "parameter_invalid", "amount"),
        ("/v1/payments", r#"{"amount":1e3,"currency":"USD","source":"{W}"}"#, 400, "parameter_invalid", "amount"),
        ("/v1/payments", r#"{"amount":"10","currency":"USD","source":"{W}"}"#, 400, "parameter_invalid", "amount"),
        ("/v1/payments", r#"{"amount":9007199254740992,"currency":"USD","source":"{W}"}"#, 400, "parameter_invalid", "amount"),
        ("/v1/payments", r#"{"amount":99999999999999999999999,"currency":"USD","source":"{W}"}"#, 400, "parameter_invalid", "amount"),
        ("/v1/payments", r#"{"amount":1,"amount_decimal":"1","currency":"USD","source":"{W}"}"#, 400, "parameter_invalid", "amount_decimal"),
        ("/v1/payments", r#"{"amount_decimal":"1.234","currency":"USD","source":"{W}"}"#, 400, "parameter_invalid", "amount_decimal"),
        ("/v1/payments", r#"{"amount_decimal":"-1","currency":"USD","source":"{W}"}"#, 400, "parameter_invalid", "amount_decimal"),
        ("/v1/payments", r#"{"amount_decimal":"90071992547409.92","currency":"USD","source":"{W}"}"#, 400, "parameter_invalid", "amount_decimal"),
        ("/v1/payments", r#"{"amount":1,"currency":"usd","source":"{W}"}"#, 400, "parameter_invalid", "currency"),
        ("/v1/payments", r#"{"amount":1,"currency":"XXQ","source":"{W}"}"#, 400, "parameter_invalid", "currency"),
        ("/v1/payments", r#"{"amount":1,"currency":"USD","source":"tr_1"}"#, 400, "parameter_invalid", "source"),
        ("/v1/payments", r#"{"amount":1,"currency":"USD","source":"{W}","colour":"red"}"#, 400, "parameter_unknown", "colour"),
        ("/v1/payments", r#"{"amount":1,"amount":1,"currency":"USD","source":"{W}"}"#, 400, "parameter_invalid", "amount"),
        ("/v1/payments", r#"{"amount":1,"currency":"USD","source":"{W}","capture_method":"later"}"#, 400, "parameter_invalid", "capture_method"),
        ("/v1/payments", r#"{"amount":1,"currency":"USD","source":"{W}","reference":""}"#, 400, "parameter_invalid", "reference"),
        ("/v1/payments", &long, 400, "parameter_invalid", "reference"),
        ("/v1/payments", &many, 400, "parameter_invalid", "metadata"),
        ("/v1/payments", &wide, 400, "parameter_invalid", &wide_key),
        ("/v1/payments", r#"{"amount":1,"currency":"USD","source":"{W}","metadata":{"a":1}}"#, 400, "parameter_invalid", "metadata.a"),
        ("/v1/payments?limit=1", r#"{"amount":1,"currency":"USD","source":"{W}"}"#, 400, "parameter_unknown", "limit"),
        ("/v1/transfers", r#"{"debit_account":"{B}","credit_account":"{W}","amount":1,"currency":"USD","expires_in":5}"#, 400, "parameter_invalid", "expires_in"),
        ("/v1/transfers", r#"{"debit_account":"{B}","credit_account":"{W}","amount":1,"currency":"USD","pending":true,"expires_in":0}"#, 400, "parameter_invalid", "expires_in"),
        ("/v1/transfers/batch", r#"{"atomic":true,"transfers":[]}"#, 400, "parameter_invalid", "transfers"),
        ("/v1/transfers/batch", r#"{"transfers":[]}"#, 400, "parameter_missing", "atomic"),
        ("/v1/transfers/batch", r#"{"atomic":true,"transfers":[{"debit_account":"{B}","credit_account":"{W}","amount":1,"currency":"USD"},{"debit_account":"{B}","credit_account":"{W}","amount":0,"currency":"USD"}]}"#, 400, "parameter_invalid", "transfers[1].amount"),
        ("/v1/transfers/batch", r#"{"atomic":true,"transfers":[{"debit_account":"{B}","credit_account":"{W}","amount":1,"currency":"USD","x":1}]}"#, 400, "parameter_unknown", "transfers[0].x"),
        ("/v1/transfers/batch", r#"{"atomic":true,"transfers":[{"debit_account":"{B}","credit_account":"{W}","currency":"USD"}]}"#, 400, "parameter_missing", "transfers[0].amount"),
        ("/v1/accounts", r#"{"currency":"USD","kind":"wallet"}"#, 400, "parameter_invalid", "kind"),
        ("/v1/accounts", r#"{"currency":"XAU","kind":"asset"}"#, 400, "parameter_invalid", "currency"),
        ("/v1/accounts", r#"{"currency":"USD","kind":"asset","overdraft_limit":-1}"#, 400, "parameter_invalid", "overdraft_limit"),
        ("/v1/refunds", r#"{"payment":"{W}"}"#, 400, "parameter_invalid", "payment"),
    ];
    check(&mut client, rows, &accounts).await;
    let balance = client
        .found(&format!("/v1/accounts/{}/balance", accounts.wallet))
        .await;
    assert_eq!(balance["balance"], "1000", "no bad input had an effect");
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let accounts = accounts(&mut client).await;
    let taken = r#"{"currency":"EUR","kind":"liability","reference":"taken"}"#;
    let euro = text(&client.made("/v1/accounts", taken).await["id"]);
    let payment = format!(
        r#"{{"amount":100,"currency":"USD","source":"{}","reference":"p"}}"#,
        accounts.wallet
    );
    let payment = text(&client.made("/v1/payments", &payment).await["id"]);
    let capture = format!("/v1/payments/{payment}/capture");
    let refund = format!(r#"{{"payment":"{payment}","amount":101}}"#);
    let euros = format!(r#"{{"amount":1,"currency":"USD","source":"{euro}"}}"#);
    let nowhere = format!(r#"{{"amount":1,"currency":"USD","source":"{NO_ACCOUNT}"}}"#);
    let (no_payment, no_transfer) = (format!("pay_{ID}"), format!("tr_{ID}"));
    let no_refund = format!(r#"{{"payment":"{no_payment}"}}"#);
    let transfer = payment.replace("pay_", "tr_");
    let moved = |verb: &str| format!("/v1/transfers/{transfer}/{verb}");
    #[rustfmt::skip]
    let rows: &[(&str, &str, u16, &str, &str)] = &[
        ("/v1/payments", r#"{"amount":901,"currency":"USD","source":"{W}"}"#, 402, "insufficient_funds", "source"),
        ("/v1/payments", &nowhere, 404, "account_not_found", "source"),
        ("/v1/payments", &euros, 400, "currency_mismatch", "source"),
        ("/v1/payments", r#"{"amount":1,"currency":"USD","source":"{W}","destination":"{W}"}"#, 400, "same_account", "destination"),
        ("/v1/payments", r#"{"amount":1,"currency":"USD","source":"{W}","reference":"p"}"#, 409, "reference_taken", "reference"),
        ("/v1/accounts", taken, 409, "reference_taken", "reference"),
        ("/v1/transfers", r#"{"debit_account":"{W}","credit_account":"{B}","amount":901,"currency":"USD"}"#, 402, "insufficient_funds", "debit_account"),
        ("/v1/transfers", r#"{"debit_account":"{W}","credit_account":"{W}","amount":1,"currency":"USD"}"#, 400, "same_account", "credit_account"),
        (&capture, "", 409, "invalid_state", "id"),
        (&format!("/v1/payments/{payment}/cancel"), "{}", 409, "invalid_state", "id"),
        (&moved("reverse"), "", 409, "invalid_state", "id"),
        ("/v1/refunds", &refund, 400, "amount_too_large", "amount"),
        ("/v1/refunds", &no_refund, 404, "payment_not_found", "payment"),
        (&format!("/v1/payments/{no_payment}/capture"), "", 404, "payment_not_found", "id"),
        (&format!("/v1/payments/{no_payment}/capture"), r#"{"amount_decimal":"1"}"#, 404, "payment_not_found", "id"),
        (&format!("/v1/transfers/{no_transfer}/void"), "", 404, "transfer_not_found", "id"),
        ("/v1/payments/nonsense/capture", "", 404, "payment_not_found", "id"),
        ("/v1/transfers/batch", r#"{"atomic":true,"transfers":[{"debit_account":"{B}","credit_account":"{W}","amount":1,"currency":"USD"},{"debit_account":"{W}","credit_account":"{B}","amount":902,"currency":"USD"}]}"#, 402, "insufficient_funds", "transfers[1]"),
    ];
    check(&mut client, rows, &accounts).await;

    let body = format!(
        r#"{{"amount":1000,"currency":"USD","source":"{}"}}"#,
        accounts.wallet
    );
    let refused = client
        .post("/v1/payments", "the example", &body)
        .await
        .problem()
        .1;
    assert_eq!(refused, "idempotency_key_invalid", "a key has no spaces");
    let refused = client
        .post("/v1/payments", "the-example", &body)
        .await
        .json();
    let detail = format!(
        "{} has 900 USD minor units available, 1000 are needed",
        accounts.wallet
    );
    assert_eq!(refused["detail"], detail);
    assert_eq!(
        refused["type"],
        "https://florin.dev/errors/insufficient_funds"
    );
    assert_eq!(refused["title"], "Insufficient funds");
    assert_eq!(refused["instance"], "/v1/payments");
    assert_eq!(refused["error"]["type"], "refusal");
    assert_eq!(refused["error"]["retryable"], false);
}

#[tokio::test]
async fn what_never_reaches_the_ledger_is_told_apart() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let json = ("content-type", "application/json");
    let body = r#"{"currency":"USD","kind":"asset"}"#;
    #[rustfmt::skip]
    let rows: &[Row<'_>] = &[
        ("GET", "/v1/nothing", &[], "", 404, "route_not_found"),
        ("GET", "/v1/payments/", &[], "", 404, "route_not_found"),
        ("PUT", "/v1/payments", &[json], "{}", 405, "method_not_allowed"),
        ("DELETE", "/v1/accounts/acct_1", &[], "", 405, "method_not_allowed"),
        ("POST", "/v1/payments", &[json], "{}", 400, "idempotency_key_missing"),
        ("POST", "/v1/refunds", &[json], "{}", 400, "idempotency_key_missing"),
        ("POST", "/v1/transfers/batch", &[json], "{}", 400, "idempotency_key_missing"),
        ("POST", "/v1/transfers", &[json, ("idempotency-key", "")], "{}", 400, "idempotency_key_invalid"),
        ("POST", "/v1/accounts", &[json, ("idempotency-key", "\"open")], body, 400, "idempotency_key_invalid"),
        ("POST", "/v1/accounts", &[("content-type", "text/plain")], body, 415, "unsupported_media_type"),
        ("POST", "/v1/accounts", &[], body, 415, "unsupported_media_type"),
        ("POST", "/v1/accounts", &[json, ("api-version", "2020-01-01")], body, 400, "api_version_unsupported"),
        ("GET", "/v1/accounts", &[("authorization", "")], "", 401, "authentication_required"),
        ("GET", "/v1/accounts", &[("authorization", "Basic YTpi")], "", 401, "authentication_required"),
        ("GET", "/v1/accounts", &[("authorization", "Bearer sk_live_unknown")], "", 401, "api_key_invalid"),
        ("GET", "/v1/accounts", &[("consistency", "sometimes")], "", 400, "parameter_invalid"),
        ("GET", "/v1/accounts", &[("consistency-token", "1-x")], "", 400, "parameter_invalid"),
        ("GET", "/v1/accounts", &[("consistency-token", "1-999999")], "", 503, "not_fresh_yet"),
        ("GET", "/v1/accounts?limit=0", &[], "", 400, "parameter_invalid"),
        ("GET", "/v1/accounts?limit=101", &[], "", 400, "parameter_invalid"),
        ("GET", "/v1/accounts?sort=up", &[], "", 400, "parameter_unknown"),
        ("GET", "/v1/accounts?limit=1&limit=2", &[], "", 400, "parameter_invalid"),
        ("GET", "/v1/payments?created[gte]=yesterday", &[], "", 400, "parameter_invalid"),
        ("GET", "/v1/payments?created%5Bgte%5D=2026-11-01T00:00:00Z&created[gt]=2026-11-01T00:00:00Z", &[], "", 400, "parameter_invalid"),
        ("GET", "/v1/payments?starting_after=acct_1", &[], "", 400, "parameter_invalid"),
        ("GET", "/v1/payments/pay_1", &[], "", 404, "payment_not_found"),
        ("GET", "/v1/refunds/re_00000000000000000000000000", &[], "", 404, "refund_not_found"),
        ("GET", "/v1/transfers/tr_00000000000000000000000000", &[], "", 404, "transfer_not_found"),
        ("GET", "/v1/accounts/acct_00000000000000000000000000/balance", &[], "", 404, "account_not_found"),
        ("GET", "/v1/accounts/acct_00000000000000000000000000/entries", &[], "", 404, "account_not_found"),
    ];
    for (method, path, headers, body, status, code) in rows {
        let answer = client.send(method, path, headers, (*body).to_owned()).await;
        let (found, found_code, _) = answer.problem();
        assert_eq!(
            (found, found_code.as_str()),
            (*status, *code),
            "{method} {path} {headers:?}"
        );
        if *status == 401 {
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
        if *status == 405 {
            assert!(answer.header("allow").is_some(), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn keys_open_what_they_may() {
    use florin_ledger::directory::DirectoryCommand;
    use florin_ledger::id::{Mode, Timestamp};
    let frontend = Frontend::start().await;
    let (books, partner) = (&frontend.books, frontend.partner);
    let mut client = frontend.client().await;
    let key = |secret: &str, scopes: &[&str], networks: &[&str]| {
        books.key(partner, secret, Mode::Live, scopes, networks)
    };
    key("sk_live_reader", &["ledger:read"], &[]);
    key("sk_live_admin", &["admin"], &["127.0.0.0/8"]);
    key(
        "sk_live_elsewhere",
        &["admin"],
        &["203.0.113.0/24", "2001:db8::/32"],
    );
    let old = key("sk_live_old", &["admin"], &[]);
    let at = Timestamp(books.now().0);
    books
        .direct(DirectoryCommand::ExpireKey { key: old, at }, None)
        .expect("expired");
    for (secret, path, status, code) in [
        ("sk_live_reader", "/v1/accounts", 200, ""),
        ("sk_live_reader", "/v1/payments", 403, "scope_missing"),
        ("sk_live_admin", "/v1/payments", 200, ""),
        (
            "sk_live_elsewhere",
            "/v1/payments",
            403,
            "network_not_allowed",
        ),
        ("sk_live_old", "/v1/payments", 401, "api_key_expired"),
    ] {
        client.token(secret);
        let answer = client.get(path).await;
        assert_eq!(answer.status, status, "{secret} {path}");
        assert_eq!(answer.header("api-version"), Some("2026-11-01"));
        assert!(
            answer
                .header("request-id")
                .is_some_and(|id| id.starts_with("req_"))
        );
        if status != 200 {
            assert_eq!(answer.problem().1, code, "{secret} {path}");
        }
    }
    client.token("sk_live_reader");
    let refused = client
        .post("/v1/accounts", "k", r#"{"currency":"USD","kind":"asset"}"#)
        .await;
    assert_eq!(refused.problem().1, "scope_missing");
    let suspend = DirectoryCommand::UpdatePartner {
        partner,
        suspended: Some(true),
        rate_limit: None,
    };
    books.direct(suspend, None).expect("suspended");
    assert_eq!(
        client.get("/v1/accounts").await.problem().1,
        "partner_suspended"
    );
}

#[tokio::test]
async fn live_and_test_money_never_meet() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let live = accounts(&mut client).await;
    client.token(crate::support::TEST);
    let answer = client.get(&format!("/v1/accounts/{}", live.wallet)).await;
    assert_eq!(answer.problem().1, "account_not_found");
    let body = format!(
        r#"{{"amount":1,"currency":"USD","source":"{}"}}"#,
        live.wallet
    );
    let answer = client.post("/v1/payments", "k", &body).await;
    assert_eq!(answer.problem().1, "account_not_found");
    assert_eq!(
        client.found("/v1/accounts").await["data"],
        serde_json::json!([])
    );
}

#[tokio::test]
async fn the_rate_limit_is_told_and_kept() {
    use florin_ledger::directory::DirectoryCommand;
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let limit = DirectoryCommand::UpdatePartner {
        partner: frontend.partner,
        suspended: None,
        rate_limit: Some(1),
    };
    frontend.books.direct(limit, None).expect("limited");
    let first = client.get("/v1/accounts").await;
    assert_eq!(first.status, 200);
    assert_eq!(
        first.header("ratelimit-policy"),
        Some("\"partner\";q=1;w=1")
    );
    assert_eq!(first.header("ratelimit"), Some("\"partner\";r=0;t=1"));
    let second = client.get("/v1/accounts").await;
    assert_eq!(second.problem().1, "rate_limited");
    assert_eq!(second.header("retry-after"), Some("1"));
}
