//! When a volume grows because it fills up, and to what.

use super::Bytes;

const MIB: u64 = 1 << 20;

/// When a volume grows, and by how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrowthRule {
    /// It grows once less than this share of it is free, in percent.
    pub when_free_below_percent: u32,
    /// By this share of what it requests, in percent.
    pub step_percent: u32,
}

impl GrowthRule {
    /// Whether too little is free: of bytes as of inodes.
    pub fn is_short(self, free: u64, whole: u64) -> bool {
        u128::from(free) * 100 < u128::from(whole) * u128::from(self.when_free_below_percent)
    }

    /// What to request after `request`: a step more in whole MiB, at most `maximum`. None: it is
    /// there already, or past it.
    pub fn next(self, request: Bytes, maximum: Bytes) -> Option<Bytes> {
        let grown = u128::from(request.get()) * (100 + u128::from(self.step_percent)) / 100;
        let grown = u64::try_from(grown).ok().and_then(|bytes| bytes.checked_next_multiple_of(MIB));
        let next = grown.map_or(maximum, Bytes::new).min(maximum);
        (next > request).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULE: GrowthRule = GrowthRule { when_free_below_percent: 20, step_percent: 50 };

    fn next(request: &str, maximum: &str) -> Option<String> {
        RULE.next(request.parse().unwrap(), maximum.parse().unwrap()).map(|bytes| bytes.to_string())
    }

    #[test]
    fn less_free_than_the_rule_says_is_short() {
        for (free, whole, short) in [(20, 100, false), (19, 100, true), (0, 100, true), (0, 0, false), (1, 5, false)] {
            assert_eq!(RULE.is_short(free, whole), short, "{free} of {whole}");
        }
        assert!(RULE.is_short(u64::MAX / 6, u64::MAX) && !RULE.is_short(u64::MAX, u64::MAX));
    }

    #[test]
    fn a_step_is_whole_mebibytes_and_ends_at_the_maximum() {
        assert_eq!(next("4Gi", "20Gi").as_deref(), Some("6Gi"));
        assert_eq!(next("4193Mi", "20Gi").as_deref(), Some("6290Mi"));
        assert_eq!(next("4Gi", "5Gi").as_deref(), Some("5Gi"));
        assert_eq!(next("5Gi", "5Gi"), None);
        assert_eq!(next("6Gi", "5Gi"), None, "a volume never shrinks");
    }

    proptest! {
        #[test]
        fn it_only_ever_grows_and_ends(request in 1_u64.., maximum in 1_u64.., step in 1_u32..1000) {
            let rule = GrowthRule { step_percent: step, ..RULE };
            let (mut request, maximum) = (Bytes::new(request), Bytes::new(maximum));
            for _ in 0..20 {
                let Some(next) = rule.next(request, maximum) else { break };
                prop_assert!(next > request && next <= maximum);
                request = next;
            }
        }
    }
}
