//! The restores: each is asked for once the operator says that the data of its service is awaited, and watched to its
//! end.

use std::time::Instant;

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{Condition, Reason, RestorePhase, ServiceRestore, ServiceRestoreStatus};
use commonscloud_operator::kinds;
use kube::Api;
use kube::api::{DynamicObject, PostParams};

use super::data::{self, Source};
use super::steps::{GLANCE, Recovery, patiently};
use crate::asked;
use crate::data::said;

/// So often a restore is asked for whose run the operator did not know.
const TRIES: usize = 5;

/// A service whose data comes back by a restore.
pub(crate) struct Awaited<'r> {
    pub(crate) entity: &'r str,
    pub(crate) service: &'r str,
    pub(crate) source: Source<'r>,
    /// Since when the operator is waited for.
    since: Option<Instant>,
    /// Of the ServiceRestore; none: it is not asked for yet.
    name: Option<String>,
    /// Whether that waits for something: it keeps no other from being asked for.
    waits: bool,
    /// How often one was asked for whose run was not known.
    unknown: usize,
    /// What was last said of it.
    said: String,
    /// How it ended.
    ended: Option<Result<(), String>>,
}

impl<'r> Awaited<'r> {
    /// One of which nothing is asked yet.
    pub(crate) fn new(entity: &'r str, service: &'r str, source: Source<'r>) -> Self {
        let said = String::new();
        Self { entity, service, source, since: None, name: None, waits: false, unknown: 0, said, ended: None }
    }

    /// Whether it has one of the places of those that are restored at once.
    fn holds_place(&self) -> bool {
        self.name.is_some() && self.ended.is_none() && !self.waits
    }

    /// Says what is new.
    fn say(&mut self, line: &str) -> Result<(), Failure> {
        let line = format!("{}/{} {line}", self.entity, self.service);
        if line != self.said {
            said(line.clone())?;
            self.said = line;
        }
        Ok(())
    }
}

/// Whether a restore of this service can begin: the operator says that its data is awaited.
///
/// # Errors
/// What it says instead, in words for people.
fn is_awaited(service: Option<&DynamicObject>) -> Result<(), String> {
    let service = service.ok_or("the operator has not made it yet")?;
    let status = &service.data["status"];
    if status["observedGeneration"].as_i64() != service.metadata.generation {
        return Err("the operator has not looked at it yet".to_owned());
    }
    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    let ready = conditions.find(|condition| condition["type"] == "Ready");
    let ready = ready.ok_or("the operator says nothing of it yet")?;
    if [Reason::DataRestoring, Reason::Restoring].iter().any(|reason| ready["reason"] == reason.name()) {
        return Ok(());
    }
    let words = |key: &str| ready[key].as_str().unwrap_or_default().to_owned();
    Err(format!("{}: {}", words("reason"), words("message")))
}

/// What a restore came to.
#[derive(Debug, PartialEq)]
enum Came {
    /// It has not ended.
    NotYet,
    /// The data is back.
    Back,
    /// The operator did not know the run that it is of: its watches may be a moment behind.
    Unknown,
    /// It failed.
    Failed,
}

fn came(status: &ServiceRestoreStatus, tries: usize) -> Came {
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
    match status.phase {
        Some(RestorePhase::Succeeded) => Came::Back,
        Some(RestorePhase::Failed) if tries < TRIES && ready.is_some_and(is_unknown) => Came::Unknown,
        Some(RestorePhase::Failed) => Came::Failed,
        _ => Came::NotYet,
    }
}

/// Whether a restore waits for what somebody has to bring, or for another one. One that was begun goes on by itself.
fn waits(status: &ServiceRestoreStatus) -> bool {
    let mut ready = status.conditions.iter().filter(|condition| condition.type_ == "Ready");
    status.phase == Some(RestorePhase::Waiting) && ready.any(|ready| ready.reason != Reason::Restoring.name())
}

fn is_unknown(ready: &Condition) -> bool {
    ready.reason == Reason::SnapshotNotFound.name()
}

impl Recovery {
    /// Asks for the restores, so many at once, and waits for all of them.
    pub(crate) async fn restores(&mut self, awaited: &mut [Awaited<'_>], at_once: usize) -> Result<(), Failure> {
        let mut away = None;
        loop {
            match self.round(awaited, at_once).await {
                Ok(()) => away = None,
                Err(error) if away.get_or_insert_with(Instant::now).elapsed() > asked::PATIENCE => return Err(error),
                Err(_) => {}
            }
            if awaited.iter().all(|one| one.ended.is_some()) {
                return Ok(());
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    async fn round(&mut self, awaited: &mut [Awaited<'_>], at_once: usize) -> Result<(), Failure> {
        let mut at_work = awaited.iter().filter(|one| one.holds_place()).count();
        for one in awaited.iter_mut().filter(|one| one.ended.is_none()) {
            let restores: Api<ServiceRestore> = Api::namespaced(self.client.clone(), one.entity);
            if let Some(name) = one.name.clone() {
                self.look(&restores, one, &name).await?;
            } else if at_work < at_once && self.is_known(one).await? {
                one.name = Some(self.ask(&restores, one).await?);
                at_work += 1;
            }
        }
        Ok(())
    }

    /// Whether the operator knows the service by now, and what it lacks. One of which it says something else for long is
    /// asked for all the same: the restore then says what it waits for.
    async fn is_known(&self, one: &mut Awaited<'_>) -> Result<bool, Failure> {
        let found = self.service(one.entity, one.service).await?;
        let Err(why) = is_awaited(found.as_ref()) else { return Ok(true) };
        one.say(&format!("waits for the operator: {why}"))?;
        Ok(one.since.get_or_insert_with(Instant::now).elapsed() > asked::PATIENCE)
    }

    /// A service, of whatever kind.
    pub(crate) async fn service(&self, entity: &str, name: &str) -> Result<Option<DynamicObject>, Failure> {
        let mut found = None;
        for kind in kinds::DEDICATED {
            let resource = kinds::resource_of(&kind);
            let services: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), entity, &resource);
            found = found.or(services.get_opt(name).await?);
        }
        Ok(found)
    }

    /// Says how far a restore is, and notes how it ended.
    async fn look(&mut self, restores: &Api<ServiceRestore>, one: &mut Awaited<'_>, name: &str) -> Result<(), Failure> {
        let status = restores.get(name).await?.status.unwrap_or_default();
        let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
        let why = ready.map_or_else(String::new, |ready| format!("{}: {}", ready.reason, ready.message));
        one.say(&format!("{:?}: {why}", status.phase.unwrap_or(RestorePhase::Waiting)))?;
        one.waits = waits(&status);
        match came(&status, one.unknown) {
            Came::NotYet => {}
            Came::Back => {
                one.ended = Some(Ok(()));
                self.journal.done(&format!("{}/{} is back", one.entity, one.service)).await?;
            }
            Came::Unknown => {
                one.unknown += 1;
                one.name = None;
                one.say("is asked for again: the operator did not know its run yet")?;
            }
            Came::Failed => {
                let why = format!("{}/{} is not back: {why}", one.entity, one.service);
                self.missing.push(why.clone());
                one.ended = Some(Err(why));
            }
        }
        Ok(())
    }

    /// The restore of a service that has not failed, be it there already.
    async fn ask(&mut self, restores: &Api<ServiceRestore>, one: &Awaited<'_>) -> Result<String, Failure> {
        let mut number = 0;
        loop {
            let name = data::restore_name(one.service, one.source.snapshot, number);
            match restores.get_opt(&name).await? {
                Some(failed)
                    if failed.status.as_ref().and_then(|status| status.phase) == Some(RestorePhase::Failed) =>
                {
                    number += 1;
                }
                Some(_) => return Ok(name),
                None => {
                    let object = data::restore(one.entity, &name, one.service, one.source.snapshot, &self.user);
                    let object = serde_json::from_value(object)?;
                    let parameters = PostParams::default();
                    let what = format!("ServiceRestore {}/{name}", one.entity);
                    patiently(&what, || restores.create(&parameters, &object)).await?;
                    self.journal.done(&format!("ServiceRestore {}/{name} is asked for", one.entity)).await?;
                    return Ok(name);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use commonscloud_backup::records::RecordedRun;
    use serde_json::{Value, json};

    use super::*;

    fn service(generation: i64, status: Value) -> DynamicObject {
        let metadata = json!({"name": "office", "namespace": "hort", "generation": generation});
        serde_json::from_value(json!({"metadata": metadata, "status": status})).unwrap()
    }

    fn says(reason: &str) -> Value {
        let ready = json!({"type": "Ready", "status": "False", "reason": reason, "message": "words"});
        json!({"observedGeneration": 2, "conditions": [{"type": "Stalled"}, ready]})
    }

    #[test]
    fn a_restore_is_asked_for_once_the_operator_says_that_it_awaits_the_data() {
        assert!(is_awaited(None).unwrap_err().contains("not made"));
        assert!(is_awaited(Some(&service(2, json!({})))).unwrap_err().contains("not looked"));
        assert!(is_awaited(Some(&service(3, says("DataRestoring")))).unwrap_err().contains("not looked"));
        assert_eq!(is_awaited(Some(&service(2, says("PlatformNotFound")))).unwrap_err(), "PlatformNotFound: words");
        for reason in ["DataRestoring", "Restoring"] {
            assert_eq!(is_awaited(Some(&service(2, says(reason)))), Ok(()));
        }
    }

    fn status(phase: &str, reason: &str) -> ServiceRestoreStatus {
        let ready = json!({
            "type": "Ready", "status": "False", "reason": reason, "message": "", "lastTransitionTime": "2026-11-30T01:00:00Z",
        });
        serde_json::from_value(json!({"phase": phase, "conditions": [ready]})).unwrap()
    }

    #[test]
    fn one_that_waits_holds_no_place_of_those_that_are_restored_at_once() {
        let run = RecordedRun::default();
        let source = Source { run: &run, snapshot: "", path: "", key: String::new(), missing: Vec::new() };
        let mut one = Awaited::new("hort", "office", source);
        assert!(!one.holds_place(), "nobody has asked for it");
        one.name = Some("recover-office".to_owned());
        for (status, holds) in [
            (ServiceRestoreStatus::default(), true),
            (status("Waiting", "Restoring"), true),
            (status("Waiting", "NoRoom"), false),
            (status("Waiting", "NotFound"), false),
            (status("Files", "TargetUnreachable"), true),
        ] {
            one.waits = waits(&status);
            assert_eq!(one.holds_place(), holds, "{status:?}");
        }
        (one.waits, one.ended) = (false, Some(Ok(())));
        assert!(!one.holds_place());
    }

    #[test]
    fn only_one_whose_run_was_not_known_is_asked_for_again_and_not_for_ever() {
        let unknown = status("Failed", "SnapshotNotFound");
        assert_eq!((came(&unknown, 0), came(&unknown, TRIES)), (Came::Unknown, Came::Failed));
        assert_eq!(came(&status("Failed", "RestoreDiffers"), 0), Came::Failed);
        assert_eq!(came(&status("Waiting", "SnapshotNotFound"), 0), Came::NotYet);
        assert_eq!(came(&status("Succeeded", "Ready"), 0), Came::Back);
    }
}
