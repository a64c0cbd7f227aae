//! The facts of a run, without which a figure says nothing.

use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

/// Of which commit, on what machine, when.
pub fn of(source: &Path, plan: &str, profile: &str) -> Map<String, Value> {
    let changed = git(source, &["status", "--porcelain", "--untracked-files=no"]).is_some_and(|text| !text.is_empty());
    let commit = git(source, &["rev-parse", "--short=7", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    let commit = if changed { format!("{commit} with changes") } else { commit };
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let facts = json!({
        "plan": plan, "commit": commit, "profile": profile, "date": date, "cores": cores, "processor": processor(),
    });
    facts.as_object().cloned().unwrap_or_default()
}

fn git(source: &Path, words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).current_dir(source).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(line.trim_start_matches([' ', '\t', ':']).to_owned())
}
