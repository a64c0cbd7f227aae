//! Golden files: what a package renders, kept beside it to be looked at and compared with.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use commonscloud_operator::template::Golden;
use similar::TextDiff;

/// Unchanged lines shown around each change.
const CONTEXT: usize = 3;

/// Where the golden files of a package are: `golden/` in its folder, `NAME.golden/` beside one file.
pub(super) fn folder(package: &Path) -> PathBuf {
    if package.is_file() { package.with_extension("golden") } else { package.join("golden") }
}

/// What differs between the golden files and what is rendered, as a text; empty: nothing.
///
/// # Errors
/// When a golden file cannot be read.
pub(super) fn compare(folder: &Path, rendered: &[Golden]) -> io::Result<String> {
    let mut kept = read(folder)?;
    let mut text = String::new();
    for Golden { name, text: now } in rendered {
        let file = format!("{name}.yaml");
        let before = kept.remove(&file).unwrap_or_default();
        if before != *now {
            text += &difference(&file, &before, now);
        }
    }
    for (file, before) in kept {
        text += &difference(&file, &before, "");
    }
    Ok(text)
}

/// Makes the golden files what is rendered, and removes those of samples that there are no longer.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn write(folder: &Path, rendered: &[Golden]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for file in read(folder)?.into_keys() {
        fs::remove_file(folder.join(file))?;
    }
    for Golden { name, text } in rendered {
        fs::write(folder.join(format!("{name}.yaml")), text)?;
    }
    Ok(())
}

fn difference(file: &str, before: &str, now: &str) -> String {
    let diff = TextDiff::from_lines(before, now);
    diff.unified_diff()
        .context_radius(CONTEXT)
        .header(&format!("golden/{file}"), &format!("rendered {file}"))
        .to_string()
}

/// The golden files by name; none when there is no folder.
fn read(folder: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    if !folder.is_dir() {
        return Ok(files);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "yaml")
            && let Some(name) = path.file_name()
        {
            files.insert(name.to_string_lossy().into_owned(), fs::read_to_string(&path)?);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_shown_and_what_was_written_is_equal() {
        let room = tempfile::tempdir().unwrap();
        let golden = |name: &str, text: &str| Golden { name: name.to_owned(), text: text.to_owned() };
        let before = [golden("bare", "a: 1\nb: 2\n"), golden("defaults", "c: 3\n")];
        write(room.path(), &before).unwrap();
        assert_eq!(compare(room.path(), &before).unwrap(), "");
        let after = [golden("bare", "a: 1\nb: 3\n"), golden("example-1", "d: 4\n")];
        let shown = compare(room.path(), &after).unwrap();
        for line in ["--- golden/bare.yaml", "-b: 2", "+b: 3", "+d: 4", "-c: 3"] {
            assert!(shown.lines().any(|found| found == line), "{line}: {shown}");
        }
        write(room.path(), &after).unwrap();
        assert_eq!(compare(room.path(), &after).unwrap(), "");
        assert!(!room.path().join("defaults.yaml").exists());
    }
}
