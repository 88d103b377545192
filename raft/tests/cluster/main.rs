//! Groups over several nodes in this process: real streams, real logs, real ledgers.

mod clocks;
mod disk;
mod failures;
mod life;
mod starts;
mod support;
