//! A disk in memory that tests can break.
