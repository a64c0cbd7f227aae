//! What every cluster has before its first process: its record, its administrator, a kubectl.

use std::path::{Path, PathBuf};

use super::UpOptions;
use super::control_plane::Credentials;
use super::kubeconfig;
use super::name::ClusterName;
use super::pki::{PkiError, Subject};
use super::real::network;
use super::state::{Room, State, StateError};
use crate::tools;

/// Records what is going to be made, before anything is.
pub(super) fn claim(options: &UpOptions, room: &Room, ports: Vec<u16>) -> Result<State, StateError> {
    let state =
        State { name: options.name.clone(), node: options.node, index: 0, ports, supervisor: None, complete: false };
    room.claim(state, |index| network::exists(&network::link(index)))
}

/// Writes the administrator's kubeconfig.
pub(super) fn administrator(
    folder: &Path,
    credentials: &Credentials,
    name: &ClusterName,
    server: &str,
) -> Result<PathBuf, PkiError> {
    let subject = Subject::member("administrator", "system:masters");
    let pair = credentials.authority.issue("admin", &subject, &[])?;
    let path = folder.join("kubeconfig");
    let context = format!("commonscloud-{name}");
    kubeconfig::write(&path, &context, &format!("https://{server}"), &credentials.authority.files.certificate, &pair)?;
    Ok(path)
}

pub(super) fn link_kubectl(folder: &Path, kubernetes: &tools::Tool) -> Result<(), StateError> {
    let link = folder.join("kubectl");
    std::os::unix::fs::symlink(kubernetes.program("kubectl"), &link).map_err(StateError::file(&link))
}
