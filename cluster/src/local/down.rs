//! Taking a cluster away.

use std::time::Duration;

use super::name::ClusterName;
use super::state::{self, Room, StateError};
use super::sweep::{SweepError, sweep};

/// How long to wait for another command that is at work on the same cluster.
const PATIENCE: Duration = Duration::from_mins(10);

/// Why a cluster is still there.
#[derive(Debug, thiserror::Error)]
pub enum DownError {
    /// Its state failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// Something could not be removed.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// Only root can remove what root made.
    #[error("cluster {0} has a real node: only root can remove it")]
    NotRoot(ClusterName),
}

/// Ends the cluster and removes everything that belongs to it. A cluster that is not there is fine,
/// and what a killed `up` left is removed too.
///
/// # Errors
/// When something stays, naming it.
pub async fn down(name: &ClusterName) -> Result<(), DownError> {
    let room = take(name).await?;
    let real = state::read(room.folder()).is_some_and(|state| state.node == super::NodeKind::Real);
    if real && !nix::unistd::geteuid().is_root() {
        return Err(DownError::NotRoot(name.clone()));
    }
    Ok(sweep(name, room.folder()).await?)
}

/// Takes the cluster for this process, waiting for another that has it.
pub(super) async fn take(name: &ClusterName) -> Result<Room, StateError> {
    let began = tokio::time::Instant::now();
    loop {
        match Room::take(name) {
            Err(StateError::Busy(_)) if began.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => return other,
        }
    }
}
