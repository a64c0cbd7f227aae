//! The figures by key, each beside its target; as JSON and as a table.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value, json};

/// What a figure is to be.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// At most so much.
    AtMost(f64),
    /// At least so much.
    AtLeast(f64),
}

/// A key of the report.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it is, in a table's cell.
    pub what: &'static str,
    /// In what, if it is in anything.
    pub unit: &'static str,
    /// What it is to be.
    pub target: Target,
}

const fn at_most(name: &'static str, target: f64, unit: &'static str, what: &'static str) -> Key {
    Key { name, what, unit, target: Target::AtMost(target) }
}

const fn at_least(name: &'static str, target: f64, what: &'static str) -> Key {
    Key { name, what, unit: "", target: Target::AtLeast(target) }
}

/// The keys of `make bench`.
pub const KEYS: [Key; 21] = [
    at_most("create.ratio_to_floor", 1.15, "", "Entities with three services: time over that of the bare client"),
    at_least("create.times_faster_than_kro", 5.0, "15 objects an instance: kro's time over the operator's"),
    at_least("create.times_faster_than_helm", 8.0, "15 objects an instance: Helm's time over the operator's"),
    at_most("create.writes_per_instance_minus_objects", 3.0, "", "writes until the first complete status"),
    at_most("create.reads", 0.0, "", "GETs and LISTs until then"),
    at_most("noop.requests_in_10_min", 0.0, "", "requests while nothing changes, the Lease and watches apart"),
    at_most("edit.p50_ms", 15.0, "ms", "an Entity's spec to the child's watch event"),
    at_most("edit.p99_ms", 50.0, "ms", "the same"),
    at_most("drift.p99_ms", 250.0, "ms", "a child changed or deleted to its watch event as it was"),
    at_most("status.p99_ms", 1000.0, "ms", "a pod's failure to the reason in the service"),
    at_most("memory.rss_mib_1k", 64.0, "MiB", "resident memory, 1000 instances of 15 objects"),
    at_most("memory.peak_share_of_limit", PEAK, "", "most memory over the chart's limit, a restart included"),
    at_most("restart.seconds", 5.0, "s", "start until all instances were judged"),
    at_most("restart.writes", 0.0, "", "writes after it"),
    at_most("failover.graceful_s", 2.0, "s", "SIGTERM until the other replica repairs"),
    at_most("failover.crash_s", 17.0, "s", "SIGKILL until the other replica repairs"),
    at_most("failover.stale_writes", 0.0, "", "writes of a leader that slept, after the other took over"),
    at_least("backup.throughput_ratio", 0.9, "a first backup by the Jobs' program: its throughput over plain restic's"),
    at_least("restore.throughput_ratio", 0.9, "the same of a restore, by both with a look at what was written"),
    at_most(
        "backup.quiet_s_per_gib",
        2.0,
        "s",
        "second pass, nothing changed: seconds more for each GiB that there is",
    ),
    at_most("backup.quiet_s_per_changed_gib", 15.0, "s", "the same for each GiB that changed since the first pass"),
];

/// The keys of `make bench-10k`.
pub const KEYS_10K: [Key; 2] = [
    at_most("scale.slope", 1.1, "", "time per instance beyond the first thousand over that of the first thousand"),
    at_most("memory.rss_mib_10k", 256.0, "MiB", "resident memory, 10 000 instances of 15 objects"),
];

/// What the most memory may be of the chart's limit: the rest is headroom for another allocator's day.
pub const PEAK: f64 = 0.67;

/// All that was measured.
#[derive(Debug)]
pub struct Report {
    keys: Vec<Key>,
    facts: Map<String, Value>,
    values: BTreeMap<&'static str, Result<f64, String>>,
    details: Map<String, Value>,
}

impl Report {
    /// Nothing measured yet.
    pub fn new(keys: &[Key], facts: Map<String, Value>) -> Self {
        Self { keys: keys.to_vec(), facts, values: BTreeMap::new(), details: Map::new() }
    }

    /// A figure.
    pub fn measured(&mut self, name: &'static str, value: f64) {
        eprintln!("    {name} {value:.3}");
        self.values.insert(name, Ok(value));
    }

    /// Why there is no figure.
    pub fn not_measured(&mut self, name: &'static str, why: &str) {
        eprintln!("    {name} not measured: {why}");
        self.values.insert(name, Err(why.to_owned()));
    }

    /// A figure, or why there is none.
    pub fn of(&mut self, name: &'static str, value: Option<f64>) {
        match value {
            Some(value) => self.measured(name, value),
            None => self.not_measured(name, "nothing was measured"),
        }
    }

    /// The keys that begin with `prefix` and have no figure have none because of this.
    pub fn failed(&mut self, prefix: &str, why: &str) {
        let names: Vec<&'static str> = self.keys.iter().map(|key| key.name).collect();
        for name in names.into_iter().filter(|name| name.starts_with(prefix)) {
            if !self.values.contains_key(name) {
                self.not_measured(name, why);
            }
        }
    }

    /// Where the time goes: what stands behind the figures.
    pub fn detail(&mut self, name: &str, value: Value) {
        self.details.insert(name.to_owned(), value);
    }

    /// A fact of the run.
    pub fn fact(&mut self, name: &str, value: Value) {
        self.facts.insert(name.to_owned(), value);
    }

    /// Each key with its figure, in the order of the table.
    pub fn figures(&self) -> Vec<Figure> {
        let value = |key: &Key| self.values.get(key.name).cloned().unwrap_or_else(|| Err("it was not its turn".into()));
        self.keys.iter().map(|key| Figure { key: *key, value: value(key) }).collect()
    }

    /// As `report.json`.
    pub fn json(&self) -> Value {
        let keys: Map<String, Value> = self.figures().iter().map(|f| (f.key.name.to_owned(), f.json())).collect();
        json!({"facts": self.facts, "keys": keys, "details": self.details})
    }

    /// One line about the run.
    pub fn heading(&self) -> String {
        let text = |name: &str| match self.facts.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "?".to_owned(),
        };
        format!(
            "{} run of {}, commit {}, profile {}, {} cores, {:.0} min",
            text("plan"),
            text("date"),
            text("commit"),
            text("profile"),
            text("cores"),
            self.facts.get("seconds").and_then(Value::as_f64).unwrap_or_default() / 60.0
        )
    }
}

/// A key with its figure.
#[derive(Debug, Clone)]
pub struct Figure {
    /// The key.
    pub key: Key,
    /// The figure, or why there is none.
    pub value: Result<f64, String>,
}

impl Figure {
    /// Whether the target was reached.
    pub fn met(&self) -> Option<bool> {
        let value = *self.value.as_ref().ok()?;
        Some(match self.key.target {
            Target::AtMost(most) => value <= most,
            Target::AtLeast(least) => value >= least,
        })
    }

    fn json(&self) -> Value {
        let (bound, target) = match self.key.target {
            Target::AtMost(target) => ("at most", target),
            Target::AtLeast(target) => ("at least", target),
        };
        let mut json = json!({
            "value": self.value.as_ref().ok(), "target": target, "bound": bound, "unit": self.key.unit,
            "met": self.met(), "what": self.key.what,
        });
        if let Err(why) = &self.value {
            json["not measured"] = Value::from(why.as_str());
        }
        json
    }

    /// The figure in a cell.
    pub fn shown(&self) -> String {
        match &self.value {
            Ok(value) => with_unit(*value, self.key.unit),
            Err(_) => "not measured".to_owned(),
        }
    }

    /// The target in a cell.
    pub fn target(&self) -> String {
        match self.key.target {
            Target::AtMost(target) => format!("≤ {}", with_unit(target, self.key.unit)),
            Target::AtLeast(target) => format!("≥ {}", with_unit(target, self.key.unit)),
        }
    }
}

fn with_unit(value: f64, unit: &str) -> String {
    let number =
        if value.fract() == 0.0 || value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    if unit.is_empty() { number } else { format!("{number} {unit}") }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "A {}.\n", self.heading())?;
        writeln!(f, "| key | what | measured | target | reached |\n|---|---|---:|---:|---|")?;
        for figure in self.figures() {
            let met = match figure.met() {
                Some(true) => "yes",
                Some(false) => "**no**",
                None => "–",
            };
            let (shown, target) = (figure.shown(), figure.target());
            writeln!(f, "| `{}` | {} | {shown} | {target} | {met} |", figure.key.name, figure.key.what)?;
        }
        for figure in self.figures() {
            if let Err(why) = &figure.value {
                let first = why.lines().next().unwrap_or_default();
                writeln!(f, "\n`{}` was not measured: {first}", figure.key.name)?;
            }
        }
        Ok(())
    }
}
