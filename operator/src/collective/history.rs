//! What is told of belonging and access, in which month, and which months go.
//!
//! What is to be told follows from what stands in the Collective and the Accesses: an entry has its `since`, a
//! removed one its time, and each makes the key of what is told. A key that is there is never written again, so that
//! whoever is killed tells each change once. Of what is older than the Platform keeps, nothing is told.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::facts::Facts;
use super::taken::{is_free_of_service, is_free_of_the_collective, may_be_told_gone};
use crate::api::{AccessChange, AccessEntry, AccessHistory, AccessRole, HistoryEntry};
use crate::compare::{Action, Change};
use crate::kinds;

/// So many changes stand in one object: with the longest names, of letters that take four bytes each, it stays below the
/// 1.5 MiB that etcd takes. A month with more goes on in another object: nobody fills one up to stay on a list.
pub(super) const MOST: usize = 600;

/// What was told so far, of all months that can be read.
pub(super) struct History<'a> {
    entries: BTreeMap<&'a str, &'a HistoryEntry>,
    /// The last change of each person, in a service or in the Collective.
    last: BTreeMap<(&'a str, Option<&'a str>), &'a HistoryEntry>,
    /// The oldest month that is kept.
    oldest: String,
}

/// The month of a time, as its history is called.
pub(super) fn month(at: Timestamp) -> String {
    at.strftime("%Y-%m").to_string()
}

/// The key of a change.
pub(super) fn key(at: &Time, change: AccessChange, person: &str, service: Option<&str>) -> String {
    let change = match change {
        AccessChange::Invited => "Invited",
        AccessChange::Accepted => "Accepted",
        AccessChange::Removed => "Removed",
        AccessChange::MadeManager => "MadeManager",
        AccessChange::UnmadeManager => "UnmadeManager",
        AccessChange::Admitted => "Admitted",
        AccessChange::Appointed => "Appointed",
        AccessChange::Dismissed => "Dismissed",
    };
    let service = service.map(|service| format!("-{service}")).unwrap_or_default();
    format!("{}-{change}-{person}{service}", at.0.as_second())
}

/// The key of an invitation that was accepted: by when it was given, since an account is bound once.
pub(super) fn accepted(since: &Time, person: &str, service: Option<&str>) -> String {
    key(since, AccessChange::Accepted, person, service)
}

impl<'a> History<'a> {
    /// What was told so far.
    pub(super) fn of(facts: &'a Facts) -> Self {
        let days = facts.identity.as_ref().map_or(u32::MAX, |identity| identity.keep_history_days);
        let kept = SignedDuration::from_hours(24).saturating_mul(i32::try_from(days).unwrap_or(i32::MAX));
        // Before the first year that a time has, everything is kept.
        let oldest = facts.now.checked_sub(kept).map(month).unwrap_or_default();
        let mut history = Self { entries: BTreeMap::new(), last: BTreeMap::new(), oldest };
        for (key, entry) in facts.histories.values().flat_map(|month| &month.spec.entries) {
            history.entries.insert(key, entry);
            let last = history.last.entry((entry.person.as_str(), entry.service.as_deref())).or_insert(entry);
            if (entry.at.0, entry.change) > (last.at.0, last.change) {
                *last = entry;
            }
        }
        history
    }

    /// Whether it was told.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// When something was told last of a person, in a service or in the Collective.
    pub(super) fn last(&self, person: &str, service: Option<&str>) -> Option<&Time> {
        self.last.get(&(person, service)).map(|entry| &entry.at)
    }

    /// Whether what was at that time is not told any more.
    fn is_over(&self, at: &Time) -> bool {
        month(at.0) < self.oldest
    }
}

/// What is to be told, by month. Of a month that cannot be read nothing is.
pub(super) fn told(facts: &Facts, history: &History<'_>) -> Vec<Change> {
    let mut months: BTreeMap<String, BTreeMap<String, HistoryEntry>> = BTreeMap::new();
    for (key, entry) in missing(facts, history) {
        months.entry(month(entry.at.0)).or_default().insert(key, entry);
    }
    let is_unreadable = |month: &str| {
        let mut histories = facts.unreadable.iter().filter(|object| object.kind == kinds::ACCESS_HISTORY.kind);
        histories.any(|object| month_of(&object.name) == Some(month))
    };
    let readable = months.into_iter().filter(|(month, _)| !is_unreadable(month));
    readable.flat_map(|(month, entries)| in_month(facts, &month, entries)).collect()
}

/// The objects of a month that entries go to: the first ones that have room.
fn in_month(facts: &Facts, month: &str, entries: BTreeMap<String, HistoryEntry>) -> Vec<Change> {
    let (mut changes, mut left) = (Vec::new(), entries.into_iter());
    for number in 1_u32.. {
        let name = if number == 1 { month.to_owned() } else { format!("{month}-{number}") };
        let seen = facts.histories.get(&name);
        let room = MOST.saturating_sub(seen.map_or(0, |seen| seen.spec.entries.len()));
        let entries: BTreeMap<String, HistoryEntry> = left.by_ref().take(room).collect();
        match seen {
            _ if entries.is_empty() && room > 0 => break,
            _ if entries.is_empty() => {}
            Some(seen) => changes.push(added(facts, &name, seen, &entries)),
            None => {
                let spec = json!({"entries": entries});
                changes.push(facts.create(kinds::ACCESS_HISTORY.kind, &name, json!({}), spec));
            }
        }
    }
    changes
}

/// The month that a history is about; none where its name is not the operator's.
fn month_of(name: &str) -> Option<&str> {
    let (month, more) = name.split_at_checked(7)?;
    let is_digit = |(at, byte): (usize, u8)| if at == 4 { byte == b'-' } else { byte.is_ascii_digit() };
    let is_number = |number: &str| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_more = more.is_empty() || more.strip_prefix('-').is_some_and(is_number);
    (month.bytes().enumerate().all(is_digit) && is_more).then_some(month)
}

fn added(facts: &Facts, name: &str, seen: &AccessHistory, entries: &BTreeMap<String, HistoryEntry>) -> Change {
    let because = format!("{} changes", entries.len());
    let patch = json!({"metadata": {"uid": seen.metadata.uid}, "spec": {"entries": entries}});
    facts.change(kinds::ACCESS_HISTORY.kind, name, Action::Merge { patch, because })
}

/// The months that are older than what is kept.
pub(super) fn over(facts: &Facts, history: &History<'_>) -> Vec<Change> {
    let is_over = |name: &str| month_of(name).is_some_and(|month| month < history.oldest.as_str());
    let over = facts.histories.iter().filter(|(name, _)| is_over(name));
    over.filter_map(|(name, seen)| {
        let uid = seen.metadata.uid.clone()?;
        Some(facts.change(kinds::ACCESS_HISTORY.kind, name, Action::Delete { uid }))
    })
    .collect()
}

/// Collects what is not told yet.
struct Telling<'a> {
    facts: &'a Facts,
    history: &'a History<'a>,
    missing: Vec<(String, HistoryEntry)>,
}

fn missing(facts: &Facts, history: &History<'_>) -> Vec<(String, HistoryEntry)> {
    let mut telling = Telling { facts, history, missing: Vec::new() };
    telling.members();
    telling.managers();
    for service in facts.accesses.keys() {
        telling.access(service);
    }
    telling.missing
}

impl Telling<'_> {
    fn tell(&mut self, key: String, entry: HistoryEntry) {
        if !self.history.has(&key) {
            self.missing.push((key, entry));
        }
    }

    /// Something that is about the Collective, at the time that its key is made of.
    fn of_collective(&mut self, at: &Time, by: &str, change: AccessChange, person: &str) {
        let display_name = self.facts.display_name(person, None);
        let (by, of) = (by.to_owned(), person.to_owned());
        let entry = HistoryEntry { at: at.clone(), by, change, person: of, display_name, service: None };
        self.tell(key(at, change, person, None), entry);
    }

    fn members(&mut self) {
        let people = self.facts.people();
        for (id, member) in &people.members {
            let Some(since) = &member.since else { continue };
            if !self.history.is_over(since) {
                self.of_collective(since, &member.by, AccessChange::Invited, id);
            }
            if let Some(account) = &member.account
                && (member.mail.is_some() || !self.history.is_over(since))
            {
                let entry = HistoryEntry {
                    at: self.facts.at(),
                    by: account.user.clone(),
                    change: AccessChange::Accepted,
                    person: id.clone(),
                    display_name: member.display_name.clone(),
                    service: None,
                };
                self.tell(accepted(since, id, None), entry);
            }
            if let Some(removed) = &member.removed
                && let Some(at) = &removed.at
                && may_be_told_gone(self.facts, id, member)
            {
                self.of_collective(at, &removed.by, AccessChange::Removed, id);
            }
        }
    }

    fn managers(&mut self) {
        let people = self.facts.people();
        for (id, manager) in &people.managers {
            let Some(since) = &manager.since else { continue };
            if !self.history.is_over(since) {
                self.of_collective(since, &manager.by, AccessChange::MadeManager, id);
            }
            if let Some(removed) = &manager.removed
                && let Some(at) = &removed.at
                && is_free_of_the_collective(self.facts, id)
            {
                self.of_collective(at, &removed.by, AccessChange::UnmadeManager, id);
            }
        }
    }

    fn access(&mut self, service: &str) {
        let facts = self.facts;
        let Some(access) = facts.accesses.get(service) else { return };
        for (id, entry) in &access.spec.people {
            let Some(since) = &entry.since else { continue };
            let account = entry.guest.as_ref().and_then(|guest| guest.account.as_ref().map(|of| (guest, of)));
            if let Some((guest, account)) = account
                && (guest.mail.is_some() || !self.history.is_over(since))
            {
                let told = (accepted(since, id, Some(service)), self.facts.at());
                self.of_service(told, &account.user, AccessChange::Accepted, id, (service, entry));
            }
            match &entry.removed {
                None => self.role(id, since, (service, entry)),
                Some(removed) => {
                    if let Some(at) = &removed.at
                        && is_free_of_service(facts, id, service)
                    {
                        let change = AccessChange::Dismissed;
                        let told = (key(at, change, id, Some(service)), at.clone());
                        self.of_service(told, &removed.by, change, id, (service, entry));
                    }
                }
            }
        }
    }

    /// What somebody is in a service, where that is not what was told of it last.
    fn role(&mut self, id: &str, since: &Time, (service, entry): (&str, &AccessEntry)) {
        let last = self.history.last.get(&(id, Some(service))).copied();
        let told = last.filter(|told| told.at.0 >= since.0 && told.change != AccessChange::Accepted);
        let first = match entry.role {
            AccessRole::User => AccessChange::Admitted,
            AccessRole::Manager => AccessChange::Appointed,
        };
        let (at, change) = match (told.map(|told| (&told.at, told.change)), entry.role) {
            (None, _) if self.history.is_over(since) || self.has_begun(since, id, service) => return,
            (None, _) => (since.clone(), first),
            (Some((_, AccessChange::Appointed)), AccessRole::Manager) => return,
            (Some((last, _)), AccessRole::Manager) => (self.later(last), AccessChange::Appointed),
            (Some((last, AccessChange::Appointed)), AccessRole::User) => (self.later(last), AccessChange::Dismissed),
            (Some(_), AccessRole::User) => return,
        };
        self.of_service((key(&at, change, id, Some(service)), at), &entry.by, change, id, (service, entry));
    }

    /// Whether it was told how an entry began, though a guest's acceptance was told after it.
    fn has_begun(&self, since: &Time, id: &str, service: &str) -> bool {
        [AccessChange::Admitted, AccessChange::Appointed]
            .into_iter()
            .any(|change| self.history.has(&key(since, change, id, Some(service))))
    }

    /// The time, or a second after what was told last.
    fn later(&self, last: &Time) -> Time {
        let next = last.0.checked_add(SignedDuration::from_secs(1)).map_or_else(|_| last.clone(), Time);
        if next.0 > self.facts.now { next } else { self.facts.at() }
    }

    /// Something that is about a service: its key and its time.
    fn of_service(
        &mut self,
        (key, at): (String, Time),
        by: &str,
        change: AccessChange,
        id: &str,
        (service, entry): (&str, &AccessEntry),
    ) {
        let display_name = self.facts.display_name(id, Some(entry));
        let (person, service) = (id.to_owned(), Some(service.to_owned()));
        self.tell(key, HistoryEntry { at, by: by.to_owned(), change, person, display_name, service });
    }
}
