//! Which measurement is worth telling.

use std::collections::HashMap;

use super::{Claim, Usage};

/// A change of this many bytes is told, however large the volume is.
const LARGE_STEP: u64 = 64 << 20;
/// On smaller volumes, a change of this part of the volume is told.
const PARTS: u64 = 100;
/// A change of this part of the free inodes is told.
const INODE_PARTS: u64 = 10;
/// How many rounds in a row a volume may be missing before it counts as unknown: a pod or a
/// kubelet that restarts is no news.
pub(super) const MISSES: u32 = 2;

struct ConditionUpdate {
    usage: Usage,
    missed: u32,
}

/// What was last told of each volume.
#[derive(Default)]
pub(super) struct Volumes {
    shown: HashMap<Claim, ConditionUpdate>,
}

impl Volumes {
    /// What was last told.
    pub(super) fn of(&self, claim: &Claim) -> Option<Usage> {
        self.shown.get(claim).map(|shown| shown.usage)
    }

    /// Takes in a round's measurements. Returns the volumes of which something else is told now.
    pub(super) fn take(&mut self, measured: HashMap<Claim, Usage>) -> Vec<Claim> {
        let mut changed = self.miss(&measured);
        for (claim, usage) in measured {
            match self.shown.get_mut(&claim) {
                Some(shown) if !moved(&shown.usage, &usage) => shown.missed = 0,
                _ => {
                    self.shown.insert(claim.clone(), ConditionUpdate { usage, missed: 0 });
                    changed.push(claim);
                }
            }
        }
        changed
    }

    /// Counts what is missing and forgets what was missing too often.
    fn miss(&mut self, measured: &HashMap<Claim, Usage>) -> Vec<Claim> {
        let gone = self.shown.extract_if(|claim, shown| {
            let missing = !measured.contains_key(claim);
            shown.missed += u32::from(missing);
            missing && shown.missed >= MISSES
        });
        gone.map(|(claim, _)| claim).collect()
    }
}

fn size(usage: &Usage) -> u64 {
    usage.used.get().saturating_add(usage.available.get())
}

/// The smallest change of a volume that is worth telling, in bytes.
pub(super) fn step(usage: &Usage) -> u64 {
    (size(usage) / PARTS).clamp(1, LARGE_STEP)
}

fn moved(before: &Usage, now: &Usage) -> bool {
    let step = step(before);
    before.used.get().abs_diff(now.used.get()) >= step
        || size(before).abs_diff(size(now)) >= step
        || inodes_moved(free_inodes(before), free_inodes(now))
}

fn free_inodes(usage: &Usage) -> Option<u64> {
    usage.inodes.map(|inodes| inodes.free)
}

fn inodes_moved(before: Option<u64>, now: Option<u64>) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => before.abs_diff(now) > before.max(now) / INODE_PARTS,
        (before, now) => before.is_some() != now.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;
    use crate::core::Bytes;
    use crate::usage::Inodes;

    const MIB: u64 = 1 << 20;

    fn claim() -> Claim {
        Claim { namespace: "school".to_owned(), name: "office-files".to_owned() }
    }

    fn usage(used: u64, available: u64) -> Usage {
        Usage {
            used: Bytes::new(used),
            available: Bytes::new(available),
            inodes: Some(Inodes { all: 2000, free: 1000 }),
        }
    }

    fn measured(usage: Usage) -> HashMap<Claim, Usage> {
        HashMap::from([(claim(), usage)])
    }

    /// One after another on a volume of this size; returns what is told after each.
    fn told(size: u64, used: &[u64]) -> Vec<u64> {
        let mut volumes = Volumes::default();
        let tell = |used: &u64| {
            volumes.take(measured(usage(*used, size - used)));
            volumes.of(&claim()).unwrap().used.get()
        };
        used.iter().map(tell).collect()
    }

    #[test_case(1000 * MIB, &[0, 9 * MIB, 10 * MIB, 11 * MIB, 19 * MIB, 20 * MIB], &[0, 0, 10 * MIB, 10 * MIB, 10 * MIB, 20 * MIB]; "a hundredth of a small volume")]
    #[test_case(1_000_000 * MIB, &[0, 63 * MIB, 64 * MIB, 127 * MIB, 128 * MIB], &[0, 0, 64 * MIB, 64 * MIB, 128 * MIB]; "sixty four mib of a large one")]
    #[test_case(1000 * MIB, &[10 * MIB, 19 * MIB, 10 * MIB, 19 * MIB], &[10 * MIB; 4]; "to and fro around a step")]
    #[test_case(1000 * MIB, &[500 * MIB, 491 * MIB, 490 * MIB], &[500 * MIB, 500 * MIB, 490 * MIB]; "less as well as more")]
    fn used_is_told_in_steps(size: u64, used: &[u64], expected: &[u64]) {
        assert_eq!(told(size, used), expected);
    }

    #[test]
    fn what_is_told_and_what_is_news_agree() {
        let mut volumes = Volumes::default();
        assert_eq!(volumes.take(measured(usage(0, 1000 * MIB))), [claim()]);
        assert_eq!(volumes.take(measured(usage(MIB, 999 * MIB))), []);
        assert_eq!(volumes.take(measured(usage(300 * MIB, 700 * MIB))), [claim()]);
    }

    #[test]
    fn a_volume_that_grew_is_news() {
        let mut volumes = Volumes::default();
        volumes.take(measured(usage(100 * MIB, 900 * MIB)));
        assert_eq!(volumes.take(measured(usage(100 * MIB, 1900 * MIB))), [claim()]);
        assert_eq!(volumes.of(&claim()), Some(usage(100 * MIB, 1900 * MIB)));
    }

    #[test_case(Some(1000), Some(950), false)]
    #[test_case(Some(1000), Some(500), true)]
    #[test_case(Some(1), Some(0), true)]
    #[test_case(Some(0), Some(0), false)]
    #[test_case(None, Some(5), true)]
    #[test_case(None, None, false)]
    fn inodes_are_told_when_a_tenth_is_gone(before: Option<u64>, now: Option<u64>, expected: bool) {
        assert_eq!(inodes_moved(before, now), expected);
    }

    #[test]
    fn one_missing_round_is_no_news_and_two_make_it_unknown() {
        let mut volumes = Volumes::default();
        volumes.take(measured(usage(0, MIB)));
        for _ in 0..3 {
            assert_eq!(volumes.take(HashMap::new()), []);
            assert_eq!(volumes.of(&claim()), Some(usage(0, MIB)));
            assert_eq!(volumes.take(measured(usage(0, MIB))), []);
        }
        volumes.take(HashMap::new());
        assert_eq!(volumes.take(HashMap::new()), [claim()]);
        assert_eq!(volumes.of(&claim()), None);
        assert_eq!(volumes.take(HashMap::new()), []);
    }
}
