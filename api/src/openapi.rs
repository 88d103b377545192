//! The partner API as an OpenAPI 3.1 document, made from the handlers and their types. What all
//! routes have in common, headers and errors, is added from the table of routes.

use crate::code::{Code, ErrorType};
use crate::problem::ProblemBody;
use crate::route::{Key, Route, VERSION, Verb};
use crate::routes::{self, accounts, batch, payments, refunds, transfers};
use std::collections::BTreeMap;
use utoipa::OpenApi;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, Response, ResponseBuilder};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Florin",
        version = "2026-11-01",
        description = "Accounts, transfers, payments and refunds on a replicated ledger. \
            Amounts are integers of minor units; sums are decimal strings of minor units."
    ),
    paths(
        accounts::create,
        accounts::list_accounts,
        accounts::get,
        accounts::balance,
        accounts::entries,
        transfers::create,
        transfers::list_transfers,
        transfers::get,
        transfers::post,
        transfers::void,
        transfers::reverse,
        batch::create,
        payments::create,
        payments::list_payments,
        payments::get,
        payments::capture,
        payments::cancel,
        refunds::create,
        refunds::list_refunds,
        refunds::get,
    ),
    components(schemas(ProblemBody<'static>)),
    tags(
        (name = "Ledger", description = "Accounts and transfers."),
        (name = "Payments", description = "Payments and refunds."),
    )
)]
struct Document;

/// The document, pretty-printed.
pub fn openapi() -> String {
    let mut document = Document::openapi();
    for route in routes::table() {
        let item = document.paths.paths.get_mut(route.path);
        let operation = item.and_then(|item| match route.verb {
            Verb::Get => item.get.as_mut(),
            Verb::Post => item.post.as_mut(),
        });
        if let Some(operation) = operation {
            complete(operation, route);
        }
    }
    let key = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A secret key: sk_live_… or sk_test_…"))
        .build();
    if let Some(components) = &mut document.components {
        components.add_security_scheme("key", SecurityScheme::Http(key));
    }
    // Plain structs and strings are always JSON.
    document.to_pretty_json().unwrap_or_default()
}

fn complete(operation: &mut Operation, route: &'static Route) {
    let id = route.path.replace("/v1/", "").replace(['{', '}'], "");
    let id = format!(
        "{}_{}",
        route.verb.name().to_lowercase(),
        id.replace('/', "_")
    );
    operation.operation_id = Some(id);
    operation.security = Some(vec![SecurityRequirement::new("key", [route.scope.name()])]);
    let parameters = operation.parameters.get_or_insert_default();
    parameters.extend(list_parameters(route));
    parameters.extend(header_parameters(route));
    for (status, codes) in errors(route) {
        let response = problem(&codes);
        let responses = &mut operation.responses.responses;
        responses.insert(status.to_string(), RefOr::T(response));
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            describe(response, status, route);
        }
    }
}

fn describe(response: &mut Response, status: &str, route: &Route) {
    let mut headers = vec![
        ("Request-Id", "What this request is called."),
        ("Api-Version", "The version of the API that answered."),
    ];
    // What comes from the ledger: done, found, or refused and remembered.
    let writes = route.key != Key::Ignored;
    if status == "200" || writes && matches!(status, "400" | "402" | "404" | "409") {
        let token = "Which write this answer reflects; on whatever the ledger decided or found.";
        headers.push(("Consistency-Token", token));
        if writes {
            let replayed = "`true` if the answer was given before, to the same key.";
            headers.push(("Idempotent-Replayed", replayed));
        }
    }
    if status != "401" {
        let policy = "If the partner has a limit: `q` requests in `w` seconds.";
        let left = "If the partner has a limit: `r` requests are left, all of them again in `t` \
            seconds.";
        headers.extend([("RateLimit-Policy", policy), ("RateLimit", left)]);
    }
    if status == "401" {
        headers.push(("WWW-Authenticate", "`Bearer`."));
    }
    for (name, description) in headers {
        response
            .headers
            .insert(name.to_owned(), header(text(), description));
    }
    if matches!(status, "429" | "503") {
        let wait = header(integer(1, None), "Seconds to wait.");
        response.headers.insert("Retry-After".to_owned(), wait);
    }
    if response.description.is_empty() {
        response.description = "Done.".to_owned();
    }
}

fn header(schema: Object, description: &str) -> Header {
    let header = HeaderBuilder::new().schema(schema);
    header.description(Some(description)).build()
}

fn list_parameters(route: &Route) -> Vec<Parameter> {
    let entries = route.path.ends_with("/entries");
    if route.verb != Verb::Get || (!entries && route.path.contains("{id}")) {
        return Vec::new();
    }
    let query = |name: &str, description: &str, schema| {
        let parameter = parameter(ParameterIn::Query, name, description, Required::False);
        parameter.schema(Some(schema)).build()
    };
    let (cursor, what) = if entries {
        (integer(0, None), "an entry's sequence")
    } else {
        (text(), "an identifier")
    };
    let (after, before) = (
        format!("Older than this one: {what}."),
        format!("Newer than this one: {what}."),
    );
    let mut parameters = vec![
        query("limit", "10 unless told.", integer(1, Some(100))),
        query("starting_after", &after, cursor.clone()),
        query("ending_before", &before, cursor),
    ];
    if !entries {
        let bounds = [
            ("created[gte]", "Made at this time or later."),
            ("created[gt]", "Made later than this time."),
            ("created[lte]", "Made at this time or earlier."),
            ("created[lt]", "Made earlier than this time."),
        ];
        parameters.extend(bounds.map(|(name, description)| query(name, description, time())));
    }
    parameters
}

fn header_parameters(route: &Route) -> Vec<Parameter> {
    let header = |name: &str, description: &str, required| {
        let parameter = parameter(ParameterIn::Header, name, description, required);
        parameter.schema(Some(text())).build()
    };
    let version = format!("{VERSION}; the key's version unless told.");
    let mut parameters = vec![header("Api-Version", &version, Required::False)];
    let once = "1 to 255 visible ASCII characters, quoted or raw: the same request sent again \
        with the same key has one effect and one answer.";
    match route.key {
        Key::Ignored => parameters.extend([
            header(
                "Consistency-Token",
                "The token of a write that the answer must reflect.",
                Required::False,
            ),
            header(
                "Consistency",
                "`linearizable` (unless told) or `stale`: whatever any replica knows.",
                Required::False,
            ),
        ]),
        Key::Optional => parameters.push(header("Idempotency-Key", once, Required::False)),
        Key::Required => parameters.push(header("Idempotency-Key", once, Required::True)),
    }
    parameters
}

fn parameter(
    at: ParameterIn,
    name: &str,
    description: &str,
    required: Required,
) -> ParameterBuilder {
    ParameterBuilder::new()
        .parameter_in(at)
        .name(name)
        .description(Some(description))
        .required(required)
}

fn text() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .build()
}

fn time() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .build()
}

fn integer(least: usize, most: Option<usize>) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Integer))
        .minimum(Some(least))
        .maximum(most)
        .build()
}

/// What a route may answer instead, by status.
fn errors(route: &Route) -> BTreeMap<u16, Vec<Code>> {
    let mut errors: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in Code::ALL.iter().filter(|code| applies(**code, route)) {
        errors
            .entry(code.status().as_u16())
            .or_default()
            .push(*code);
    }
    errors
}

fn applies(code: Code, route: &Route) -> bool {
    let writes = route.verb == Verb::Post;
    match code {
        // These belong to no route of the partner API.
        Code::RouteNotFound
        | Code::MethodNotAllowed
        | Code::PartnerNotFound
        | Code::ApiKeyNotFound
        | Code::NoGroup => false,
        Code::IdempotencyKeyMissing => route.key == Key::Required,
        Code::NotFreshYet => !writes,
        Code::MalformedProtobuf => route.path == batch::PATH,
        Code::MalformedJson
        | Code::ParameterMissing
        | Code::IdempotencyKeyInvalid
        | Code::RequestTimeout
        | Code::RequestTooLarge
        | Code::UnsupportedMediaType
        | Code::IdempotencyKeyReused
        | Code::DiskFull
        | Code::OutcomeUnknown => writes,
        Code::AccountNotFound => refuses(code, route) || finds(route, "accounts"),
        Code::TransferNotFound => refuses(code, route) || finds(route, "transfers"),
        Code::PaymentNotFound => refuses(code, route) || finds(route, "payments"),
        Code::RefundNotFound => finds(route, "refunds"),
        _ if code.error_type() == ErrorType::Refusal => refuses(code, route),
        _ => true,
    }
}

/// Whether a route reads one object of this kind.
fn finds(route: &Route, kind: &str) -> bool {
    route.verb == Verb::Get && route.path.contains(kind) && route.path.contains("{id}")
}

/// Whether the ledger may answer this to what a route asks for.
fn refuses(code: Code, route: &Route) -> bool {
    const NEW: &[Code] = &[
        Code::AccountNotFound,
        Code::SameAccount,
        Code::CurrencyMismatch,
        Code::InsufficientFunds,
        Code::BalanceOverflow,
        Code::ReferenceTaken,
    ];
    let codes: &[Code] = match (route.verb, route.path) {
        (Verb::Post, "/v1/accounts") => &[Code::ReferenceTaken],
        (Verb::Post, "/v1/transfers" | "/v1/transfers/batch" | "/v1/payments") => NEW,
        (Verb::Post, "/v1/transfers/{id}/post") => &[
            Code::TransferNotFound,
            Code::InvalidState,
            Code::AmountTooLarge,
        ],
        (Verb::Post, "/v1/transfers/{id}/void") => &[Code::TransferNotFound, Code::InvalidState],
        (Verb::Post, "/v1/transfers/{id}/reverse") => &[
            Code::TransferNotFound,
            Code::InvalidState,
            Code::InsufficientFunds,
            Code::BalanceOverflow,
        ],
        (Verb::Post, "/v1/payments/{id}/capture") => &[
            Code::PaymentNotFound,
            Code::InvalidState,
            Code::AmountTooLarge,
        ],
        (Verb::Post, "/v1/payments/{id}/cancel") => &[Code::PaymentNotFound, Code::InvalidState],
        (Verb::Post, "/v1/refunds") => &[
            Code::PaymentNotFound,
            Code::InvalidState,
            Code::AmountTooLarge,
            Code::InsufficientFunds,
            Code::BalanceOverflow,
        ],
        _ => &[],
    };
    codes.contains(&code)
}

fn problem(codes: &[Code]) -> Response {
    let lines: Vec<String> = codes
        .iter()
        .map(|code| format!("`{}`: {}", code.name(), code.meaning().trim()))
        .collect();
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    ResponseBuilder::new()
        .description(lines.join("\n"))
        .content("application/problem+json", content)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_documented_and_nothing_else() {
        let document = Document::openapi();
        let mut documented: Vec<(Verb, String)> = Vec::new();
        for (path, item) in &document.paths.paths {
            let verbs = [(Verb::Get, &item.get), (Verb::Post, &item.post)];
            let there = verbs
                .into_iter()
                .filter(|(_, operation)| operation.is_some());
            documented.extend(there.map(|(verb, _)| (verb, path.clone())));
        }
        let mut routes: Vec<(Verb, String)> = routes::table()
            .map(|route| (route.verb, route.path.to_owned()))
            .collect();
        let order = |(verb, path): &(Verb, String)| (path.clone(), verb.name());
        documented.sort_by_key(order);
        routes.sort_by_key(order);
        assert_eq!(documented, routes);
    }

    #[test]
    fn the_guide_for_partners_names_every_code_that_they_may_meet() {
        let guide = include_str!("../../docs/partners.md");
        for code in Code::ALL {
            let partners = routes::table().any(|route| applies(*code, route));
            let line = format!("| {} | `{}` |", code.status().as_u16(), code.name());
            assert!(
                !partners || guide.contains(&line),
                "docs/partners.md lacks {line}"
            );
        }
    }
}
