//! Sessions that pay and read at once, over HTTPS, and remember everything that they asked and were
//! told: the operations of a [`History`].
//!
//! A session insists on each payment with the same key, at one frontend after the other, until it
//! has an answer that repeating cannot change; every sending is an operation of its own. The key is
//! written into the object's metadata, so that the final books name it.

mod read_back;
mod session;

use crate::history::{Account, Answer, Fault, History, Operation, Request, Side};
use anyhow::{Context, Result, bail};
use florin_node::client::Client;
use florin_node::demo::books::{CURRENCY, post, text};
use serde_json::json;
use session::{Session, send};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Load on a partner's books that nobody else uses.
pub struct Load {
    recorder: Arc<Recorder>,
    clients: Vec<Client>,
    accounts: Vec<Account>,
    sessions: JoinSet<()>,
}

/// What the sessions share.
struct Recorder {
    began: Instant,
    operations: Mutex<Vec<Operation>>,
    acknowledged: watch::Sender<u64>,
    stop: AtomicBool,
}

impl Load {
    /// Opens a bank, a shop and a wallet for each sum of `funds`, funds the wallets, and starts
    /// `each` sessions per wallet. Must be called within a tokio runtime.
    pub async fn start(clients: &[Client], funds: &[u64], each: usize) -> Result<Load> {
        let Some(first) = clients.first() else {
            bail!("no frontend")
        };
        let recorder = Arc::new(Recorder {
            began: Instant::now(),
            operations: Mutex::default(),
            acknowledged: watch::Sender::new(0),
            stop: AtomicBool::new(false),
        });
        let bank = open(first, "bank", Side::Debits, false).await?;
        let shop = open(first, "shop", Side::Credits, false).await?;
        let (mut accounts, mut sessions) = (vec![bank.clone(), shop.clone()], JoinSet::new());
        for (number, amount) in funds.iter().enumerate() {
            let wallet = open(first, &format!("wallet-{number}"), Side::Credits, true).await?;
            let request = Request::Transfer {
                debit: bank.id.clone(),
                credit: wallet.id.clone(),
                amount: *amount,
            };
            let key = format!("fund-{number}");
            let answer = send(&recorder, first, "cashier", &key, &request).await;
            if !matches!(answer, Answer::Acknowledged { .. }) {
                bail!("a wallet was not funded: {answer}");
            }
            for one in 0..each {
                let name = format!("payer-{number}-{one}");
                let (wallet, shop) = (wallet.id.clone(), shop.id.clone());
                let clients = clients.to_vec();
                sessions.spawn(Session::new(name, wallet, shop, clients, recorder.clone()).run());
            }
            accounts.push(wallet);
        }
        Ok(Load {
            recorder,
            clients: clients.to_vec(),
            accounts,
            sessions,
        })
    }

    /// Microseconds since the load began, by the clock of its history.
    pub fn now(&self) -> u64 {
        self.recorder.now()
    }

    /// Waits until this many more payments are acknowledged; says whether they were in time.
    pub async fn wait_for_more(&self, more: u64, patience: Duration) -> bool {
        let mut told = self.recorder.acknowledged.subscribe();
        let goal = *told.borrow_and_update() + more;
        let reached = told.wait_for(|count| *count >= goal);
        matches!(tokio::time::timeout(patience, reached).await, Ok(Ok(_)))
    }

    /// Lets every session finish what it is at, reads the books back, and tells the whole run.
    pub async fn finish(mut self, about: &str, faults: Vec<Fault>) -> Result<History> {
        self.recorder.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.sessions.join_next().await {
            ended.context("a session failed")?;
        }
        let first = self.clients.first().context("no frontend")?;
        let books = read_back::read_back(first).await?;
        Ok(History {
            about: about.to_owned(),
            accounts: self.accounts,
            operations: self.recorder.take(),
            faults,
            books: Some(books),
        })
    }
}

impl Recorder {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn record(&self, operation: Operation) {
        let acknowledged = matches!(operation.answer, Answer::Acknowledged { .. });
        let all = self.operations.lock();
        all.unwrap_or_else(PoisonError::into_inner).push(operation);
        if acknowledged {
            self.acknowledged.send_modify(|count| *count += 1);
        }
    }

    fn take(&self) -> Vec<Operation> {
        let all = self.operations.lock();
        let mut all = std::mem::take(&mut *all.unwrap_or_else(PoisonError::into_inner));
        all.sort_by_key(|one| one.returned);
        all
    }
}

async fn open(client: &Client, name: &str, grows_by: Side, floored: bool) -> Result<Account> {
    let kind = match grows_by {
        Side::Debits => "asset",
        Side::Credits => "liability",
    };
    let constraint = if floored {
        "debits_within_credits"
    } else {
        "none"
    };
    let body = json!({"currency": CURRENCY, "kind": kind, "constraint": constraint});
    let opened = post(client, "/v1/accounts", &format!("open-{name}"), &body).await?;
    Ok(Account {
        id: text(&opened.json()?, "id")?,
        grows_by,
        floored,
    })
}
