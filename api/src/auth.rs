//! Who asks, and what they may do.

use crate::app::App;
use crate::code::Code;
use crate::network;
use crate::problem::Problem;
use crate::server::Peer;
use crate::unavailable;
use florin_ledger::directory::{ApiKey, Directory, Partner};
use florin_ledger::id::{LedgerId, Timestamp};
use http::header::{AUTHORIZATION, HeaderMap};
use http::request::Parts;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::time::Instant;

/// What a route asks of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    PaymentsWrite,
    PaymentsRead,
    LedgerWrite,
    LedgerRead,
}

/// The scope that includes all others.
pub(crate) const ADMIN: &str = "admin";

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) ledger: LedgerId,
    /// Requests a second over all frontends, 0 for no limit.
    pub(crate) rate_limit: u32,
    /// The version that the key was made under.
    pub(crate) api_version: Box<str>,
}

impl Scope {
    pub(crate) const ALL: [Scope; 4] = [
        Scope::PaymentsWrite,
        Scope::PaymentsRead,
        Scope::LedgerWrite,
        Scope::LedgerRead,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Scope::PaymentsWrite => "payments:write",
            Scope::PaymentsRead => "payments:read",
            Scope::LedgerWrite => "ledger:write",
            Scope::LedgerRead => "ledger:read",
        }
    }
}

/// Finds out who sends this request and whether they may.
pub(crate) async fn caller(app: &App, parts: &Parts, scope: Scope) -> Result<Caller, Problem> {
    let hash = *blake3::hash(bearer(&parts.headers)?).as_bytes();
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.0.ip());
    let now = (app.options.clock)();
    let directory = app.backend.directory();
    if let Some((key, partner)) = directory.key(&hash) {
        return admit(key, partner, peer, scope, now);
    }
    // A key that was made a moment ago may be known to the directory's leader only.
    let directory = refreshed(app).await?;
    match directory.key(&hash) {
        Some((key, partner)) => admit(key, partner, peer, scope, now),
        None => Err(Problem::new(
            Code::ApiKeyInvalid,
            "the API key is not known",
        )),
    }
}

/// The secret of `Authorization: Bearer …`.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&[u8], Problem> {
    let missing = || {
        Problem::new(
            Code::AuthenticationRequired,
            "the request needs one header Authorization: Bearer, followed by a secret key",
        )
        .about("Authorization")
    };
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(missing());
    };
    let value = value.as_bytes();
    match value.split_at_checked(7) {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case(b"bearer ") && !secret.is_empty() => {
            Ok(secret.trim_ascii())
        }
        _ => Err(missing()),
    }
}

/// Only the directory's leader can say that a key does not exist: while it cannot be asked, nobody
/// is told that theirs is wrong.
async fn refreshed(app: &App) -> Result<Arc<Directory>, Problem> {
    let deadline = Instant::now() + app.options.request_timeout;
    let refreshed = app.backend.refresh(deadline).await;
    refreshed.map_err(unavailable::directory)
}

fn admit(
    key: &ApiKey,
    partner: &Partner,
    peer: Option<IpAddr>,
    scope: Scope,
    now: Timestamp,
) -> Result<Caller, Problem> {
    if key.expires_at.is_some_and(|at| at <= now) {
        return Err(Problem::new(
            Code::ApiKeyExpired,
            "the API key has run out; use the one that replaced it",
        ));
    }
    if partner.suspended {
        return Err(Problem::new(
            Code::PartnerSuspended,
            "the partner is suspended; nothing is accepted from it until it is resumed",
        ));
    }
    let near = |network: &str| peer.is_some_and(|peer| network::contains(network, peer));
    if !key.networks.is_empty() && !key.networks.iter().any(|network| near(network)) {
        return Err(Problem::new(
            Code::NetworkNotAllowed,
            "the API key is bound to networks that this request does not come from",
        ));
    }
    let opens = |held: &str| held == scope.name() || held == ADMIN;
    if !key.scopes.iter().any(|held| opens(held)) {
        return Err(Problem::new(
            Code::ScopeMissing,
            format!("the API key lacks the scope {}", scope.name()),
        ));
    }
    Ok(Caller {
        ledger: LedgerId {
            partner: partner.id,
            mode: key.mode,
        },
        rate_limit: partner.rate_limit,
        api_version: key.api_version.clone(),
    })
}
