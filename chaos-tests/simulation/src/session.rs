//! A session: a client that pays, transfers and reads, one thing after the other, and writes down
//! what it was told.

use crate::dice::Dice;
use crate::record::{Old, Partner, Record, Stage};
use crate::requests::{Money, account_text, begun, payment, transfer, understood};
use florin_chaos::history::{Answer, Request};
use florin_ledger::command::Envelope;
use florin_ledger::id::GroupId;
use florin_ledger::query::{self, Query};
use florin_shards::{Consistency, Router};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A session on one frontend.
pub(crate) struct Session {
    pub(crate) name: String,
    pub(crate) router: Router,
    pub(crate) record: Record,
    pub(crate) dice: Dice,
    pub(crate) rest: Duration,
}

impl Session {
    /// Asks until the run ends.
    pub(crate) async fn run(mut self) {
        let partners = self.record.partners();
        let mut count = 0;
        while self.record.stage() == Stage::Asking {
            count += 1;
            let Some(partner) = self.dice.pick(&partners) else {
                break;
            };
            match self.dice.roll(100) {
                0..20 => self.read(&partner).await,
                20..35 => self.again().await,
                35..45 => self.fund(&partner, count).await,
                _ => self.pay(&partner, count).await,
            }
            let rest = u64::try_from(self.rest.as_millis()).unwrap_or(1);
            sleep(Duration::from_millis(self.dice.between(1, rest))).await;
        }
        self.record.session_ended();
    }

    async fn pay(&mut self, partner: &Partner, count: u64) {
        let key = format!("{}-{count}", self.name);
        let Some(wallet) = self.dice.pick(&partner.wallets) else {
            return;
        };
        let money = Money {
            debit: wallet,
            credit: partner.shop,
            amount: u32::try_from(self.dice.between(1, 40)).unwrap_or(1),
        };
        // Some are large, so that segments of the log are filled and let go.
        let weight = if self.dice.chance(15) { 12_000 } else { 0 };
        if let Some((envelope, request)) = payment(partner.ledger, &key, money, weight) {
            self.insist(partner.group, key, envelope, request).await;
        }
    }

    async fn fund(&mut self, partner: &Partner, count: u64) {
        let key = format!("{}-{count}", self.name);
        let Some(wallet) = self.dice.pick(&partner.wallets) else {
            return;
        };
        let money = Money {
            debit: partner.bank,
            credit: wallet,
            amount: u32::try_from(self.dice.between(50, 150)).unwrap_or(50),
        };
        if let Some((envelope, request)) = transfer(partner.ledger, &key, money) {
            self.insist(partner.group, key, envelope, request).await;
        }
    }

    /// Sends what was answered for good once more, perhaps another session's: the answer must be
    /// the same, whoever leads by now and whatever was restarted in between.
    async fn again(&mut self) {
        let choice = self.dice.word();
        if let Some(old) = self.record.old(choice) {
            self.send(old.group, &old.key, &old.envelope, &old.request)
                .await;
        }
    }

    /// Sends until there is an answer that repeating cannot change; now and then gives up before,
    /// as clients do: what was called a failure must then not happen.
    async fn insist(&mut self, group: GroupId, key: String, envelope: Envelope, request: Request) {
        loop {
            let answer = self.send(group, &key, &envelope, &request).await;
            if answer.is_final() {
                return self.record.remember(Old {
                    key,
                    envelope,
                    request,
                    group,
                });
            }
            if self.record.stage() != Stage::Asking || self.dice.chance(30) {
                return;
            }
            sleep(Duration::from_millis(self.dice.between(5, 100))).await;
        }
    }

    async fn send(
        &mut self,
        group: GroupId,
        key: &str,
        envelope: &Envelope,
        request: &Request,
    ) -> Answer {
        let patience = Duration::from_millis(self.dice.between(300, 4_000));
        let mut operation = begun(&self.name, Some(key), group, request.clone());
        let submitted = self
            .router
            .submit(envelope, Instant::now() + patience)
            .await;
        understood(&mut operation, envelope.ledger, submitted);
        let answer = operation.answer.clone();
        self.record.operation(operation);
        answer
    }

    async fn read(&mut self, partner: &Partner) {
        let Some(wallet) = self.dice.pick(&partner.wallets) else {
            return;
        };
        let patience = Duration::from_millis(self.dice.between(200, 1_500));
        let request = Request::Balance {
            account: account_text(wallet),
        };
        let mut operation = begun(&self.name, None, partner.group, request);
        let question = Query::Balance {
            account: wallet,
            at: None,
        };
        let deadline = Instant::now() + patience;
        let read = self.router.read(
            partner.ledger,
            question,
            Consistency::Linearizable,
            deadline,
        );
        match read.await {
            Ok(read) => {
                operation.token = Some(read.index);
                operation.answer = balance(&read.answer).unwrap_or(Answer::Unknown);
            }
            Err(error) => operation.said = Some(error.to_string().into()),
        }
        self.record.operation(operation);
    }
}

fn balance(answer: &query::Answer) -> Option<Answer> {
    let query::Answer::Balance {
        account,
        totals,
        sequence,
        ..
    } = answer
    else {
        return None;
    };
    Some(Answer::Balance {
        balance: totals.balance(account.kind).try_into().ok()?,
        sequence: *sequence,
    })
}
