//! The write-ahead log, tested through its public face on simulated and real disks.

mod support;

mod basics;
mod compat;
mod damage;
mod failing;
mod garbage;
mod model;
mod real_disk;
mod torn;
