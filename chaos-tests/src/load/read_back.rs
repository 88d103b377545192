//! The final books, through the partner's API.

use crate::history::{Books, Effect, Totals};
use anyhow::{Context, Result};
use florin_node::client::Client;
use florin_node::demo::books::{get, list_all, minor_units, text};
use serde_json::Value;

/// Reads every account, payment and transfer of a partner.
pub(super) async fn read_back(client: &Client) -> Result<Books> {
    let mut books = Books::default();
    for account in list_all(client, "/v1/accounts").await? {
        let id = text(&account, "id")?;
        let balance = get(client, &format!("/v1/accounts/{id}/balance")).await?;
        books.accounts.push(Totals {
            currency: text(&balance, "currency")?,
            debits: sum(&balance, "debits_posted")?,
            credits: sum(&balance, "credits_posted")?,
            balance: minor_units(&balance, "balance")?.try_into()?,
            id,
        });
    }
    for payment in list_all(client, "/v1/payments").await? {
        let captured = sum(&payment, "amount_captured")?;
        let refunded = sum(&payment, "amount_refunded")?;
        let moved = captured
            .checked_sub(refunded)
            .context("more was refunded than captured")?;
        books.effects.push(Effect {
            id: text(&payment, "id")?,
            key: key(&payment),
            debit: text(&payment, "source")?,
            credit: text(&payment, "destination")?,
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
        books.effects.push(Effect {
            id: text(&transfer, "id")?,
            key: key(&transfer),
            debit: text(&transfer, "debit_account")?,
            credit: text(&transfer, "credit_account")?,
            amount: sum(&transfer, "amount")?,
            moved: sum(&transfer, "amount_posted")?,
            payment: false,
        });
    }
    Ok(books)
}

fn key(object: &Value) -> Option<String> {
    object["metadata"]["key"].as_str().map(str::to_owned)
}

fn sum(object: &Value, field: &str) -> Result<u64> {
    Ok(minor_units(object, field)?.try_into()?)
}
