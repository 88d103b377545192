//! The listener for operators.

use crate::support::{Frontend, LIVE, shown, text};
use serde_json::json;

#[tokio::test]
async fn probes_need_no_token() {
    let frontend = Frontend::start().await;
    let mut client = frontend.operator().await;
    let none = [("authorization", "")];
    let health = client.send("GET", "/healthz", &none, "").await;
    assert_eq!((health.status, &health.body[..]), (200, &b"ok\n"[..]));
    let ready = client.send("GET", "/readyz", &none, "").await;
    assert_eq!(
        (ready.status, &ready.body[..]),
        (503, &b"no directory yet\n"[..])
    );
    let metrics = client.send("GET", "/metrics", &none, "").await;
    assert_eq!(
        (metrics.status, &metrics.body[..]),
        (200, &b"florin_up 1\n"[..])
    );
    for (token, status) in [("", 401), ("Bearer wrong", 401), (LIVE, 401)] {
        let answer = client
            .send("GET", "/admin/v1/partners", &[("authorization", token)], "")
            .await;
        assert_eq!(answer.problem().0, status);
    }
    assert_eq!(client.get("/admin/v1/nothing").await.problem().0, 404);
    assert_eq!(
        client.send("PUT", "/healthz", &[], "").await.problem().0,
        405
    );
}

#[tokio::test]
async fn a_partner_is_onboarded_and_its_key_rolled() {
    let frontend = Frontend::start().await;
    let mut operator = frontend.operator().await;
    let body = r#"{"name":"Globex","home_region":"eu","rate_limit":50}"#;
    let first = operator
        .post("/admin/v1/partners", "onboard-globex", body)
        .await;
    let partner = first.json();
    assert_eq!(first.status, 200, "{partner}");
    assert_eq!(partner["object"], "partner");
    assert_eq!(partner["rate_limit"], 50);
    let again = operator
        .post("/admin/v1/partners", "onboard-globex", body)
        .await;
    assert_eq!(
        again.json()["id"],
        partner["id"],
        "a retry onboards nobody twice"
    );
    let other = operator
        .post(
            "/admin/v1/partners",
            "onboard-globex",
            r#"{"name":"Initech"}"#,
        )
        .await;
    assert_eq!(other.problem().1, "idempotency_key_reused");
    let path = format!("/admin/v1/partners/{}", text(&partner["id"]));
    assert_eq!(operator.found(&path).await, partner);
    let keys = format!("{path}/keys");
    let key = operator
        .made(&keys, r#"{"mode":"live","networks":["127.0.0.1"]}"#)
        .await;
    let secret = text(&key["secret"]);
    assert!(
        secret.starts_with("sk_live_") && secret.len() == 48,
        "{secret}"
    );
    let second = operator.made(&keys, r#"{"mode":"live"}"#).await;
    assert_ne!(second["secret"], key["secret"]);

    let mut client = frontend.client().await;
    client.token(&secret);
    assert_eq!(client.get("/v1/payments").await.status, 200);
    let listed = operator.found(&keys).await;
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(2));
    assert!(
        !listed.to_string().contains(&secret),
        "secrets are shown once"
    );

    let expire = format!("{keys}/{}/expire", text(&key["id"]));
    let expired = operator.made(&expire, r#"{"overlap_seconds":3600}"#).await;
    assert!(expired["expires_at"].is_string());
    assert_eq!(
        client.get("/v1/payments").await.status,
        200,
        "still within the overlap"
    );
    frontend.books.pass(1800);
    let sooner = text(&expired["expires_at"]);
    let again = operator.made(&expire, r#"{"overlap_seconds":3600}"#).await;
    assert_eq!(text(&again["expires_at"]), sooner, "no overlap grows");
    frontend.books.pass(1801);
    assert_eq!(
        client.get("/v1/payments").await.problem().1,
        "api_key_expired"
    );
    let revived = operator.made(&expire, r#"{"overlap_seconds":3600}"#).await;
    assert_eq!(text(&revived["expires_at"]), sooner);
    assert_eq!(
        client.get("/v1/payments").await.problem().1,
        "api_key_expired",
        "what has run out stays so"
    );

    client.token(&text(&second["secret"]));
    let headers = [("content-type", "application/json")];
    let patched = operator
        .send("PATCH", &path, &headers, r#"{"suspended":true}"#)
        .await;
    assert_eq!(patched.json()["suspended"], true);
    assert_eq!(
        client.get("/v1/payments").await.problem().1,
        "partner_suspended"
    );
    let patched = operator
        .send(
            "PATCH",
            &path,
            &headers,
            r#"{"suspended":false,"rate_limit":0}"#,
        )
        .await;
    assert_eq!(
        (
            patched.json()["suspended"].clone(),
            patched.json()["rate_limit"].clone()
        ),
        (json!(false), json!(0))
    );
    assert_eq!(client.get("/v1/payments").await.status, 200);
}

#[tokio::test]
async fn wrong_requests_of_operators_are_told() {
    let frontend = Frontend::start().await;
    let mut operator = frontend.operator().await;
    let partner = format!("/admin/v1/partners/{}", shown(frontend.partner));
    let keys = format!("{partner}/keys");
    let nobody = "/admin/v1/partners/ptn_00000000000000000000000000";
    #[rustfmt::skip]
    let rows: &[(&str, &str, u16, &str, Option<&str>)] = &[
        ("/admin/v1/partners", "{}", 400, "parameter_missing", Some("name")),
        ("/admin/v1/partners", r#"{"name":"A","rate_limit":-1}"#, 400, "parameter_invalid", Some("rate_limit")),
        ("/admin/v1/partners", r#"{"name":"A","group":1}"#, 400, "parameter_unknown", Some("group")),
        (&keys, "{}", 400, "parameter_missing", Some("mode")),
        (&keys, r#"{"mode":"live","scopes":["everything"]}"#, 400, "parameter_invalid", Some("scopes[0]")),
        (&keys, r#"{"mode":"live","networks":["::/0","here"]}"#, 400, "parameter_invalid", Some("networks[1]")),
        (&format!("{nobody}/keys"), r#"{"mode":"live"}"#, 404, "partner_not_found", Some("id")),
        (&format!("{keys}/key_00000000000000000000000000/expire"), "", 404, "api_key_not_found", Some("key")),
    ];
    for (path, body, status, code, param) in rows {
        let answer = operator.post(path, &format!("k{}", body.len()), body).await;
        let (found, found_code, found_param) = answer.problem();
        assert_eq!(
            (found, found_code.as_str(), found_param.as_deref()),
            (*status, *code, *param),
            "{path} {body}"
        );
    }
    assert_eq!(operator.get(nobody).await.problem().1, "partner_not_found");
}

#[tokio::test]
async fn nothing_is_denied_that_only_the_directory_could_deny() {
    let frontend = Frontend::start().await;
    let mut operator = frontend.operator().await;
    *frontend.books.headless.lock() = true;
    let partner = format!("/admin/v1/partners/{}", shown(frontend.partner));
    for (method, path) in [
        ("GET", "/admin/v1/partners".to_owned()),
        (
            "GET",
            "/admin/v1/partners/ptn_00000000000000000000000000".to_owned(),
        ),
        ("GET", format!("{partner}/keys")),
        (
            "POST",
            format!("{partner}/keys/key_00000000000000000000000000/expire"),
        ),
    ] {
        let answer = operator.send(method, &path, &[], "").await;
        assert_eq!(answer.problem().1, "no_leader", "{method} {path}");
        assert_eq!(answer.header("retry-after"), Some("1"), "{method} {path}");
    }

    let mut client = frontend.client().await;
    assert_eq!(client.get("/v1/payments").await.status, 200, "a known key");
    client.token("sk_live_made_a_moment_ago");
    let answer = client.get("/v1/payments").await;
    assert_eq!(
        (answer.status, answer.problem().1.as_str()),
        (503, "no_leader")
    );
    assert_eq!(answer.header("retry-after"), Some("1"));
    *frontend.books.headless.lock() = false;
    let answer = client.get("/v1/payments").await;
    assert_eq!(answer.problem().1, "api_key_invalid");
}

#[tokio::test]
async fn lists_of_operators_are_pages_too() {
    let frontend = Frontend::start().await;
    let mut operator = frontend.operator().await;
    for number in 0..4 {
        operator
            .made(
                "/admin/v1/partners",
                &json!({"name": format!("P{number}")}).to_string(),
            )
            .await;
    }
    let page = operator.found("/admin/v1/partners?limit=2").await;
    assert_eq!(
        (page["data"][0]["name"].clone(), page["has_more"].clone()),
        (json!("P3"), json!(true))
    );
    let after = text(&page["data"][1]["id"]);
    let page = operator
        .found(&format!(
            "/admin/v1/partners?limit=5&starting_after={after}"
        ))
        .await;
    assert_eq!(page["data"].as_array().map(Vec::len), Some(3));
    assert_eq!(page["has_more"], false);
    let page = operator
        .found(&format!("/admin/v1/partners?limit=1&ending_before={after}"))
        .await;
    assert_eq!(page["data"][0]["name"], "P3");
    let nodes = operator.found("/admin/v1/nodes").await;
    assert_eq!(
        (
            nodes["data"][0]["name"].clone(),
            nodes["data"][0]["replicas"][0]["role"].clone()
        ),
        (json!("one"), json!("leader"))
    );
    let groups = operator.found("/admin/v1/groups?hashes=true").await;
    assert_eq!(groups["data"][0]["leader"], 1);
    assert_eq!(
        groups["data"][0]["replicas"][0]["state_hash"],
        "07".repeat(32)
    );
}
