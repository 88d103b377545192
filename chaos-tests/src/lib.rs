//! Judges what a Florin cluster did while it was broken on purpose.
//!
//! Read in this order: [`history`] is what clients saw and what the books said in the end;
//! [`check`] has one file for each thing that must hold, all of them pure functions of a history;
//! [`verdict`] is what they answer. [`load`] makes a history with a running cluster, and [`cli`] is
//! the command line. [`report`] tells people and machines of a run.
//!
//! [`mutants`] plants known mistakes and says what noticed them.
//!
//! [`fabric`] is a network that can be broken, [`disks`] are disks that can, and [`playground`] is a
//! cluster of real processes on both; [`doctor`] says what of it this machine can do.
//!
//! Nothing here trusts the cluster: only clients' clocks and clients' answers are evidence.

pub mod attach;
pub mod check;
pub mod cli;
pub mod disks;
pub mod doctor;
pub mod fabric;
pub mod faults;
pub mod history;
pub mod ioctls;
pub mod limits;
pub mod load;
pub mod mutants;
pub mod playground;
pub mod report;
pub mod run;
pub mod scenario;
pub mod verdict;
