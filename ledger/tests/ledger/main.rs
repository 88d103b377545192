//! The rules, seen from outside.

mod smoke;
mod support;
