//! Where things lie: the user's cache, and the source tree that tools and images are built from.

use std::path::{Path, PathBuf};

/// A folder that is needed and cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither `XDG_CACHE_HOME` nor `HOME` says where the cache is.
    #[error("no cache folder: set HOME or XDG_CACHE_HOME")]
    NoCache,
    /// There is no source tree at or above the current folder.
    #[error(
        "no source tree at {0}: run this inside a checkout (the folder with e2e/kubernetes), or name it with --source or COMMONSCLOUD_SOURCE"
    )]
    NoSource(PathBuf),
}

/// `${XDG_CACHE_HOME:-$HOME/.cache}/commonscloud`; it need not exist yet.
///
/// # Errors
/// When neither variable is set to an absolute path.
pub fn cache() -> Result<PathBuf, Error> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("commonscloud"))
        .ok_or(Error::NoCache)
}

/// The source tree: `given`, or else the nearest folder at or above the current one that holds
/// `e2e/kubernetes`.
///
/// # Errors
/// When there is none.
pub fn source(given: Option<&Path>) -> Result<PathBuf, Error> {
    let is_source = |folder: &Path| folder.join("e2e/kubernetes").is_dir();
    if let Some(folder) = given {
        let folder = std::path::absolute(folder).map_err(|_| Error::NoSource(folder.to_path_buf()))?;
        return if is_source(&folder) { Ok(folder) } else { Err(Error::NoSource(folder)) };
    }
    let here = std::env::current_dir().map_err(|_| Error::NoSource(PathBuf::from(".")))?;
    here.ancestors().find(|folder| is_source(folder)).map(Path::to_path_buf).ok_or(Error::NoSource(here))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_tools_is_refused_with_what_to_do() {
        let empty = tempfile::tempdir().unwrap();
        let refusal = source(Some(empty.path())).unwrap_err().to_string();
        assert!(refusal.contains("--source"), "{refusal}");
    }

    #[test]
    fn the_source_is_found_from_a_folder_of_the_checkout() {
        // Tests run in the crate's folder, one below the source tree.
        assert!(source(None).unwrap().join("e2e/kubernetes/kubernetes/go.mod").is_file());
    }
}
