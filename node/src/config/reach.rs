//! Addresses that are dialled elsewhere: `[reach]` of a configuration.
//!
//! Nodes are known by the addresses that they advertise, to everybody by the same one. Where one
//! of them cannot be dialled from here as it stands (behind address translation, through a tunnel
//! or a proxy), this table says what is dialled instead.

use super::check_address;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is dialled instead of an address, both `host:port`. What is not in it is dialled itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reach(BTreeMap<String, String>);

impl Reach {
    /// What to dial for this address.
    pub fn of<'a>(&'a self, address: &'a str) -> &'a str {
        self.0.get(address).map_or(address, String::as_str)
    }

    /// Whether every address is dialled itself.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Pairs: an address, and what is dialled instead.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter();
        pairs.map(|(address, instead)| (address.as_str(), instead.as_str()))
    }

    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        for (address, instead) in &self.0 {
            check_address("reach", address)?;
            check_address("reach", instead)?;
        }
        Ok(())
    }
}

/// Of pairs: an address, and what is dialled instead.
impl FromIterator<(String, String)> for Reach {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Reach {
        Reach(pairs.into_iter().collect())
    }
}
