//! Groups over several nodes in this process: real streams, real logs, real ledgers.

mod bulk;
mod clocks;
mod disk;
mod failures;
mod frozen;
mod life;
mod members;
mod repair;
mod scrubs;
mod starts;
mod support;
