//! The document of the API that is checked in is the one that the code makes.

use crate::support::Frontend;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
const COMMAND: &str = "FLORIN_WRITE_OPENAPI=1 cargo test -p florin-api --test api openapi";

#[test]
fn the_document_that_is_checked_in_is_current() {
    let made = format!("{}\n", florin_api::openapi());
    if std::env::var_os("FLORIN_WRITE_OPENAPI").is_some() {
        std::fs::write(FILE, &made).expect("docs/openapi.json is written");
    }
    let kept = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        made == kept,
        "docs/openapi.json is out of date; renew it by\n    {COMMAND}"
    );
}

#[tokio::test]
async fn the_frontend_serves_the_document() {
    let frontend = Frontend::start().await;
    let mut client = frontend.client().await;
    let answer = client
        .send("GET", "/openapi.json", &[("authorization", "")], "")
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["openapi"], "3.1.0");
    let document = answer.json();
    let refunds = &document["paths"]["/v1/refunds"];
    for (status, answer) in refunds["post"]["responses"].as_object().expect("answers") {
        assert!(answer["headers"]["Request-Id"].is_object(), "{status}");
    }
    let parameters = refunds["get"]["parameters"].as_array().expect("parameters");
    for (name, member, value) in [
        ("limit", "type", "integer"),
        ("created[gte]", "format", "date-time"),
    ] {
        let mut named = parameters.iter().filter(|one| one["name"] == name);
        let schema = &named.next().expect("a parameter")["schema"];
        assert_eq!(schema[member], value, "{name}");
    }
    let void = &document["paths"]["/v1/transfers/{id}/void"]["post"]["responses"];
    let codes = void.to_string();
    assert!(codes.contains("`transfer_not_found`") && !codes.contains("`insufficient_funds`"));
    let schemas = &answer.json()["components"]["schemas"];
    let codes = schemas["Code"]["enum"].as_array().expect("codes");
    assert!(codes.contains(&"insufficient_funds".into()), "{codes:?}");
    for name in [
        "Account", "Balance", "Transfer", "Payment", "Refund", "Problem", "Code",
    ] {
        assert!(schemas[name].is_object(), "{name} is described");
    }
}
