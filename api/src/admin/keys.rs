//! `/admin/v1/partners/{id}/keys`.

use super::Admin;
use super::operator::{Call, mismatch, no_key, no_partner, route, serialize};
use crate::auth::{ADMIN, Scope};
use crate::code::Code;
use crate::limits;
use crate::network;
use crate::options::Random;
use crate::parse::{Whole, page_of};
use crate::problem::Problem;
use crate::route::VERSION;
use crate::wire::{Shown, Time, list};
use axum::Router;
use axum::routing::MethodFilter;
use florin_ledger::directory::{ApiKey, DirectoryCommand, Item};
use florin_ledger::id::{Mode, Timestamp, prefix};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const KEYS: &str = "/admin/v1/partners/{id}/keys";
const EXPIRE: &str = "/admin/v1/partners/{id}/keys/{key}/expire";

/// Random characters of a secret, 5 bits each.
const SECRET: usize = 40;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

pub(super) fn add(router: Router<Arc<Admin>>) -> Router<Arc<Admin>> {
    router
        .route(KEYS, route(MethodFilter::POST, create))
        .route(KEYS, route(MethodFilter::GET, list_keys))
        .route(EXPIRE, route(MethodFilter::POST, expire))
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ModeWord {
    Live,
    Test,
}

#[derive(Debug, Serialize)]
struct KeyBody<'a> {
    id: Shown,
    object: &'static str,
    partner: Shown,
    mode: ModeWord,
    /// Shown once, in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    scopes: &'a [Box<str>],
    networks: &'a [Box<str>],
    api_version: &'a str,
    expires_at: Option<Time>,
    created: Time,
}

impl<'a> KeyBody<'a> {
    fn new(key: &'a ApiKey, secret: Option<&'a str>) -> KeyBody<'a> {
        KeyBody {
            id: Shown::new(prefix::KEY, key.id),
            object: "api_key",
            partner: Shown::new(prefix::PARTNER, key.partner),
            mode: match key.mode {
                Mode::Live => ModeWord::Live,
                Mode::Test => ModeWord::Test,
            },
            secret,
            scopes: &key.scopes,
            networks: &key.networks,
            api_version: &key.api_version,
            expires_at: key.expires_at.map(Time),
            created: Time(key.created),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateKey {
    mode: ModeWord,
    /// All but `admin` unless told.
    scopes: Option<Vec<Box<str>>>,
    /// CIDR networks; anywhere unless told.
    networks: Option<Vec<Box<str>>>,
    api_version: Option<Box<str>>,
}

/// Makes a key. The secret is drawn anew for each request and kept as a hash only, so this is not
/// idempotent: a key whose answer was lost is listed, and is made to expire.
async fn create(mut call: Call) -> Result<Vec<u8>, Problem> {
    let partner = call.partner()?;
    let body: CreateKey = call.json().await?;
    let scopes = checked_scopes(body.scopes)?;
    let networks = checked_networks(body.networks.unwrap_or_default())?;
    let api_version = body.api_version.unwrap_or_else(|| VERSION.into());
    if *api_version != *VERSION {
        let detail = format!("the only API version is {VERSION}");
        return Err(Problem::invalid("api_version", detail));
    }
    let secret = secret(body.mode, &call.with.random)?;
    let command = DirectoryCommand::CreateKey {
        hash: *blake3::hash(secret.as_bytes()).as_bytes(),
        partner,
        mode: match body.mode {
            ModeWord::Live => Mode::Live,
            ModeWord::Test => Mode::Test,
        },
        scopes,
        api_version,
        networks,
    };
    match call.change(command, None).await? {
        Item::Key(key) => serialize(&KeyBody::new(&key.value, Some(&secret))),
        _ => Err(mismatch()),
    }
}

async fn list_keys(call: Call) -> Result<Vec<u8>, Problem> {
    let partner = call.partner()?;
    let directory = call.directory().await?;
    if !directory.partners.contains_key(&partner) {
        return Err(no_partner(partner));
    }
    let mut keys: Vec<_> = directory
        .keys
        .values()
        .filter(|key| key.value.partner == partner)
        .map(|key| (key.value.id, &key.value))
        .collect();
    keys.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
    let page = page_of(call.params()?, prefix::KEY, keys.into_iter())?;
    serialize(&list(call.path(), &page, |key| KeyBody::new(key, None)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpireKey {
    /// For how long the key is still accepted beside its successor; 0 unless told.
    overlap_seconds: Option<Whole<0, { limits::OVERLAP }>>,
}

async fn expire(mut call: Call) -> Result<Vec<u8>, Problem> {
    let (partner, key) = (call.partner()?, call.key()?);
    let body: ExpireKey = call.json().await?;
    let directory = call.directory().await?;
    let owned = |held: &ApiKey| held.id == key && held.partner == partner;
    if !directory.keys.values().any(|held| owned(&held.value)) {
        return Err(no_key(key));
    }
    let overlap = body.overlap_seconds.map_or(0, |seconds| seconds.0) * 1_000_000;
    let at = Timestamp((call.with.clock)().0.saturating_add(overlap));
    match call
        .change(DirectoryCommand::ExpireKey { key, at }, None)
        .await?
    {
        Item::Key(key) => serialize(&KeyBody::new(&key.value, None)),
        _ => Err(mismatch()),
    }
}

fn checked_scopes(scopes: Option<Vec<Box<str>>>) -> Result<Vec<Box<str>>, Problem> {
    let Some(scopes) = scopes else {
        return Ok(Scope::ALL.iter().map(|scope| scope.name().into()).collect());
    };
    let known =
        |scope: &str| scope == ADMIN || Scope::ALL.iter().any(|known| scope == known.name());
    match scopes.iter().position(|scope| !known(scope)) {
        Some(at) => {
            let detail =
                "a scope is payments:write, payments:read, ledger:write, ledger:read or admin";
            Err(Problem::invalid(format!("scopes[{at}]"), detail))
        }
        None if scopes.is_empty() => Err(Problem::invalid("scopes", "a key needs a scope")),
        None => Ok(scopes),
    }
}

fn checked_networks(networks: Vec<Box<str>>) -> Result<Vec<Box<str>>, Problem> {
    if networks.len() > limits::NETWORKS {
        let detail = format!("a key is bound to {} networks at most", limits::NETWORKS);
        return Err(Problem::invalid("networks", detail));
    }
    match networks.iter().position(|network| !network::valid(network)) {
        Some(at) => {
            let detail = "a network is written like 203.0.113.0/24 or 2001:db8::/32";
            Err(Problem::invalid(format!("networks[{at}]"), detail))
        }
        None => Ok(networks),
    }
}

/// `sk_live_` or `sk_test_` and 200 random bits.
fn secret(mode: ModeWord, random: &Random) -> Result<String, Problem> {
    let mut drawn = [0; SECRET];
    if !random(&mut drawn) {
        let detail = "the system's random generator failed; nothing was done";
        return Err(Problem::new(Code::InternalError, detail));
    }
    let prefix = match mode {
        ModeWord::Live => "sk_live_",
        ModeWord::Test => "sk_test_",
    };
    // 32 divides 256: every letter is as likely as any other.
    let letters = drawn
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    Ok(prefix.chars().chain(letters).collect())
}
