//! The rules of money, pure: no clock, no I/O, no async, no randomness.
//!
//! Read in this order: [`id`] and [`amount`] are the words, [`command`] what may be asked,
//! [`effect`] what the ledger answers, [`object`] what partners see, [`state`] what is kept in
//! memory, [`store`] what is kept on disk, [`directory`] who the partners are and where they
//! live, [`query`] how all of it is read. [`apply::apply_batch`] is the one way to change anything,
//! [`journal`] what it leaves behind, [`replay`] how that is checked again.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing))]

pub mod amount;
pub mod apply;
pub mod command;
pub mod directory;
pub mod effect;
pub mod id;
pub mod invariants;
pub mod journal;
pub mod limits;
pub mod memory;
pub mod object;
pub mod query;
pub mod replay;
pub mod state;
pub mod store;
