//! What checkov finds and what stays, each with its reason: `listed.yaml`.

use commonscloud_e2e::{Outcome, ensure_eq};
use serde::Deserialize;

use crate::checkov::Finding;

/// Of every container or object.
const EVERYWHERE: &str = "*";

/// A check whose findings stay.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Its id.
    check: String,
    /// What it asks for.
    asks: String,
    /// Where it finds something, as `Kind name/container`; `*`: everywhere.
    objects: Vec<String>,
    /// Why that stays.
    reason: String,
}

/// The list.
pub fn read() -> Outcome<Vec<Listed>> {
    Ok(serde_yaml::from_str(include_str!("listed.yaml"))?)
}

/// What is found and not listed, and what is listed and not found.
pub fn differences(found: &[Finding], listed: &[Listed]) -> Vec<String> {
    let is_listed = |finding: &&Finding| {
        let places = listed.iter().filter(|entry| entry.check == finding.check).flat_map(|entry| &entry.objects);
        places.into_iter().any(|place| covers(place, finding))
    };
    let mut differences: Vec<String> = found.iter().filter(|finding| !is_listed(finding)).map(Finding::told).collect();
    for entry in listed {
        let of_it: Vec<&Finding> = found.iter().filter(|finding| finding.check == entry.check).collect();
        let gone = entry.objects.iter().filter(|place| !of_it.iter().any(|finding| covers(place, finding)));
        differences.extend(gone.map(|place| format!("{}: {place}: listed, and no longer found", entry.check)));
        if entry.reason.is_empty() || of_it.first().is_some_and(|finding| finding.asks != entry.asks) {
            differences.push(format!("{}: it has no reason, or its `asks` is not checkov's", entry.check));
        }
    }
    differences.sort();
    differences.dedup();
    differences
}

fn covers(place: &str, finding: &Finding) -> bool {
    place == EVERYWHERE || place == finding.object
}

/// The list says no more than is true.
pub fn tells_what_is_no_longer_found() -> Outcome {
    let finding = |check: &str, object: &str| Finding {
        check: check.to_owned(),
        asks: "Limits".to_owned(),
        object: object.to_owned(),
    };
    let entry = |check: &str, objects: &[&str]| Listed {
        check: check.to_owned(),
        asks: "Limits".to_owned(),
        objects: objects.iter().map(|&object| object.to_owned()).collect(),
        reason: "a reason".to_owned(),
    };
    let found = [finding("A", "Pod a/one"), finding("B", "Pod b/one"), finding("C", "Pod c/one")];
    let listed = [entry("A", &["Pod a/one", "Pod a/two"]), entry("B", &["*"]), entry("D", &["*"])];
    let told =
        ["A: Pod a/two: listed, and no longer found", "C: Pod c/one: Limits", "D: *: listed, and no longer found"];
    ensure_eq!(differences(&found, &listed), told, "what is told");
    Ok(())
}
