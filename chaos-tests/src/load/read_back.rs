//! The final books, through the partner's API.

use super::session;
use crate::history::{Account, Books, Effect, Name, Totals};
use anyhow::{Context, Result};
use florin_node::client::Client;
use florin_node::demo::books::{get, list_all, minor_units, text};
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;

/// Reads the run's accounts and every payment and transfer that touches one of them.
pub(super) async fn read_back(
    partners: &[Arc<session::Books>],
    accounts: &[Account],
) -> Result<Books> {
    let ours: HashSet<&str> = accounts.iter().map(|account| &*account.id).collect();
    let mut books = Books::default();
    for partner in partners {
        let first = &partner.frontends.first().context("no frontend")?.client;
        let its = [&partner.bank].into_iter();
        for id in its
            .chain(&partner.shops)
            .chain(&partner.wallets)
            .chain([&partner.probed])
        {
            books.accounts.push(totals(first, id).await?);
        }
        let touched =
            |effect: &Effect| ours.contains(&*effect.debit) || ours.contains(&*effect.credit);
        let all = effects(first).await?;
        books.effects.extend(all.into_iter().filter(touched));
    }
    Ok(books)
}

async fn totals(client: &Client, id: &Name) -> Result<Totals> {
    let balance = get(client, &format!("/v1/accounts/{id}/balance")).await?;
    Ok(Totals {
        id: id.clone(),
        currency: text(&balance, "currency")?,
        debits: sum(&balance, "debits_posted")?,
        credits: sum(&balance, "credits_posted")?,
        balance: minor_units(&balance, "balance")?.try_into()?,
        sequence: balance["sequence"].as_u64(),
    })
}

async fn effects(client: &Client) -> Result<Vec<Effect>> {
    let mut effects = Vec::new();
    for payment in list_all(client, "/v1/payments").await? {
        let captured = sum(&payment, "amount_captured")?;
        let refunded = sum(&payment, "amount_refunded")?;
        let moved = captured
            .checked_sub(refunded)
            .context("more was refunded than captured")?;
        effects.push(Effect {
            id: text(&payment, "id")?.into(),
            key: key(&payment),
            debit: text(&payment, "source")?.into(),
            credit: text(&payment, "destination")?.into(),
            amount: sum(&payment, "amount")?,
            moved,
            payment: true,
        });
    }
    for transfer in list_all(client, "/v1/transfers").await? {
        // What a payment moved is told by the payment.
        if !transfer["payment"].is_null() {
            continue;
        }
        effects.push(Effect {
            id: text(&transfer, "id")?.into(),
            key: key(&transfer),
            debit: text(&transfer, "debit_account")?.into(),
            credit: text(&transfer, "credit_account")?.into(),
            amount: sum(&transfer, "amount")?,
            moved: sum(&transfer, "amount_posted")?,
            payment: false,
        });
    }
    Ok(effects)
}

fn key(object: &Value) -> Option<Name> {
    object["metadata"]["key"].as_str().map(Into::into)
}

fn sum(object: &Value, field: &str) -> Result<u64> {
    Ok(minor_units(object, field)?.try_into()?)
}
