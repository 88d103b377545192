//! florin-shards
