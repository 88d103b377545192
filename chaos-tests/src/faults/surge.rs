//! More load than the cluster can serve, or all of it on one account: a partner of its own beside
//! the main load, whose payments are judged like all others.

use super::{Doing, Fault, Injected, Scene};
use crate::history::History;
use crate::load::{Load, Mix};
use anyhow::Context;

/// More load.
pub struct Surge {
    mix: Mix,
    seed: u64,
    load: Option<Load>,
    before: u64,
}

impl Surge {
    /// So many sessions.
    pub fn many(sessions: usize, seed: u64) -> Surge {
        Surge::of(sessions, 0, seed)
    }

    /// So many sessions that all pay from and to one account.
    pub fn hot(sessions: usize, seed: u64) -> Surge {
        Surge::of(sessions, 100, seed)
    }

    fn of(sessions: usize, hot_percent: u8, seed: u64) -> Surge {
        let mix = Mix {
            sessions,
            hot_percent,
            ..Mix::default()
        };
        Surge {
            mix,
            seed,
            load: None,
            before: 0,
        }
    }
}

impl Fault for Surge {
    fn inject<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Injected> {
        Box::pin(async {
            let mut options = scene
                .more_load
                .clone()
                .context("no partner for more load")?;
            options.mix = self.mix.clone();
            options.seed ^= self.seed;
            // Several surges of a run share the partner, and need keys of their own.
            options.run = format!("{}-{:x}", options.run, scene.now());
            self.before = scene.load.counts().acknowledged;
            self.load = Some(Load::start(options).await?);
            Ok(Injected { began: scene.now() })
        })
    }

    /// What the clients of it were told.
    fn verify_happened<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Option<String>> {
        Box::pin(async {
            let Some(load) = &self.load else {
                return Ok(None);
            };
            let counts = load.counts();
            let least = self.mix.sessions as u64 * 2;
            let enough = counts.sent >= least;
            let (sessions, hot) = (self.mix.sessions, self.mix.hot_percent);
            let beside = scene.load.counts().acknowledged - self.before;
            Ok(enough.then(|| {
                format!(
                    "{sessions} more sessions, {hot} % on one account: {} sent, {} acknowledged, \
                     {} told to come back, {} unanswered; {beside} acknowledged beside it",
                    counts.sent, counts.acknowledged, counts.surely_not, counts.unknown
                )
            }))
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, ()> {
        Box::pin(async {
            if let Some(load) = self.load.take() {
                let history = load.finish("more load", Vec::new()).await?;
                scene.keep(history);
            }
            Ok(())
        })
    }
}

/// One history of the main load and those beside it, which kept other books by the same clock.
pub fn merge(main: &mut History, beside: Vec<History>) {
    for other in beside {
        main.accounts.extend(other.accounts);
        main.operations.extend(other.operations);
        match (&mut main.books, other.books) {
            (Some(books), Some(more)) => {
                books.accounts.extend(more.accounts);
                books.effects.extend(more.effects);
            }
            // What is not known of one part is not known of the whole.
            (books, _) => *books = None,
        }
    }
    main.operations.sort_by_key(|one| one.returned);
}
