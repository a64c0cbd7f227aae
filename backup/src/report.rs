//! What a container says at its end, in its termination message: JSON that the kubelet takes as long as it is short.

use serde::{Deserialize, Serialize};

use crate::manifest::Manifest;

pub use crate::line::one_line;
pub use crate::manifest::StoredPart;

/// The version of this format.
pub const REPORT_VERSION: u32 = 1;
/// The longest termination message that a kubelet keeps.
pub const LONGEST_REPORT: usize = 4096;
/// The longest message of a failure, in bytes.
pub const LONGEST_MESSAGE: usize = 500;
/// How many differences are told.
pub const MOST_DIFFERENCES: usize = 10;
/// How many file trees one report tells of: as many as a package may have.
pub const MOST_TREES: usize = 16;
/// How many snapshots are forgotten at once: the ids of all of them fit a report, should they be left.
pub const MOST_FORGOTTEN: usize = 40;

const LONGEST_DIFFERENCE: usize = 300;

/// What a container says at its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version of this format.
    pub version: u32,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a subcommand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// It did what it is for.
    Done,
    /// The repository is there, and open.
    Prepared {
        /// The repository's own id.
        repository: String,
        /// The version of restic.
        restic: String,
    },
    /// Snapshots were made.
    Stored {
        /// Each of them.
        parts: Vec<StoredPart>,
    },
    /// Snapshots were made before it failed.
    Half {
        /// Each of them.
        parts: Vec<StoredPart>,
        /// Why it made no more.
        failure: Failure,
    },
    /// The manifest is at the target, and so is all that it names.
    Recorded {
        /// The id of the manifest's snapshot.
        snapshot: String,
    },
    /// The platform's own records are at the target, and were read back.
    Kept {
        /// The repository's own id.
        repository: String,
        /// The id of their snapshot.
        snapshot: String,
    },
    /// Files are as the snapshot has them.
    Restored {
        /// Bytes that were written.
        bytes: u64,
        /// Files that were written.
        files: u64,
    },
    /// What was restored is compared with what was backed up.
    Compared {
        /// The first differences; none: both are equal.
        differences: Vec<String>,
    },
    /// The manifest of a snapshot.
    Manifest {
        /// What a restore needs of it.
        manifest: Box<Manifest>,
    },
    /// Snapshots were forgotten.
    Left {
        /// Those that are there nevertheless.
        snapshots: Vec<String>,
    },
    /// A part of the repository was read.
    Checked {
        /// What is damaged: ids of packs, or what restic says of it.
        damaged: Vec<String>,
    },
    /// A snapshot is in another repository as well.
    Copied {
        /// Its id there.
        snapshot: String,
    },
    /// An exit package was made.
    Packed {
        /// The id of its snapshot.
        snapshot: String,
        /// Bytes of the sealed file.
        bytes: u64,
        /// The SHA-256 of the sealed file.
        sha256: String,
    },
    /// It did not do what it is for.
    Failed(Failure),
}

impl Outcome {
    /// These snapshots, and why there are no more of them.
    pub fn half(parts: Vec<StoredPart>, failure: Failure) -> Self {
        if parts.is_empty() { Self::Failed(failure) } else { Self::Half { parts, failure } }
    }

    /// Why it did not do what it is for; none where it did.
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) | Self::Half { failure, .. } => Some(failure),
            _ => None,
        }
    }
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason:?}: {message}")]
pub struct Failure {
    /// By which it is told apart.
    pub reason: FailureReason,
    /// One line, at most [`LONGEST_MESSAGE`] bytes, without credentials.
    pub message: String,
}

impl Failure {
    /// A failure with this message, on one line and not too long.
    pub fn new(reason: FailureReason, message: impl AsRef<str>) -> Self {
        Self { reason, message: one_line(message.as_ref(), LONGEST_MESSAGE) }
    }

    /// A failure of none of the known reasons.
    pub fn other(message: impl AsRef<str>) -> Self {
        Self::new(FailureReason::Other, message)
    }
}

/// Reasons that the operator tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureReason {
    /// The target does not answer, or not as itself (its certificate, its host key).
    Unreachable,
    /// The target refuses the credentials.
    CredentialsRefused,
    /// The key opens this repository not.
    WrongKey,
    /// There is no repository where one is expected.
    NoRepository,
    /// Another repository is in the place of the expected one.
    RepositoryReplaced,
    /// A lock is held.
    Locked,
    /// The target has no room.
    TargetFull,
    /// The volume has no room for what is restored.
    NoRoom,
    /// What is stored cannot be read, or is not what was written.
    Damaged,
    /// What was to be read from a stream ended half-way.
    HalfStream,
    /// It was written by a newer release.
    FormatTooNew,
    /// It took too long.
    TimedOut,
    /// It was asked to end.
    Interrupted,
    /// None of these.
    Other,
}

/// Why a termination message is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Nothing was written: the container was killed, or never began.
    #[error("the container ended without a report")]
    Empty,
    /// It is a newer one.
    #[error("the report has version {0}, this operator reads version {known}: use the image of this release", known = REPORT_VERSION)]
    TooNew(u32),
    /// It is something else.
    #[error("the container's last words are no report: {0}")]
    NotAReport(String),
}

impl Report {
    /// A report of this version.
    pub fn new(outcome: Outcome) -> Self {
        Self { version: REPORT_VERSION, outcome }
    }

    /// Reads a container's termination message.
    ///
    /// # Errors
    /// When it is empty, newer, or something else.
    pub fn read(termination_message: &str) -> Result<Self, ReportError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let text = termination_message.trim();
        if text.is_empty() {
            return Err(ReportError::Empty);
        }
        let no_report =
            |error: serde_json::Error| ReportError::NotAReport(one_line(&format!("{error}: {text}"), LONGEST_MESSAGE));
        let Versioned { version } = serde_json::from_str(text).map_err(no_report)?;
        if version > REPORT_VERSION {
            return Err(ReportError::TooNew(version));
        }
        serde_json::from_str(text).map_err(no_report)
    }

    /// The report as JSON of at most [`LONGEST_REPORT`] bytes. What can be told in part is told in part; what would
    /// be wrong in part is a failure instead.
    pub fn write(&self) -> String {
        let mut report = self.clone();
        loop {
            let text = serde_json::to_string(&report).unwrap_or_default();
            if !text.is_empty() && text.len() <= LONGEST_REPORT {
                return text;
            }
            report.outcome = smaller(report.outcome);
        }
    }
}

/// Less of the same; each outcome ends in something that fits.
fn smaller(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Compared { mut differences } if differences.len() > 1 => {
            differences.truncate(MOST_DIFFERENCES.min(differences.len() - 1));
            let differences = differences.iter().map(|text| one_line(text, LONGEST_DIFFERENCE)).collect();
            Outcome::Compared { differences }
        }
        Outcome::Checked { mut damaged } if damaged.len() > 1 => {
            damaged.truncate(damaged.len() * 2 / 3);
            let damaged = damaged.iter().map(|text| one_line(text, LONGEST_DIFFERENCE)).collect();
            Outcome::Checked { damaged }
        }
        Outcome::Manifest { manifest } if manifest.essential() != *manifest => {
            Outcome::Manifest { manifest: Box::new(manifest.essential()) }
        }
        Outcome::Half { failure, .. } | Outcome::Failed(failure) => {
            Outcome::Failed(Failure::new(failure.reason, failure.message))
        }
        other => {
            let what = match &other {
                Outcome::Stored { parts } => format!("{} snapshots were made", parts.len()),
                Outcome::Left { snapshots } => format!("{} snapshots are left", snapshots.len()),
                Outcome::Manifest { manifest } => format!("the manifest names {} parts", manifest.parts.len()),
                _ => "what came of it".to_owned(),
            };
            Outcome::Failed(Failure::other(format!(
                "{what}: more than the {LONGEST_REPORT} bytes of a termination message hold"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use commonscloud_api::SnapshotPartKind;
    use proptest::prelude::*;
    use test_case::test_case;

    use super::*;

    fn part(name: &str) -> StoredPart {
        let snapshot = "0123456789abcdef".repeat(4);
        let bytes = u64::MAX / 4096;
        StoredPart {
            name: name.to_owned(),
            kind: SnapshotPartKind::Files,
            snapshot,
            bytes,
            added: bytes,
            files: 9_999_999_999,
        }
    }

    fn written(outcome: Outcome) -> Outcome {
        let text = Report::new(outcome).write();
        assert!(text.len() <= LONGEST_REPORT, "{} bytes", text.len());
        Report::read(&text).unwrap().outcome
    }

    #[test]
    fn a_report_of_ten_thousand_parts_fits_and_is_not_taken_for_a_whole_one() {
        let parts = vec![part("uploads"); 10_000];
        let Outcome::Failed(failure) = written(Outcome::Stored { parts }) else {
            panic!("half the parts are no backup")
        };
        assert!(failure.message.contains("10000 snapshots"), "{failure}");
    }

    #[test]
    fn as_many_trees_as_a_package_may_have_fit_whole() {
        let parts = vec![part(&"n".repeat(30)); MOST_TREES];
        assert_eq!(written(Outcome::Stored { parts: parts.clone() }), Outcome::Stored { parts: parts.clone() });
        let half = Outcome::half(parts[..12].to_vec(), Failure::other("x".repeat(LONGEST_MESSAGE)));
        assert_eq!(written(half.clone()), half, "nor is what was made before it failed lost");
    }

    #[test]
    fn as_many_snapshots_as_may_be_forgotten_at_once_fit_whole() {
        let snapshots = vec!["f".repeat(64); MOST_FORGOTTEN];
        assert_eq!(written(Outcome::Left { snapshots: snapshots.clone() }), Outcome::Left { snapshots });
    }

    #[test]
    fn differences_are_told_in_part() {
        let differences = vec!["\"".repeat(5_000); 10_000];
        let Outcome::Compared { differences } = written(Outcome::Compared { differences }) else { panic!() };
        assert!(!differences.is_empty() && differences.len() <= MOST_DIFFERENCES, "{}", differences.len());
    }

    #[test]
    fn damaged_packs_are_told_in_part() {
        let Outcome::Checked { damaged } = written(Outcome::Checked { damaged: vec!["a".repeat(64); 5_000] }) else {
            panic!()
        };
        assert!(damaged.len() > 20);
    }

    #[test]
    fn one_thing_that_is_too_long_fits_as_well() {
        written(Outcome::Compared { differences: vec!["x".repeat(9_000)] });
        written(Outcome::Checked { damaged: vec!["x".repeat(9_000)] });
        written(Outcome::Prepared { repository: "x".repeat(9_000), restic: String::new() });
        written(Outcome::Failed(Failure { reason: FailureReason::Other, message: "\"\n".repeat(9_000) }));
    }

    #[test_case("" => ReportError::Empty; "nothing")]
    #[test_case(" \n" => ReportError::Empty; "blanks")]
    #[test_case(r#"{"version":2,"outcome":{"Unheard":{}}}"# => ReportError::TooNew(2); "of a newer release")]
    fn what_is_no_report_is_told_apart(text: &str) -> ReportError {
        Report::read(text).unwrap_err()
    }

    #[test]
    fn the_last_lines_of_a_log_are_shown() {
        let error = Report::read("exec /usr/bin/restic:\nno such file").unwrap_err().to_string();
        assert!(error.contains("no such file") && !error.contains('\n'), "{error}");
    }

    #[test]
    fn the_format_is_the_one_that_is_written_down() {
        let failure = Failure::new(FailureReason::WrongKey, "a\n b\t");
        let text = r#"{"version":1,"outcome":{"Failed":{"reason":"WrongKey","message":"a b"}}}"#;
        assert_eq!(Report::new(Outcome::Failed(failure)).write(), text);
        assert_eq!(Report::new(Outcome::Done).write(), r#"{"version":1,"outcome":"Done"}"#);
    }

    proptest! {
        #[test]
        fn a_line_is_one_line_and_not_too_long(text in ".{0,400}", most in 4_usize..200) {
            let line = one_line(&text, most);
            prop_assert!(line.len() <= most && !line.contains(char::is_control), "{line:?}");
        }

        #[test]
        fn anything_is_read_without_a_panic(text in ".{0,200}") {
            let _ = Report::read(&text);
        }
    }
}
