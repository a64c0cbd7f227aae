//! What a cluster could leave on this machine, and settings that it must not change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use commonscloud_cluster::folders;
use commonscloud_e2e::cluster::down;
use commonscloud_e2e::{Outcome, ensure, ensure_eq, wait};
use serde_json::Value;

/// Settings of the whole machine that the kubelet and Cilium would change.
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

/// Folder of the cluster of that name.
///
/// # Errors
/// When the cache folder is unknown.
pub fn folder(name: &str) -> Outcome<PathBuf> {
    Ok(folders::cache()?.join("clusters").join(name))
}

/// Waits until nothing of the cluster is left: the kernel lets go a moment after a process ended.
///
/// # Errors
/// What is left.
async fn nothing_left(name: &str) -> Outcome {
    let folder = folder(name)?;
    wait::eventually("nothing is left", Duration::from_secs(5), async || {
        ensure_eq!(left(name, &folder), Vec::<String>::new(), "left of cluster {name}");
        Ok(())
    })
    .await
}

fn left(name: &str, folder: &Path) -> Vec<String> {
    let shown = folder.display().to_string();
    let mut left = Vec::new();
    if folder.exists() {
        left.push(format!("folder {shown}"));
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    left.extend(mounts.lines().filter(|line| line.contains(&shown)).map(str::to_owned));
    left.extend(processes(&shown));
    left.extend(control_groups(&format!("commonscloud-{name}")));
    for entry in entries("/sys/block") {
        let file = std::fs::read_to_string(entry.join("loop/backing_file")).unwrap_or_default();
        if file.starts_with(&shown) {
            left.push(format!("{} on {file}", entry.display()));
        }
    }
    left
}

fn entries(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// Processes whose command or environment names the folder. A zombie has neither.
fn processes(folder: &str) -> Vec<String> {
    let mark = format!("{folder}/");
    let own = PathBuf::from(format!("/proc/{}", std::process::id()));
    let names = |path: &Path, file: &str| {
        let bytes = std::fs::read(path.join(file)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        text.split('\0').any(|word| word.contains(&mark) || word.ends_with(folder))
    };
    let mut found = entries("/proc");
    found.retain(|path| *path != own && (names(path, "cmdline") || names(path, "environ")));
    found.into_iter().map(|path| format!("process {}", path.display())).collect()
}

fn control_groups(name: &str) -> Vec<String> {
    let root = Path::new("/sys/fs/cgroup");
    let below = entries(root).into_iter().map(|hierarchy| hierarchy.join(name));
    let all = below.chain([root.join(name)]);
    all.filter(|group| group.exists()).map(|group| group.display().to_string()).collect()
}

/// What must be the same before and after.
pub fn settings() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for name in SETTINGS {
        let value = std::fs::read_to_string(Path::new("/proc/sys").join(name)).unwrap_or_default();
        found.insert(name.to_owned(), value);
    }
    for words in [["iptables-save", "-t", "filter"], ["iptables-save", "-t", "nat"]] {
        // Without the program nobody made rules with it.
        let output = Command::new(words[0]).args(&words[1..]).output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let rules: Vec<&str> = text.lines().filter(|line| line.starts_with('-')).collect();
        found.insert(words.join(" "), rules.join("\n"));
    }
    found
}

/// The machine's link to the cluster of that name, if one is recorded. Links of other clusters may
/// come and go meanwhile.
///
/// # Errors
/// When the cache folder is unknown.
pub fn link(name: &str) -> Outcome<Option<PathBuf>> {
    let text = std::fs::read(folder(name)?.join("cluster.json")).unwrap_or_default();
    let state: Value = serde_json::from_slice(&text).unwrap_or_default();
    Ok(state["index"].as_u64().map(|index| PathBuf::from(format!("/sys/class/net/commonscloud{index}"))))
}

/// Takes the cluster down and waits until nothing of it is left.
///
/// # Errors
/// What is left.
pub async fn down_without_a_trace(name: &str) -> Outcome {
    let link = link(name)?;
    down(name).await?;
    nothing_left(name).await?;
    ensure!(!link.as_ref().is_some_and(|link| link.exists()), "link {link:?} is left of cluster {name}");
    Ok(())
}
