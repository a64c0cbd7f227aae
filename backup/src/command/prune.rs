//! Gives back the room of what was forgotten, of the repository and of the exit packages beside it.

use super::{Setting, without_stale_locks};
use commonscloud_backup::report::{Failure, FailureReason, Outcome};
use commonscloud_backup::restic::Call;

/// Most services have no packages, and none is made a place for them.
pub async fn prune(setting: &Setting, keep_packs: bool) -> Result<Outcome, Failure> {
    setting.run(call(keep_packs)).await?;
    let packages = setting.packages();
    match without_stale_locks(&packages).await {
        Ok(()) => packages.run(call(keep_packs)).await.map(|_| Outcome::Done),
        Err(failure) if failure.reason == FailureReason::NoRepository => Ok(Outcome::Done),
        Err(failure) => Err(failure),
    }
}

fn call(keep_packs: bool) -> Call {
    let call = Call::new("prune");
    if keep_packs { call.args(["--max-unused", "unlimited"]) } else { call }
}
