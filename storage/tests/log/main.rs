//! The write-ahead log, tested through its public face on simulated and real disks.

mod basics;
mod support;
