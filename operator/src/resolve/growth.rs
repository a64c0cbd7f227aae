//! Whether a volume outside the quota has to grow, or is nearly full, from how full it was measured.

use super::facts::VolumeFacts;
use crate::api::FileSystemOverhead;
use crate::core::{Bytes, GrowthRule};
use crate::plan::GrowthDecision;
use crate::usage::{Measurement, Usage};

/// What the storage class says of a volume's file system.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClassFacts {
    /// What the file system takes for itself.
    pub(super) overhead: FileSystemOverhead,
    /// Whether a volume is as large as its claim; what is measured is another disk's otherwise.
    pub(super) enforces_size: bool,
}

/// What a file system may take for itself without the Platform telling of it, in percent: less than
/// what the smallest step adds.
const UNTOLD_PERCENT: u128 = 10;

/// What follows from how full a volume is. `request`: what the quota asks for; `maximum`: the most
/// that may be requested. The claim itself remembers what it has grown to.
pub(super) fn filling(
    rule: GrowthRule,
    (request, maximum): (Bytes, Bytes),
    class: ClassFacts,
    volume: Option<&VolumeFacts>,
) -> GrowthDecision {
    let Some(volume) = volume else { return GrowthDecision::Nothing };
    let (Some(requested), Some(capacity)) = (volume.requested, volume.capacity) else { return GrowthDecision::Nothing };
    if requested < request || capacity < requested || !class.enforces_size {
        return GrowthDecision::Nothing;
    }
    let usage = match volume.usage {
        Measurement::Measured(usage) => usage,
        Measurement::NotYet => return GrowthDecision::NotMeasured,
        Measurement::Nothing => return GrowthDecision::Nothing,
    };
    if !is_short(rule, &usage, capacity, class.overhead) {
        return GrowthDecision::Nothing;
    }
    match rule.next(requested, maximum) {
        None => GrowthDecision::AtMaximum,
        Some(_) if !volume.expandable => GrowthDecision::NotExpandable,
        Some(next) => GrowthDecision::Grow(next),
    }
}

/// A volume without growth is nearly full when one that grows by default would grow.
const WATCHED: GrowthRule = GrowthRule { when_free_below_percent: 20, step_percent: 50 };

/// The same of a volume that its package lets not grow.
pub(super) fn filling_fixed(request: Bytes, class: ClassFacts, volume: Option<&VolumeFacts>) -> GrowthDecision {
    match filling(WATCHED, (request, request), class, volume) {
        GrowthDecision::AtMaximum => GrowthDecision::Fixed,
        decided => decided,
    }
}

/// What was measured before the volume became as large as it is now counts with what was added
/// since: otherwise each growth would be followed by another one.
fn is_short(rule: GrowthRule, usage: &Usage, capacity: Bytes, overhead: FileSystemOverhead) -> bool {
    let measured = usage.used.get().saturating_add(usage.available.get());
    let size = usable(capacity, overhead);
    let added = size.saturating_sub(measured);
    if u128::from(added) * 100 > u128::from(size) * UNTOLD_PERCENT {
        return rule.is_short(usage.available.get().saturating_add(added), size);
    }
    let inodes = usage.inodes.is_some_and(|inodes| rule.is_short(inodes.free, inodes.all));
    inodes || rule.is_short(usage.available.get(), measured)
}

/// What files can take of a volume, once its file system has taken its share.
fn usable(capacity: Bytes, overhead: FileSystemOverhead) -> u64 {
    let rest = u128::from(capacity.get()) * u128::from(1000_u32.saturating_sub(overhead.per_mille)) / 1000;
    u64::try_from(rest).unwrap_or(u64::MAX).saturating_sub(overhead.bytes)
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;
    use crate::usage::Inodes;

    const MIB: u64 = 1 << 20;
    const RULE: GrowthRule = GrowthRule { when_free_below_percent: 20, step_percent: 50 };
    /// As of XFS: 100 MiB of each volume.
    const CLASS: ClassFacts =
        ClassFacts { overhead: FileSystemOverhead { bytes: 100 * MIB, per_mille: 0 }, enforces_size: true };

    fn mib(mib: u64) -> Bytes {
        Bytes::new(mib * MIB)
    }

    /// A volume that requests and has this much, in MiB, as it was measured.
    fn volume(requested: u64, capacity: u64, usage: Measurement) -> VolumeFacts {
        VolumeFacts {
            storage_class: Some("xfs".into()),
            expandable: true,
            requested: Some(mib(requested)),
            capacity: Some(mib(capacity)),
            usage,
        }
    }

    fn measured(used: u64, available: u64) -> Measurement {
        Measurement::Measured(Usage { used: mib(used), available: mib(available), inodes: None })
    }

    fn decided(volume: &VolumeFacts) -> GrowthDecision {
        filling(RULE, (mib(1100), mib(3000)), CLASS, Some(volume))
    }

    #[test_case(measured(800, 200), GrowthDecision::Nothing; "there is room")]
    #[test_case(measured(801, 199), GrowthDecision::Grow(mib(1650)); "nearly full")]
    #[test_case(measured(1000, 0), GrowthDecision::Grow(mib(1650)); "full")]
    #[test_case(Measurement::Nothing, GrowthDecision::Nothing; "nothing is known")]
    #[test_case(Measurement::NotYet, GrowthDecision::NotMeasured; "nothing is known yet")]
    fn it_grows_when_too_little_is_free(usage: Measurement, expected: GrowthDecision) {
        assert_eq!(decided(&volume(1100, 1100, usage)), expected);
    }

    #[test]
    fn inodes_count_as_bytes_do() {
        let with = |free| {
            let inodes = Some(Inodes { all: 1000, free });
            decided(&volume(1100, 1100, Measurement::Measured(Usage { used: mib(100), available: mib(900), inodes })))
        };
        assert_eq!([with(200), with(199)], [GrowthDecision::Nothing, GrowthDecision::Grow(mib(1650))]);
    }

    #[test]
    fn one_growth_waits_for_the_other() {
        let full = measured(1000, 0);
        assert_eq!(decided(&volume(1650, 1100, full)), GrowthDecision::Nothing, "the driver has not grown it yet");
        assert_eq!(decided(&volume(1000, 1000, full)), GrowthDecision::Nothing, "a larger quota grows it already");
        let unbound = VolumeFacts { capacity: None, ..volume(1100, 0, full) };
        assert_eq!(decided(&unbound), GrowthDecision::Nothing);
    }

    #[test]
    fn what_was_measured_before_a_growth_does_not_cause_another() {
        assert_eq!(decided(&volume(1650, 1650, measured(1000, 0))), GrowthDecision::Nothing);
        assert_eq!(
            decided(&volume(1650, 1650, measured(1300, 250))),
            GrowthDecision::Grow(mib(2475)),
            "it was measured since"
        );
        let inodes = Some(Inodes { all: 1000, free: 1 });
        let stale = Measurement::Measured(Usage { used: mib(500), available: mib(500), inodes });
        assert_eq!(decided(&volume(1650, 1650, stale)), GrowthDecision::Nothing);
    }

    #[test]
    fn a_file_system_that_takes_more_than_was_told_is_judged_by_what_it_measures() {
        let untold = ClassFacts { overhead: FileSystemOverhead::default(), ..CLASS };
        let decided = |usage| filling(RULE, (mib(1000), mib(3000)), untold, Some(&volume(1000, 1000, usage)));
        assert_eq!(
            [decided(measured(720, 180)), decided(measured(721, 179))],
            [GrowthDecision::Nothing, GrowthDecision::Grow(mib(1500))]
        );
    }

    #[test]
    fn it_ends_at_its_maximum_and_never_goes_back() {
        assert_eq!(decided(&volume(2475, 2475, measured(2300, 75))), GrowthDecision::Grow(mib(3000)));
        assert_eq!(decided(&volume(3000, 3000, measured(2800, 100))), GrowthDecision::AtMaximum);
        assert_eq!(
            decided(&volume(9000, 9000, measured(8800, 100))),
            GrowthDecision::AtMaximum,
            "the maximum was larger once"
        );
        assert_eq!(decided(&volume(9000, 9000, measured(1, 8899))), GrowthDecision::Nothing);
    }

    #[test]
    fn a_volume_without_growth_is_judged_as_the_others_are_and_never_grows() {
        let decided = |volume: &VolumeFacts| filling_fixed(mib(1100), CLASS, Some(volume));
        let of = |usage| decided(&volume(1100, 1100, usage));
        assert_eq!([of(measured(800, 200)), of(measured(801, 199))], [GrowthDecision::Nothing, GrowthDecision::Fixed]);
        assert_eq!(of(Measurement::NotYet), GrowthDecision::NotMeasured);
        let by_hand = |usage| decided(&volume(2200, 2200, usage));
        assert_eq!(by_hand(measured(1000, 1100)), GrowthDecision::Nothing, "somebody enlarged its claim");
        assert_eq!(by_hand(measured(2000, 100)), GrowthDecision::Fixed);
    }

    #[test]
    fn what_cannot_grow_is_told_and_a_disk_of_others_is_not_judged() {
        let full = volume(1100, 1100, measured(1000, 0));
        assert_eq!(decided(&VolumeFacts { expandable: false, ..full.clone() }), GrowthDecision::NotExpandable);
        let shared = ClassFacts { enforces_size: false, ..CLASS };
        assert_eq!(filling(RULE, (mib(1100), mib(3000)), shared, Some(&full)), GrowthDecision::Nothing);
    }
}
