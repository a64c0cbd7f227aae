//! What a node sees of the file system: this machine's, with its own /run and /proc, and with
//! nothing that it writes reaching the machine but below its own folder.

use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use super::HERE;

/// Settings of the whole machine that the kubelet and Cilium write. In the node they are ordinary
/// files with the machine's values, so that a change stays in the node.
const SETTINGS: [&str; 8] = [
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/timer_migration",
    "kernel/unprivileged_bpf_disabled",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
];

/// Folders of the machine that node programs write to by habit (CNI's cache, log links).
const COVERED: [&str; 2] = ["/var/lib", "/var/log"];

/// Furnishes the mount namespace of this process, which must be its own already.
///
/// # Errors
/// The mount that failed.
pub(in crate::local) fn furnish(folder: &Path) -> io::Result<()> {
    change("/", MsFlags::MS_PRIVATE | MsFlags::MS_REC)?;
    fresh("proc", "/proc", "")?;
    fresh("tmpfs", "/run", "mode=755")?;
    for path in [HERE, "/run/lock", "/run/netns", "/run/cilium", "/run/settings"] {
        std::fs::create_dir_all(path)?;
    }
    bind(folder, Path::new(HERE))?;
    SETTINGS.iter().try_for_each(|setting| own_setting(setting))?;
    COVERED.iter().try_for_each(|covered| cover(Path::new(covered), folder))?;
    fresh("bpf", "/sys/fs/bpf", "")?;
    // What the kubelet mounts must reach the containers that ask for it.
    change("/", MsFlags::MS_SHARED | MsFlags::MS_REC)
}

fn own_setting(setting: &str) -> io::Result<()> {
    let original = Path::new("/proc/sys").join(setting);
    let Ok(value) = std::fs::read_to_string(&original) else { return Ok(()) };
    let own = PathBuf::from("/run/settings").join(setting.replace('/', "."));
    std::fs::write(&own, value)?;
    bind(&own, &original)
}

/// Lays an overlay on the folder: reads pass through, writes go to the node's folder.
fn cover(covered: &Path, folder: &Path) -> io::Result<()> {
    if folder.starts_with(covered) || !covered.is_dir() {
        return Ok(());
    }
    let name = covered.to_string_lossy().trim_start_matches('/').replace('/', "-");
    let (upper, work) = (folder.join("covers").join(&name), folder.join("covers").join(format!("{name}.work")));
    std::fs::create_dir_all(&upper)?;
    std::fs::create_dir_all(&work)?;
    let options = format!("lowerdir={},upperdir={},workdir={}", covered.display(), upper.display(), work.display());
    fresh("overlay", &covered.to_string_lossy(), &options)
}

fn fresh(kind: &str, target: &str, options: &str) -> io::Result<()> {
    mount(Some(kind), target, Some(kind), MsFlags::empty(), Some(options)).map_err(named(kind, target))
}

fn bind(source: &Path, target: &Path) -> io::Result<()> {
    let none: Option<&str> = None;
    mount(Some(source), target, none, MsFlags::MS_BIND, none).map_err(named("bind", &target.to_string_lossy()))
}

fn change(target: &str, flags: MsFlags) -> io::Result<()> {
    let none: Option<&str> = None;
    mount(none, target, none, flags, none).map_err(named("propagation", target))
}

fn named(what: &str, target: &str) -> impl FnOnce(nix::Error) -> io::Error + use<> {
    let text = format!("mounting {what} on {target}");
    move |error| io::Error::other(format!("{text}: {error}"))
}
