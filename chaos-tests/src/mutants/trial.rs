//! One program, run with a mistake or without, and how it ended.

use super::programs::Program;
use anyhow::{Context, Result};
use florin_failpoints::MUTANT_VARIABLE;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How a simulation exits whose run did not show enough to judge.
const SHOWS_TOO_LITTLE: i32 = 2;

/// How often a program that runs is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) struct Trial<'a> {
    pub(super) program: &'a Program,
    pub(super) arguments: Vec<String>,
    pub(super) within: Duration,
    /// Planted by the environment; a simulation is told by an argument.
    pub(super) mutant: Option<&'a str>,
    /// Where what it says goes.
    pub(super) output: PathBuf,
}

/// How a program ended.
#[derive(Debug)]
pub(super) struct Ending {
    /// None if it had to be ended.
    status: Option<ExitStatus>,
    said: String,
    pub(super) seconds: f64,
}

impl Trial<'_> {
    pub(super) fn run(self) -> Result<Ending> {
        if let Some(folder) = self.output.parent() {
            fs::create_dir_all(folder)?;
        }
        let output = File::create(&self.output)
            .with_context(|| format!("cannot write {}", self.output.display()))?;
        let mut command = Command::new(&self.program.path);
        command
            .args(&self.arguments)
            .current_dir(&self.program.folder)
            .env_remove(MUTANT_VARIABLE)
            .env_remove(florin_failpoints::FOLDER_VARIABLE)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        if let Some(mutant) = self.mutant {
            command.env(MUTANT_VARIABLE, mutant);
        }
        let began = Instant::now();
        let mut child = command.spawn().context("the program does not start")?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if began.elapsed() > self.within {
                child.kill()?;
                child.wait()?;
                break None;
            }
            std::thread::sleep(LOOK_EVERY);
        };
        let said = fs::read(&self.output)?;
        Ok(Ending {
            status,
            said: String::from_utf8_lossy(&said).into_owned(),
            seconds: began.elapsed().as_secs_f64(),
        })
    }
}

impl Ending {
    /// What was wrong, if something was: a run that shows too little is not wrong.
    pub(super) fn why_not_passed(&self) -> Option<String> {
        match self.status.map(|status| (status, status.code())) {
            Some((_, Some(0 | SHOWS_TOO_LITTLE))) => None,
            Some((status, _)) => Some(self.reason().unwrap_or_else(|| status.to_string())),
            None => Some("it did not end".to_owned()),
        }
    }

    /// What noticed the mistake, if something did. A run that says nothing in time has noticed
    /// nothing.
    pub(super) fn why_killed(&self) -> Option<String> {
        self.status.and_then(|_| self.why_not_passed())
    }

    /// Whether a test program had the test that it was asked for.
    pub(super) fn has_run_a_test(&self) -> bool {
        self.said.contains("running 1 test")
    }

    /// Which checker of a simulation said no; an assertion, if none came to say anything.
    pub(super) fn checker(&self) -> String {
        let failed = self.said.lines().find_map(failed_checker);
        failed.map_or_else(
            || "an assertion".to_owned(),
            |(checker, _)| checker.to_owned(),
        )
    }

    /// In the program's own words.
    fn reason(&self) -> Option<String> {
        if let Some((_, why)) = self.said.lines().find_map(failed_checker) {
            return Some(why.to_owned());
        }
        // What follows the place of a panic, up to its backtrace.
        let mut lines = self
            .said
            .lines()
            .skip_while(|line| !line.contains(" panicked at "));
        lines.next()?;
        let words: Vec<_> = lines
            .take_while(|line| !line.starts_with("stack backtrace") && !line.starts_with("note:"))
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .take(3)
            .collect();
        Some(words.join(" ")).filter(|words| !words.is_empty())
    }
}

/// A checker's `once           FAIL          payment 7 was made twice`, or what was seen from inside:
/// `BROKEN   900000 us: agreement: node-1 and node-3 are in different states`.
fn failed_checker(line: &str) -> Option<(&str, &str)> {
    let (checker, rest) = line.trim().split_once(char::is_whitespace)?;
    if checker == "BROKEN" {
        let why = rest.split_once(" us: ").map_or(rest, |(_, why)| why).trim();
        let named = why.split_once(": ").filter(|(name, _)| !name.contains(' '));
        return Some(named.unwrap_or(("an invariant", why)));
    }
    let why = rest.trim_start().strip_prefix("FAIL")?;
    why.starts_with(char::is_whitespace)
        .then(|| (checker, why.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Finding, Verdict};
    use std::os::unix::process::ExitStatusExt;

    fn check(code: Option<i32>, said: &str, by: &str, why: Option<&str>) {
        let ending = Ending {
            status: code.map(|code| ExitStatus::from_raw(code << 8)),
            said: said.to_owned(),
            seconds: 1.0,
        };
        assert_eq!(ending.why_killed().as_deref(), why, "{said}");
        assert_eq!(ending.checker(), by, "{said}");
    }

    /// As it is printed, so that both are changed together.
    fn verdict(finding: Finding) -> String {
        let checker = "once";
        Verdict { checker, finding }.to_string()
    }

    #[test]
    fn what_noticed_is_read_from_what_was_said() {
        check(
            Some(0),
            &verdict(Finding::Pass("12 keys".to_owned())),
            "an assertion",
            None,
        );
        for more in [0, 3] {
            let why = "payment 7 was made twice".to_owned();
            let said = verdict(Finding::Fail {
                operation: None,
                why,
                more,
            });
            let (_, told) = said.split_once("FAIL").expect("it says so");
            check(Some(1), &said, "once", Some(told.trim()));
            // Neither passed nor noticed.
            check(None, &said, "once", None);
        }
        let panicked = "\nthread 'main' (7) panicked at raft/src/machine.rs:3:4:\nconservation: 1 is not 2\n\
            stack backtrace:\n   0: rust_begin_unwind\n";
        check(
            Some(101),
            panicked,
            "an assertion",
            Some("conservation: 1 is not 2"),
        );
        let agreement = "BROKEN     900000 us: agreement: node-1 and node-3 differ\n";
        check(
            Some(1),
            agreement,
            "agreement",
            Some("node-1 and node-3 differ"),
        );
        let other = "BROKEN     900000 us: the run did not end in time\n";
        check(
            Some(1),
            other,
            "an invariant",
            Some("the run did not end in time"),
        );
        check(Some(3), "", "an assertion", Some("exit status: 3"));
        let too_little = verdict(Finding::Inconclusive("nothing happened".to_owned()));
        check(Some(2), &too_little, "an assertion", None);
    }
}
