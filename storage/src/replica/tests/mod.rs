//! The store's suite: each test runs on sled and on memory.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod books;
mod codecs;
mod compat;
mod crashes;
mod damage;
mod faulty;
mod reads;
mod snapshots;
mod support;
