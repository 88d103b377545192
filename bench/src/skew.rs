//! How often each partner pays: a few large ones, a long tail, as real partners are.

use std::ops::Range;

/// A small generator of pseudorandom numbers (splitmix64): the load needs spread, not secrecy,
/// and the same seed gives the same load.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Draws a number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, but not including, 1.
    pub fn fraction(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number from `low` up to and including `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "an empty range");
        low + self.draw() % (high - low + 1)
    }
}

/// Zipf's law: the n-th partner pays 1/n as often as the first. Of 1,000 partners, the first has
/// 13 % of the payments and the first ten have 39 %.
#[derive(Clone, Debug)]
pub struct Zipf {
    /// How many partners before the first are left out.
    skipped: usize,
    /// For each partner, the share of it and all before it.
    cumulative: Vec<f64>,
}

impl Zipf {
    /// For this many partners, at least one.
    pub fn new(partners: usize) -> Zipf {
        Zipf::of(0..partners)
    }

    /// For some of the partners, counted from 0; they pay as often, compared with each other, as
    /// they would among all.
    pub fn of(partners: Range<usize>) -> Zipf {
        assert!(!partners.is_empty(), "nobody to choose from");
        let total: f64 = partners.clone().map(weight).sum();
        let skipped = partners.start;
        let mut sum = 0.0;
        let cumulative = partners
            .map(|partner| {
                sum += weight(partner) / total;
                sum
            })
            .collect();
        Zipf {
            skipped,
            cumulative,
        }
    }

    /// Chooses a partner, counted from 0.
    pub fn choose(&self, random: &mut Random) -> usize {
        let at = random.fraction();
        let index = self.cumulative.partition_point(|share| *share <= at);
        // Rounding may leave the last share a little under one.
        self.skipped + index.min(self.cumulative.len() - 1)
    }
}

/// The share of the first of so many partners.
pub fn first_share(partners: usize) -> f64 {
    weight(0) / (0..partners).map(weight).sum::<f64>()
}

fn weight(partner: usize) -> f64 {
    1.0 / (partner + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_the_rank() {
        let zipf = Zipf::new(1_000);
        let mut random = Random::new(7);
        let mut counts = vec![0u32; 1_000];
        for _ in 0..100_000 {
            counts[zipf.choose(&mut random)] += 1;
        }
        let share = |range: std::ops::Range<usize>| counts[range].iter().sum::<u32>() as f64 / 1e5;
        assert!((share(0..1) - 0.1336).abs() < 0.01, "{}", share(0..1));
        assert!((share(0..10) - 0.3913).abs() < 0.01, "{}", share(0..10));
        assert!(share(500..1_000) > 0.05, "{}", share(500..1_000));
    }

    #[test]
    fn those_left_out_are_never_chosen_and_the_others_keep_their_ranks() {
        let zipf = Zipf::of(1..3);
        let mut random = Random::new(5);
        let seconds = (0..10_000)
            .filter(|_| zipf.choose(&mut random) == 1)
            .count();
        // The second pays half as often as the first would, the third a third as often.
        assert!((5_800..6_200).contains(&seconds), "{seconds}");
        assert!((first_share(1_000) - 0.1336).abs() < 0.001);
    }

    #[test]
    fn a_single_partner_is_always_chosen() {
        let zipf = Zipf::new(1);
        let mut random = Random::new(1);
        assert!((0..1_000).all(|_| zipf.choose(&mut random) == 0));
    }

    #[test]
    fn ranges_are_inclusive() {
        let mut random = Random::new(3);
        let drawn: std::collections::BTreeSet<u64> =
            (0..1_000).map(|_| random.between(5, 8)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [5, 6, 7, 8]);
    }
}
