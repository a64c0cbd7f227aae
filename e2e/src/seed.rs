//! Numbers that look random and come again with the same seed.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::failure::{Failure, Outcome};

/// The variable that names the seed of a run that is to be repeated.
pub const VARIABLE: &str = "COMMONSCLOUD_SEED";

/// A sequence of numbers (SplitMix64).
#[derive(Debug, Clone)]
pub struct Seed {
    /// What the sequence began with.
    pub first: u64,
    state: u64,
}

impl Seed {
    /// The sequence of this seed.
    pub fn new(first: u64) -> Self {
        Self { first, state: first }
    }

    /// The seed of `COMMONSCLOUD_SEED`, or a new one.
    ///
    /// # Errors
    /// When the variable is no number.
    pub fn of_this_run() -> Outcome<Self> {
        match std::env::var(VARIABLE) {
            Ok(given) => {
                let number = given.trim().parse();
                Ok(Self::new(number.map_err(|_| Failure::new(format!("{VARIABLE}={given} is no whole number")))?))
            }
            Err(_) => Ok(Self::new(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())),
        }
    }

    /// The next number below `end`; 0 where there is none.
    pub fn below(&mut self, end: u32) -> u32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        u32::try_from(mixed % u64::from(end.max(1))).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Seed;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let ten = |first| {
            let mut seed = Seed::new(first);
            [0; 10].map(|_| seed.below(1000))
        };
        assert_eq!(ten(7), ten(7));
        assert_ne!(ten(7), ten(8));
        assert!(ten(7).iter().all(|number| *number < 1000));
    }
}
