//! What an armed failpoint does, and the lines that arm it.

use crate::{MUTANTS, Mutant, SITES};
use std::str::FromStr;
use std::time::Duration;

/// What happens at a failpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The work goes on.
    Nothing,
    /// The process ends at once, without destructors.
    Crash,
    /// The step fails as it can by itself. Only where [`crate::Site::can_fail`].
    Error,
    /// The step takes so long.
    Delay(Duration),
}

/// At which of the hits that follow an order is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At this one alone, counted from one. The order is then taken out of the file.
    Once(u64),
    /// From this one on, for as long as the order stands.
    From(u64),
}

/// A line of the file `arm`.
///
/// ```text
/// storage.log.sync=crash@3       the process ends when it gets there for the third time from now
/// disk.sync=delay(500)           every sync takes half a second more, until the line is gone
/// disk.sync=error@10+            from the tenth on, all fail
/// mutant vote-not-persisted      the mistake is made while the line is there
/// clock +3600s                   the wall clock is an hour ahead; also -90s, +250ms
/// ```
///
/// Empty lines and what follows a `#` mean nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Arms a failpoint, by its number in [`SITES`].
    Arm {
        /// The failpoint.
        site: usize,
        /// What it does.
        action: Action,
        /// At which hits.
        when: When,
    },
    /// Plants a mutant, by its number in [`MUTANTS`].
    Plant(usize),
    /// Puts the wall clock ahead, or back, by milliseconds.
    Clock(i64),
}

/// Why a line is no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderError(String);

impl std::fmt::Display for OrderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OrderError {}

impl FromStr for Order {
    type Err = OrderError;

    fn from_str(line: &str) -> Result<Order, OrderError> {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("mutant ") {
            return plant(name.trim());
        }
        if let Some(shift) = line.strip_prefix("clock ") {
            return clock(shift.trim()).ok_or_else(|| wrong("not a shift like +3600s", shift));
        }
        let (site, rest) = line
            .split_once('=')
            .ok_or_else(|| wrong("no order", line))?;
        let (action, when) = match rest.rsplit_once('@') {
            Some((action, when)) => (action, moment(when)?),
            None => (rest, When::From(1)),
        };
        arm(site.trim(), action.trim(), when)
    }
}

fn wrong(what: &str, text: &str) -> OrderError {
    OrderError(format!("{what}: {text:?}"))
}

fn plant(name: &str) -> Result<Order, OrderError> {
    match MUTANTS.iter().position(|mutant| mutant.name == name) {
        Some(number) if !live(number) => Err(wrong("this mutant waits for its feature", name)),
        Some(number) => Ok(Order::Plant(number)),
        None => Err(wrong("no mutant has this name", name)),
    }
}

fn live(number: usize) -> bool {
    MUTANTS.get(number).is_some_and(|Mutant { live, .. }| *live)
}

/// `+3600s`, `-250ms` in milliseconds.
fn clock(shift: &str) -> Option<Order> {
    let (number, unit) = match shift.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (shift.strip_suffix('s')?, 1_000),
    };
    let number: i64 = number.parse().ok()?;
    number.checked_mul(unit).map(Order::Clock)
}

fn moment(when: &str) -> Result<When, OrderError> {
    let (number, once) = match when.strip_suffix('+') {
        Some(number) => (number, false),
        None => (when, true),
    };
    match number.parse() {
        Ok(0) | Err(_) => Err(wrong("hits are counted from one", when)),
        Ok(hit) if once => Ok(When::Once(hit)),
        Ok(hit) => Ok(When::From(hit)),
    }
}

fn arm(name: &str, action: &str, when: When) -> Result<Order, OrderError> {
    let number = SITES.iter().position(|site| site.name == name);
    let site = number.ok_or_else(|| wrong("no failpoint has this name", name))?;
    let can_fail = SITES.get(site).is_some_and(|site| site.can_fail);
    let action = match action {
        "crash" => Action::Crash,
        "error" if can_fail => Action::Error,
        "error" => return Err(wrong("this step cannot fail by itself", name)),
        other => {
            let time = other
                .strip_prefix("delay(")
                .and_then(|rest| rest.strip_suffix(')'));
            let time = time.and_then(|time| time.parse().ok());
            let time =
                time.ok_or_else(|| wrong("not crash, error or delay(milliseconds)", other))?;
            Action::Delay(Duration::from_millis(time))
        }
    };
    Ok(Order::Arm { site, action, when })
}
