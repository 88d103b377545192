//! The addresses of one fabric: a /24 of 198.18.0.0/15, held by a lock while it lives.

use anyhow::{Context, Result, bail};
use std::fs::{self, File, OpenOptions};
use std::net::Ipv4Addr;

/// How many there are.
const SUBNETS: u16 = 512;

/// A subnet that no other fabric on this machine takes while this is held.
#[derive(Debug)]
pub(super) struct Subnet {
    number: u16,
    _lock: File,
}

impl Subnet {
    /// Takes a free one.
    pub(super) fn take() -> Result<Subnet> {
        let folder = std::env::temp_dir().join("florin-subnets");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for number in 0..SUBNETS {
            let mut open = OpenOptions::new();
            let file = folder.join(number.to_string());
            let lock = open.create(true).truncate(false).write(true).open(&file);
            let lock = lock.with_context(|| format!("cannot open {}", file.display()))?;
            if lock.try_lock().is_ok() {
                return Ok(Subnet {
                    number,
                    _lock: lock,
                });
            }
        }
        bail!("all {SUBNETS} subnets are taken")
    }

    /// The address of the host at this place, from 0.
    pub(super) fn address(&self, at: usize) -> Ipv4Addr {
        let [high, low] = self.number.to_be_bytes();
        Ipv4Addr::new(198, 18 + high, low, (at + 1).min(254) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_are_given_once_and_lie_in_the_range_for_tests() {
        let (one, other) = (Subnet::take().unwrap(), Subnet::take().unwrap());
        assert_ne!(one.address(0), other.address(0));
        for number in [0, 255, 256, SUBNETS - 1] {
            let lock = tempfile::tempfile().unwrap();
            let [a, b, _, d] = Subnet {
                number,
                _lock: lock,
            }
            .address(8)
            .octets();
            assert!(a == 198 && (18..=19).contains(&b) && d == 9, "{number}");
        }
    }
}
