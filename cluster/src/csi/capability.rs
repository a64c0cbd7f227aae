//! Which kinds of access a volume offers: a mounted XFS, on one node.

use std::collections::HashMap;

use super::fault::Fault;
use super::proto::v1::VolumeCapability;
use super::proto::v1::volume_capability::AccessType;
use super::proto::v1::volume_capability::access_mode::Mode;

/// Parameters of a `StorageClass` with this beginning are the provisioner's own.
const SIDECARS: &str = "csi.storage.k8s.io/";

/// Checks one capability and returns the mount options that it asks for.
pub(crate) fn mount_flags(capability: Option<&VolumeCapability>) -> Result<Vec<String>, Fault> {
    let capability = capability.ok_or_else(|| Fault::Invalid("the request names no volume capability".to_owned()))?;
    let mode = capability.access_mode.unwrap_or_default().mode();
    if !matches!(
        mode,
        Mode::SingleNodeWriter
            | Mode::SingleNodeReaderOnly
            | Mode::SingleNodeSingleWriter
            | Mode::SingleNodeMultiWriter
    ) {
        return Err(Fault::Invalid(format!(
            "access mode {} is not offered, a volume lives on one node: use ReadWriteOnce or ReadWriteOncePod",
            mode.as_str_name()
        )));
    }
    match &capability.access_type {
        Some(AccessType::Mount(mount)) if matches!(mount.fs_type.as_str(), "" | "xfs") => Ok(mount.mount_flags.clone()),
        Some(AccessType::Mount(mount)) => {
            Err(Fault::Invalid(format!("file system {:?} is not offered: leave it out or ask for xfs", mount.fs_type)))
        }
        Some(AccessType::Block(_)) => {
            Err(Fault::Invalid("block volumes are not offered: ask for volumeMode Filesystem".to_owned()))
        }
        None => Err(Fault::Invalid("the volume capability says neither mount nor block".to_owned())),
    }
}

/// Checks all capabilities of a request; there must be one at least.
pub(crate) fn require_offered(capabilities: &[VolumeCapability]) -> Result<(), Fault> {
    mount_flags(capabilities.first())?;
    capabilities.iter().try_for_each(|capability| mount_flags(Some(capability)).map(drop))
}

/// Refuses `StorageClass` parameters that would be silently without effect.
pub(crate) fn require_no_parameters(parameters: &HashMap<String, String>) -> Result<(), Fault> {
    match parameters.keys().find(|name| !name.starts_with(SIDECARS)) {
        None => Ok(()),
        Some(name) => Err(Fault::Invalid(format!("parameter {name:?} is unknown: take it out of the StorageClass"))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use test_case::test_case;

    use super::{mount_flags, require_no_parameters, require_offered};
    use crate::csi::proto::v1::VolumeCapability;
    use crate::csi::proto::v1::volume_capability::access_mode::Mode;
    use crate::csi::proto::v1::volume_capability::{AccessMode, AccessType, BlockVolume, MountVolume};

    fn capability(mode: Mode, access_type: AccessType) -> VolumeCapability {
        VolumeCapability { access_mode: Some(AccessMode { mode: mode.into() }), access_type: Some(access_type) }
    }

    fn mounted(fs_type: &str) -> AccessType {
        AccessType::Mount(MountVolume { fs_type: fs_type.to_owned(), mount_flags: vec!["noatime".to_owned()] })
    }

    #[test_case(Mode::SingleNodeWriter, "")]
    #[test_case(Mode::SingleNodeSingleWriter, "xfs")]
    #[test_case(Mode::SingleNodeMultiWriter, "xfs")]
    fn one_node_and_xfs_are_offered(mode: Mode, fs_type: &str) {
        assert_eq!(mount_flags(Some(&capability(mode, mounted(fs_type)))).unwrap(), ["noatime"]);
    }

    #[test_case(Mode::MultiNodeMultiWriter, mounted("xfs"), "MULTI_NODE_MULTI_WRITER")]
    #[test_case(Mode::Unknown, mounted("xfs"), "UNKNOWN")]
    #[test_case(Mode::SingleNodeWriter, mounted("ext4"), "ext4")]
    #[test_case(Mode::SingleNodeWriter, AccessType::Block(BlockVolume {}), "block")]
    fn the_rest_is_refused_by_name(mode: Mode, access: AccessType, named: &str) {
        let text = mount_flags(Some(&capability(mode, access))).unwrap_err().to_string();
        assert!(text.contains(named), "{text}");
    }

    #[test]
    fn a_request_without_capability_is_refused() {
        assert!(require_offered(&[]).is_err());
        assert!(mount_flags(None).is_err());
    }

    #[test]
    fn only_the_provisioners_own_parameters_pass() {
        let parameters = |name: &str| HashMap::from([(name.to_owned(), "x".to_owned())]);
        assert!(require_no_parameters(&parameters("csi.storage.k8s.io/pvc/name")).is_ok());
        assert!(require_no_parameters(&parameters("fsType")).is_err());
    }
}
