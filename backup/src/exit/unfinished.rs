//! A package whose export did not come to its end, as whoever has only the folder sees it.

use std::path::Path;

use super::folder::{PART, PROGRESS};
use super::layout::SUMS;
use crate::report::one_line;

/// So many of the files that are there in part are told.
const MOST_TOLD: usize = 3;
/// The longest name of one that is told.
const LONGEST: usize = 100;

/// What a folder lacks where an export into it was stopped: which file says so, what is missing, what to do. None: it
/// came to its end, or it is no folder of an export.
pub fn unfinished(folder: &Path) -> Option<String> {
    let is_there = |name: &str| folder.join(name).symlink_metadata().is_ok();
    if is_there(SUMS) {
        return None;
    }
    let parts = parts(folder);
    // Who copies by `*` leaves out what begins with a dot.
    let by: &str = if is_there(PROGRESS) { PROGRESS } else { parts.first()?.as_str() };
    let told: Vec<&str> = parts.iter().take(MOST_TOLD).map(String::as_str).collect();
    let half = if told.is_empty() { String::new() } else { format!(". Half written: {}", told.join(", ")) };
    Some(format!(
        "{}: the export has not come to its end: {SUMS} is missing, which is written last; give the same \
         `commonscloud export` again where it was made: it goes on{half}",
        folder.join(by).display()
    ))
}

/// The files that were half written, below the folder: of it itself, a service, and a service's volumes.
fn parts(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    below(folder, "", &mut found);
    for service in names(folder, true) {
        below(folder, &service, &mut found);
        below(folder, &format!("{service}/files"), &mut found);
    }
    found.sort();
    found
}

fn below(folder: &Path, at: &str, found: &mut Vec<String>) {
    let halves = names(&folder.join(at), false).into_iter().filter(|name| name.ends_with(PART));
    let path = |name: String| if at.is_empty() { name } else { format!("{at}/{name}") };
    found.extend(halves.map(|name| one_line(&path(name), LONGEST)));
}

/// The folders, or the files; nothing is followed, and what cannot be read has none.
fn names(folder: &Path, folders: bool) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let wanted = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir() == folders));
    wanted.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::folder::Folder;
    use super::super::layout::tests::manifest;
    use super::*;

    fn half_sealed() -> tempfile::TempDir {
        let at = tempfile::tempdir().unwrap();
        Folder::open(at.path()).unwrap().progress(&manifest(&[])).unwrap();
        std::fs::create_dir_all(at.path().join("wiki/files")).unwrap();
        std::fs::write(at.path().join("wiki/files/data.tar.age.part"), "half").unwrap();
        at
    }

    #[test]
    fn what_is_missing_is_named_with_what_to_do() {
        let at = half_sealed();
        let told = unfinished(at.path()).unwrap();
        for word in [PROGRESS, SUMS, "wiki/files/data.tar.age.part", "`commonscloud export` again"] {
            assert!(told.contains(word), "{word}: {told}");
        }
    }

    #[test]
    fn one_that_was_copied_without_its_mark_is_known_by_its_parts() {
        let at = half_sealed();
        std::fs::remove_file(at.path().join(PROGRESS)).unwrap();
        assert!(unfinished(at.path()).unwrap().contains("data.tar.age.part"));
        std::fs::remove_dir_all(at.path().join("wiki")).unwrap();
        assert_eq!(unfinished(at.path()), None, "a folder of something else");
    }

    #[test]
    fn a_whole_one_is_none() {
        let at = half_sealed();
        Folder::open(at.path()).unwrap().complete(&manifest(&[])).unwrap();
        assert_eq!(unfinished(at.path()), None);
    }

    #[test]
    fn a_name_does_nothing_to_a_terminal() {
        let at = half_sealed();
        std::fs::write(at.path().join("wiki/a\n\u{1b}[2J.part"), "half").unwrap();
        assert!(!unfinished(at.path()).unwrap().contains(char::is_control));
    }
}
