//! Numbers drawn from a seed: the same seed, the same numbers, on every machine and for ever.

/// SplitMix64 (Steele, Lea and Flood, 2014): small, fast, and good enough to break things with.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that always fall alike for this seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// Dice for one purpose among many under the same seed.
    pub fn apart(seed: u64, purpose: u64) -> Dice {
        let mut mixed = Dice(seed ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93));
        Dice(mixed.draw())
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1, without 1.
    pub fn part(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 to `end`, without `end`; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // The bias of this is below end/2^64.
        ((u128::from(self.draw()) * u128::from(end)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_others_do_not() {
        let three = |mut dice: Dice| [dice.draw(), dice.draw(), dice.draw()];
        assert_eq!(
            three(Dice::new(0)),
            [
                0xe220_a839_7b1d_cdaf,
                0x6e78_9e6a_a1b9_65f4,
                0x06c4_5d18_8009_454f
            ],
            "the published numbers of seed 0"
        );
        assert_eq!(three(Dice::apart(7, 1)), three(Dice::apart(7, 1)));
        assert_ne!(three(Dice::apart(7, 1)), three(Dice::apart(7, 2)));
    }

    #[test]
    fn parts_and_bounds_are_kept() {
        let mut dice = Dice::new(3);
        let mean = (0..10_000).map(|_| dice.part()).sum::<f64>() / 10_000.0;
        assert!((0.48..0.52).contains(&mean), "{mean}");
        assert!((0..1_000).all(|_| dice.below(6) < 6));
        assert_eq!(dice.below(0), 0);
    }
}
