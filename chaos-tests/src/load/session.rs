//! One session: what it asks, it asks one after the other, and it insists on an answer.

use super::chance::Chance;
use super::options::Mix;
use super::recorder::Recorder;
use super::send::{Frontend, Sender};
use crate::history::{Answer, Name, Request};
use crate::limits::{PAUSE, SESSIONS};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A partner's books, as sessions use them.
pub(super) struct Books {
    pub(super) partner: String,
    /// The prefix of keys.
    pub(super) run: String,
    pub(super) frontends: Vec<Frontend>,
    pub(super) bank: Name,
    pub(super) shops: Vec<Name>,
    /// Those with plenty first; the first of all is the hot one.
    pub(super) wallets: Vec<Name>,
    /// A wallet that few sessions use, one thing after the other: what was done to it can be
    /// searched for an order, whatever else is going on.
    pub(super) probed: Name,
    pub(super) mix: Mix,
}

pub(super) struct Session {
    name: Name,
    twin: Name,
    lane: usize,
    /// The only wallet that it uses.
    only: Option<Name>,
    books: Arc<Books>,
    recorder: Arc<Recorder>,
    chance: Chance,
    /// Keys made so far.
    keys: u64,
    /// Which frontend is asked next.
    at: usize,
}

impl Session {
    pub(super) fn new(
        lane: usize,
        books: &Arc<Books>,
        recorder: &Arc<Recorder>,
        seed: u64,
    ) -> Session {
        let name = format!("{}-{lane}", books.partner);
        Session {
            twin: format!("{name}'").into(),
            name: name.into(),
            lane,
            only: None,
            books: books.clone(),
            recorder: recorder.clone(),
            chance: Chance::new(seed, lane as u64),
            keys: 0,
            at: lane,
        }
    }

    /// A session that uses nothing but the probed wallet.
    pub(super) fn probe(
        number: usize,
        books: &Arc<Books>,
        recorder: &Arc<Recorder>,
        seed: u64,
    ) -> Session {
        Session {
            name: format!("{}-probe-{number}", books.partner).into(),
            only: Some(books.probed.clone()),
            ..Session::new(SESSIONS + number, books, recorder, seed)
        }
    }

    /// A session that asks once more after all others.
    pub(super) fn auditor(
        number: usize,
        books: &Arc<Books>,
        recorder: &Arc<Recorder>,
        seed: u64,
    ) -> Session {
        Session {
            name: format!("{}-auditor-{number}", books.partner).into(),
            ..Session::new(number, books, recorder, seed)
        }
    }

    /// Asks until the load is stopped.
    pub(super) async fn run(mut self) {
        while !self.recorder.stopped() {
            Box::pin(self.step()).await;
        }
    }

    /// Reads, pays and fills the probed wallet, not too fast.
    pub(super) async fn run_probe(mut self) {
        while !self.recorder.stopped() {
            match self.chance.below(10) {
                0..5 => Box::pin(self.read()).await,
                5 => Box::pin(self.refill()).await,
                _ => {
                    let (key, request) = (self.key(), self.payment());
                    Box::pin(self.insist(&key, &request)).await;
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// One thing, until it is answered or given up.
    pub(super) async fn step(&mut self) {
        let mix = &self.books.mix;
        let drawn = self.chance.below(100) as u64;
        let [read, transfer, replay, duplicate] = [
            mix.read_percent,
            mix.transfer_percent,
            mix.replay_percent,
            mix.duplicate_percent,
        ]
        .map(u64::from);
        if drawn < read {
            self.read().await;
        } else if drawn < read + transfer {
            self.refill().await;
        } else if drawn < read + transfer + replay {
            self.replay().await;
        } else if drawn < read + transfer + replay + duplicate {
            Box::pin(self.pay_twice_at_once()).await;
        } else {
            let (key, request) = (self.key(), self.payment());
            self.insist(&key, &request).await;
        }
    }

    /// Sends what was decided before again, and insists.
    pub(super) async fn insist(&mut self, key: &Name, request: &Request) {
        let by = Instant::now() + Duration::from_millis(self.books.mix.insist_ms);
        loop {
            let answer = self.send(Some(key), request).await;
            let again = matches!(answer, Answer::SurelyNot | Answer::Unknown);
            if !again || Instant::now() > by {
                return;
            }
            self.at += 1;
            sleep(PAUSE).await;
        }
    }

    /// One read; an answer that does not come is no evidence, and is not insisted on.
    async fn read(&mut self) {
        let (wallets, shops) = (&self.books.wallets, &self.books.shops);
        let at = self.chance.below(wallets.len() + shops.len());
        let any = || wallets.iter().chain(shops).nth(at).cloned();
        if let Some(account) = self.only.clone().or_else(any) {
            self.look(account).await;
        }
    }

    /// Reads one account once.
    pub(super) async fn look(&mut self, account: Name) -> bool {
        let answer = self.send(None, &Request::Balance { account }).await;
        if matches!(answer, Answer::Balance { .. }) {
            return true;
        }
        self.at += 1;
        sleep(PAUSE).await;
        false
    }

    /// Money from the bank into a wallet, so that dry ones are refused sometimes and not always.
    async fn refill(&mut self) {
        let drawn = self.chance.below(self.books.wallets.len());
        let any = || self.books.wallets[drawn].clone();
        let request = Request::Transfer {
            debit: self.books.bank.clone(),
            credit: self.only.clone().unwrap_or_else(any),
            amount: 1 + self.chance.below(500) as u64,
        };
        let key = self.key();
        self.insist(&key, &request).await;
    }

    /// A key that was answered long ago, perhaps by a leader that is dead by now.
    async fn replay(&mut self) {
        let drawn = self.chance.next();
        let Some((key, request)) = self.recorder.decided(drawn) else {
            return;
        };
        if !key.starts_with(&*self.books.run_and_partner()) {
            return;
        }
        if drawn >> 32 & 7 == 0 {
            // Another request by the same key: it must be refused, and the first answer stays.
            let other = self.payment();
            if other != request {
                self.send(Some(&key), &other).await;
            }
        }
        self.insist(&key, &request).await;
    }

    async fn pay_twice_at_once(&mut self) {
        let (key, request) = (self.key(), self.payment());
        let frontends = &self.books.frontends;
        let [one, other] = [self.at, self.at + 1].map(|at| &frontends[at % frontends.len()]);
        let (chance, twin_chance) = (self.chance.next(), self.chance.next());
        let sender = self.sender(&self.name);
        let twin = self.sender(&self.twin);
        let (first, second) = tokio::join!(
            sender.send(one, Some(&key), &request, chance),
            twin.send(other, Some(&key), &request, twin_chance),
        );
        if !first.is_final() || !second.is_final() {
            self.insist(&key, &request).await;
        }
    }

    async fn send(&mut self, key: Option<&Name>, request: &Request) -> Answer {
        let chance = self.chance.next();
        let frontends = &self.books.frontends;
        let frontend = &frontends[self.at % frontends.len()];
        self.sender(&self.name)
            .send(frontend, key, request, chance)
            .await
    }

    fn sender<'a>(&'a self, session: &'a Name) -> Sender<'a> {
        Sender {
            recorder: &self.recorder,
            lane: self.lane,
            session,
            attempt: Duration::from_millis(self.books.mix.attempt_ms),
        }
    }

    fn payment(&mut self) -> Request {
        let hot = self.chance.percent(self.books.mix.hot_percent);
        let drawn = self.chance.below(self.books.wallets.len());
        let any = || self.books.wallets[if hot { 0 } else { drawn }].clone();
        let shop = self.chance.below(self.books.shops.len());
        Request::Payment {
            source: self.only.clone().unwrap_or_else(any),
            destination: self.books.shops[shop].clone(),
            amount: 1 + self.chance.below(99) as u64,
        }
    }

    fn key(&mut self) -> Name {
        self.keys += 1;
        format!(
            "{}{}-{}",
            self.books.run_and_partner(),
            self.lane,
            self.keys
        )
        .into()
    }
}

impl Books {
    /// What all its keys begin with.
    pub(super) fn run_and_partner(&self) -> String {
        format!("{}:{}:", self.run, self.partner)
    }
}
