//! One payment per HTTPS request, each with a key of its own: closed loop, or at a rate; and
//! whether one partner that sends far too much harms the others.

use crate::audit;
use crate::cli::{PayArgs, SystemArgs};
use crate::load::{Load, Stream, Streamed};
use crate::partners::{self, Partner};
use crate::report::Report;
use crate::skew::{Zipf, first_share};
use crate::system::System;
use crate::tally::{Moved, Tally};
use anyhow::{Context, Result};
use std::rc::Rc;
use std::time::Duration;

/// Runs the bench: one report, or three with a hot partner (everybody before, the others and the
/// hot one after).
pub async fn run(args: &PayArgs) -> Result<Vec<Report>> {
    let system = System::start(&args.system).await?;
    eprintln!("under load: {}", system.description);
    let result = load_and_audit(args, &system).await;
    let stopped = system.stop().await;
    let reports = result?;
    stopped.context("the cluster did not stop well")?;
    Ok(reports)
}

/// The plain bench, closed loop, for comparisons with others in the same run.
pub async fn alone(
    system: &SystemArgs,
    connections: u32,
    partners: u32,
    duration: Duration,
) -> Result<Report> {
    let args = PayArgs {
        connections,
        duration,
        partners,
        http2: None,
        rate: None,
        hot_share: None,
        system: system.clone(),
    };
    let reports = run(&args).await?;
    reports.into_iter().next().context("no report")
}

async fn load_and_audit(args: &PayArgs, system: &System) -> Result<Vec<Report>> {
    let partners = onboard(system, args.partners).await?;
    let load = Load {
        api: system.doors.api.clone(),
        partners: partners.into(),
        duration: args.duration,
    };
    let mut books = Books::new(&load);
    let reports = match (args.hot_share, args.rate) {
        (Some(times), Some(rate)) => hot(args, &load, &mut books, rate, times).await?,
        _ => {
            let everybody = Stream {
                payers: Zipf::new(load.partners.len()),
                connections: args.connections,
                http2: args.http2,
                rate: args.rate.map(f64::from),
            };
            let streamed = books.run(&[everybody]).await?;
            let report = report("pay", streamed.first().context("no stream")?, args);
            vec![report]
        }
    };
    let audit = books.audit().await?;
    Ok(reports
        .into_iter()
        .map(|report| report.audited(audit.clone()))
        .collect())
}

/// Onboards partners and says how it goes.
pub async fn onboard(system: &System, count: u32) -> Result<Vec<Partner>> {
    let count = count as usize;
    let partners = partners::onboard(&system.doors, &system.regions, count, |made| {
        if made % 250 == 0 || made == count {
            eprintln!("onboarding: {made} of {count} partners");
        }
    });
    partners.await.context("onboarding failed")
}

/// Everybody at their usual shares; then the largest partner alone sends so many times as much,
/// over connections of its own, as another customer's would be.
async fn hot(
    args: &PayArgs,
    load: &Load,
    books: &mut Books<'_>,
    rate: u32,
    times: u32,
) -> Result<Vec<Report>> {
    let share = first_share(load.partners.len());
    let rate = f64::from(rate);
    let streams = |times: f64| {
        [
            Stream {
                payers: Zipf::of(1..load.partners.len()),
                connections: args.connections,
                http2: args.http2,
                rate: Some(rate * (1.0 - share)),
            },
            Stream {
                payers: Zipf::of(0..1),
                connections: args.connections,
                http2: args.http2,
                rate: Some(rate * share * times),
            },
        ]
    };
    eprintln!("everybody at their usual share");
    let before = books.run(&streams(1.0)).await?;
    eprintln!("the largest partner sends {times} times as much");
    let after = books.run(&streams(f64::from(times))).await?;
    let ([usual, _], [others, largest]) = (before.as_slice(), after.as_slice()) else {
        anyhow::bail!("a stream is missing");
    };
    let usual = report("pay others, before", usual, args);
    let others = report("pay others, beside a hot partner", others, args);
    let growth = others.p99_ms / usual.p99_ms.max(0.001) - 1.0;
    let others = others.with_number("p99_growth_percent", growth * 100.0);
    let largest = report("pay hot partner", largest, args).with("times", times);
    Ok(vec![usual, others, largest])
}

fn report(name: &str, streamed: &Streamed, args: &PayArgs) -> Report {
    let report = Report::new(name, &streamed.tally, streamed.took)
        .with("connections", args.connections)
        .with("partners", args.partners);
    [("http2", args.http2), ("rate", args.rate)]
        .into_iter()
        .filter_map(|(name, asked)| Some((name, asked?)))
        .fold(report, |report, (name, asked)| report.with(name, asked))
}

/// What all streams of the run moved, to be held against the books.
pub struct Books<'a> {
    load: &'a Load,
    moved: Vec<Moved>,
}

impl<'a> Books<'a> {
    /// Nothing yet.
    pub fn new(load: &'a Load) -> Books<'a> {
        Books {
            load,
            moved: vec![Moved::default(); load.partners.len()],
        }
    }

    /// Lets streams flow, as [`Load::run`] does.
    pub async fn run(&mut self, streams: &[Stream]) -> Result<Vec<Streamed>> {
        let streamed = self.load.run(streams).await?;
        for one in &streamed {
            self.add(&one.tally);
        }
        Ok(streamed)
    }

    /// What a stream moved that flowed in another way.
    pub fn add(&mut self, tally: &Tally) {
        for (sum, more) in self.moved.iter_mut().zip(&tally.moved) {
            sum.add(*more);
        }
    }

    /// Whether the wallets hold what they should.
    pub async fn audit(&self) -> Result<audit::Audit> {
        eprintln!("auditing {} wallets", self.load.partners.len());
        let partners: &Rc<[Partner]> = &self.load.partners;
        audit::audit(&self.load.api, partners, &self.moved).await
    }
}
