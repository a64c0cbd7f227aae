//! `docs/writing-a-package.md`, walked as it stands: its files written, its commands run, in a folder
//! that looks like a checkout.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use commonscloud_e2e::cluster::{self, Cluster, Nodes};
use commonscloud_e2e::{Failure, Outcome, command, ensure};

/// The cluster's name.
const NAME: &str = "test-guided";
/// From cold every tool is built from source.
const LIMIT: Duration = Duration::from_mins(50);
/// Ends each file in the script; no file of the page has such a line.
const END: &str = "END OF THE FILE";

/// A fenced block of the page.
#[derive(Debug, PartialEq, Eq)]
struct Block<'a> {
    /// The line of its first row, counted from 1.
    line: usize,
    /// What stands behind the fence.
    language: &'a str,
    /// What stands behind the language: a file's name, or what the commands need.
    about: &'a str,
    text: &'a str,
}

/// The fenced blocks of a page, those in lists left out.
fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut line = 1;
    for (at, part) in page.split("\n```").enumerate() {
        if at % 2 == 1
            && let Some((info, text)) = part.split_once('\n')
        {
            let (language, about) = info.split_once(' ').unwrap_or((info, ""));
            blocks.push(Block { line: line + 2, language, about, text });
        }
        line += part.matches('\n').count() + usize::from(at > 0);
    }
    blocks
}

/// The page as one script: each file is written where it stands, each command run; the first that
/// fails ends it.
fn script(page: &str, nodes: Nodes) -> String {
    let mut script = String::from("set -euo pipefail\n");
    for Block { line, language, about, text } in blocks(page) {
        match (language, about) {
            ("sh", "real") if nodes == Nodes::Simulated => {}
            ("sh", "" | "real") => {
                _ = writeln!(script, "echo '--- line {line} of the page' >&2\n{text}");
            }
            (_, "") => {}
            (_, file) => {
                _ = writeln!(script, "mkdir -p \"$(dirname '{file}')\"\ncat >'{file}' <<'{END}'\n{text}\n{END}");
            }
        }
    }
    script
}

/// A folder like a checkout in which new files can be made: the rest is the source's own.
fn checkout(folder: &Path, source: &Path) -> Outcome {
    for entry in ["charts", "e2e", "examples"] {
        symlink(source.join(entry), folder.join(entry))?;
    }
    fs::create_dir(folder.join("images"))?;
    for entry in fs::read_dir(source.join("images"))? {
        let entry = entry?;
        symlink(entry.path(), folder.join("images").join(entry.file_name()))?;
    }
    Ok(())
}

/// On simulated nodes.
pub async fn simulated() -> Outcome {
    walk(Nodes::Simulated).await
}

async fn walk(nodes: Nodes) -> Outcome {
    let outcome = walked(nodes).await;
    cluster::down(NAME).await?;
    outcome
}

async fn walked(nodes: Nodes) -> Outcome {
    // The page leaves it to whoever reads it what the nodes are: a cluster that is up is taken.
    let programs = Cluster::up(NAME, nodes, &[]).await?.programs;
    let folder = tempfile::tempdir()?;
    checkout(folder.path(), &programs.source)?;
    let page = fs::read_to_string(programs.source.join("docs/writing-a-package.md"))?;
    let script = format!("cd '{}'\n{}", folder.path().display(), script(&page, nodes));
    let tools = programs.commonscloud.parent().ok_or_else(|| Failure::new("the tool lies in no folder"))?;
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
    let operator = programs.operator.to_string_lossy();
    let name = cluster::in_this_run(NAME);
    let mut environment = vec![("PATH", path.as_str()), ("COMMONSCLOUD_CLUSTER", name.as_str())];
    if nodes == Nodes::Simulated {
        environment.push(("COMMONSCLOUD_OPERATOR", &*operator));
    }
    let finished = command::run(Path::new("/bin/bash"), &["-c", &script], &environment, None, LIMIT).await?;
    let said = format!("{}{}", finished.stdout, finished.stderr);
    ensure!(finished.success, "the page does not lead to its end; what was said:\n{said}");
    let ready = said.matches("fossil: Ready; version 2.21").count();
    ensure!(ready == 2, "the instance that was tried was Ready {ready} times, not twice:\n{said}");
    let untried = said.matches("fossil: no operations are tried: its package has none").count();
    ensure!(untried == 2, "it was said {untried} times, not twice, that it is not backed up:\n{said}");
    ensure!(said.contains("entity.commonscloud.coop/hort condition met"), "no Entity has the new service:\n{said}");
    Ok(())
}
