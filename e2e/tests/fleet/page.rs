//! Where a run is written: `target/bench/`, and after a full run the page that shows it.

use std::path::Path;

use commonscloud_e2e::{Failure, Outcome};

use crate::chart;
use crate::report::Report;

/// What stands between these lines of the page is the last run's.
const BEGIN: &str = "<!-- make bench: begin -->";
const END: &str = "<!-- make bench: end -->";

/// Writes `NAME.json`, `NAME.md` and `NAME.svg`.
pub fn write(report: &Report, source: &Path, name: &str) -> Outcome {
    let folder = source.join("target/bench");
    std::fs::create_dir_all(&folder)?;
    let json = serde_json::to_string_pretty(&report.json())?;
    std::fs::write(folder.join(format!("{name}.json")), json + "\n")?;
    std::fs::write(folder.join(format!("{name}.md")), report.to_string())?;
    std::fs::write(folder.join(format!("{name}.svg")), chart::svg(report))?;
    eprintln!("written: {}/{name}.json, .md, .svg", folder.display());
    Ok(())
}

/// Puts the table, the chart and the figures into `docs/`.
pub fn publish(report: &Report, source: &Path) -> Outcome {
    let docs = source.join("docs");
    let page = std::fs::read_to_string(docs.join("performance.md"))?;
    std::fs::write(docs.join("performance.md"), between(&page, &report.to_string())?)?;
    std::fs::write(docs.join("performance.svg"), chart::svg(report))?;
    std::fs::write(docs.join("performance.json"), serde_json::to_string_pretty(&report.json())? + "\n")?;
    Ok(())
}

fn between(page: &str, table: &str) -> Outcome<String> {
    let cut = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = cut.ok_or_else(|| Failure::new(format!("docs/performance.md has no {BEGIN} and {END}")))?;
    Ok(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}
