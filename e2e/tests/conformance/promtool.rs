//! promtool: the chart's alerting rules as Prometheus reads them, and when each fires.

use std::time::Duration;

use commonscloud_cluster::progress::Progress;
use commonscloud_cluster::{folders, tools};
use commonscloud_e2e::{Outcome, command, ensure};

/// For a few rules.
const LIMIT: Duration = Duration::from_mins(1);
const RULES: &str = "charts/commonscloud/files/alerts.yaml";
const TESTS: &str = "charts/commonscloud/tests/alerts.yaml";

/// The rules can be read, and fire when their tests say so.
pub async fn rules_fire() -> Outcome {
    promtool(&["check", "rules"], RULES).await?;
    promtool(&["test", "rules"], TESTS).await
}

/// A rule that is none is found.
pub async fn a_broken_rule_is_found() -> Outcome {
    let rules = std::fs::read_to_string(folders::source(None)?.join(RULES))?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("alerts.yaml");
    std::fs::write(&file, rules.replacen("max by (", "most by (", 1))?;
    let found = promtool(&["check", "rules"], &file.to_string_lossy()).await;
    let told = found.err().map(|failure| failure.to_string()).unwrap_or_default();
    ensure!(told.contains("could not parse expression"), "promtool takes a rule that is none: {told}");
    Ok(())
}

async fn promtool(words: &[&str], file: &str) -> Outcome {
    let source = folders::source(None)?;
    let promtool = tools::ensure("promtool", &source, &Progress::shown()).await?.program("promtool");
    let file = source.join(file).to_string_lossy().into_owned();
    let words = [words, &[file.as_str()]].concat();
    command::run(&promtool, &words, &[], None, LIMIT).await?.succeeded(&words.join(" ")).map(drop)
}
