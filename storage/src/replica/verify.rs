//! Checking the data folder of a stopped node.
