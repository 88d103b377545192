//! The frontend as its peers see it: real connections over real books.

mod admin;
mod binary;
mod connections;
mod idempotency;
mod objects;
mod openapi;
mod reads;
mod requests;
mod support;
