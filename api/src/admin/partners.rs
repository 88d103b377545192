//! `/admin/v1/partners`.

use super::Admin;
use super::operator::{Call, mismatch, no_partner, route, serialize};
use crate::limits;
use crate::parse::{Short, Whole, page_of};
use crate::problem::Problem;
use crate::wire::{Shown, Time, list};
use axum::Router;
use axum::routing::MethodFilter;
use florin_ledger::directory::{DirectoryCommand, Item, Partner};
use florin_ledger::id::prefix;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const PARTNERS: &str = "/admin/v1/partners";

/// Requests a second, 0 for no limit.
type RateLimit = Whole<0, { u32::MAX as u64 }>;

pub(super) fn add(router: Router<Arc<Admin>>) -> Router<Arc<Admin>> {
    router
        .route(PARTNERS, route(MethodFilter::POST, create))
        .route(PARTNERS, route(MethodFilter::GET, list_partners))
        .route("/admin/v1/partners/{id}", route(MethodFilter::GET, get))
        .route("/admin/v1/partners/{id}", route(MethodFilter::PATCH, patch))
}

#[derive(Debug, Serialize)]
struct PartnerBody<'a> {
    id: Shown,
    object: &'static str,
    name: &'a str,
    home_region: Option<&'a str>,
    group: u32,
    suspended: bool,
    rate_limit: u32,
    created: Time,
}

impl<'a> PartnerBody<'a> {
    fn new(partner: &'a Partner) -> PartnerBody<'a> {
        PartnerBody {
            id: Shown::new(prefix::PARTNER, partner.id),
            object: "partner",
            name: &partner.name,
            home_region: partner.home_region.as_deref(),
            group: partner.group.0,
            suspended: partner.suspended,
            rate_limit: partner.rate_limit,
            created: Time(partner.created),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreatePartner {
    name: Short<{ limits::PARTNER_NAME }>,
    home_region: Option<Short<{ limits::REGION }>>,
    rate_limit: Option<RateLimit>,
}

async fn create(mut call: Call) -> Result<Vec<u8>, Problem> {
    let body: CreatePartner = call.json().await?;
    let command = DirectoryCommand::CreatePartner {
        name: body.name.0,
        home_region: body.home_region.map(|region| region.0),
        rate_limit: rate_limit(body.rate_limit).unwrap_or(0),
    };
    let once = call.once(PARTNERS, &command)?;
    answer(call.change(command, once).await?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdatePartner {
    suspended: Option<bool>,
    rate_limit: Option<RateLimit>,
}

async fn patch(mut call: Call) -> Result<Vec<u8>, Problem> {
    let partner = call.partner()?;
    let body: UpdatePartner = call.json().await?;
    let command = DirectoryCommand::UpdatePartner {
        partner,
        suspended: body.suspended,
        rate_limit: rate_limit(body.rate_limit),
    };
    answer(call.change(command, None).await?)
}

async fn get(call: Call) -> Result<Vec<u8>, Problem> {
    call.params()?.finish()?;
    let id = call.partner()?;
    let directory = call.directory().await?;
    match directory.partners.get(&id) {
        Some(partner) => serialize(&PartnerBody::new(&partner.value)),
        None => Err(no_partner(id)),
    }
}

async fn list_partners(call: Call) -> Result<Vec<u8>, Problem> {
    let directory = call.directory().await?;
    let newest_first = directory.partners.iter().rev();
    let partners = newest_first.map(|(id, partner)| (*id, &partner.value));
    let page = page_of(call.params()?, prefix::PARTNER, partners)?;
    serialize(&list(PARTNERS, &page, |partner| PartnerBody::new(partner)))
}

fn answer(item: Item) -> Result<Vec<u8>, Problem> {
    match item {
        Item::Partner(partner) => serialize(&PartnerBody::new(&partner.value)),
        _ => Err(mismatch()),
    }
}

fn rate_limit(limit: Option<RateLimit>) -> Option<u32> {
    limit.and_then(|limit| u32::try_from(limit.0).ok())
}
