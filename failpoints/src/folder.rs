//! The folder by which another process arms this one and reads its counts.

use crate::action::Order;
use crate::{FOLDER_VARIABLE, MUTANT_VARIABLE, MUTANTS, SITES, live};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{env, fs, process, thread};

/// How often the orders are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// After so many looks the counts are written.
const LOOKS_PER_WRITE: u32 = 10;

/// The folder that this process follows.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// The orders in force. Who holds it may change the file.
    orders: Mutex<String>,
    /// Counts are written by one thread at a time.
    writing: Mutex<()>,
}

/// Follows the folder that the environment names, or plants the mutant that it names. Orders are in
/// force when this returns.
///
/// # Panics
/// If the environment names a folder that cannot be followed or a mutant that does not exist: a test
/// that believes to have broken something must not go on.
pub(crate) fn from_environment() -> Option<Folder> {
    if let Some(name) = env::var_os(MUTANT_VARIABLE) {
        let number = MUTANTS.iter().position(|mutant| *mutant.name == *name);
        let number =
            number.unwrap_or_else(|| panic!("{MUTANT_VARIABLE} names no mutant: {name:?}"));
        live::obey(vec![(String::new(), Order::Plant(number))]);
    }
    let path = PathBuf::from(env::var_os(FOLDER_VARIABLE)?);
    let folder = Folder {
        path,
        orders: Mutex::default(),
        writing: Mutex::default(),
    };
    folder.go_on_counting();
    folder.look();
    folder.write_counts();
    let spawned = thread::Builder::new()
        .name("failpoints".into())
        .spawn(follow);
    spawned.unwrap_or_else(|error| panic!("cannot follow the orders: {error}"));
    Some(folder)
}

fn follow() {
    for look in 1_u32.. {
        thread::sleep(LOOK_EVERY);
        let Some(folder) = live::followed() else {
            continue;
        };
        folder.look();
        if look % LOOKS_PER_WRITE == 0 {
            folder.write_counts();
        }
    }
}

/// Ends the process at once. What it has counted is told first.
pub(crate) fn crash(folder: Option<&Folder>) -> ! {
    if let Some(folder) = folder {
        folder.write_counts();
    }
    process::abort()
}

impl Folder {
    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Reads the orders, and puts them in force if they have changed.
    fn look(&self) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody has to arm anything: no file means no orders.
        let text = fs::read_to_string(self.file("arm")).unwrap_or_default();
        if *orders == text {
            return;
        }
        let (mut lines, mut refused) = (Vec::new(), String::new());
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            match line.parse() {
                Ok(order) => lines.push((line.to_owned(), order)),
                Err(error) => _ = writeln!(refused, "{line}\t{error}"),
            }
        }
        live::obey(lines);
        *orders = text;
        replace(&self.file("clock"), &format!("{}\n", live::clock_shift()));
        replace(&self.file("refused"), &refused);
    }

    /// Takes a line out of the orders: it has been carried out.
    pub(crate) fn strike(&self, line: &str) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let text = fs::read_to_string(self.file("arm")).unwrap_or_default();
        let is_it = |other: &str| other.split('#').next().unwrap_or_default().trim() == line;
        let mut struck = false;
        let mut left = String::new();
        for other in text.lines() {
            if !struck && is_it(other) {
                struck = true;
            } else {
                left.push_str(other);
                left.push('\n');
            }
        }
        replace(&self.file("arm"), &left);
        // If others have come in meanwhile, the next look must see them.
        if *orders == text {
            *orders = left;
        }
    }

    /// Takes over what the process before this one had counted.
    fn go_on_counting(&self) {
        let text = fs::read_to_string(self.file("hits")).unwrap_or_default();
        for line in text.lines() {
            let mut fields = line.split('\t');
            let name = fields.next().unwrap_or_default();
            let site = SITES.iter().position(|site| site.name == name);
            let mut number = || fields.next().and_then(|field| field.parse().ok());
            if let (Some(site), Some(hits), Some(fired)) = (site, number(), number()) {
                live::count_from(site, hits, fired);
            }
        }
    }

    fn write_counts(&self) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (number, site) in SITES.iter().enumerate() {
            let (hits, fired) = live::count(number);
            _ = writeln!(text, "{}\t{hits}\t{fired}", site.name);
        }
        replace(&self.file("hits"), &text);
    }
}

/// Writes a file whole or not at all. The folder may go before the process does; nobody reads it then.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    if fs::write(&new, text).is_ok() {
        _ = fs::rename(&new, path);
    }
}
