//! The steps of a recovery, each by name and none twice: records first, then Secrets, then what runs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use commonscloud_backup::records::{RECORDS_FOLDER, RecordedObject};
use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{ServiceBackup, ServiceData, marks};
use commonscloud_operator::apply::ErrorKind;
use commonscloud_operator::backup::{escrow, key_name};
use commonscloud_operator::gather::ENTITY_UID;
use commonscloud_operator::kinds;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use super::data::{self, Source};
use super::journal::Journal;
use super::records::{self, PlannedEntity};
use super::restores::Awaited;
use crate::asked;
use crate::data::said;
use crate::target::{Keys, Target};

/// Between two looks at what is awaited.
pub(crate) const GLANCE: Duration = Duration::from_secs(2);

/// What a recovery works with.
pub(crate) struct Recovery {
    pub(crate) client: Client,
    /// The operator's namespace.
    pub(crate) home: String,
    pub(crate) target: Target,
    pub(crate) keys: Keys,
    pub(crate) journal: Journal,
    /// What could not be brought back, a line each.
    pub(crate) missing: Vec<String>,
    /// Whose data is kept for a service that was gone already, a line each.
    pub(crate) kept: Vec<String>,
    /// By which name the API server knows whoever runs this.
    pub(crate) user: String,
}

impl Recovery {
    /// Makes an object unless one of its name is there. None: another one is, which is told; else its uid.
    async fn make(&mut self, object: &Value) -> Result<Option<String>, Failure> {
        self.make_unless(object, |_| false).await
    }

    /// The same, where what is there may be as good.
    async fn make_unless(
        &mut self,
        object: &Value,
        is_as_good: impl Fn(&records::Seen) -> bool,
    ) -> Result<Option<String>, Failure> {
        let object: DynamicObject = serde_json::from_value(object.clone())?;
        let kind = object.types.as_ref().map(|types| types.kind.clone()).unwrap_or_default();
        let resource = kinds::resource(&kind).ok_or_else(|| format!("{kind}: no kind of the records"))?;
        let api = api(&self.client, object.namespace().as_deref(), &resource);
        let name = object.name_any();
        let shown = object.namespace().map_or_else(|| format!("{kind} {name}"), |of| format!("{kind} {of}/{name}"));
        let parameters = PostParams::default();
        let made = match patiently(&shown, || api.create(&parameters, &object)).await {
            Ok(made) => made,
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let live = api.get(&name).await?;
                let [there, made] = [&live, &object].map(records::Seen::of);
                if (there.recovered.is_some() && there.recovered == made.recovered) || is_as_good(&there) {
                    return Ok(live.uid());
                }
                self.missing.push(format!("{shown} is there, and was not made by this command: it is left as it is"));
                return Ok(None);
            }
            Err(error) => return Err(format!("{shown}: {error}").into()),
        };
        // Of runs there are many, and of what is kept of people.
        let people = [kinds::COLLECTIVE, kinds::ACCESS, kinds::ACCESS_HISTORY];
        if kind != kinds::SERVICE_BACKUP.kind && people.iter().all(|of| of.kind != kind) {
            self.journal.done(&format!("{shown} is back")).await?;
        }
        Ok(made.uid())
    }

    /// Makes shared objects.
    pub(crate) async fn shared(&mut self, objects: &[&RecordedObject]) -> Result<(), Failure> {
        for recorded in objects {
            // The operator may have made it a moment ago.
            self.make_unless(&records::object(recorded), |there| records::is_as_good(recorded, there)).await?;
        }
        Ok(())
    }

    /// The key of the platform's records, before the operator would make one of its own.
    pub(crate) async fn platform_key(&mut self) -> Result<(), Failure> {
        let keys = self.keys.get(RECORDS_FOLDER).cloned().unwrap_or_default();
        match self.target.opens(RECORDS_FOLDER, &keys).await {
            Ok((key, _)) => {
                let key = key.to_owned();
                self.key(RECORDS_FOLDER, &key, None).await.map(drop)
            }
            Err(failure) => {
                self.missing.push(format!("the key of folder {RECORDS_FOLDER}: {failure}"));
                Ok(())
            }
        }
    }

    /// The key of a folder, in the operator's namespace. False: another one has its name.
    async fn key(&mut self, folder: &str, password: &str, entity: Option<&str>) -> Result<bool, Failure> {
        let name = key_name(folder);
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.home);
        if let Some(live) = secrets.get_opt(&name).await? {
            let held = live.data.unwrap_or_default().remove("password").map(|held| held.0);
            if held.as_deref().map(<[u8]>::trim_ascii) == Some(password.as_bytes()) {
                return Ok(true);
            }
            self.missing.push(format!(
                "Secret {}/{name} is there with another key, and is left: what is in folder {folder} cannot be read with it",
                self.home
            ));
            return Ok(false);
        }
        let mut labels = json!({marks::MANAGED_BY: marks::OPERATOR, marks::DATA: "true"});
        if let Some(entity) = entity {
            labels[marks::ENTITY] = json!(entity);
        }
        let annotations = json!({escrow::FOLDER: folder, marks::RECOVERED: folder});
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": name, "namespace": self.home, "labels": labels, "annotations": annotations},
            "stringData": {"password": password},
        });
        Ok(self.make(&secret).await?.is_some())
    }

    /// Each of these Entities. What keeps one from coming back is told, and keeps no other.
    pub(crate) async fn entities<'r>(&mut self, entities: &[&PlannedEntity<'r>]) -> Vec<Awaited<'r>> {
        let mut awaited = Vec::new();
        for planned in entities {
            match self.entity(planned).await {
                Ok(theirs) => awaited.extend(theirs),
                Err(error) => self.missing.push(format!("{}: {error}", planned.name)),
            }
        }
        awaited
    }

    /// Who belongs, who may enter, and who changed what: before their Entity, so that the operator makes none anew and
    /// gives nobody a right whom these do not name.
    async fn people(&mut self, planned: &PlannedEntity<'_>) -> Result<(), Failure> {
        for recorded in &planned.people {
            self.make(&records::object(recorded)).await?;
        }
        let count = planned.people.len();
        if count == 0 { Ok(()) } else { self.journal.done(&format!("the people of {} are back", planned.name)).await }
    }

    /// An Entity with all that is its own: namespace, people, records of data, runs, keys, Secrets, then the Entity
    /// itself and the services that somebody wrote by hand. What has data to come back is awaited.
    async fn entity<'r>(&mut self, planned: &PlannedEntity<'r>) -> Result<Vec<Awaited<'r>>, Failure> {
        if self.make(&records::namespace(planned)?).await?.is_none() {
            return Ok(Vec::new());
        }
        self.people(planned).await?;
        let mut awaited = Vec::new();
        for &recorded in &planned.data {
            let service = recorded.metadata.name.as_str();
            let backups = planned.backups.iter().find(|backups| backups.service == service);
            let source = data::source(&self.target, &self.keys, backups).await;
            let Some(record) = records::record(recorded, data::versions(&source, planned))? else { continue };
            if self.make(&record).await?.is_some() {
                awaited.extend(self.data(planned, recorded, source).await?);
            }
        }
        self.backups(planned).await?;
        awaited.retain(|one: &Awaited<'_>| {
            let is_there = planned.services.contains(one.service);
            if !is_there {
                self.kept.push(data::kept(one.entity, one.service, &one.source));
            }
            is_there
        });
        let Some(entity) = planned.entity else { return Ok(Vec::new()) };
        let Some(uid) = self.make(&records::object(entity)).await? else { return Ok(Vec::new()) };
        if let Some(folder) = planned.folder {
            self.goes_on(folder, &uid).await?;
        }
        self.shared(&planned.by_hand).await?;
        Ok(awaited)
    }

    /// Secrets and the record of one service. None: it has no data to come back, or has it already.
    async fn data<'r>(
        &mut self,
        planned: &PlannedEntity<'r>,
        recorded: &'r RecordedObject,
        source: Result<Source<'r>, String>,
    ) -> Result<Option<Awaited<'r>>, Failure> {
        let (entity, service) = (planned.name, recorded.metadata.name.as_str());
        let records: Api<ServiceData> = Api::namespaced(self.client.clone(), entity);
        let record = records.get(service).await?;
        if record.spec.restoring.as_deref() != Some(records::RESTORING) {
            return Ok(None);
        }
        let source = match source {
            Ok(source) => source,
            Err(why) => {
                self.missing.push(format!(
                    "{entity}/{service} has no data at this target: {why}. It stays as Restoring, and nothing of it is made: run this command with --target of where its backup is, or see docs/operations/recover.md to let it begin empty"
                ));
                return Ok(None);
            }
        };
        let older = source.missing.iter().map(|why| format!("{entity}/{service} comes back from an older run: {why}"));
        self.missing.extend(older);
        if let Some(folder) = planned.folder
            && !self.key(folder, source.key(), Some(entity)).await?
        {
            return Ok(None);
        }
        if !self.secrets(&records, &record, recorded, &source).await? {
            return Ok(None);
        }
        Ok(Some(Awaited::new(entity, service, source)))
    }

    /// The generated Secrets of a service, and its record bound to them.
    async fn secrets(
        &mut self,
        records: &Api<ServiceData>,
        record: &ServiceData,
        recorded: &RecordedObject,
        source: &Source<'_>,
    ) -> Result<bool, Failure> {
        let service = record.name_any();
        let namespace = record.namespace().unwrap_or_default();
        if data::named(&record.spec).is_empty() {
            return Ok(true);
        }
        let secrets = match data::secrets(&self.target, source).await {
            Ok(secrets) => data::made(recorded, &record.spec, &secrets),
            Err(failure) => Err(failure.to_string()),
        };
        let secrets = match secrets {
            Ok(secrets) => secrets,
            Err(why) => {
                self.missing.push(format!("{namespace}/{service}: its generated Secrets do not come back: {why}"));
                return Ok(false);
            }
        };
        let mut uids = BTreeMap::new();
        for secret in &secrets {
            let Some(uid) = self.make(secret).await? else { return Ok(false) };
            let name = secret["metadata"]["name"].as_str().unwrap_or_default();
            uids.insert(name.to_owned(), uid);
        }
        if let Some(spec) = data::bound(&record.spec, &uids) {
            // It is nobody's but ours while it is Restoring; the operator may date it meanwhile.
            let patch = Patch::Merge(json!({"metadata": {"uid": record.uid()}, "spec": spec}));
            let parameters = PatchParams::default();
            let what = format!("ServiceData {namespace}/{service}");
            patiently(&what, || records.patch(&service, &parameters, &patch)).await?;
            self.journal.done(&format!("ServiceData {namespace}/{service} is bound to its Secrets")).await?;
        }
        Ok(true)
    }

    /// The runs, as they were: by them snapshots are restored, kept and forgotten.
    async fn backups(&mut self, planned: &PlannedEntity<'_>) -> Result<(), Failure> {
        let runs: Api<ServiceBackup> = Api::namespaced(self.client.clone(), planned.name);
        let (parameters, mut count) = (PatchParams::default(), 0);
        for run in planned.backups.iter().flat_map(|backups| &backups.runs) {
            let (object, status) = data::backup(planned.name, run, Timestamp::now());
            if self.make(&object).await?.is_none() {
                continue;
            }
            let live = runs.get(&run.name).await?;
            // One it has by the schema's default.
            if live.status.and_then(|status| status.phase).is_none() {
                let patch = Patch::Merge(&status);
                let what = format!("ServiceBackup {}/{}", planned.name, run.name);
                patiently(&what, || runs.patch_status(&run.name, &parameters, &patch)).await?;
                count += 1;
            }
        }
        if count == 0 { Ok(()) } else { self.journal.done(&format!("{count} runs of {} are back", planned.name)).await }
    }

    /// Lets the Entity go on with the repositories of the one that was lost.
    async fn goes_on(&mut self, folder: &str, uid: &str) -> Result<(), Failure> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.home);
        let name = key_name(folder);
        let Some(live) = secrets.get_opt(&name).await? else { return Ok(()) };
        match live.labels().get(ENTITY_UID) {
            Some(other) if other != uid => {
                self.missing.push(format!("Secret {}/{name} is of an Entity with uid {other}: it is left", self.home));
                Ok(())
            }
            Some(_) => Ok(()),
            None => {
                let patch = Patch::Merge(json!({"metadata": {"uid": live.uid(), "labels": {ENTITY_UID: uid}}}));
                secrets.patch(&name, &PatchParams::default(), &patch).await?;
                self.journal.done(&format!("Secret {name} is the key of the Entity with uid {uid}")).await
            }
        }
    }
}

fn api(client: &Client, namespace: Option<&str>, resource: &ApiResource) -> Api<DynamicObject> {
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    }
}

/// Asks again while the answer is one that passes by itself, and says so. What is refused is refused at once.
///
/// # Errors
/// When it is refused, or the API server stays away.
pub(crate) async fn patiently<T, F>(what: &str, ask: impl Fn() -> F) -> Result<T, kube::Error>
where
    F: Future<Output = Result<T, kube::Error>>,
{
    let (begun, mut told) = (Instant::now(), false);
    loop {
        let error = match ask().await {
            Err(error) if passes(&error) && begun.elapsed() < asked::PATIENCE => error,
            answer => return answer,
        };
        if !told {
            // What cannot be said is no reason to stop.
            let _ = said(format!("{what}: waits for the API server: {error}"));
            told = true;
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// Whether an answer passes by itself: the network, an overload, an API server that warms up.
fn passes(error: &kube::Error) -> bool {
    ErrorKind::of(error) == ErrorKind::Transient
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passes_by_itself_is_asked_again() {
        let is_asked = |code: u16, message: &str| {
            passes(&kube::Error::Api(kube::core::Status::failure(message, "").with_code(code).boxed()))
        };
        for (code, message) in [
            (403, "secrets is forbidden: User \"maria\" cannot create resource \"secrets\""),
            (403, "ValidatingAdmissionPolicy 'p' denied request: no"),
            (422, "Tariff is invalid: spec.period"),
            (409, "it exists"),
        ] {
            assert!(!is_asked(code, message), "{code} {message}");
        }
        for (code, message) in [
            (422, "ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: not found"),
            (429, "too many requests"),
            (503, "the server is currently unable to handle the request"),
        ] {
            assert!(is_asked(code, message), "{code} {message}");
        }
    }
}
