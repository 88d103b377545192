//! The folder by which one process arms another and reads its counts. Each test starts this test
//! program again as the process that is armed.
#![cfg(feature = "faults")]

use florin_failpoints::{FOLDER_VARIABLE, clock, failpoint, mutant};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant, SystemTime};

/// Tells this program that it is the one that is armed, and what to do.
const PART: &str = "FLORIN_TEST_PART";

fn run(part: &str, folder: &Path) -> ExitStatus {
    let program = std::env::current_exe().expect("this program has a path");
    Command::new(program)
        .args(["--exact", "the_armed_process"])
        .env(PART, part)
        .env(FOLDER_VARIABLE, folder)
        .output()
        .expect("the program starts")
        .status
}

fn sync() -> Result<(), &'static str> {
    failpoint!("disk.sync", Err("failed"));
    Ok(())
}

/// What the armed process does; nothing when it is run as a test.
#[test]
fn the_armed_process() {
    match std::env::var(PART).as_deref() {
        Ok("syncs") => (0..10).for_each(|_| assert_eq!(sync(), Ok(()))),
        Ok("one-fails") => {
            let failed = (1..=10).filter(|_| sync().is_err()).count();
            assert_eq!(failed, 1);
        }
        Ok("all-fail-from-the-third") => {
            let failed: Vec<bool> = (1..=5).map(|_| sync().is_err()).collect();
            assert_eq!(failed, [false, false, true, true, true]);
        }
        Ok("slow") => {
            let began = Instant::now();
            assert_eq!(sync(), Ok(()));
            assert!(began.elapsed() >= Duration::from_millis(50));
        }
        Ok("mutated-and-ahead") => {
            assert!(mutant!("vote-not-persisted"));
            assert!(!mutant!("checksums-off"));
            let now = SystemTime::now();
            assert_eq!(clock(now), now + Duration::from_secs(3600));
        }
        Ok("armed-while-it-runs") => {
            fs::write(folder().join("started"), "").expect("the folder takes a file");
            // Ends when the order comes in, which is the point.
            while sync().is_ok() {
                std::thread::yield_now();
            }
        }
        _ => {}
    }
}

fn folder() -> std::path::PathBuf {
    std::env::var_os(FOLDER_VARIABLE).expect("armed").into()
}

fn check(orders: &str, part: &str, fails: bool, counts: &str, left: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    fs::write(folder.path().join("arm"), orders).expect("the folder takes orders");
    let status = run(part, folder.path());
    assert_eq!(status.success(), !fails, "{part}: {status}");
    let hits = file("hits");
    let line = hits.lines().find(|line| line.starts_with("disk.sync\t"));
    if fails {
        // One that ends well writes its counts now and then; one that ends here has written them.
        assert_eq!(line, Some(counts), "{part}");
    }
    assert_eq!(file("arm"), left, "{part}");
    assert_eq!(file("refused"), "", "{part}");
}

#[test]
fn an_order_ends_the_process_at_the_hit_that_it_names() {
    check("disk.sync=crash@3", "syncs", true, "disk.sync\t3\t1", "");
    check(
        "disk.sync=crash@11\n",
        "syncs",
        false,
        "",
        "disk.sync=crash@11\n",
    );
    check(
        "disk.sync=crash@1+\n",
        "syncs",
        true,
        "disk.sync\t1\t1",
        "disk.sync=crash@1+\n",
    );
}

#[test]
fn an_order_lets_a_step_fail_or_wait() {
    check(
        "disk.sync=error@7\n# a note\n",
        "one-fails",
        false,
        "",
        "# a note\n",
    );
    let from_the_third = "disk.sync=error@3+\n";
    check(
        from_the_third,
        "all-fail-from-the-third",
        false,
        "",
        from_the_third,
    );
    check(
        "disk.sync=delay(50)\n",
        "slow",
        false,
        "",
        "disk.sync=delay(50)\n",
    );
}

#[test]
fn orders_plant_mutants_and_shift_the_clock() {
    let orders = "mutant vote-not-persisted\nclock +3600s\n";
    check(orders, "mutated-and-ahead", false, "", orders);
}

#[test]
fn what_is_no_order_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("arm"), "disk.sync=explode\n").expect("the folder takes orders");
    assert!(run("syncs", folder.path()).success());
    let refused = fs::read_to_string(folder.path().join("refused")).expect("it is told");
    assert!(
        refused.starts_with("disk.sync=explode\tnot crash"),
        "{refused}"
    );
}

#[test]
fn a_running_process_follows_new_orders_and_the_next_goes_on_counting() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_owned();
    let armed = std::thread::spawn(move || run("armed-while-it-runs", &path));
    while !folder.path().join("started").exists() {
        std::thread::yield_now();
    }
    fs::write(folder.path().join("arm"), "disk.sync=crash@5\n").expect("the folder takes orders");
    assert!(!armed.join().expect("the thread ends").success());
    let hits = || -> u64 {
        let text = fs::read_to_string(folder.path().join("hits")).expect("counts");
        let line = text
            .lines()
            .find(|line| line.starts_with("disk.sync\t"))
            .expect("a line");
        line.split('\t')
            .nth(1)
            .expect("hits")
            .parse()
            .expect("a number")
    };
    let before = hits();
    assert!(before >= 5);
    fs::write(folder.path().join("arm"), "disk.sync=crash@2\n").expect("the folder takes orders");
    assert!(!run("syncs", folder.path()).success());
    assert_eq!(hits(), before + 2);
}
