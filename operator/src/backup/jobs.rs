//! The objects of each phase of a run: one Job for each thing that is done, and its policies.

use std::collections::BTreeMap;

use commonscloud_backup::manifest::{MANIFEST_VERSION, Manifest, ManifestEntity, ManifestInstance};
use commonscloud_backup::report::{Outcome, StoredPart};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::companion::{Command, FilesPass, Restic};
use super::target::{Access, Purpose, Repository, access, repository};
use super::{ObservedRun, SeenJob, Subject};
use crate::api::{BackupVersions, OperationKind, Operations, SnapshotPart, SnapshotPartKind};
use crate::compare::{Action, Change};
use crate::template::operation::{
    FilePlace, OperationError, OperationSource, Run, RunOwner, Writing, companion_objects, file_places, files_objects,
    operation_objects,
};
use crate::template::{Package, RenderedObject};

/// The user of pods that have none of a package's files.
pub(crate) const USER: u32 = 65_532;
/// How long each thing takes at most, in seconds. What an operation takes is its package's to say.
const PREPARE: u32 = 600;
const FIRST_PASS: u32 = 43_200;
const SECOND_PASS: u32 = 3600;
const SECRETS: u32 = 600;
const RECORD: u32 = 1800;
/// Each volume is read up to three times, and all of it is written.
const PACK: u32 = 3 * FIRST_PASS;

/// A Job that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    /// Its name.
    pub(crate) name: String,
    /// The volumes whose files it reads.
    pub(crate) volumes: Vec<String>,
    /// Its policies, then itself.
    pub(crate) objects: Vec<RenderedObject>,
}

impl Wanted {
    /// A Job is made or left as it is, never changed: another run's may have the name.
    pub(crate) fn start(self) -> impl Iterator<Item = Change> {
        self.objects.into_iter().map(|RenderedObject { kind, namespace, name, value, .. }| {
            let action = match kind.as_str() {
                "Job" => Action::Create(value),
                _ => Action::Apply { object: value, because: Vec::new() },
            };
            Change { kind, namespace, name, action }
        })
    }
}

/// The removal of a Job as it was seen.
pub(crate) fn delete(namespace: &str, job: &SeenJob) -> Change {
    Change {
        kind: "Job".to_owned(),
        namespace: namespace.to_owned(),
        name: job.name.clone(),
        action: Action::Delete { uid: job.uid.clone() },
    }
}

/// What makes the Jobs of one run.
pub(super) struct Jobs<'a> {
    observed: &'a ObservedRun,
    subject: &'a Subject,
    source: OperationSource<'a>,
    repository: Repository,
    access: Access,
}

impl<'a> Jobs<'a> {
    /// None: the package has no operations.
    pub(super) fn of(observed: &'a ObservedRun, subject: &'a Subject) -> Option<Self> {
        let source = Package::operations(&subject.operations)?;
        let home = &subject.own.namespace;
        let repository = repository(home, &subject.target, &subject.folder, &subject.plan.instance.name, Purpose::Run);
        let access = access(home, &subject.target, Purpose::Run, &subject.plan.network);
        Some(Self { observed, subject, source, repository, access })
    }

    pub(super) fn operations(&self) -> &'a Operations {
        self.source.operations
    }

    /// Tries the target.
    pub(super) fn prepare(&self, unlock: bool) -> Wanted {
        let expected = self.observed.former.as_ref().map(|former| former.repository.as_str());
        let recipient = self.observed.run.spec.recipient.as_deref();
        let command = Command::prepare(expected, unlock).for_recipient(recipient).within(PREPARE);
        self.alone("prepare", PREPARE, &command)
    }

    /// The volumes by who may read them, a Job for each: while people work, or what changed since then.
    pub(super) fn files(&self, pass: FilesPass) -> Result<Vec<Wanted>, OperationError> {
        let seconds = match pass {
            FilesPass::First => FIRST_PASS,
            FilesPass::Second => SECOND_PASS,
        };
        let plan = &self.subject.plan;
        let places = file_places(plan, &self.subject.objects, &self.source)?;
        let one = |(at, places): (usize, Vec<FilePlace>)| {
            let step = if at == 0 { "files".to_owned() } else { format!("files-{}", at + 1) };
            let parents = self.parents(pass, &places);
            let command = Command::files(self.uid(), pass, &places, &parents).within(seconds);
            let component = places.first().map(|place| place.component.as_str());
            let run = self.run(&step, component, &[], &[command]);
            let objects = files_objects(plan, &self.subject.objects, &places, Writing::Nothing, seconds, &run)?;
            let volumes = places.into_iter().map(|place| place.volume).collect();
            Ok(Wanted { name: run.name, volumes, objects })
        };
        groups(places).into_iter().enumerate().map(one).collect()
    }

    /// What is not read again where it did not change: the first pass, before it the newest backup.
    fn parents(&self, pass: FilesPass, places: &[FilePlace]) -> Vec<String> {
        let first = self.observed.run.status.as_ref().map(|status| status.first_pass.as_slice());
        let first = first.filter(|_| pass == FilesPass::Second).unwrap_or_default();
        let former = self.observed.former.as_ref().map(|former| former.contents.as_slice()).unwrap_or_default();
        let of = |parts: &[SnapshotPart], place: &FilePlace| {
            let mut parts = parts.iter().filter(|part| part.kind == SnapshotPartKind::Files);
            parts.find(|part| part.name == place.volume).map(|part| part.snapshot.clone())
        };
        places.iter().filter_map(|place| of(first, place).or_else(|| of(former, place))).collect()
    }

    /// An operation by itself.
    pub(super) fn operation(&self, kind: OperationKind) -> Result<Wanted, OperationError> {
        let mut run = self.run(kind.as_str(), self.component(&[kind]), &[], &[]);
        // What an operation reaches, it says itself.
        run.companion.egress.clear();
        let is_deleted = self.observed.run.metadata.deletion_timestamp.is_some();
        if kind == OperationKind::Unquiesce && is_deleted {
            // The run may be removed with all that is its own, and this has to come to its end.
            run.owner = self.instance();
        }
        let objects = self.operations_of(&[kind], &run)?;
        Ok(Wanted { name: run.name, volumes: Vec::new(), objects })
    }

    fn operations_of(&self, kinds: &[OperationKind], run: &Run) -> Result<Vec<RenderedObject>, OperationError> {
        operation_objects(&self.subject.plan, &self.subject.objects, &self.source, kinds, run)
    }

    /// Of whose pods the pod of these operations is one.
    fn component(&self, kinds: &[OperationKind]) -> Option<&'a str> {
        kinds.first().and_then(|kind| self.source.operations.get(*kind)).map(|operation| operation.component.as_str())
    }

    /// What the package writes into pipes.
    pub(super) fn streams(&self) -> Vec<OperationKind> {
        let kinds = [OperationKind::Dump, OperationKind::Verify].into_iter();
        kinds.filter(|kind| self.source.operations.get(*kind).is_some()).collect()
    }

    /// The database, what makes two states equal, and the generated Secrets. None: the package has none of them.
    pub(super) fn stream(&self) -> Result<Option<Wanted>, OperationError> {
        let (kinds, secrets) = (self.streams(), self.secrets());
        let times = kinds.iter().filter_map(|kind| self.source.operations.get(*kind));
        let seconds = times.map(|operation| operation.timeout_seconds).max().unwrap_or(SECRETS);
        let keep = (!secrets.is_empty()).then(|| Command::secrets(self.uid(), &secrets).within(SECRETS));
        if kinds.is_empty() {
            return Ok(keep.map(|keep| self.alone("stream", SECRETS, &keep)));
        }
        let both = [Command::stream(self.uid(), &kinds).within(seconds), Command::quiet(&kinds).within(seconds)];
        let commands: Vec<Command> = both.into_iter().chain(keep).collect();
        let run = self.run("stream", self.component(&kinds), &[Command::pipes(&kinds)], &commands);
        let objects = self.operations_of(&kinds, &run)?;
        Ok(Some(Wanted { name: run.name, volumes: Vec::new(), objects }))
    }

    /// How long nobody may be able to write: as long as the files take, and what the package writes without marking
    /// its begin. A pod that does not start is not waited for beyond.
    pub(super) fn longest_quiet(&self) -> SignedDuration {
        let kinds = self.streams().into_iter().filter_map(|kind| self.source.operations.get(kind));
        let unmarked = kinds.filter(|operation| !operation.marks_begin).map(|operation| operation.timeout_seconds);
        SignedDuration::from_secs(unmarked.chain([SECOND_PASS]).max().unwrap_or(SECOND_PASS).into())
    }

    fn secrets(&self) -> Vec<String> {
        let all = self.subject.plan.secrets.iter();
        all.flat_map(|secret| {
            std::iter::once(secret.secret.clone()).chain(secret.further.iter().map(|further| further.secret.clone()))
        })
        .collect()
    }

    /// The parts that a backup of this package has.
    pub(super) fn expected(&self) -> Vec<String> {
        let streams = self.streams().into_iter().map(|kind| match kind {
            OperationKind::Verify => "state".to_owned(),
            other => other.to_string(),
        });
        let secrets = (!self.secrets().is_empty()).then(|| "secrets".to_owned());
        let files = self.source.operations.files.iter().map(|tree| tree.volume.clone());
        files.chain(streams).chain(secrets).collect()
    }

    /// The manifest of these parts, read from a service of these versions.
    pub(super) fn record(&self, parts: Vec<StoredPart>, taken_at: Timestamp, versions: BackupVersions) -> Wanted {
        let plan = &self.subject.plan;
        let instance = &plan.instance;
        let entity = &self.subject.entity.metadata;
        let uid = entity.uid.clone().unwrap_or_default();
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            run: self.uid().to_owned(),
            taken_at,
            entity: ManifestEntity { name: entity.name.clone().unwrap_or_default(), uid },
            instance: ManifestInstance {
                name: instance.name.clone(),
                kind: instance.kind.clone(),
                uid: instance.uid.clone(),
            },
            versions,
            parts,
            imported: false,
            volumes: plan.volumes.iter().map(|volume| (volume.name.clone(), volume.request.get())).collect(),
        };
        let text = serde_json::to_string(&manifest).unwrap_or_default();
        self.alone("record", RECORD, &Command::record(text).within(RECORD))
    }

    /// The package of the backup whose manifest is this snapshot.
    pub(super) fn exit(&self, manifest: &str, recipient: &str) -> Wanted {
        let name = self.observed.run.metadata.name.as_deref().unwrap_or_default();
        self.alone("exit", PACK, &Command::exit(self.uid(), name, manifest, recipient).within(PACK))
    }

    /// With what the run is made; restic's version is told by its own Job.
    pub(super) fn versions(&self) -> BackupVersions {
        let plan = &self.subject.plan;
        BackupVersions {
            template: plan.package.name().to_owned(),
            application: plan.version.clone(),
            revision: plan.revision.clone(),
            operations: self.source.revision(),
            restic: String::new(),
            operator: self.subject.own.release.clone(),
            manifest: i64::from(MANIFEST_VERSION),
        }
    }

    fn alone(&self, step: &str, seconds: u32, command: &Command) -> Wanted {
        let run = self.run(step, None, &[], std::slice::from_ref(command));
        let objects = companion_objects(&self.subject.plan, USER, seconds, &run);
        Wanted { name: run.name, volumes: Vec::new(), objects }
    }

    /// `component`: whose volumes it mounts, if it does.
    fn run(&self, step: &str, component: Option<&str>, first: &[Command], commands: &[Command]) -> Run {
        let restic = Restic::of(self.subject, &self.repository, &self.access);
        let metadata = &self.observed.run.metadata;
        Run {
            name: format!("{}-{step}", self.subject.plan.instance.name),
            owner: RunOwner {
                kind: "ServiceBackup".to_owned(),
                name: metadata.name.clone().unwrap_or_default(),
                uid: self.uid().to_owned(),
            },
            beside_pods: component.is_some_and(|component| self.subject.on_nodes.contains(component)),
            table: None,
            companion: restic.companion(first, commands),
        }
    }

    fn instance(&self) -> RunOwner {
        let instance = &self.subject.plan.instance;
        RunOwner { kind: instance.kind.clone(), name: instance.name.clone(), uid: instance.uid.clone() }
    }

    fn uid(&self) -> &'a str {
        self.observed.run.metadata.uid.as_deref().unwrap_or_default()
    }
}

/// A pod has one user and one group.
pub(crate) fn groups(places: Vec<FilePlace>) -> Vec<Vec<FilePlace>> {
    let mut groups: Vec<Vec<FilePlace>> = Vec::new();
    for place in places {
        let fits = |group: &&mut Vec<FilePlace>| {
            group.first().is_some_and(|first| first.component == place.component && first.user == place.user)
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(place),
            None => groups.push(vec![place]),
        }
    }
    groups
}

/// The snapshots that a Job made, by name.
pub(super) fn stored(job: &SeenJob) -> BTreeMap<String, StoredPart> {
    let reports = job.said.values().filter_map(|said| said.report.as_ref());
    let parts = reports.filter_map(|report| match &report.outcome {
        Outcome::Stored { parts } | Outcome::Half { parts, .. } => Some(parts.iter()),
        _ => None,
    });
    parts.flatten().map(|part| (part.name.clone(), part.clone())).collect()
}
