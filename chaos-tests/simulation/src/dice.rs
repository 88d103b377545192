//! Numbers that look random and are not: splitmix64. Each part of a run throws its own dice, so
//! that one more throw in one of them leaves the others as they were.

/// Dice from a seed.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

/// splitmix64's last step.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Dice {
    /// The dice of one part of the run with this seed.
    pub(crate) fn new(seed: u64, part: &str) -> Dice {
        let of_part = |state: u64, byte: u8| mix(state ^ u64::from(byte)).wrapping_add(seed);
        Dice(part.bytes().fold(mix(seed), of_part))
    }

    /// Anything.
    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// From 0 to `sides` - 1.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.word() % sides.max(1)
    }

    /// From `low` to `high`, both among them.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.roll(high.saturating_sub(low) + 1)
    }

    /// Yes, in so many of a hundred cases.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }

    /// One of these; none of none.
    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        let at = usize::try_from(self.roll(of.len() as u64)).ok()?;
        of.get(at).cloned()
    }

    /// These in another order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = usize::try_from(self.roll(last as u64 + 1)).unwrap_or(last);
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same_and_parts_differ() {
        let throw = |seed, part| {
            let mut dice = Dice::new(seed, part);
            (0..8).map(|_| dice.word()).collect::<Vec<_>>()
        };
        assert_eq!(throw(1, "load"), throw(1, "load"));
        assert_ne!(throw(1, "load"), throw(2, "load"));
        assert_ne!(throw(1, "load"), throw(1, "faults"));
    }
}
