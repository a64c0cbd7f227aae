//! What is written down about a cluster, before each thing is made.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::NodeKind;
use super::name::ClusterName;
use super::processes::ProcessId;
use crate::folders;

/// How many clusters can exist side by side: the addresses 10.89.N.0/24 are theirs.
const INDICES: u8 = 50;

/// The state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The cache folder is not known.
    #[error(transparent)]
    Folder(#[from] folders::Error),
    /// A file failed.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another command is at work on this cluster.
    #[error("another command is starting or stopping cluster {0} now: wait for it to end, or end it, and try again")]
    Busy(ClusterName),
    /// All indices are taken.
    #[error("there are {INDICES} clusters already: remove one with `commonscloud cluster down --name NAME`")]
    Full,
}

impl StateError {
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::File { path, source }
    }
}

/// What a cluster is, and what must be removed with it. The cgroup and the link are named after
/// `index` and `name`, so one record before the first step is enough for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) name: ClusterName,
    pub(super) node: NodeKind,
    /// Number of the cluster on this machine, 0 to 49; its addresses come from it.
    pub(super) index: u8,
    /// Loopback ports: etcd's two, the API server's, and one for KWOK.
    pub(super) ports: Vec<u16>,
    /// The process outside of which everything else runs.
    pub(super) supervisor: Option<ProcessId>,
    /// Whether the last `up` came to its end.
    pub(super) complete: bool,
}

/// A cluster's folder, and the right to change it until dropped.
pub(super) struct Room {
    clusters: PathBuf,
    folder: PathBuf,
    lock: File,
}

impl Drop for Room {
    /// Closing it is not enough: a process that is being started holds it too, until it becomes another program.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

/// Folder of all clusters.
pub(super) fn clusters() -> Result<PathBuf, StateError> {
    Ok(folders::cache()?.join("clusters"))
}

/// Folder of one cluster.
pub(super) fn folder(name: &ClusterName) -> Result<PathBuf, StateError> {
    Ok(clusters()?.join(name.as_str()))
}

impl Room {
    /// Takes the cluster for this process.
    pub(super) fn take(name: &ClusterName) -> Result<Self, StateError> {
        Self::take_in(clusters()?, name)
    }

    fn take_in(clusters: PathBuf, name: &ClusterName) -> Result<Self, StateError> {
        let locks = clusters.join(".locks");
        std::fs::create_dir_all(&locks).map_err(StateError::file(&locks))?;
        let path = locks.join(name.as_str());
        let lock = File::create(&path).map_err(StateError::file(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder: clusters.join(name.as_str()), clusters, lock }),
            Err(std::fs::TryLockError::WouldBlock) => Err(StateError::Busy(name.clone())),
            Err(std::fs::TryLockError::Error(error)) => Err(StateError::file(&path)(error)),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the state so that a reader sees either the old one or the new one.
    pub(super) fn write(&self, state: &State) -> Result<(), StateError> {
        std::fs::create_dir_all(&self.folder).map_err(StateError::file(&self.folder))?;
        write_whole(&self.folder.join("cluster.json"), state)
    }

    /// Records a new cluster under the lowest index that is free; no other process can take the
    /// same one meanwhile.
    pub(super) fn claim(&self, state: State, taken_outside: impl Fn(u8) -> bool) -> Result<State, StateError> {
        let path = self.clusters.join(".locks/.index");
        let lock = File::create(&path).map_err(StateError::file(&path))?;
        lock.lock().map_err(StateError::file(&path))?;
        let taken: Vec<u8> = all_in(&self.clusters)?.into_iter().map(|other| other.index).collect();
        let index = (0..INDICES).find(|index| !taken.contains(index) && !taken_outside(*index));
        let state = State { index: index.ok_or(StateError::Full)?, ..state };
        self.write(&state)?;
        Ok(state)
    }
}

/// Writes JSON by a temporary name and a rename.
pub(super) fn write_whole(path: &Path, value: &impl Serialize) -> Result<(), StateError> {
    let text = serde_json::to_vec_pretty(value).map_err(|error| StateError::file(path)(error.into()))?;
    let unfinished = path.with_extension("unfinished");
    std::fs::write(&unfinished, text).map_err(StateError::file(&unfinished))?;
    std::fs::rename(&unfinished, path).map_err(StateError::file(path))
}

/// The state written in `folder`, if there is a readable one.
pub(super) fn read(folder: &Path) -> Option<State> {
    serde_json::from_slice(&std::fs::read(folder.join("cluster.json")).ok()?).ok()
}

/// The states of all clusters of this user, sorted by name.
pub(super) fn all() -> Result<Vec<State>, StateError> {
    all_in(&clusters()?)
}

fn all_in(clusters: &Path) -> Result<Vec<State>, StateError> {
    let entries = match std::fs::read_dir(clusters) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StateError::file(clusters)(error)),
    };
    let mut states: Vec<State> = entries.filter_map(|entry| read(&entry.ok()?.path())).collect();
    states.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(states)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(name: &ClusterName) -> State {
        State {
            name: name.clone(),
            node: NodeKind::Simulated,
            index: 0,
            ports: Vec::new(),
            supervisor: None,
            complete: false,
        }
    }

    fn room(clusters: &Path, name: &str) -> Room {
        Room::take_in(clusters.to_path_buf(), &name.parse().unwrap()).unwrap()
    }

    #[test]
    fn clusters_get_different_indices_and_one_that_is_gone_gives_its_index_back() {
        let clusters = tempfile::tempdir().unwrap();
        let claim = |name: &str| {
            let room = room(clusters.path(), name);
            room.claim(state(&name.parse().unwrap()), |index| index == 1).unwrap().index
        };
        // 1 is taken by something that is not ours.
        assert_eq!([claim("a"), claim("b")], [0, 2]);
        std::fs::remove_dir_all(clusters.path().join("a")).unwrap();
        assert_eq!(claim("c"), 0);
    }

    #[test]
    fn a_cluster_that_another_command_works_on_is_busy() {
        let clusters = tempfile::tempdir().unwrap();
        let first = room(clusters.path(), "a");
        let name: ClusterName = "a".parse().unwrap();
        assert!(matches!(Room::take_in(clusters.path().to_path_buf(), &name), Err(StateError::Busy(_))));
        drop(first);
        assert!(Room::take_in(clusters.path().to_path_buf(), &name).is_ok());
    }

    #[test]
    fn a_process_that_was_being_started_does_not_keep_a_cluster_busy() {
        let clusters = tempfile::tempdir().unwrap();
        let first = room(clusters.path(), "a");
        // Between fork and exec it has all files of its parent.
        let held = first.lock.try_clone().unwrap();
        let mut started = std::process::Command::new("sleep").arg("60").stdin(held).spawn().unwrap();
        drop(first);
        let next = Room::take_in(clusters.path().to_path_buf(), &"a".parse().unwrap());
        started.kill().unwrap();
        started.wait().unwrap();
        assert!(next.is_ok());
    }

    #[test]
    fn a_record_that_was_half_written_is_not_read() {
        let clusters = tempfile::tempdir().unwrap();
        let room = room(clusters.path(), "a");
        room.write(&state(&"a".parse().unwrap())).unwrap();
        std::fs::write(room.folder().join("cluster.unfinished"), "{\"name\"").unwrap();
        assert_eq!(read(room.folder()).unwrap().name.as_str(), "a");
    }
}
