//! Sessions that pay, transfer and read at once, over HTTPS, and remember everything that they
//! asked and were told: the operations of a [`History`]. Any cluster will do.
//!
//! A session insists on each payment with the same key, at one frontend after the other, until it
//! has an answer that repeating cannot change; every sending is an operation of its own. The key is
//! written into the object's metadata, so that the final books name it. Keys that were answered
//! long ago are sent again, some payments go to two frontends at once, one wallet runs dry and one
//! is hot.

mod chance;
mod open;
mod options;
mod pace;
mod pages;
mod read_back;
mod recorder;
mod send;
mod session;

use crate::history::clock::Clock;
use crate::history::{Account, Fault, History};
use crate::limits::{ASKED_AGAIN, AUDITORS};
use anyhow::{Context, Result, bail};
use futures_util::future::join_all;
pub use options::{LoadOptions, Mix, PartnerKey};
pub use recorder::Counts;
use recorder::Recorder;
use session::{Books, Session};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Load on books of its own: accounts that nobody else uses.
pub struct Load {
    recorder: Arc<Recorder>,
    books: Vec<Arc<Books>>,
    accounts: Vec<Account>,
    sessions: JoinSet<()>,
    rate: watch::Sender<f64>,
    seed: u64,
}

impl Load {
    /// Opens accounts for every partner, funds the wallets and starts to ask. Must be called
    /// within a tokio runtime.
    pub async fn start(options: LoadOptions) -> Result<Load> {
        if options.endpoints.is_empty() || options.partners.is_empty() {
            bail!("a load needs a frontend and a partner's key");
        }
        let recorder = Arc::new(Recorder::new(options.clock));
        let (mut books, mut accounts) = (Vec::new(), Vec::new());
        for partner in &options.partners {
            let opened = open::open(&options, partner, &recorder).await;
            let (its, opened) = opened.with_context(|| format!("partner {}", partner.name))?;
            books.push(Arc::new(its));
            accounts.extend(opened);
        }
        let partners = options.partners.len() as f64;
        let rate = watch::Sender::new(options.mix.per_second.unwrap_or_default() / partners);
        let mut sessions = JoinSet::new();
        for (number, its) in books.iter().enumerate() {
            let seed = options.seed.wrapping_add((number as u64) << 32);
            sessions.spawn(pace::probes(its.clone(), recorder.clone(), seed));
            let (its, recorder) = (its.clone(), recorder.clone());
            match options.mix.per_second {
                Some(_) => sessions.spawn(pace::open(its, recorder, seed, rate.subscribe())),
                None => sessions.spawn(pace::closed(its, recorder, seed)),
            };
        }
        Ok(Load {
            recorder,
            books,
            accounts,
            sessions,
            rate,
            seed: options.seed,
        })
    }

    /// The clock of its history.
    pub fn clock(&self) -> Clock {
        self.recorder.clock
    }

    /// Microseconds since the run began, by the clock of its history.
    pub fn now(&self) -> u64 {
        self.recorder.clock.now()
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.recorder.counts()
    }

    /// Waits until this many more payments are acknowledged; says whether they were in time.
    pub async fn wait_for_more(&self, more: u64, patience: Duration) -> bool {
        let mut told = self.recorder.watch();
        let goal = *told.borrow_and_update() + more;
        let reached = told.wait_for(|count| *count >= goal);
        matches!(tokio::time::timeout(patience, reached).await, Ok(Ok(_)))
    }

    /// From now on so many operations a second are begun over all partners; does nothing to a load
    /// that was started without a rate.
    pub fn set_rate(&self, per_second: f64) {
        let partners = self.books.len().max(1) as f64;
        self.rate.send_replace(per_second / partners);
    }

    /// Lets every session finish what it is at, sends a sample of all keys that were ever answered
    /// once more, reads every account and then the books, and tells the whole run. Answers a
    /// history without books, rather than none, if they cannot be read.
    pub async fn finish(mut self, about: &str, faults: Vec<Fault>) -> Result<History> {
        self.recorder.stop();
        while let Some(ended) = self.sessions.join_next().await {
            ended.context("a session failed")?;
        }
        let audits = self.books.iter().map(|books| self.ask_again(books));
        join_all(audits).await;
        let books = read_back::read_back(&self.books, &self.accounts).await;
        let (books, about) = match books {
            Ok(books) => (Some(books), about.to_owned()),
            Err(error) => (
                None,
                format!("{about} (the books could not be read: {error:#})"),
            ),
        };
        Ok(History {
            about,
            accounts: self.accounts,
            operations: self.recorder.take(),
            faults,
            books,
            ..History::default()
        })
    }

    /// What was answered before the faults must be answered alike after them.
    async fn ask_again(&self, books: &Arc<Books>) {
        let mine = |key: &str| key.starts_with(&*books.run_and_partner());
        let all = self.recorder.all_decided();
        let some = all.into_iter().filter(|(key, _)| mine(key));
        let some: Vec<_> = some.take(ASKED_AGAIN).collect();
        let parts = some.chunks(ASKED_AGAIN.div_ceil(AUDITORS)).enumerate();
        let audits = parts.map(|(number, part)| async move {
            let mut session = Session::auditor(number, books, &self.recorder, self.seed);
            for (key, request) in part {
                session.insist(key, request).await;
            }
        });
        join_all(audits).await;
        let mut session = Session::auditor(AUDITORS, books, &self.recorder, self.seed);
        let probed = std::iter::once(&books.probed);
        for account in books.wallets.iter().chain(&books.shops).chain(probed) {
            session.look(account.clone()).await;
        }
    }
}
