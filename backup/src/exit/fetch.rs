//! A sealed package on its way from its repository into a file.

use std::io::{self, PipeReader};
use std::path::{Path, PathBuf};

use super::folder::PART;
use super::hashed::{Output, Written};
use super::pack::LONGEST;
use crate::report::{Failure, FailureReason};
use crate::restic::{Call, Restic, streamed};

/// The tag of a sealed package's snapshot; another one is [`NAME_TAG`] and what its run is called.
pub const PACKAGE_TAG: &str = "package";
/// The beginning of a tag that says what a package is called.
pub const NAME_TAG: &str = "name:";

/// What the file of a sealed package is called.
pub fn file_of(name: &str) -> String {
    format!("{name}.tar.age")
}

/// Brings the package `name` of a snapshot into the file `to`, which is there whole or not at all. `sha256`: what it
/// has to be; restic by itself has looked that it is what the snapshot names.
///
/// # Errors
/// When the file is there already, the package cannot be read, or is another one.
pub async fn fetch(
    restic: &Restic,
    snapshot: &str,
    name: &str,
    to: &Path,
    sha256: Option<&str>,
) -> Result<Written, Failure> {
    let told = |error: io::Error| Failure::other(format!("{}: {error}", to.display()));
    if to.symlink_metadata().is_ok() {
        return Err(Failure::other(format!("{} is there: give another file", to.display())));
    }
    let half = half_of(to);
    let call = Call::reading("dump").args([snapshot.to_owned(), format!("/{}", file_of(name))]);
    let written = half.clone();
    let read = move |mut reader: PipeReader| {
        let mut output = Output::create(&written, &[])?;
        let copied = io::copy(&mut reader, &mut output).and_then(|_| output.end());
        copied.map_err(|error| Failure::other(format!("{}: {error}", written.display())))
    };
    let fetched = streamed(restic, call, LONGEST, read).await.and_then(|found| is_it(found, sha256));
    match fetched {
        Ok(found) => std::fs::rename(&half, to).map(|()| found).map_err(told),
        Err(failure) => {
            // Half of a package is of no use to anybody.
            let _ = std::fs::remove_file(&half);
            Err(failure)
        }
    }
}

fn is_it(found: Written, sha256: Option<&str>) -> Result<Written, Failure> {
    match sha256 {
        Some(wanted) if !wanted.eq_ignore_ascii_case(&found.sha256) => {
            let message = format!("the package has SHA-256 {}, and {wanted} was asked for: another one", found.sha256);
            Err(Failure::new(FailureReason::Damaged, message))
        }
        _ => Ok(found),
    }
}

/// What something is called until it is whole, beside what it is called then.
pub(super) fn half_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(PART);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_package_than_was_asked_for_is_none() {
        let found = Written { bytes: 1, sha256: "aa".to_owned() };
        assert_eq!(is_it(found.clone(), None), Ok(found.clone()));
        assert_eq!(is_it(found.clone(), Some("AA")), Ok(found.clone()));
        assert!(is_it(found, Some("bb")).unwrap_err().message.contains("another one"));
    }

    #[test]
    fn what_is_half_written_lies_beside_its_end() {
        assert_eq!(half_of(Path::new("/srv/hort.tar.age")), Path::new("/srv/hort.tar.age.part"));
        assert_eq!(half_of(Path::new("hort")), Path::new("hort.part"));
    }
}
