//! florin-raft
