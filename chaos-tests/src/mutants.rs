//! Proves that the tests notice: plants one known mistake after the other and says what caught each.
//!
//! A mutant dies in the simulation, or in a directed test of the product's own suites, or in both; one
//! that neither notices has survived, and the tests have a hole. The same seeds and the same tests
//! run first without a mistake: if they did not pass, the table would prove nothing.
//!
//! ```text
//! killers.rs    which directed test notices which mistake
//! programs.rs   building what is run, and finding it
//! trial.rs      one program, run with a mistake or without, and how it ended
//! table.rs      what came out, for people and for machines
//! ```

mod killers;
mod programs;
mod table;
mod trial;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use florin_failpoints::{MUTANTS, Mutant};
use killers::Killer;
use programs::Programs;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use table::{Caught, Fate, Row, Table};
use trial::{Ending, Trial};

/// What `florin-chaos mutants` is asked.
#[derive(Debug, Clone, Args)]
pub struct MutantsArgs {
    /// Only this mutant; may be given several times
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Seeds of the simulation, from the first on, that each mutant must live through
    #[arg(long, default_value_t = 20)]
    pub seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    pub first_seed: u64,
    /// Where table, JSON and the output of each run go
    #[arg(long, value_name = "DIR", default_value = "mutants-report")]
    pub report: PathBuf,
    /// How to build: `dev` builds faster, `chaos` runs faster
    #[arg(long, value_enum, default_value_t = Profile::Dev)]
    pub profile: Profile,
    /// The sources to build
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/.."))]
    pub sources: PathBuf,
}

/// A profile of cargo's that has debug assertions, which mutants need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Unoptimized.
    Dev,
    /// As a release, with debug assertions.
    Chaos,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Profile::Dev => "dev",
            Profile::Chaos => "chaos",
        }
    }
}

/// A simulated run takes seconds; one that takes so long hangs.
const SEED_LIMIT: Duration = Duration::from_secs(300);
/// The same of a directed test.
const TEST_LIMIT: Duration = Duration::from_secs(180);

/// Runs it all. Answers the exit code: 0 if every mutant died, 1 if one survived.
///
/// # Errors
/// If nothing could be proven: the build failed, or the tests fail without any mistake.
pub fn run(args: &MutantsArgs, mut to: impl Write) -> Result<u8> {
    let chosen = choose(&args.only)?;
    writeln!(
        to,
        "building with the feature `faults`, profile {}",
        args.profile.name()
    )?;
    let programs = Programs::build(&args.sources, args.profile.name())?;
    let mut hunt = Hunt {
        args,
        programs,
        to: &mut to,
        found: BTreeMap::new(),
    };
    if hunt.programs.simulation.is_none() {
        writeln!(
            hunt.to,
            "there is no simulation in these sources: directed tests alone"
        )?;
    }
    let killers: Vec<&Killer> = killers::KILLERS
        .iter()
        .filter(|killer| chosen.iter().any(|mutant| mutant.name == killer.mutant))
        .collect();
    let clean = hunt.clean(&killers)?;
    let mut rows = Vec::new();
    for mutant in chosen {
        rows.push(hunt.hunt(mutant)?);
    }
    let table = Table {
        profile: args.profile.name(),
        seeds: hunt.programs.simulation.is_some().then_some(args.seeds),
        clean_seconds: clean,
        rows,
    };
    table.write(&args.report)?;
    write!(to, "\n{table}")?;
    Ok(u8::from(table.survivors() > 0))
}

fn choose(only: &[String]) -> Result<Vec<&'static Mutant>> {
    if let Some(unknown) = only
        .iter()
        .find(|name| MUTANTS.iter().all(|it| it.name != **name))
    {
        let names: Vec<_> = MUTANTS.iter().map(|mutant| mutant.name).collect();
        bail!(
            "no mutant is called {unknown:?}; there are {}",
            names.join(", ")
        );
    }
    let asked = |mutant: &&Mutant| only.is_empty() || only.iter().any(|name| name == mutant.name);
    Ok(MUTANTS.iter().filter(asked).collect())
}

struct Hunt<'a, W> {
    args: &'a MutantsArgs,
    programs: Programs,
    to: &'a mut W,
    /// How directed tests ended without a mistake, so that none runs twice.
    found: BTreeMap<&'static str, f64>,
}

impl<W: Write> Hunt<'_, W> {
    fn seeds(&self) -> std::ops::Range<u64> {
        self.args.first_seed..self.args.first_seed + self.args.seeds
    }

    /// Runs everything without a mistake; answers how many seconds that took.
    fn clean(&mut self, killers: &[&Killer]) -> Result<f64> {
        let began = Instant::now();
        if self.programs.simulation.is_some() {
            writeln!(self.to, "without a mistake: seeds {:?}", self.seeds())?;
            for seed in self.seeds() {
                let ended = self.simulate(None, seed)?;
                if let Some(why) = ended.why_not_passed() {
                    bail!("seed {seed} fails without a mistake, so nothing can be proven: {why}");
                }
            }
        }
        for killer in killers {
            if self.found.contains_key(killer.test) {
                continue;
            }
            writeln!(self.to, "without a mistake: {}", killer.test)?;
            let ended = self.test(None, killer)?;
            if let Some(why) = ended.why_not_passed() {
                let test = killer.test;
                bail!("{test} fails without a mistake, so nothing can be proven: {why}");
            }
            self.found.insert(killer.test, ended.seconds);
        }
        Ok(began.elapsed().as_secs_f64())
    }

    fn hunt(&mut self, mutant: &'static Mutant) -> Result<Row> {
        let mut row = Row::new(mutant);
        if !mutant.live {
            return Ok(row);
        }
        write!(self.to, "{:<36} ", mutant.name)?;
        self.to.flush()?;
        if self.programs.simulation.is_some() {
            row.simulated = true;
            row.simulation = self.hunt_in_simulation(mutant.name)?;
        }
        for killer in killers::KILLERS
            .iter()
            .filter(|killer| killer.mutant == mutant.name)
        {
            let ended = self.test(Some(mutant.name), killer)?;
            let seconds = ended.seconds;
            row.tests.push(Caught {
                by: killer.test.to_owned(),
                why: ended.why_killed(),
                seeds: None,
                seconds,
            });
        }
        row.fate = if row.is_caught() {
            Fate::Died
        } else {
            Fate::Survived
        };
        writeln!(self.to, "{}", row.in_short())?;
        Ok(row)
    }

    /// Seed after seed, until it is noticed.
    fn hunt_in_simulation(&mut self, mutant: &str) -> Result<Option<Caught>> {
        let began = Instant::now();
        for seed in self.seeds() {
            let ended = self.simulate(Some(mutant), seed)?;
            if let Some(why) = ended.why_killed() {
                return Ok(Some(Caught {
                    by: ended.checker(),
                    why: Some(why),
                    seeds: Some(seed + 1 - self.args.first_seed),
                    seconds: began.elapsed().as_secs_f64(),
                }));
            }
        }
        Ok(None)
    }

    fn simulate(&self, mutant: Option<&str>, seed: u64) -> Result<Ending> {
        let Some(program) = &self.programs.simulation else {
            bail!("there is no simulation in these sources");
        };
        let mut arguments = vec!["--seed".to_owned(), seed.to_string()];
        if let Some(mutant) = mutant {
            arguments.extend(["--mutant".to_owned(), mutant.to_owned()]);
        }
        let trial = Trial {
            program,
            arguments,
            within: SEED_LIMIT,
            mutant: None,
            output: self.output(mutant, &format!("seed-{seed}")),
        };
        trial.run()
    }

    fn test(&self, mutant: Option<&str>, killer: &Killer) -> Result<Ending> {
        let program = self.programs.test(killer.package, killer.target)?;
        let arguments = [killer.name(), "--exact", "--test-threads", "1"];
        let trial = Trial {
            program,
            arguments: arguments.map(str::to_owned).into(),
            within: TEST_LIMIT,
            mutant,
            output: self.output(mutant, &killer.name().replace("::", "-")),
        };
        let ended = trial.run()?;
        if !ended.has_run_a_test() {
            bail!("{} has no test {:?}", killer.package, killer.name());
        }
        Ok(ended)
    }

    fn output(&self, mutant: Option<&str>, what: &str) -> PathBuf {
        let folder = self
            .args
            .report
            .join("output")
            .join(mutant.unwrap_or("none"));
        folder.join(format!("{what}.txt"))
    }
}
