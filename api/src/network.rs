//! Networks that a key is bound to, in CIDR notation.

use std::net::IpAddr;

/// Whether an address lies in a network like `203.0.113.0/24`, `2001:db8::/32` or `192.0.2.7`.
/// What is no network holds no address: a wrong entry locks out, it does not open.
pub(crate) fn contains(network: &str, address: IpAddr) -> bool {
    parse(network).is_some_and(|(base, prefix)| match (base, address.to_canonical()) {
        (IpAddr::V4(base), IpAddr::V4(address)) => same(
            u32::from(base).into(),
            u32::from(address).into(),
            32,
            prefix,
        ),
        (IpAddr::V6(base), IpAddr::V6(address)) => {
            same(u128::from(base), u128::from(address), 128, prefix)
        }
        _ => false,
    })
}

/// Whether this is a network.
pub(crate) fn valid(network: &str) -> bool {
    parse(network).is_some()
}

fn parse(network: &str) -> Option<(IpAddr, u32)> {
    let (base, prefix) = match network.split_once('/') {
        Some((base, prefix)) => (base, Some(prefix)),
        None => (network, None),
    };
    let base: IpAddr = base.parse().ok()?;
    let bits = if base.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= bits)?,
        None => bits,
    };
    Some((base, prefix))
}

fn same(base: u128, address: u128, bits: u32, prefix: u32) -> bool {
    prefix == 0 || (base ^ address) >> (bits - prefix) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses_only() {
        for (network, address, held) in [
            ("203.0.113.0/24", "203.0.113.255", true),
            ("203.0.113.0/24", "203.0.114.0", false),
            ("203.0.113.7", "203.0.113.7", true),
            ("203.0.113.7", "203.0.113.8", false),
            ("0.0.0.0/0", "198.51.100.1", true),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "198.51.100.1", false),
            ("203.0.113.0/33", "203.0.113.0", false),
            ("nonsense", "203.0.113.0", false),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(contains(network, address), held, "{network} {address}");
        }
    }
}
