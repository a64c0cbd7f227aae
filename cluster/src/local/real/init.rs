//! The first process of a node's pid namespace: when it ends, the kernel ends all others.

use std::io;
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::wait::wait;

use super::{cgroups, mounts, network};
use crate::local::plan::Plan;

/// Furnishes the namespaces, starts the supervisor, and collects the processes whose parents ended.
/// Returns when the supervisor ended.
///
/// # Errors
/// The step that failed.
pub(in crate::local) fn run(plan: &Plan, path: &Path) -> io::Result<()> {
    let Some(node) = &plan.node else { return Err(io::Error::other("this plan has no node")) };
    if std::process::id() != 1 {
        return Err(io::Error::other(
            "`node init` is for `cluster up` alone: it must be the first process of its namespace",
        ));
    }
    cgroups::join(&node.name)?;
    mounts::furnish(&node.folder)?;
    network::configure(node.index)?;
    let this = std::env::current_exe()?;
    let supervisor = Command::new(this).args(["node", "supervise", "--plan"]).arg(path).spawn()?;
    loop {
        match wait() {
            Ok(status) if status.pid().is_some_and(|pid| u32::try_from(pid.as_raw()) == Ok(supervisor.id())) => {
                return Err(io::Error::other(format!("the supervisor ended: {status:?}")));
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
