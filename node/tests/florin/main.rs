//! The real binary in real processes, with TLS, real disks and SIGKILL.
//!
//! Tests that start a cluster take turns (see `support`), for a cluster is several processes and
//! its timing means nothing on a machine that runs many of them.

mod damage;
mod faults;
mod hands;
mod kills;
mod membership;
mod mistakes;
mod strangers;
mod support;
mod told;
