//! The lines that arm failpoints, plant mutants and shift the clock.

use florin_failpoints::{Action, MUTANTS, Order, SITES, When};
use std::time::Duration;

fn check(line: &str, wanted: Result<(&str, Action, When), &str>) {
    match (line.parse::<Order>(), wanted) {
        (Ok(Order::Arm { site, action, when }), Ok(wanted)) => {
            assert_eq!((SITES[site].name, action, when), wanted, "{line}");
        }
        (Err(error), Err(wanted)) => {
            assert!(error.to_string().starts_with(wanted), "{line}: {error}");
        }
        (got, _) => panic!("{line}: {got:?}"),
    }
}

#[test]
fn lines_that_arm() {
    let half_a_second = Action::Delay(Duration::from_millis(500));
    check(
        "disk.sync=crash@3",
        Ok(("disk.sync", Action::Crash, When::Once(3))),
    );
    check(
        " disk.sync = error@10+ ",
        Ok(("disk.sync", Action::Error, When::From(10))),
    );
    check(
        "disk.write=delay(500)",
        Ok(("disk.write", half_a_second, When::From(1))),
    );
    check("disk.flush=crash", Err("no failpoint has this name"));
    check("disk.sync=error@0", Err("hits are counted from one"));
    check("disk.sync=explode", Err("not crash"));
    check("disk.sync=delay(soon)", Err("not crash"));
    check("storage.log.seal=error", Err("this step cannot fail"));
    check("disk.sync", Err("no order"));
}

#[test]
fn lines_about_mutants_and_the_clock() {
    let vote = MUTANTS
        .iter()
        .position(|mutant| mutant.name == "vote-not-persisted");
    assert_eq!(
        "mutant vote-not-persisted".parse().ok(),
        vote.map(Order::Plant)
    );
    assert!("mutant nobody".parse::<Order>().is_err());
    assert!(
        "mutant credit-without-debit-across-shards"
            .parse::<Order>()
            .is_err()
    );
    assert_eq!("clock +3600s".parse(), Ok(Order::Clock(3_600_000)));
    assert_eq!("clock -250ms".parse(), Ok(Order::Clock(-250)));
    assert!("clock tomorrow".parse::<Order>().is_err());
}

#[test]
fn names_are_unique_and_well_formed() {
    let names = SITES
        .iter()
        .map(|site| site.name)
        .chain(MUTANTS.iter().map(|m| m.name));
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        assert!(seen.insert(name), "{name} is there twice");
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
        assert!(name.chars().all(fine), "{name}");
    }
    assert_eq!(MUTANTS.len(), 15);
    assert_eq!(MUTANTS.iter().filter(|mutant| mutant.live).count(), 14);
}
