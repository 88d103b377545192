//! The rules, seen from outside.

mod script;
mod support;

mod balances;
mod batches;
mod codecs;
mod directory;
mod keys;
mod model;
mod payments;
mod pieces;
mod queries;
mod restarts;
mod transfers;
mod words;
