//! The subcommands that this crate brings to `commonscloud`: arguments, and what is printed.

pub mod cluster;
pub mod images;
pub mod node;

use std::io::Write;
use std::time::Duration;

use serde::Serialize;

/// In which form a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON document, for programs.
    Json,
}

/// The environment variable that names the cluster where `--name` or `--cluster` does not.
pub const CLUSTER_VARIABLE: &str = "COMMONSCLOUD_CLUSTER";

/// Reads `90s`, `10m`, `1h`.
///
/// # Errors
/// What is to be written instead.
pub fn duration(text: &str) -> Result<Duration, String> {
    let unit = |letter: char| match letter {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        _ => None,
    };
    let parsed =
        text.chars().last().and_then(unit).and_then(|seconds| {
            text[..text.len() - 1].parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
        });
    parsed.ok_or_else(|| format!("{text:?} is no duration: write a number and s, m or h, such as 10m"))
}

/// What a command may end with, to be shown as it is.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Writes to standard output. A reader that went away is no error.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    print(&serde_json::to_string_pretty(value)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_a_unit() {
        assert_eq!(duration("10m"), Ok(Duration::from_mins(10)));
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        for text in ["", "m", "10", "1.5h", "-1s", "10 m", "1µ", "99999999999999999999h"] {
            assert!(duration(text).is_err(), "{text:?} was accepted");
        }
    }
}
