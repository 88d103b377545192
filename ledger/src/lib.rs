//! The rules of money, pure: no clock, no I/O, no async, no randomness.
//!
//! Read in this order: [`id`] and [`amount`] are the words, [`command`] what may be asked,
//! [`effect`] what the ledger answers, [`object`] what partners see, [`state`] what is kept in
//! memory, [`store`] what is kept on disk, [`directory`] who the partners are and where they
//! live, [`query`] how all of it is read.

pub mod amount;
pub mod command;
pub mod directory;
pub mod effect;
pub mod id;
pub mod object;
pub mod query;
pub mod store;
