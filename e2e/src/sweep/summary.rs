//! What a sweep tried, and what came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::{Case, Operation};
use crate::faults::Fault;

/// What came of one case.
#[derive(Debug, Clone)]
pub struct Tried {
    /// The case.
    pub case: Case,
    /// The request that was struck; none when so many were not made.
    pub struck: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
    /// From the act to its end.
    pub took: Duration,
}

/// What came of all cases.
#[derive(Debug, Clone)]
pub struct Summary {
    /// What sampled cases were chosen by.
    pub seed: u64,
    /// How long everything took.
    pub lasted: Duration,
    tried: Vec<Tried>,
    /// Failures that are of no single case.
    general: Vec<String>,
}

impl Summary {
    /// Nothing tried yet.
    pub fn new(seed: u64) -> Self {
        Self { seed, lasted: Duration::ZERO, tried: Vec::new(), general: Vec::new() }
    }

    /// Takes in what came of a case.
    pub fn add(&mut self, tried: Tried) {
        self.tried.push(tried);
    }

    /// Takes in a failure that is of no single case.
    pub fn failed(&mut self, failure: String) {
        self.general.push(failure);
    }

    /// How many cases were tried.
    pub fn count(&self) -> usize {
        self.tried.len()
    }

    /// All failures, a line each.
    pub fn failures(&self) -> Vec<String> {
        let of_cases = self.tried.iter().filter_map(|tried| {
            let struck = tried.struck.as_deref().unwrap_or("nothing struck");
            tried.failure.as_ref().map(|failure| format!("{} ({struck}): {failure}", tried.case))
        });
        of_cases.chain(self.general.iter().cloned()).collect()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: BTreeMap<(Operation, Fault), Vec<&Tried>> = BTreeMap::new();
        for tried in &self.tried {
            rows.entry((tried.case.operation, tried.case.fault)).or_default().push(tried);
        }
        writeln!(f, "| operation | fault | N tried | struck | failures | longest |")?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for ((operation, fault), tried) in &rows {
            let struck = tried.iter().filter(|tried| tried.struck.is_some()).count();
            let failures = tried.iter().filter(|tried| tried.failure.is_some()).count();
            let longest = tried.iter().map(|tried| tried.took).max().unwrap_or_default().as_secs_f64();
            writeln!(f, "| {operation} | {fault} | {} | {struck} | {failures} | {longest:.1} s |", tried.len())?;
        }
        let failures = self.failures();
        let (minutes, seconds) = (self.lasted.as_secs() / 60, self.lasted.as_secs() % 60);
        writeln!(
            f,
            "\n{} cases, {} failures, seed {}, {minutes} min {seconds} s.",
            self.tried.len(),
            failures.len(),
            self.seed
        )?;
        if !failures.is_empty() {
            writeln!(f)?;
        }
        for failure in failures {
            writeln!(f, "- {}", failure.replace('\n', " "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_what_was_tried_struck_and_failed() {
        let tried = |at, struck: Option<&str>, failure: Option<&str>| Tried {
            case: Case { operation: Operation::Create, fault: Fault::Conflict, at },
            struck: struck.map(str::to_owned),
            failure: failure.map(str::to_owned),
            took: Duration::from_secs(u64::from(at)),
        };
        let mut summary = Summary::new(7);
        summary.add(tried(1, Some("create secrets a/s"), None));
        summary.add(tried(2, Some("patch x a/y"), Some("lost")));
        summary.add(tried(3, None, None));
        let text = summary.to_string();
        assert!(text.contains("| create an office | 409 | 3 | 2 | 1 | 3.0 s |"), "{text}");
        assert!(text.contains("- create an office, 409 at request 2 (patch x a/y): lost"), "{text}");
        assert!(text.contains("3 cases, 1 failures, seed 7"), "{text}");
    }
}
