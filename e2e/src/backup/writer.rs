//! Somebody who writes while something else happens, and what a backup must have of it.

use std::cell::Cell;
use std::time::Duration;

use futures::future::join;
use jiff::{SignedDuration, Timestamp};

use super::content::{Application, Content, hash};
use crate::failure::{Failure, Outcome};

/// Between two writes.
const PACE: Duration = Duration::from_millis(250);
/// What a moment in a status is told in.
const TOLD_IN: SignedDuration = SignedDuration::from_secs(1);
/// So many faults are told.
const TOLD: usize = 5;

/// One write.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The name of what was written.
    pub name: String,
    /// The hash of it.
    pub hash: String,
    /// When it was begun.
    pub begun: Timestamp,
    /// When the application had said that it took it; or what it said instead.
    pub acknowledged: Result<Timestamp, String>,
}

/// What somebody wrote, in order.
#[derive(Clone, Debug, Default)]
pub struct Written(Vec<Attempt>);

/// When a backup says that the data was as it has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Of an application that was quiet: what was begun later is not in it.
    Exact(Timestamp),
    /// Of one that was not: what was begun later may be.
    AtLeast(Timestamp),
}

impl Moment {
    fn time(self) -> Timestamp {
        match self {
            Self::Exact(time) | Self::AtLeast(time) => time,
        }
    }
}

/// Writes things called `{prefix}-{number}`, one after the other, until `work` has ended; gives what became of
/// both.
pub async fn during<T>(application: &impl Application, prefix: &str, work: impl Future<Output = T>) -> (Written, T) {
    let is_over = Cell::new(false);
    let writes = async {
        let mut written = Written::default();
        while !is_over.get() {
            written.0.push(attempt(application, &format!("{prefix}-{}", written.0.len() + 1)).await);
            tokio::time::sleep(PACE).await;
        }
        written
    };
    let watched = async {
        let ended = work.await;
        is_over.set(true);
        ended
    };
    join(writes, watched).await
}

async fn attempt(application: &impl Application, name: &str) -> Attempt {
    let begun = Timestamp::now();
    let text = hash(format!("{name} {begun}").as_bytes());
    let said = application.write(name, &text).await;
    let acknowledged = said.map(|()| Timestamp::now()).map_err(|failure| failure.to_string());
    Attempt { name: name.to_owned(), hash: hash(text.as_bytes()), begun, acknowledged }
}

impl Written {
    /// What the application did not take, in its words.
    pub fn refused(&self) -> Vec<&str> {
        self.0.iter().filter_map(|attempt| attempt.acknowledged.as_ref().err().map(String::as_str)).collect()
    }

    /// How many writes were acknowledged until a time.
    pub fn acknowledged_until(&self, time: Timestamp) -> usize {
        self.0.iter().filter(|attempt| is_before(attempt, time)).count()
    }

    /// Whether what was restored is what was there at the backup's moment: all of `before`, each write that was
    /// acknowledged by then, nothing that was begun after it, and nothing by half.
    ///
    /// # Errors
    /// The first things that are not so.
    pub fn is_in(&self, restored: &Content, before: &Content, moment: Moment) -> Outcome {
        let mut faults = of_before(restored, before);
        faults.extend(self.0.iter().filter_map(|attempt| of_attempt(attempt, restored, moment)));
        let known = |name: &str| before.get(name).is_some() || self.0.iter().any(|attempt| attempt.name == name);
        let strange = restored.iter().filter(|(name, _)| !known(name));
        faults.extend(strange.map(|(name, _)| format!("{name} is there, and was not at {}", moment.time())));
        if faults.is_empty() {
            return Ok(());
        }
        let more = faults.len();
        faults.truncate(TOLD);
        Err(Failure::new(format!("{more} things are not as at {}: {}", moment.time(), faults.join("; "))))
    }
}

fn of_before(restored: &Content, before: &Content) -> Vec<String> {
    let differs = before.iter().filter(|(name, hash)| restored.get(name) != Some(*hash));
    differs.map(|(name, _)| format!("{name} {}", how(restored.get(name)))).collect()
}

fn how(found: Option<&str>) -> &'static str {
    if found.is_some() { "differs" } else { "is missing" }
}

fn is_before(attempt: &Attempt, time: Timestamp) -> bool {
    attempt.acknowledged.as_ref().is_ok_and(|acknowledged| *acknowledged <= time)
}

fn of_attempt(attempt: &Attempt, restored: &Content, moment: Moment) -> Option<String> {
    let Attempt { name, hash, begun, .. } = attempt;
    let found = restored.get(name);
    match found {
        Some(found) if found != hash => Some(format!("{name} is there by half")),
        None if is_before(attempt, moment.time()) => Some(format!("{name}, acknowledged before, is missing")),
        Some(_) if matches!(moment, Moment::Exact(time) if *begun >= time + TOLD_IN) => {
            Some(format!("{name}, begun at {begun}, is there"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn attempt(name: &str, begun: i64, acknowledged: Option<i64>) -> Attempt {
        let acknowledged = acknowledged.map(at).ok_or_else(|| "503".to_owned());
        Attempt { name: name.to_owned(), hash: hash(name.as_bytes()), begun: at(begun), acknowledged }
    }

    fn holding(names: &[&str]) -> Content {
        let mut content = Content::default();
        for name in names {
            content.add(name, name.as_bytes());
        }
        content
    }

    fn written() -> Written {
        Written(vec![
            attempt("a", 0, Some(1)),
            attempt("b", 9, Some(11)),
            attempt("c", 12, None),
            attempt("d", 20, Some(21)),
        ])
    }

    #[test]
    fn what_was_acknowledged_is_there_and_what_came_later_is_not() {
        let exact = Moment::Exact(at(10));
        for restored in [&["page", "a"][..], &["page", "a", "b"]] {
            written().is_in(&holding(restored), &holding(&["page"]), exact).unwrap();
        }
        assert_eq!((written().refused(), written().acknowledged_until(at(11))), (vec!["503"], 2));
    }

    #[test]
    fn each_way_to_lose_or_gain_something_is_told() {
        let told = |restored: &Content, moment| {
            written().is_in(restored, &holding(&["page"]), moment).unwrap_err().to_string()
        };
        let exact = Moment::Exact(at(10));
        assert!(told(&holding(&["page"]), exact).contains("a, acknowledged before, is missing"));
        assert!(told(&holding(&["a"]), exact).contains("page is missing"));
        assert!(told(&holding(&["page", "a", "d"]), exact).contains("d, begun at"));
        assert!(told(&holding(&["page", "a", "e"]), exact).contains("e is there, and was not"));
        let mut half = holding(&["page", "a"]);
        half.add("b", b"another text");
        assert!(told(&half, Moment::AtLeast(at(10))).contains("b is there by half"));
    }

    #[test]
    fn of_an_application_that_is_not_quiet_later_things_may_be_there() {
        let restored = holding(&["page", "a", "c", "d"]);
        written().is_in(&restored, &holding(&["page"]), Moment::AtLeast(at(10))).unwrap();
    }
}
