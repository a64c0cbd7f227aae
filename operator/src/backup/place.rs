//! A folder at a target, as a Job of the operator's own namespace works with it.

use super::companion::Restic;
use super::target::{Access, Purpose, Repository, access};
use super::{Own, Subject};
use crate::api::{BackupTarget, NetworkPeers, Platform, PlatformBackup};

/// A folder at a target, and what the Platform says of Jobs that work with it.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The operator's own.
    pub own: &'a Own,
    /// `spec.backup` of the Platform.
    pub backup: &'a PlatformBackup,
    /// The target.
    pub target: &'a BackupTarget,
    /// The folder, of whose key it is about.
    pub folder: &'a str,
    /// `spec.network` of the Platform.
    pub network: &'a NetworkPeers,
    /// The Secrets with which images are pulled.
    pub image_pull_secrets: &'a [String],
}

impl<'a> Place<'a> {
    /// Where a service's repositories are.
    pub fn of(subject: &'a Subject) -> Self {
        Self {
            own: &subject.own,
            backup: &subject.backup,
            target: &subject.target,
            folder: &subject.folder,
            network: &subject.plan.network,
            image_pull_secrets: &subject.plan.image_pull_secrets,
        }
    }

    /// A folder of the platform's own.
    pub fn of_platform(
        platform: &'a Platform,
        backup: &'a PlatformBackup,
        target: &'a BackupTarget,
        folder: &'a str,
        own: &'a Own,
    ) -> Self {
        let spec = &platform.spec;
        Self { own, backup, target, folder, network: &spec.network, image_pull_secrets: &spec.image_pull_secrets }
    }

    /// How its target is reached.
    pub(super) fn access(&self, purpose: Purpose) -> Access {
        access(&self.own.namespace, self.target, purpose, self.network)
    }

    /// restic on a repository there.
    pub(super) fn restic<'r>(&self, repository: &'r Repository, access: &'r Access) -> Restic<'r>
    where
        'a: 'r,
    {
        Restic {
            image: &self.own.backup_image,
            resources: self.backup.resources.as_ref(),
            repository,
            key_of: self.folder,
            access,
        }
    }
}
