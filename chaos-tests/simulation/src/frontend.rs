//! The two frontends: each a router of its own with its sessions. The first also forms the
//! cluster, opens the accounts, and reads the books back in the end.

use crate::config::Config;
use crate::dice::Dice;
use crate::machine::Life;
use crate::net::{PORT, connector};
use crate::node::CLUSTER;
use crate::record::{Partner, Record, Stage};
use crate::requests::{CURRENCY, Money, account, account_text, begun, transfer, understood};
use crate::session::Session;
use florin_chaos::history::{Account, Answer, Books, Effect, Name, Side, Totals};
use florin_ledger::command::{AccountKind, Envelope, Metadata};
use florin_ledger::directory::{DirectoryCommand, Item};
use florin_ledger::id::{GroupId, Id, LedgerId, Mode, prefix};
use florin_ledger::query::{self, Page, Query};
use florin_shards::{Consistency, FormOptions, Router, RouterOptions, form};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long something that nothing disturbs may take.
const PATIENCE: Duration = Duration::from_secs(20);

type Failed = String;

/// Where the nodes are.
pub(crate) fn addresses(config: &Config) -> Vec<String> {
    (1..=config.nodes)
        .map(|node| format!("node-{node}:{PORT}"))
        .collect()
}

/// Runs a frontend to the end of the run.
pub(crate) async fn run(number: u64, config: Arc<Config>, record: Record) -> turmoil::Result {
    if let Err(why) = serve(number, &config, &record).await {
        record.broken(format!("frontend {number}: {why}"));
    }
    let mut stage = record.watch_stage();
    // The record outlives every frontend.
    drop(stage.wait_for(|stage| *stage == Stage::Done).await);
    Ok(())
}

async fn serve(number: u64, config: &Arc<Config>, record: &Record) -> Result<(), Failed> {
    let life = Arc::<Life>::default();
    if number == 1 {
        let options = FormOptions {
            cluster: CLUSTER.to_owned(),
            nodes: addresses(config),
            groups: config.groups,
            replicas: usize::try_from(config.nodes).unwrap_or(3),
            connector: connector(&life),
            timeout: PATIENCE,
        };
        let formed = form(options).await.map_err(|error| error.to_string())?;
        tracing::info!(?formed, "formed the cluster");
    }
    let mut options = RouterOptions::new(CLUSTER, addresses(config), connector(&life));
    options.attempt_timeout = Duration::from_millis(500);
    let router = Router::connect(options).await;
    if number == 1 {
        set_up(&router, config, record).await?;
        record.set_stage(Stage::Asking);
    }
    let mut stage = record.watch_stage();
    drop(stage.wait_for(|stage| *stage >= Stage::Asking).await);
    let partners = record.partners();
    let known = |directory: &florin_ledger::directory::Directory| {
        let mut wanted = partners.iter();
        wanted.all(|partner| directory.partners.contains_key(&partner.ledger.partner))
    };
    router
        .wait_directory(Instant::now() + PATIENCE, known)
        .await;
    for session in 0..config.sessions {
        let name = format!("f{number}-s{session}");
        let session = Session {
            dice: Dice::new(config.seed, &name),
            name,
            router: router.clone(),
            record: record.clone(),
            rest: config.rest,
        };
        tokio::spawn(session.run());
    }
    while record.sessions_ended() < 2 * config.sessions {
        sleep(Duration::from_millis(20)).await;
    }
    if number == 1 {
        record.books(read_back(&router, &partners).await?);
        record.set_stage(Stage::Done);
    }
    Ok(())
}

/// A partner for each group, with a bank, a shop and funded wallets.
async fn set_up(router: &Router, config: &Config, record: &Record) -> Result<(), Failed> {
    for number in 0..config.groups {
        let command = DirectoryCommand::CreatePartner {
            name: format!("partner-{number}").into(),
            home_region: None,
            rate_limit: 0,
        };
        let deadline = Instant::now() + PATIENCE;
        let made = router.submit_directory(command, None, deadline).await;
        let Item::Partner(made) = made.map_err(|error| error.to_string())? else {
            return Err("the directory made no partner".to_owned());
        };
        let ledger = LedgerId {
            partner: made.value.id,
            mode: Mode::Live,
        };
        let opening = Opening {
            router,
            record,
            ledger,
            group: made.value.group,
        };
        record.partner(opening.partner(number, config.wallets).await?);
    }
    Ok(())
}

/// A partner's accounts, being opened.
struct Opening<'a> {
    router: &'a Router,
    record: &'a Record,
    ledger: LedgerId,
    group: GroupId,
}

impl Opening<'_> {
    async fn partner(&self, number: u32, wallets: u64) -> Result<Partner, Failed> {
        let key = |what: &str| format!("open-{number}-{what}");
        let bank = self.open(&key("bank"), AccountKind::Asset, false).await?;
        let shop = self
            .open(&key("shop"), AccountKind::Liability, false)
            .await?;
        let mut partner = Partner {
            ledger: self.ledger,
            group: self.group,
            bank,
            shop,
            wallets: Vec::new(),
        };
        for at in 0..wallets {
            let key = key(&format!("wallet-{at}"));
            let wallet = self.open(&key, AccountKind::Liability, true).await?;
            partner.wallets.push(wallet);
            self.fund(&format!("fund-{number}-{at}"), bank, wallet)
                .await?;
        }
        Ok(partner)
    }

    async fn open(&self, key: &str, kind: AccountKind, floored: bool) -> Result<Id, Failed> {
        let envelope = account(self.ledger, key, kind, floored).ok_or("no such currency")?;
        let id = self
            .submit(&envelope)
            .await?
            .decision
            .position
            .id(self.ledger);
        self.record.account(Account {
            id: account_text(id),
            grows_by: match kind {
                AccountKind::Asset => Side::Debits,
                _ => Side::Credits,
            },
            floored,
            group: Some(self.group.0.into()),
        });
        Ok(id)
    }

    async fn fund(&self, key: &str, bank: Id, wallet: Id) -> Result<(), Failed> {
        let money = Money {
            debit: bank,
            credit: wallet,
            amount: 1_000,
        };
        let (envelope, request) = transfer(self.ledger, key, money).ok_or("no such currency")?;
        let mut operation = begun("cashier", Some(key), self.group, request);
        understood(
            &mut operation,
            self.ledger,
            Ok(self.submit(&envelope).await?),
        );
        if !matches!(operation.answer, Answer::Acknowledged { .. }) {
            return Err(format!("a wallet was not funded: {}", operation.answer));
        }
        self.record.operation(operation);
        Ok(())
    }

    async fn submit(&self, envelope: &Envelope) -> Result<florin_shards::Submitted, Failed> {
        let submitted = self
            .router
            .submit(envelope, Instant::now() + PATIENCE)
            .await;
        submitted.map_err(|error| error.to_string())
    }
}

/// The final books of all partners.
async fn read_back(router: &Router, partners: &[Partner]) -> Result<Books, Failed> {
    let mut books = Books::default();
    for partner in partners {
        let reader = Reader {
            router,
            ledger: partner.ledger,
        };
        reader.accounts(&mut books).await?;
        reader.payments(&mut books).await?;
        reader.transfers(&mut books).await?;
    }
    Ok(books)
}

struct Reader<'a> {
    router: &'a Router,
    ledger: LedgerId,
}

fn page(after: Option<Id>) -> Page {
    Page {
        limit: 100,
        starting_after: after,
        ..Page::default()
    }
}

impl Reader<'_> {
    async fn ask(&self, query: Query) -> Result<query::Answer, Failed> {
        let deadline = Instant::now() + PATIENCE;
        let asked = self
            .router
            .read(self.ledger, query, Consistency::Linearizable, deadline);
        let read = asked
            .await
            .map_err(|error| format!("reading the books back: {error}"))?;
        Ok(read.answer)
    }

    async fn accounts(&self, books: &mut Books) -> Result<(), Failed> {
        let mut after = None;
        loop {
            let query = Query::Accounts {
                reference: None,
                currency: None,
                page: page(after),
            };
            let query::Answer::Accounts(list) = self.ask(query).await? else {
                return Err("the accounts were not listed".to_owned());
            };
            for account in &list.items {
                after = Some(account.id);
                let balance = account.totals.balance(account.kind);
                books.accounts.push(Totals {
                    id: account_text(account.id),
                    sequence: Some(account.sequence),
                    currency: CURRENCY.to_owned(),
                    debits: sum(account.totals.debits_posted)?,
                    credits: sum(account.totals.credits_posted)?,
                    balance: i64::try_from(balance).map_err(|error| error.to_string())?,
                });
            }
            if !list.has_more {
                return Ok(());
            }
        }
    }

    async fn payments(&self, books: &mut Books) -> Result<(), Failed> {
        let mut after = None;
        loop {
            let query = Query::Payments {
                reference: None,
                page: page(after),
            };
            let query::Answer::Payments(list) = self.ask(query).await? else {
                return Err("the payments were not listed".to_owned());
            };
            for payment in &list.items {
                after = Some(payment.id);
                books.effects.push(Effect {
                    id: payment.id.display(prefix::PAYMENT).to_string().into(),
                    key: key(&payment.metadata),
                    debit: account_text(payment.source),
                    credit: account_text(payment.destination),
                    amount: sum(payment.amount.get())?,
                    moved: sum(payment.amount_captured - payment.amount_refunded)?,
                    payment: true,
                });
            }
            if !list.has_more {
                return Ok(());
            }
        }
    }

    async fn transfers(&self, books: &mut Books) -> Result<(), Failed> {
        let mut after = None;
        loop {
            let query = Query::Transfers {
                reference: None,
                page: page(after),
            };
            let query::Answer::Transfers(list) = self.ask(query).await? else {
                return Err("the transfers were not listed".to_owned());
            };
            for transfer in &list.items {
                after = Some(transfer.id);
                // What a payment moved is told by the payment.
                if transfer.payment.is_some() {
                    continue;
                }
                books.effects.push(Effect {
                    id: transfer.id.display(prefix::TRANSFER).to_string().into(),
                    key: key(&transfer.metadata),
                    debit: account_text(transfer.debit_account),
                    credit: account_text(transfer.credit_account),
                    amount: sum(transfer.amount.get())?,
                    moved: sum(transfer.amount_posted)?,
                    payment: false,
                });
            }
            if !list.has_more {
                return Ok(());
            }
        }
    }
}

fn key(metadata: &Metadata) -> Option<Name> {
    let key = metadata.iter().find(|(name, _)| &**name == "key");
    key.map(|(_, key)| Name::from(&**key))
}

fn sum(minor: i128) -> Result<u64, Failed> {
    u64::try_from(minor).map_err(|error| error.to_string())
}
