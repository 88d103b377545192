//! Named places where a test may break Florin, and known mistakes that it may plant.
//!
//! A *failpoint* is a joint of the product: [`failpoint!`] counts that it was reached, and a test can
//! arm it so that the process ends there, the step fails, or it takes its time. A *mutant* is a known
//! mistake, planted by name with [`mutant!`]; the tests must notice each of them.
//!
//! Both work only with the feature `faults`. Without it the macros expand to nothing and to `false`,
//! and a build without debug assertions does not compile with it: no release can hold a mistake.
//!
//! ```text
//! sites.rs     every failpoint, and what it means
//! mutants.rs   every mutant, and what it does
//! action.rs    what an armed failpoint does, and the lines that arm it
//! live.rs      counts, armed failpoints, the planted mutant and the clock of this process
//! folder.rs    the folder by which another process arms this one and reads its counts
//! ```
//!
//! A real process is steered by the folder that [`FOLDER_VARIABLE`] names; a simulation by
//! `install`, which asks a function at every failpoint.

#[cfg(all(feature = "faults", not(debug_assertions)))]
compile_error!(
    "the feature `faults` plants mistakes: it needs debug assertions, which releases do not have"
);

mod action;
#[cfg(feature = "faults")]
mod folder;
#[cfg(feature = "faults")]
mod live;
mod macros;
mod mutants;
mod sites;

pub use action::{Action, Order, OrderError, When};
#[cfg(feature = "faults")]
pub use live::{count, install, plant, planted, reach, start};
pub use mutants::{MUTANTS, Mutant, mutant_number};
pub use sites::{SITES, Site, site_number};

use std::time::SystemTime;

/// The environment variable that names the folder of orders and counts. In it, `arm` holds
/// [`Order`]s, a line each, and is read again when it changes; `hits` holds a line for each
/// failpoint, `site TAB hits TAB fired`; `clock` by how many
/// milliseconds the clock is shifted; `refused` the lines of `arm` that mean nothing.
pub const FOLDER_VARIABLE: &str = "FLORIN_FAULTS_DIR";

/// The environment variable that plants a mutant from the start, where there is no folder.
pub const MUTANT_VARIABLE: &str = "FLORIN_MUTANT";

/// Starts to follow the folder and the mutant that the environment names; nothing without the
/// feature. Failpoints do it by themselves when the first is reached.
#[cfg(not(feature = "faults"))]
pub fn start() {}

/// The wall clock as this process is meant to see it: an order may have put it ahead or back.
pub fn clock(now: SystemTime) -> SystemTime {
    #[cfg(feature = "faults")]
    return live::clock(now);
    #[cfg(not(feature = "faults"))]
    now
}
