//! How large the volumes are: what one file can take, and what the claim requests for that.

use super::facts::{Facts, VolumeFacts};
use super::growth::{ClassFacts, filling, filling_fixed};
use super::refusal::Refusal;
use crate::api::{FileSystemOverhead, PlatformSpec, ServiceData, StorageClassFacts};
use crate::core::{Bytes, ExpressionError};
use crate::plan::{GrowthDecision, PlannedGrowth, PlannedVolume};
use crate::template::{Package, PackageVolume};

/// The class of new volumes: the Platform's, else its first, else none (the cluster's default).
pub fn storage_class(platform: &PlatformSpec) -> Option<&str> {
    platform.storage_class.as_deref().or_else(|| Some(platform.storage_classes.first()?.name.as_str()))
}

/// What a claim requests so that one file of `usable` fits: the file system's share on top.
pub fn request(usable: Bytes, overhead: FileSystemOverhead) -> Option<Bytes> {
    let with_constant = usable.get().checked_add(overhead.bytes)?;
    let rest = 1000_u64.checked_sub(overhead.per_mille.into()).filter(|rest| *rest > 0)?;
    let scaled = u128::from(with_constant) * 1000;
    u64::try_from(scaled.div_ceil(u128::from(rest))).ok().map(Bytes::new)
}

/// The claim of a volume: the record's, since a restore gives a volume another one; else `{instance}-{volume}`.
pub fn claim(record: Option<&ServiceData>, instance: &str, volume: &str) -> String {
    let recorded = record.and_then(|record| record.spec.volumes.iter().find(|recorded| recorded.name == volume));
    recorded.map_or_else(|| format!("{instance}-{volume}"), |recorded| recorded.claim.clone())
}

pub(super) fn volumes(
    package: &Package,
    instance: &str,
    quota: Bytes,
    platform: &PlatformSpec,
    facts: &Facts,
) -> Result<Vec<PlannedVolume>, Refusal> {
    let mut planned = Vec::new();
    for volume in package.volumes() {
        let size_error = |source| Refusal::VolumeSize { volume: volume.name.clone(), source };
        let usable = volume.size(quota).map_err(size_error)?;
        let claim = claim(facts.record.as_deref(), instance, &volume.name);
        // A volume keeps the class it was made with.
        let existing = facts.volumes.get(&claim);
        let class = existing.and_then(|v| v.storage_class.clone());
        let class = class.or_else(|| storage_class(platform).map(str::to_owned));
        let of_class = class_facts(platform.storage_classes.iter().find(|c| Some(&c.name) == class.as_ref()));
        let request = request(usable, of_class.overhead)
            .ok_or_else(|| Refusal::VolumeTooLarge { volume: volume.name.clone(), usable })?;
        let growth = growth(volume, quota, (usable, request), of_class.overhead).map_err(size_error)?;
        planned.push(PlannedVolume {
            filling: watched(volume, request, growth, of_class, existing),
            growth,
            name: volume.name.clone(),
            claim,
            usable,
            request,
            carries_quota: volume.carries_quota,
            access: volume.access,
            storage_class: class,
        });
    }
    Ok(planned)
}

/// A class that the Platform does not list is taken at its word.
fn class_facts(class: Option<&StorageClassFacts>) -> ClassFacts {
    ClassFacts {
        overhead: class.map(|class| class.overhead).unwrap_or_default(),
        enforces_size: class.is_none_or(|class| class.enforces_size),
    }
}

/// How far it grows. `from`: what files can take of it now, and what its claim requests for that.
fn growth(
    volume: &PackageVolume,
    quota: Bytes,
    from: (Bytes, Bytes),
    overhead: FileSystemOverhead,
) -> Result<Option<PlannedGrowth>, ExpressionError> {
    let Some(growth) = &volume.growth else { return Ok(None) };
    let usable = growth.maximum(quota)?.max(from.0);
    let planned = request(usable, overhead).map(|maximum| PlannedGrowth { usable, maximum: maximum.max(from.1) });
    Ok(Some(planned.unwrap_or(PlannedGrowth { usable: from.0, maximum: from.1 })))
}

/// What is sold may be full: only the volumes beside it are watched.
fn watched(
    volume: &PackageVolume,
    base: Bytes,
    planned: Option<PlannedGrowth>,
    class: ClassFacts,
    existing: Option<&VolumeFacts>,
) -> GrowthDecision {
    match (&volume.growth, planned) {
        (Some(growth), Some(planned)) => filling(growth.rule, (base, planned.maximum), class, existing),
        _ if volume.carries_quota => GrowthDecision::Nothing,
        _ => filling_fixed(base, class, existing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_requests_the_quota_and_what_the_file_system_takes() {
        let overhead = FileSystemOverhead { bytes: 100, per_mille: 500 };
        assert_eq!(request(Bytes::new(900), overhead), Some(Bytes::new(2000)));
        assert_eq!(request(Bytes::new(901), overhead), Some(Bytes::new(2002)));
        assert_eq!(request(Bytes::new(7), FileSystemOverhead::default()), Some(Bytes::new(7)));
        assert_eq!(request(Bytes::new(u64::MAX), overhead), None);
    }
}
