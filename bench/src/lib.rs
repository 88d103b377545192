//! florin-bench
