//! Random numbers from a seed, the same each time: what goes wrong with one can be tried again.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A source of random numbers. Clones go on with the same sequence.
#[derive(Clone, Debug)]
pub struct Dice(Arc<AtomicU64>);

impl Dice {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    /// The next number: SplitMix64, whose state is a counter.
    pub fn number(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut mixed = self.0.fetch_add(STEP, Ordering::Relaxed);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below a limit, which isn't 0.
    pub fn below(&self, limit: u64) -> u64 {
        self.number() % limit
    }

    /// True with this probability.
    pub fn chance(&self, share: f64) -> bool {
        const PARTS: u32 = 1 << 24;
        let part = u32::try_from(self.below(PARTS.into())).unwrap_or_default();
        f64::from(part) < share * f64::from(PARTS)
    }

    /// One of several, of which there is one at least.
    pub fn pick<'a, T>(&self, of: &'a [T]) -> &'a T {
        let count = u64::try_from(of.len()).unwrap_or(u64::MAX);
        let at = usize::try_from(self.below(count)).unwrap_or_default();
        &of[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_shares_come_true() {
        let (one, other) = (Dice::new(7), Dice::new(7));
        assert!((0..100).all(|_| one.number() == other.number()));
        let hits = (0..10_000).filter(|_| one.chance(0.05)).count();
        assert!((400..600).contains(&hits), "{hits} of 10,000");
        assert!(!one.chance(0.0));
    }
}
