//! The steps of a recovery, each by name and none twice: records first, then Secrets, then what runs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use commonscloud_backup::records::{RECORDS_FOLDER, RecordedObject};
use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{RestorePhase, ServiceBackup, ServiceData, ServiceRestore, marks};
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
use crate::asked;
use crate::data::said;
use crate::target::{Keys, Target};

/// Between two looks at what is awaited.
const GLANCE: Duration = Duration::from_secs(2);
/// The operator has seen by then what it is to restore from.
const SEEN: Duration = Duration::from_secs(5);
/// For how long the API server may refuse what it is about to take: policies see a new namespace a little later.
const PATIENCE: Duration = Duration::from_secs(20);

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

/// A service whose data comes back by a restore.
pub(crate) struct Awaited<'r> {
    pub(crate) entity: &'r str,
    pub(crate) service: &'r str,
    pub(crate) source: Source<'r>,
    /// Of the ServiceRestore; none: it is not asked for yet.
    name: Option<String>,
    /// What was last said of it.
    said: String,
    /// How it ended.
    ended: Option<Result<(), String>>,
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
        let made = match patiently(|| api.create(&parameters, &object)).await {
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
        // Of runs there are many.
        if kind != kinds::SERVICE_BACKUP.kind {
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

    /// An Entity with all that is its own: namespace, records of data, runs, keys, Secrets, then the Entity itself and
    /// the services that somebody wrote by hand. What has data to come back is awaited.
    pub(crate) async fn entity<'r>(&mut self, planned: &PlannedEntity<'r>) -> Result<Vec<Awaited<'r>>, Failure> {
        if self.make(&records::namespace(planned)?).await?.is_none() {
            return Ok(Vec::new());
        }
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
        Ok(Some(Awaited { entity, service, source, name: None, said: String::new(), ended: None }))
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
            patiently(|| records.patch(&service, &parameters, &patch)).await?;
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
                patiently(|| runs.patch_status(&run.name, &parameters, &patch)).await?;
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

    /// Asks for the restores, so many at once, and waits for all of them.
    pub(crate) async fn restores(&mut self, awaited: &mut [Awaited<'_>], at_once: usize) -> Result<(), Failure> {
        let mut away = None;
        if !awaited.is_empty() {
            tokio::time::sleep(SEEN).await;
        }
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
        let mut at_work = awaited.iter().filter(|one| one.name.is_some() && one.ended.is_none()).count();
        for one in awaited.iter_mut().filter(|one| one.ended.is_none()) {
            let restores: Api<ServiceRestore> = Api::namespaced(self.client.clone(), one.entity);
            let Some(name) = one.name.clone() else {
                if at_work < at_once {
                    one.name = Some(self.ask(&restores, one).await?);
                    at_work += 1;
                }
                continue;
            };
            let status = restores.get(&name).await?.status.unwrap_or_default();
            let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
            let why = ready.map_or_else(String::new, |ready| format!("{}: {}", ready.reason, ready.message));
            let line =
                format!("{}/{} {:?}: {why}", one.entity, one.service, status.phase.unwrap_or(RestorePhase::Waiting));
            if line != one.said {
                said(line.clone())?;
                one.said = line;
            }
            one.ended = match status.phase {
                Some(RestorePhase::Succeeded) => Some(Ok(())),
                Some(RestorePhase::Failed) => Some(Err(format!("{}/{} is not back: {why}", one.entity, one.service))),
                _ => None,
            };
            match &one.ended {
                Some(Ok(())) => self.journal.done(&format!("{}/{} is back", one.entity, one.service)).await?,
                Some(Err(why)) => self.missing.push(why.clone()),
                None => {}
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
                    patiently(|| restores.create(&parameters, &object)).await?;
                    self.journal.done(&format!("ServiceRestore {}/{name} is asked for", one.entity)).await?;
                    return Ok(name);
                }
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

/// Asks again what the API server may take in a moment.
async fn patiently<T, F>(ask: impl Fn() -> F) -> Result<T, kube::Error>
where
    F: Future<Output = Result<T, kube::Error>>,
{
    let begun = Instant::now();
    loop {
        match ask().await {
            Err(kube::Error::Api(status)) if status.code != 409 && begun.elapsed() < PATIENCE => {}
            answer => return answer,
        }
        tokio::time::sleep(GLANCE).await;
    }
}
