//! florin-storage
