//! The final books, through the partner's API.

use super::pages;
use super::send::Frontend;
use super::session;
use crate::history::{Account, Books, Effect, Name, Totals};
use anyhow::{Context, Result};
use florin_ledger::id::Timestamp;
use florin_node::demo::books::{minor_units, text};
use futures_util::future::try_join_all;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;

/// Reads the run's accounts and every payment and transfer that touches one of them.
pub(super) async fn read_back(
    partners: &[Arc<session::Books>],
    accounts: &[Account],
) -> Result<Books> {
    let ours: HashSet<&str> = accounts.iter().map(|account| &*account.id).collect();
    let touched = |effect: &Effect| ours.contains(&*effect.debit) || ours.contains(&*effect.credit);
    let read = try_join_all(partners.iter().map(|partner| one(partner))).await?;
    let mut books = Books::default();
    for its in read {
        books.accounts.extend(its.accounts);
        books
            .effects
            .extend(its.effects.into_iter().filter(touched));
    }
    Ok(books)
}

/// A partner's accounts of this run, and whatever happened since the first of them was opened.
async fn one(partner: &session::Books) -> Result<Books> {
    let frontends = &partner.frontends;
    let mut accounts = Vec::new();
    let bank = [&partner.bank].into_iter();
    let customers = partner.wallets.iter().chain([&partner.probed]);
    for id in bank.chain(&partner.shops).chain(customers) {
        accounts.push(totals(frontends, id).await?);
    }
    // The bank was opened first of all.
    let opened = pages::get(frontends, &format!("/v1/accounts/{}", partner.bank)).await?;
    let now = pages::get(frontends, &format!("/v1/accounts/{}/balance", partner.bank)).await?;
    let (from, until) = (moment(&opened, "created")?, moment(&now, "as_of")?);
    let (payments, transfers) = tokio::try_join!(
        pages::all(frontends, "/v1/payments", from, until),
        pages::all(frontends, "/v1/transfers", from, until),
    )?;
    let mut effects = Vec::with_capacity(payments.len());
    for payment in &payments {
        effects.push(of_payment(payment)?);
    }
    // What a payment moved is told by the payment.
    for transfer in transfers.iter().filter(|one| one["payment"].is_null()) {
        effects.push(of_transfer(transfer)?);
    }
    Ok(Books { accounts, effects })
}

async fn totals(frontends: &[Frontend], id: &Name) -> Result<Totals> {
    let balance = pages::get(frontends, &format!("/v1/accounts/{id}/balance")).await?;
    Ok(Totals {
        id: id.clone(),
        currency: text(&balance, "currency")?,
        debits: sum(&balance, "debits_posted")?,
        credits: sum(&balance, "credits_posted")?,
        balance: minor_units(&balance, "balance")?.try_into()?,
        sequence: balance["sequence"].as_u64(),
    })
}

fn of_payment(payment: &Value) -> Result<Effect> {
    let captured = sum(payment, "amount_captured")?;
    let refunded = sum(payment, "amount_refunded")?;
    Ok(Effect {
        id: text(payment, "id")?.into(),
        key: key(payment),
        debit: text(payment, "source")?.into(),
        credit: text(payment, "destination")?.into(),
        amount: sum(payment, "amount")?,
        moved: captured
            .checked_sub(refunded)
            .context("more was refunded than captured")?,
        payment: true,
    })
}

fn of_transfer(transfer: &Value) -> Result<Effect> {
    Ok(Effect {
        id: text(transfer, "id")?.into(),
        key: key(transfer),
        debit: text(transfer, "debit_account")?.into(),
        credit: text(transfer, "credit_account")?.into(),
        amount: sum(transfer, "amount")?,
        moved: sum(transfer, "amount_posted")?,
        payment: false,
    })
}

fn moment(object: &Value, field: &str) -> Result<Timestamp> {
    let parsed = Timestamp::parse_rfc3339(&text(object, field)?);
    parsed.ok().with_context(|| format!("`{field}` is no time"))
}

fn key(object: &Value) -> Option<Name> {
    object["metadata"]["key"].as_str().map(Into::into)
}

fn sum(object: &Value, field: &str) -> Result<u64> {
    Ok(minor_units(object, field)?.try_into()?)
}
