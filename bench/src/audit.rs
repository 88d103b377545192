//! Whether the books agree with what was acknowledged.

use crate::client::Target;
use crate::partners::{self, Caller, FUNDS, Partner};
use crate::tally::Moved;
use anyhow::{Context, Result};
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use tokio::task::JoinSet;

/// How many balances are asked for at the same time.
const AT_ONCE: usize = 16;

/// What the books said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Wallets that were asked for: all of them.
    pub wallets: usize,
    /// Minor units of all acknowledged payments.
    pub acknowledged: i128,
    /// Minor units of payments whose fate the client does not know.
    pub unknown: i128,
    /// Minor units that left the wallets.
    pub found: i128,
    /// Wallets from which too little or too much left.
    pub wrong: Vec<String>,
}

impl Audit {
    /// Everything acknowledged was found, and nothing else.
    pub fn held(&self) -> bool {
        self.wrong.is_empty()
    }

    /// Compares what was moved with what the books say.
    pub fn add(&mut self, wallet: &str, moved: Moved, left: i128) {
        let (surely, perhaps) = (i128::from(moved.surely), i128::from(moved.perhaps));
        self.wallets += 1;
        self.acknowledged += surely;
        self.unknown += perhaps;
        self.found += left;
        // A payment of unknown fate happened or did not; without any, the sums are equal.
        if left < surely || left > surely + perhaps {
            self.wrong.push(format!(
                "{wallet}: {surely} acknowledged, {perhaps} unknown, {left} left the wallet"
            ));
        }
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "audit of {} wallets, warm-up included: {} minor units acknowledged, {} of unknown fate, {} found",
            self.wallets, self.acknowledged, self.unknown, self.found
        )?;
        for wrong in &self.wrong {
            writeln!(f, "  wrong: {wrong}")?;
        }
        match self.held() {
            true => write!(f, "the audit held"),
            false => write!(f, "THE AUDIT FAILED"),
        }
    }
}

/// Asks for every wallet's balance and compares it with what was acknowledged. Runs within a
/// [`tokio::task::LocalSet`].
pub async fn audit(api: &Target, partners: &[Partner], moved: &[Moved]) -> Result<Audit> {
    let next = Rc::new(Cell::new(0));
    let partners: Rc<[Partner]> = partners.into();
    let mut workers = JoinSet::new();
    for _ in 0..AT_ONCE.min(partners.len()) {
        let (api, next, partners) = (api.clone(), next.clone(), partners.clone());
        workers.spawn_local(async move {
            let mut caller = Caller::new(api);
            let mut found = Vec::new();
            while next.get() < partners.len() {
                let index = next.replace(next.get() + 1);
                let partner = &partners[index];
                let left = partners::balance(&mut caller, &partner.key, &partner.wallet).await?;
                found.push((index, i128::from(FUNDS) - left));
            }
            anyhow::Ok(found)
        });
    }
    let mut audit = Audit::default();
    while let Some(ended) = workers.join_next().await {
        for (index, left) in ended.context("a worker panicked")?? {
            audit.add(&partners[index].wallet, moved[index], left);
        }
    }
    Ok(audit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(surely: u64, perhaps: u64, left: i128, held: bool) {
        let mut audit = Audit::default();
        audit.add("acct", Moved { surely, perhaps }, left);
        assert_eq!(audit.held(), held, "{audit:?}");
    }

    #[test]
    fn what_left_a_wallet_is_what_was_acknowledged() {
        check(100, 0, 100, true);
        check(100, 0, 99, false);
        check(100, 0, 101, false);
        check(100, 10, 100, true);
        check(100, 10, 110, true);
        check(100, 10, 111, false);
        check(0, 0, 0, true);
        check(0, 0, -1, false);
    }
}
