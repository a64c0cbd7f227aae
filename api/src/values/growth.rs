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

/// The least that a claim may request once its volume has `capacity`: Kubernetes refuses a request
/// equal to it. Whole MiB; none where that does not fit.
pub fn least_above(capacity: Bytes) -> Option<Bytes> {
    (capacity.get() / MIB).checked_add(1)?.checked_mul(MIB).map(Bytes::new)
}

/// What to request instead of a growth to `requested` that the storage cannot give: what is `wanted`
/// by now, or the least that Kubernetes takes. None: that is no less.
pub fn taken_back(requested: Bytes, capacity: Bytes, wanted: Bytes) -> Option<Bytes> {
    let size = wanted.max(least_above(capacity)?);
    (size < requested).then_some(size)
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

    #[test]
    fn a_growth_that_failed_is_taken_back_to_what_kubernetes_takes() {
        let back = |requested: &str, capacity: &str, wanted: &str| {
            let [requested, capacity, wanted] = [requested, capacity, wanted].map(|text| text.parse().unwrap());
            taken_back(requested, capacity, wanted).map(|bytes| bytes.to_string())
        };
        assert_eq!(back("1048577121Mi", "1121Mi", "1121Mi").as_deref(), Some("1122Mi"), "1121Mi would be refused");
        assert_eq!(back("1048577121Mi", "1121Mi", "5Gi").as_deref(), Some("5Gi"));
        assert_eq!(back("1122Mi", "1121Mi", "1121Mi"), None, "it is taken back already");
        assert_eq!(back("5Gi", "1121Mi", "5Gi"), None, "it is still wanted");
        assert_eq!(back("5Gi", "5Gi", "1Gi"), None, "it was given: volumes do not shrink");
        assert_eq!(back("2Gi", "1073741825", "1Gi").as_deref(), Some("1025Mi"));
        assert_eq!(taken_back(Bytes::new(u64::MAX), Bytes::new(u64::MAX - 1), Bytes::ZERO), None);
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
