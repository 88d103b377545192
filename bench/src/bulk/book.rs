//! Books to transfer in: partners with many accounts that may owe any amount.

use crate::client::Target;
use crate::partners::{CURRENCY, Caller, FUNDS, Made, Partner, post};
use crate::pay::onboard;
use crate::system::System;
use anyhow::{Context, Result};
use florin_ledger::id::{Id, prefix};
use serde::Deserialize;
use tokio::task::JoinSet;

/// How many books are opened at the same time.
const AT_ONCE: usize = 32;

/// An account, as both forms name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// `acct_…`.
    pub text: String,
    /// The same in binary.
    pub bytes: [u8; 16],
}

/// A partner's accounts.
#[derive(Clone, Debug)]
pub struct Book {
    /// For people.
    pub partner: String,
    /// Its secret key.
    pub key: String,
    /// What transfers are between.
    pub accounts: Vec<Account>,
    /// What was credited to all of them before.
    pub credited_before: i128,
}

impl Account {
    /// From its name.
    pub fn parse(text: &str) -> Result<Account> {
        let id =
            Id::parse(prefix::ACCOUNT, text).with_context(|| format!("{text} is no account"))?;
        Ok(Account {
            text: text.to_owned(),
            bytes: id.0.to_be_bytes(),
        })
    }
}

impl Book {
    /// Of a partner's bank and wallet alone: no more accounts need be opened.
    pub fn of_two(partner: &Partner) -> Result<Book> {
        Ok(Book {
            partner: partner.id.display(prefix::PARTNER).to_string(),
            key: partner.key.clone(),
            accounts: vec![
                Account::parse(&partner.bank)?,
                Account::parse(&partner.wallet)?,
            ],
            credited_before: i128::from(FUNDS),
        })
    }

    /// What was ever credited to its accounts.
    pub async fn credited(&self, api: &Target) -> Result<i128> {
        #[derive(Deserialize)]
        struct Balance {
            credits_posted: String,
        }
        let mut caller = Caller::new(api.clone());
        let mut sum = 0;
        for account in &self.accounts {
            let path = format!("/v1/accounts/{}/balance", account.text);
            let request = crate::client::Request::get(&path, &self.key);
            let balance: Balance = caller.ask(&request).await?;
            let credits: i128 = balance.credits_posted.parse().context("a sum")?;
            sum += credits;
        }
        Ok(sum)
    }
}

/// Onboards partners and opens so many accounts for each. Runs within a
/// [`tokio::task::LocalSet`].
pub async fn open(system: &System, partners: u32, accounts: u32) -> Result<Vec<Book>> {
    let partners = onboard(system, partners).await?;
    eprintln!(
        "opening {accounts} accounts for each of {} partners",
        partners.len()
    );
    let mut opening = JoinSet::new();
    let mut books: Vec<(usize, Book)> = Vec::new();
    for (at, partner) in partners.into_iter().enumerate() {
        if opening.len() == AT_ONCE {
            books.extend(joined(&mut opening).await?);
        }
        let api = system.doors.api.clone();
        opening.spawn_local(async move { Ok((at, one(api, partner, accounts).await?)) });
    }
    while let Some(book) = joined(&mut opening).await? {
        books.push(book);
    }
    books.sort_by_key(|(at, _)| *at);
    Ok(books.into_iter().map(|(_, book)| book).collect())
}

async fn joined(opening: &mut JoinSet<Result<(usize, Book)>>) -> Result<Option<(usize, Book)>> {
    match opening.join_next().await {
        Some(ended) => Ok(Some(ended.context("a worker panicked")??)),
        None => Ok(None),
    }
}

async fn one(api: Target, partner: Partner, accounts: u32) -> Result<Book> {
    let mut caller = Caller::new(api);
    let body = serde_json::json!({ "currency": CURRENCY, "kind": "asset" }).to_string();
    let mut opened = Vec::new();
    for number in 0..accounts {
        let key = format!("account-{number}");
        let request = post("/v1/accounts", &partner.key, &key, &body);
        let made: Made = caller.ask(&request).await?;
        opened.push(Account::parse(&made.id)?);
    }
    Ok(Book {
        partner: partner.id.display(prefix::PARTNER).to_string(),
        key: partner.key,
        accounts: opened,
        credited_before: 0,
    })
}
