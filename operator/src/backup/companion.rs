//! restic's containers: which subcommand, with which mounts. They have the user of their pod, and see nothing of it
//! but what they name.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use serde_json::{Value, json};

use super::records::PIECE;
use super::target::{Access, Repository, annotation_file};
use super::{Subject, key_name};
use crate::api::OperationKind;
use crate::core::Quantity;
use crate::template::operation::{Companion, FilePlace, STREAM};

/// The annotation of a pod with the manifest that it records.
const MANIFEST: &str = "commonscloud.coop/manifest";
/// Files of Secrets, for whichever user the pod has.
const FOR_ALL: u32 = 0o444;
/// How much memory restic may have where nobody says.
const MEMORY: &str = "1Gi";

/// One container of `commonscloud-backup`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Command {
    name: String,
    arguments: Vec<String>,
    mounts: Vec<Value>,
    volumes: Vec<Value>,
    annotation: Option<(String, String)>,
    /// Variables of its own, beside the repository's.
    env: Vec<Value>,
    /// Whether it works with the repository: without, it has neither its key nor the target's credentials.
    is_local: bool,
    /// Whether the repository's password is its own business.
    has_password: bool,
}

/// Which pass over files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilesPass {
    /// While people work: what changes meanwhile may be missing.
    First,
    /// Whole, or it fails.
    Second,
}

impl Command {
    fn new<const N: usize>(name: &str, arguments: [&str; N]) -> Self {
        let arguments = arguments.map(str::to_owned).to_vec();
        Self { name: name.to_owned(), arguments, ..Self::default() }
    }

    fn with(mut self, flag: &str, value: impl Into<String>) -> Self {
        self.arguments.extend([flag.to_owned(), value.into()]);
        self
    }

    fn with_word(mut self, word: String) -> Self {
        self.arguments.push(word);
        self
    }

    fn on_stream(mut self) -> Self {
        self.mounts.push(json!({"name": "stream", "mountPath": STREAM}));
        self
    }

    /// Tries the target, and makes the repository where none is expected and none is there. `unlock`: all locks are
    /// taken away first; its container is then called `unlock`.
    pub fn prepare(expected: Option<&str>, unlock: bool) -> Self {
        let mut command = Self::new("prepare", ["prepare"]);
        if unlock {
            "unlock".clone_into(&mut command.name);
        }
        command.with_prepare(expected, unlock)
    }

    /// The same of a run that ends in a package for this public key: it is looked at before anything is read.
    #[must_use]
    pub fn for_recipient(self, recipient: Option<&str>) -> Self {
        match recipient {
            Some(recipient) => self.with("--recipient", recipient),
            None => self,
        }
    }

    /// Looks whether it is this repository, before it is cared for. Locks of the dead are taken away.
    pub fn expect(id: &str) -> Self {
        Self::new("prepare", ["prepare", "--expect", id, "--unlock-stale"])
    }

    /// Makes the pipes: the first init container beside operations that write or read a stream.
    pub fn pipes(kinds: &[OperationKind]) -> Self {
        Self { is_local: true, ..Self::new("pipes", ["pipes"]).kinds(kinds).on_stream() }
    }

    fn kinds(mut self, kinds: &[OperationKind]) -> Self {
        self.arguments.extend(kinds.iter().map(ToString::to_string));
        self
    }

    /// A snapshot of each volume of `places`. `parents`: snapshots of which what did not change is taken.
    pub fn files(run: &str, pass: FilesPass, places: &[FilePlace], parents: &[String]) -> Self {
        let tag = match pass {
            FilesPass::First => "first",
            FilesPass::Second => "files",
        };
        let mut command = Self::new("files", ["files", "--run", run, "--tag", tag]);
        for parent in parents {
            command = command.with("--parent", parent);
        }
        for place in places {
            for pattern in &place.exclude {
                command = command.with("--exclude", format!("{}={pattern}", place.volume));
            }
        }
        command
    }

    /// A snapshot of each pipe.
    pub fn stream(run: &str, kinds: &[OperationKind]) -> Self {
        Self::new("stream", ["stream", "--run", run]).kinds(kinds).on_stream()
    }

    /// Ends as soon as what the pipes bring is of one moment.
    pub fn quiet(kinds: &[OperationKind]) -> Self {
        Self { is_local: true, ..Self::new("quiet", ["quiet"]).kinds(kinds).on_stream() }
    }

    /// A snapshot of these Secrets of the pod's namespace.
    pub fn secrets(run: &str, secrets: &[String]) -> Self {
        let mut command = Self::new("secrets", ["secrets", "--run", run]);
        for (at, secret) in secrets.iter().enumerate() {
            let volume = format!("generated-{at}");
            command.volumes.push(json!({"name": volume, "secret": {"secretName": secret, "defaultMode": FOR_ALL}}));
            let path = format!("/secrets/{secret}");
            command.mounts.push(json!({"name": volume, "mountPath": path, "readOnly": true}));
        }
        command
    }

    /// Records this manifest.
    pub fn record(manifest: String) -> Self {
        let mut command = Self::new("record", ["record", "--manifest-file", "/manifest/manifest.json"]);
        let file = annotation_file(MANIFEST, "manifest.json");
        command.volumes.push(json!({"name": "manifest", "downwardAPI": {"items": [file]}}));
        command.mounts.push(json!({"name": "manifest", "mountPath": "/manifest", "readOnly": true}));
        command.annotation = Some((MANIFEST.to_owned(), manifest));
        command
    }

    /// Makes a package called `name` of a recorded backup, sealed to this public key.
    pub fn exit(run: &str, name: &str, snapshot: &str, recipient: &str) -> Self {
        let of = ["exit", "--run", run, "--name", name, "--snapshot", snapshot, "--recipient", recipient];
        Self::new("exit", of)
    }

    /// Brings a volume back, or a part of it beside what is there. Its container is called `restore-VOLUME`.
    pub fn restore(snapshot: &str, volume: &str, path: Option<&str>) -> Self {
        let arguments = ["restore", "--snapshot", snapshot, "--volume", volume];
        let command = Self::new(&format!("restore-{volume}"), arguments);
        match path {
            // In one word: a path may begin with a hyphen.
            Some(path) => command.with_word(format!("--path={path}")),
            None => command,
        }
    }

    /// Brings a dump to the pipe that `load` reads.
    pub fn feed(snapshot: &str) -> Self {
        Self::new("feed", ["feed", "--snapshot", snapshot]).on_stream()
    }

    /// Compares what `verify` writes with what is recorded. `has_stream`: whether the package has `verify`.
    pub fn compare(snapshot: &str, has_stream: bool) -> Self {
        let command = Self::new("compare", ["compare", "--snapshot", snapshot]);
        if has_stream { command.on_stream() } else { command }
    }

    /// Reads a manifest.
    pub fn manifest(snapshot: &str) -> Self {
        Self::new("manifest", ["manifest", "--snapshot", snapshot])
    }

    /// Leaves the key of a folder, which is at `/key/password`, encrypted to these public keys.
    pub fn escrow(folder: &str, recipients: &[String]) -> Self {
        let command = Self { has_password: true, ..Self::new("escrow", ["escrow", "--folder", folder]) };
        recipients.iter().fold(command, |command, recipient| command.with("--recipient", recipient))
    }

    /// Keeps the platform's own records, which these ConfigMaps of the pod's namespace hold in pieces. `expected` and
    /// `unlock`: as of [`Self::prepare`].
    pub fn records(pieces: &[&str], expected: Option<&str>, unlock: bool) -> Self {
        let mut command = Self::new("records", ["records"]);
        let source = |(at, name): (usize, &&str)| {
            let items = json!([{"key": PIECE, "path": format!("{at:04}")}]);
            json!({"configMap": {"name": name, "items": items}})
        };
        let sources: Vec<Value> = pieces.iter().enumerate().map(source).collect();
        command.volumes.push(json!({"name": "records", "projected": {"defaultMode": FOR_ALL, "sources": sources}}));
        command.mounts.push(json!({"name": "records", "mountPath": "/records", "readOnly": true}));
        command.with_prepare(expected, unlock)
    }

    fn with_prepare(mut self, expected: Option<&str>, unlock: bool) -> Self {
        if unlock {
            self.arguments.push("--unlock".to_owned());
        }
        match expected {
            Some(id) => self.with("--expect", id),
            None => self,
        }
    }

    /// Copies the backup whose manifest is this snapshot of the repository `from`, which the Secret `key` opens.
    /// `expected`: the id of the repository that it goes to.
    pub fn copy(snapshot: &str, from: &Repository, key: &str, expected: Option<&str>) -> Self {
        let mut command = Self::new("copy", ["copy", "--from", snapshot]);
        command.volumes.push(json!({"name": "from", "secret": {"secretName": key, "defaultMode": FOR_ALL}}));
        command.mounts.push(json!({"name": "from", "mountPath": "/from", "readOnly": true}));
        command.env.push(json!({"name": "RESTIC_FROM_REPOSITORY", "value": from.url}));
        command.env.push(json!({"name": "RESTIC_FROM_PASSWORD_FILE", "value": "/from/password"}));
        command.with_prepare(expected, false)
    }

    /// Forgets these snapshots, and these exit packages.
    pub fn forget(snapshots: &[&str], packages: &[&str]) -> Self {
        let mut command = Self::new("forget", ["forget"]);
        command.arguments.extend(snapshots.iter().map(|id| (*id).to_owned()));
        packages.iter().fold(command, |command, id| command.with("--package", *id))
    }

    /// Forgets what was copied out of another repository, by its manifest here.
    pub fn forget_copy(manifest: &str) -> Self {
        Self::new("forget", ["forget", "--copied", manifest])
    }

    /// Gives back the room of what was forgotten. `keeps_packs`: nothing is written anew to save room.
    pub fn prune(keeps_packs: bool) -> Self {
        let mut command = Self::new("prune", ["prune"]);
        command.arguments.extend(keeps_packs.then(|| "--keep-packs".to_owned()));
        command
    }

    /// Reads a part of the repository, as `3/28`. `is_public`: that of the sealed keys, whose password everybody knows.
    pub fn check(part: &str, is_public: bool) -> Self {
        let mut command = Self { has_password: is_public, ..Self::new("check", ["check", "--subset", part]) };
        command.arguments.extend(is_public.then(|| "--escrow".to_owned()));
        command
    }

    /// At most this long; else an hour.
    #[must_use]
    pub fn within(self, seconds: u32) -> Self {
        self.with("--deadline", seconds.max(1).to_string())
    }

    fn container(&self, restic: &Restic<'_>) -> Value {
        let mut mounts = self.mounts.clone();
        let mut env = Vec::new();
        if !self.is_local {
            mounts.push(json!({"name": "key", "mountPath": "/key", "readOnly": true}));
            mounts.push(json!({"name": "cache", "mountPath": "/cache"}));
            mounts.extend(restic.access.mounts.iter().cloned());
            // First those that the address may refer to.
            env.extend(restic.access.env.iter().cloned());
            env.push(json!({"name": "RESTIC_REPOSITORY", "value": restic.repository.url}));
            if !self.has_password {
                env.push(json!({"name": "RESTIC_PASSWORD_FILE", "value": "/key/password"}));
            }
            env.push(json!({"name": "RESTIC_CACHE_DIR", "value": "/cache"}));
            env.extend(self.env.iter().cloned());
        }
        // Kubernetes takes `$$` for `$`.
        let arguments: Vec<String> = self.arguments.iter().map(|argument| argument.replace('$', "$$")).collect();
        json!({
            "name": self.name,
            "image": restic.image,
            "args": arguments,
            "env": env,
            "resources": if self.is_local { small() } else { restic.resources() },
            "terminationMessagePolicy": "File",
            "securityContext": {
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": mounts,
        })
    }
}

/// With what restic works.
#[derive(Clone, Copy, Debug)]
pub struct Restic<'a> {
    /// The image of `commonscloud-backup`.
    pub image: &'a str,
    /// Requests and limits. None: production figures.
    pub resources: Option<&'a ResourceRequirements>,
    /// The repository.
    pub repository: &'a Repository,
    /// The folder whose key is mounted.
    pub key_of: &'a str,
    /// How its target is reached.
    pub access: &'a Access,
}

impl<'a> Restic<'a> {
    /// Of a service's own repositories.
    pub fn of(subject: &'a Subject, repository: &'a Repository, access: &'a Access) -> Self {
        Self {
            image: &subject.own.backup_image,
            resources: subject.backup.resources.as_ref(),
            repository,
            key_of: &subject.folder,
            access,
        }
    }
}

impl Restic<'_> {
    /// Containers that run one after the other before all others, then those that run side by side.
    pub fn companion(&self, first: &[Command], commands: &[Command]) -> Companion {
        let all = || first.iter().chain(commands);
        let containers = |commands: &[Command]| commands.iter().map(|command| command.container(self)).collect();
        let mut volumes: Vec<Value> = all().flat_map(|command| command.volumes.iter().cloned()).collect();
        let mut annotations = BTreeMap::new();
        if all().any(|command| !command.is_local) {
            let key = json!({"secretName": key_name(self.key_of), "defaultMode": FOR_ALL});
            volumes.push(json!({"name": "key", "secret": key}));
            volumes.push(json!({"name": "cache", "emptyDir": {}}));
            volumes.extend(self.access.volumes.iter().cloned());
            annotations.clone_from(&self.access.annotations);
        }
        annotations.extend(all().filter_map(|command| command.annotation.clone()));
        Companion {
            init_containers: containers(first),
            containers: containers(commands),
            volumes,
            egress: self.access.egress.clone(),
            annotations,
        }
    }

    fn resources(&self) -> Value {
        let own = self.resources.and_then(|resources| serde_json::to_value(resources).ok());
        let Some(mut own) = own else {
            return json!({"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "2", "memory": MEMORY}});
        };
        // Else it is what the namespace's LimitRange gives to the pods of services, which is too little for restic.
        if own.pointer("/limits/memory").is_none() {
            let of = |text: &str| text.parse::<Quantity>().ok();
            let request = own.pointer("/requests/memory").and_then(Value::as_str);
            let limit = request.filter(|request| of(request) > of(MEMORY)).unwrap_or(MEMORY).to_owned();
            own["limits"]["memory"] = json!(limit);
        }
        own
    }
}

/// Of a container that makes pipes, or looks at files.
fn small() -> Value {
    json!({"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}})
}

#[cfg(test)]
#[path = "companion_tests.rs"]
mod tests;
