//! A table of faults that admission refuses, and how it is gone through.

use commonscloud_e2e::wait::ready;
use commonscloud_e2e::{Failure, Outcome, ensure, resources};
use futures::StreamExt as _;
use kube::Client;
use serde_json::{Value, json};

use super::doors::{Answer, Door, Mode, Wish, knock};
use super::watch::{Running, Watch};
use super::with;
use crate::tier::{ControlPlane, READY};

/// Rows that are tried at once.
const AT_ONCE: usize = 4;

/// A fault of an object.
#[derive(Debug, Clone)]
pub struct Row {
    /// What is wrong.
    pub fault: &'static str,
    /// Where, as a JSON pointer.
    pub at: &'static str,
    /// What is wrong there; null: nothing.
    pub faulty: Value,
    /// What is right there; null: nothing.
    pub sound: Value,
    /// What the refusal says: the field, and what is allowed.
    pub says: &'static [&'static str],
    doors: &'static [&'static [Door]],
}

/// A row that holds for an object that is new as for one that is there.
pub fn row(fault: &'static str, at: &'static str, faulty: Value, sound: Value, says: &'static [&'static str]) -> Row {
    Row { fault, at, faulty, sound, says, doors: &[&Door::NEW, &Door::CHANGE] }
}

impl Row {
    /// Only for objects that are new: names, and what may not be changed at all.
    pub fn of_new(self) -> Self {
        Self { doors: &[&Door::NEW], ..self }
    }

    /// Only for objects that are there: transitions.
    pub fn of_change(self) -> Self {
        Self { doors: &[&Door::CHANGE], ..self }
    }

    /// Whether a new object can have it.
    pub fn is_of_new(&self) -> bool {
        self.doors.contains(&&Door::NEW[..])
    }

    /// What is missing in the words of a refusal.
    pub fn missing<'a>(&'a self, message: &'a str) -> impl Iterator<Item = &'static str> + 'a {
        self.says.iter().copied().filter(|words| !message.contains(words))
    }
}

/// A sound object, and the faults that it could have.
pub struct Table {
    /// The object without a fault.
    pub base: Value,
    /// The faults.
    pub rows: Vec<Row>,
}

impl Table {
    /// Applies the sound object, and waits until what it is for runs.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn founded(&self, tier: &ControlPlane) -> Outcome {
        let wish = Wish { base: &self.base, at: "", value: &Value::Null };
        let answer = knock(&tier.cluster.client, Door::ApplyNew, wish, Mode::Real).await?;
        ensure!(answer == Answer::Taken, "the object without a fault: {answer:?}");
        let text = |pointer: &str| self.base.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (kind, name, namespace) = (text("/kind"), text("/metadata/name"), text("/metadata/namespace"));
        if kind == "Entity" {
            ready(&tier.entities(), name, READY).await?;
        } else if !namespace.is_empty() {
            ready(&resources::ours_in(&tier.cluster.client, kind, namespace), name, READY).await?;
        }
        Ok(())
    }

    /// Goes through every row by every door: refused with its fault, accepted without it.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn faults(&self, client: &Client) -> Outcome<Vec<String>> {
        let tried = futures::stream::iter(&self.rows).map(|row| self.tried(client, row)).buffered(AT_ONCE);
        let all: Vec<Outcome<Vec<String>>> = tried.collect().await;
        Ok(all.into_iter().collect::<Outcome<Vec<_>>>()?.concat())
    }

    async fn tried(&self, client: &Client, row: &Row) -> Outcome<Vec<String>> {
        let mut faults = Vec::new();
        for door in row.doors.iter().copied().flatten().copied() {
            let base = self.behind(door);
            let what = format!("{}: {} = {} by {door}", row.fault, row.at, row.faulty);
            let wish = |value| Wish { base: &base, at: row.at, value };
            // Dry first: what is accepted against the table must not spoil the rows after it.
            let dry = knock(client, door, wish(&row.faulty), Mode::DryRun).await?;
            let answer =
                if dry == Answer::Taken { dry } else { knock(client, door, wish(&row.faulty), Mode::Real).await? };
            match answer {
                Answer::Taken => faults.push(format!("{what}: accepted")),
                Answer::Refused(message) => {
                    faults.extend(row.missing(&message).map(|words| format!("{what}: no {words:?} in {message}")));
                    faults.extend(message.contains("should match").then(|| format!("{what}: a pattern: {message}")));
                }
            }
            if let Answer::Refused(message) = knock(client, door, wish(&row.sound), Mode::DryRun).await? {
                faults.push(format!("{}: {} = {} by {door}: refused: {message}", row.fault, row.at, row.sound));
            }
        }
        Ok(faults)
    }

    /// The object that goes through a door: what is new has a name of its own.
    pub fn behind(&self, door: Door) -> Value {
        if !Door::NEW.contains(&door) {
            return self.base.clone();
        }
        let name = self.base["metadata"]["name"].as_str().unwrap_or_default();
        with(self.base.clone(), "/metadata/name", json!(format!("{name}-new")))
    }
}

/// Goes through tables whose objects are there already, while what runs is watched.
///
/// # Errors
/// Every row that does not hold, and everything that was touched.
pub async fn hold(tier: &ControlPlane, tables: &[Table], running: Vec<Running>) -> Outcome {
    let watch = Watch::over(tier, running).await?;
    let mut faults = Vec::new();
    for table in tables {
        faults.extend(table.faults(&tier.cluster.client).await?);
    }
    faults.extend(watch.touched(tier).await?);
    if faults.is_empty() { Ok(()) } else { Err(Failure::new(faults.join("\n"))) }
}
