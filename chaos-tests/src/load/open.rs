//! What a load needs before it can begin: accounts, and money in them.

use super::options::{LoadOptions, PartnerKey};
use super::recorder::Recorder;
use super::send::{Frontend, Sender};
use super::session::Books;
use crate::history::{Account, Answer, Name, Request, Side};
use crate::limits::PAUSE;
use anyhow::{Context, Result, bail};
use florin_node::client::Client;
use florin_node::demo::books::{CURRENCY, post, text};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Shops of each partner.
const SHOPS: usize = 2;
/// A dry wallet holds this part of what others hold.
const DRY: u64 = 1_000;
/// What the probed wallet is funded with: little, so that it is refused now and then.
const PROBED: u64 = 2_000;

/// Opens a partner's bank, shops and wallets, and funds the wallets.
pub(super) async fn open(
    options: &LoadOptions,
    partner: &PartnerKey,
    recorder: &Recorder,
) -> Result<(Books, Vec<Account>)> {
    let mut frontends = Vec::new();
    for url in &options.endpoints {
        let client = Client::new(url, options.ca.as_deref(), Some(&partner.secret))?;
        let name = url.as_str().into();
        frontends.push(Frontend { name, client });
    }
    let mix = options.mix.clone();
    let mut opening = Opening {
        options,
        partner,
        first: frontends.first().context("no frontend")?,
        accounts: Vec::new(),
    };
    let bank = opening.account("bank", Side::Debits, false).await?;
    let (mut shops, mut wallets) = (Vec::new(), Vec::new());
    for number in 0..SHOPS {
        let name = format!("shop-{number}");
        shops.push(opening.account(&name, Side::Credits, false).await?);
    }
    for number in 0..mix.wallets + mix.dry_wallets {
        let name = format!("wallet-{number}");
        let wallet = opening.account(&name, Side::Credits, true).await?;
        let dry = if number < mix.wallets { 1 } else { DRY };
        let amount = (mix.funds / dry).max(1);
        opening
            .fund(recorder, &bank, &wallet, amount, number)
            .await?;
        wallets.push(wallet);
    }
    let probed = opening.account("probed", Side::Credits, true).await?;
    opening
        .fund(
            recorder,
            &bank,
            &probed,
            PROBED,
            mix.wallets + mix.dry_wallets,
        )
        .await?;
    if wallets.is_empty() {
        bail!("a load needs a wallet");
    }
    let accounts = opening.accounts;
    let books = Books {
        partner: partner.name.clone(),
        run: options.run.clone(),
        frontends,
        bank,
        shops,
        wallets,
        probed,
        mix,
    };
    Ok((books, accounts))
}

struct Opening<'a> {
    options: &'a LoadOptions,
    partner: &'a PartnerKey,
    first: &'a Frontend,
    accounts: Vec<Account>,
}

impl Opening<'_> {
    async fn account(&mut self, name: &str, grows_by: Side, floored: bool) -> Result<Name> {
        let kind = match grows_by {
            Side::Debits => "asset",
            Side::Credits => "liability",
        };
        let constraint = if floored {
            "debits_within_credits"
        } else {
            "none"
        };
        let body = json!({"currency": CURRENCY, "kind": kind, "constraint": constraint,
            "metadata": {"run": self.options.run, "name": name}});
        let key = self.key(&format!("open-{name}"));
        let opened = post(&self.first.client, "/v1/accounts", &key, &body).await?;
        let id: Name = text(&opened.json()?, "id")?.into();
        self.accounts.push(Account {
            id: id.clone(),
            grows_by,
            floored,
            group: self.partner.group,
        });
        Ok(id)
    }

    async fn fund(
        &self,
        recorder: &Recorder,
        bank: &Name,
        wallet: &Name,
        amount: u64,
        number: usize,
    ) -> Result<()> {
        let request = Request::Transfer {
            debit: bank.clone(),
            credit: wallet.clone(),
            amount,
        };
        let session: Name = format!("{}-cashier", self.partner.name).into();
        let sender = Sender {
            recorder,
            lane: 0,
            session: &session,
            attempt: Duration::from_millis(self.options.mix.attempt_ms),
        };
        let key: Name = self.key(&format!("fund-{number}")).into();
        let by = Instant::now() + Duration::from_millis(self.options.mix.insist_ms);
        loop {
            match sender.send(self.first, Some(&key), &request, 0).await {
                Answer::Acknowledged { .. } => return Ok(()),
                answer if answer.is_final() || Instant::now() > by => {
                    bail!("a wallet was not funded: {answer}")
                }
                _ => sleep(PAUSE).await,
            }
        }
    }

    fn key(&self, what: &str) -> String {
        format!("{}:{}:{what}", self.options.run, self.partner.name)
    }
}
