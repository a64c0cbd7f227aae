//! The Jobs of a restore, by phase.

use commonscloud_backup::manifest::Manifest;
use kube::ResourceExt as _;

use super::observed::ObservedRestore;
use super::step::volumes;
use crate::api::{OperationKind, RestorePart, SnapshotPartKind};
use crate::backup::Subject;
use crate::backup::companion::{Command, Restic};
use crate::backup::jobs::{USER, Wanted, groups};
use crate::backup::target::{Access, Purpose, Repository, access, repository};
use crate::kinds;
use crate::plan::Stage;
use crate::template::RenderedObject;
use crate::template::operation::{
    Companion, FilePlace, OperationError, OperationSource, Run, RunOwner, Writing, companion_objects, file_places,
    files_objects, operation_objects,
};

/// How long a manifest may take to be read.
const MANIFEST_SECONDS: u32 = 600;
/// How long files may take to be written, or to be read and compared.
const FILES_SECONDS: u32 = 43_200;

/// The Jobs of a phase.
pub(super) type Jobs = Result<Vec<Wanted>, OperationError>;

/// What the Jobs of a restore are made of.
struct Making<'o> {
    subject: &'o Subject,
    observed: &'o ObservedRestore,
    source: OperationSource<'o>,
    repository: Repository,
    access: Access,
}

impl<'o> Making<'o> {
    fn of(subject: &'o Subject, observed: &'o ObservedRestore) -> Result<Self, OperationError> {
        let source = subject.operations.operations();
        let source = source.ok_or_else(|| OperationError::Unknown("a package without operations".to_owned()))?;
        let home = &subject.own.namespace;
        let repository = repository(home, &subject.target, &subject.folder, observed.repository_of(), Purpose::Run);
        let access = access(home, &subject.target, Purpose::Run, &subject.plan.network);
        Ok(Self { subject, observed, source, repository, access })
    }

    fn name(&self, step: &str) -> String {
        format!("{}-{step}", self.subject.plan.instance.name)
    }

    /// The first is called like its step, the others with a number.
    fn numbered(&self, step: &str, at: usize) -> String {
        let name = self.name(step);
        if at == 0 { name } else { format!("{name}-{}", at + 1) }
    }

    /// The id of the snapshot with the manifest.
    fn snapshot(&self) -> &'o str {
        self.observed.status().and_then(|status| status.snapshot.as_deref()).unwrap_or_default()
    }

    fn run(&self, name: &str, beside_pods: bool, first: &[Command], commands: &[Command]) -> Run {
        let restore = &self.observed.restore;
        let owner = RunOwner {
            kind: kinds::SERVICE_RESTORE.kind.to_owned(),
            name: restore.name_any(),
            uid: restore.uid().unwrap_or_default(),
        };
        Run { name: name.to_owned(), owner, beside_pods, table: None, companion: self.companion(first, commands) }
    }

    fn companion(&self, first: &[Command], commands: &[Command]) -> Companion {
        Restic::of(self.subject, &self.repository, &self.access).companion(first, commands)
    }

    /// One operation with its other end.
    fn operation(&self, name: String, kind: OperationKind, end: Command) -> Result<Wanted, OperationError> {
        let Subject { plan, objects, .. } = self.subject;
        let operation = self.source.operations.get(kind).ok_or(OperationError::NotThere(kind))?;
        let end = end.within(operation.timeout_seconds);
        let run = self.run(&name, goes_on(&plan.stage, &operation.component), &[Command::pipes(&[kind])], &[end]);
        Ok(wanted(name, operation_objects(plan, objects, &self.source, &[kind], &run)?))
    }

    /// Companions over the files of places of one component and one user.
    fn files(
        &self,
        name: String,
        places: &[FilePlace],
        commands: &[Command],
        writing: Writing,
    ) -> Result<Wanted, OperationError> {
        let Subject { plan, objects, on_nodes, .. } = self.subject;
        let mut components = places.iter().map(|place| &place.component);
        let beside = match writing {
            // Where they are mounted, pods of a component that goes on are.
            Writing::Nothing => components.any(|component| goes_on(&plan.stage, component)),
            // New claims are nowhere yet.
            Writing::Fills => false,
            Writing::Adds => components.any(|component| on_nodes.contains(component)),
        };
        let commands: Vec<Command> = commands.iter().map(|command| command.clone().within(FILES_SECONDS)).collect();
        let run = self.run(&name, beside, &[], &commands);
        Ok(wanted(name, files_objects(plan, objects, places, writing, FILES_SECONDS, &run)?))
    }
}

fn wanted(name: String, objects: Vec<RenderedObject>) -> Wanted {
    Wanted { name, volumes: Vec::new(), objects }
}

fn goes_on(stage: &Stage, component: &str) -> bool {
    match stage {
        Stage::Whole => true,
        Stage::Stopped { but } => but.contains(component),
    }
}

/// Reads what the snapshot is made of.
pub(super) fn manifest(subject: &Subject, observed: &ObservedRestore) -> Jobs {
    let making = Making::of(subject, observed)?;
    let name = making.name("manifest");
    let command = Command::manifest(making.snapshot()).within(MANIFEST_SECONDS);
    let run = making.run(&name, false, &[], &[command]);
    Ok(vec![wanted(name, companion_objects(&subject.plan, USER, MANIFEST_SECONDS, &run))])
}

/// Writes the files of each volume into its new claim. That of a database stays empty.
pub(super) fn fill(subject: &Subject, observed: &ObservedRestore, manifest: &Manifest) -> Jobs {
    let making = Making::of(subject, observed)?;
    let Subject { plan, objects, .. } = subject;
    let mut places = file_places(plan, objects, &making.source)?;
    for place in &mut places {
        let made = volumes(observed).iter().find(|made| made.name == place.volume);
        let made = made.ok_or_else(|| OperationError::Unknown(format!("a new claim of volume {:?}", place.volume)))?;
        place.claim.clone_from(&made.claim);
    }
    let one = |(at, group): (usize, Vec<FilePlace>)| {
        let writes = |place: &FilePlace| {
            let files = part(manifest, SnapshotPartKind::Files, &place.volume);
            let files =
                files.ok_or_else(|| OperationError::Unknown(format!("a backup of volume {:?}", place.volume)))?;
            Ok(Command::restore(files, &place.volume, None))
        };
        let commands = group.iter().map(writes).collect::<Result<Vec<Command>, OperationError>>()?;
        let name = making.numbered("restore", at);
        making.files(name, &group, &commands, Writing::Fills)
    };
    groups(places).into_iter().enumerate().map(one).collect()
}

/// Writes a part of a volume's files beside what is there.
pub(super) fn add(subject: &Subject, observed: &ObservedRestore, manifest: &Manifest, part: &RestorePart) -> Jobs {
    let making = Making::of(subject, observed)?;
    let unknown = |what: &str| OperationError::Unknown(format!("{what} of volume {:?}", part.volume));
    let mut places = file_places(&subject.plan, &subject.objects, &making.source)?;
    places.retain(|place| place.volume == part.volume);
    let files = self::part(manifest, SnapshotPartKind::Files, &part.volume).ok_or_else(|| unknown("a backup"))?;
    let command = Command::restore(files, &part.volume, Some(&part.path));
    let name = making.name("restore");
    Ok(vec![making.files(name, &places, &[command], Writing::Adds)?])
}

/// Loads the dump.
pub(super) fn load(subject: &Subject, observed: &ObservedRestore, manifest: &Manifest) -> Jobs {
    let making = Making::of(subject, observed)?;
    let dump = part(manifest, SnapshotPartKind::Dump, "dump");
    let dump = dump.ok_or_else(|| OperationError::Unknown("the dump of this backup".to_owned()))?;
    let name = making.name("load");
    Ok(vec![making.operation(name, OperationKind::Load, Command::feed(dump))?])
}

/// Compares what the database has with the recorded state, and the files with theirs: Jobs of their own, since a pod
/// has one group.
pub(super) fn compare(subject: &Subject, observed: &ObservedRestore) -> Jobs {
    let making = Making::of(subject, observed)?;
    let mut jobs = Vec::new();
    if making.source.operations.verify.is_some() {
        let name = making.numbered("compare", jobs.len());
        let end = Command::compare(making.snapshot(), true);
        jobs.push(making.operation(name, OperationKind::Verify, end)?);
    }
    for group in groups(file_places(&subject.plan, &subject.objects, &making.source)?) {
        let name = making.numbered("compare", jobs.len());
        let command = Command::compare(making.snapshot(), false);
        jobs.push(making.files(name, &group, &[command], Writing::Nothing)?);
    }
    Ok(jobs)
}

fn part<'m>(manifest: &'m Manifest, kind: SnapshotPartKind, name: &str) -> Option<&'m str> {
    manifest.parts.iter().find(|part| part.kind == kind && part.name == name).map(|part| part.snapshot.as_str())
}

#[cfg(test)]
#[path = "jobs_tests.rs"]
mod tests;
