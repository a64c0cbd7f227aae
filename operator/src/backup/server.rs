//! The server of a target that is a volume: what the operator runs for it in its own namespace, and how it is reached.
//! Pure.
//!
//! It is a rest-server that listens twice, over one volume: for runs it only appends, for care it removes as well. Each
//! port knows one account and no other, and who may reach it is the NetworkPolicy's to say.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::Own;
use super::jobs::USER;
use crate::api::{BackupTarget, GROUP, RestTarget, SecretKey, TargetNetwork, VERSION, VolumeTarget, marks};
use crate::canonical::canonicalize;
use crate::compare::{Action, Change};
use crate::kinds;
use crate::template::RenderedObject;

/// Label of everything that belongs to a server: the target's name.
pub const SERVER: &str = "commonscloud.coop/backup-server";
/// Annotation of its pod: the uids of the Secrets with its accounts, which never change. With others it begins anew.
const ACCOUNTS: &str = "commonscloud.coop/backup-accounts";
/// The label `app.kubernetes.io/name` of its pod.
const NAME: &str = "commonscloud-backup-server";
/// That of the pods of all Jobs of backups and restores.
const OPERATION: &str = "commonscloud-operation";

/// A port of the server: its name, its number, and what rest-server is told besides.
struct Port {
    name: &'static str,
    number: u16,
    flags: &'static [&'static str],
}

/// Where runs read and add.
const RUN: Port = Port { name: "run", number: 8000, flags: &["--append-only"] };
/// Where is pruned and forgotten.
const CARE: Port = Port { name: "care", number: 8001, flags: &[] };
const PORTS: [Port; 2] = [RUN, CARE];

/// Of each account what rest-server reads of it: neither password is in an argument.
const MAKE_ACCOUNTS: &str = "umask 077
for account in run care; do
    htpasswd -niB \"$account\" <\"/credentials/$account/password\" >\"/accounts/$account\"
done
";
/// How long a password is; bcrypt reads no more than 72 bytes.
const PASSWORD: u32 = 48;

/// A target that is a volume, as a server of restic's own protocol; every other one as it is. `home`: the operator's
/// namespace.
pub fn served(target: &BackupTarget, home: &str) -> BackupTarget {
    if target.volume.is_none() {
        return target.clone();
    }
    let at = |port: &Port| format!("http://{}.{home}.svc:{}", target.server_name(), port.number);
    let pods = json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": home}},
        "podSelector": {"matchLabels": selector(&target.name)},
    });
    BackupTarget {
        name: target.name.clone(),
        rest: Some(RestTarget {
            url: at(&RUN),
            secret_name: target.secret().unwrap_or_default().into_owned(),
            care_url: Some(at(&CARE)),
            care_secret_name: target.care_secret().map(Cow::into_owned),
            ca_bundle: None,
        }),
        network: TargetNetwork { peers: serde_json::from_value(pods).into_iter().collect(), port: None },
        ..BackupTarget::default()
    }
}

/// What selects the pod of a server.
fn selector(target: &str) -> Value {
    json!({"app.kubernetes.io/name": NAME, SERVER: target})
}

/// The server of one target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Server<'a> {
    /// The target.
    pub(super) target: &'a BackupTarget,
    /// Its volume.
    pub(super) volume: &'a VolumeTarget,
    /// The operator's own.
    pub(super) own: &'a Own,
    /// The Secrets with which images are pulled.
    pub(super) image_pull_secrets: &'a [String],
    /// The uid of the Platform, with which all goes but what holds data.
    pub(super) platform: Option<&'a str>,
}

impl Server<'_> {
    pub(super) fn name(&self) -> String {
        self.target.server_name()
    }

    fn metadata(&self, name: &str) -> Value {
        let mut labels = selector(&self.target.name);
        labels[marks::MANAGED_BY] = json!(marks::OPERATOR);
        json!({"name": name, "namespace": self.own.namespace, "labels": labels})
    }

    /// The Secrets with its accounts, in the order of its ports; each is made once, and never written over.
    pub(super) fn secrets(&self) -> [Change; 2] {
        let names = [self.target.secret(), self.target.care_secret()].map(Option::unwrap_or_default);
        let [run, care] = names;
        [(RUN.name, run), (CARE.name, care)].map(|(account, name)| {
            let secret = json!({
                "apiVersion": "v1", "kind": kinds::SECRET.kind, "metadata": self.metadata(&name), "immutable": true,
            });
            let user = SecretKey { name: "username".to_owned(), value: Some(account.to_owned()), length: None };
            let password = SecretKey { name: "password".to_owned(), value: None, length: Some(PASSWORD) };
            Change {
                kind: kinds::SECRET.kind.to_owned(),
                namespace: self.own.namespace.clone(),
                name: name.into_owned(),
                action: Action::Generate { secret, keys: vec![user, password] },
            }
        })
    }

    /// Its claim, which is made once.
    pub(super) fn claim(&self) -> Change {
        let mut spec =
            json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": self.volume.size}}});
        if let Some(class) = &self.volume.storage_class_name {
            spec["storageClassName"] = json!(class);
        }
        let name = self.name();
        let claim = json!({
            "apiVersion": "v1", "kind": kinds::VOLUME.kind, "metadata": self.metadata(&name), "spec": spec,
        });
        Change {
            kind: kinds::VOLUME.kind.to_owned(),
            namespace: self.own.namespace.clone(),
            name,
            action: Action::Create(claim),
        }
    }

    /// Who may reach it, how it is found, and itself. `accounts`: the uids of the Secrets with its accounts.
    pub(super) fn objects(&self, accounts: &str) -> Vec<RenderedObject> {
        vec![
            self.object("networking.k8s.io/v1", "NetworkPolicy", self.policy()),
            self.object("v1", "Service", self.service()),
            self.object("apps/v1", "Deployment", self.deployment(accounts)),
        ]
    }

    fn object(&self, api_version: &str, kind: &str, spec: Value) -> RenderedObject {
        let name = self.name();
        let mut metadata = self.metadata(&name);
        if let Some(uid) = self.platform {
            let (group, kind) = (format!("{GROUP}/{VERSION}"), "Platform");
            metadata["ownerReferences"] = json!([{"apiVersion": group, "kind": kind, "name": "default", "uid": uid}]);
        }
        let mut value = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec});
        canonicalize(&mut value);
        RenderedObject {
            kind: kind.to_owned(),
            api_version: api_version.to_owned(),
            namespace: self.own.namespace.clone(),
            name,
            value,
        }
    }

    /// Runs and restores come from namespaces of Entities and of drills; what removes, from here alone.
    fn policy(&self) -> Value {
        let operations = json!({"matchLabels": {"app.kubernetes.io/name": OPERATION}});
        let entities = json!({"matchExpressions": [{"key": marks::ENTITY, "operator": "Exists"}]});
        let drills = json!({"matchLabels": {"kubernetes.io/metadata.name": marks::DRILLS}});
        let here = json!({"podSelector": operations});
        let runs = json!([
            {"namespaceSelector": entities, "podSelector": operations},
            {"namespaceSelector": drills, "podSelector": operations},
            here,
        ]);
        let at = |port: &Port| json!([{"port": port.number, "protocol": "TCP"}]);
        json!({
            "podSelector": {"matchLabels": selector(&self.target.name)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": runs, "ports": at(&RUN)}, {"from": [here], "ports": at(&CARE)}],
            "egress": [],
        })
    }

    fn service(&self) -> Value {
        let ports = PORTS
            .map(|port| json!({"name": port.name, "port": port.number, "targetPort": port.number, "protocol": "TCP"}));
        json!({"type": "ClusterIP", "selector": selector(&self.target.name), "ports": ports})
    }

    /// Never two pods: neither need there be, nor may two nodes mount the volume.
    fn deployment(&self, accounts: &str) -> Value {
        let pod = json!({"metadata": {"labels": selector(&self.target.name), "annotations": {ACCOUNTS: accounts}}, "spec": self.pod()});
        json!({
            "replicas": 1, "revisionHistoryLimit": 1, "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector(&self.target.name)},
            "template": pod,
        })
    }

    fn pod(&self) -> Value {
        let credentials = |account: &str, secret: Option<Cow<'_, str>>| {
            let items = [json!({"key": "password", "path": "password"})];
            json!({"name": format!("credentials-{account}"), "secret": {"secretName": secret, "items": items}})
        };
        let pull: Vec<Value> = self.image_pull_secrets.iter().map(|name| json!({"name": name})).collect();
        json!({
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
                "fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": {"type": "RuntimeDefault"},
            },
            "imagePullSecrets": pull,
            "initContainers": [self.making_accounts()],
            "containers": PORTS.map(|port| self.serving(&port)),
            "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": self.name()}},
                {"name": "accounts", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
                credentials(RUN.name, self.target.secret()),
                credentials(CARE.name, self.target.care_secret()),
            ],
        })
    }

    fn making_accounts(&self) -> Value {
        let mount = |name: &str, path: String| json!({"name": name, "mountPath": path, "readOnly": true});
        json!({
            "name": "accounts",
            "image": self.own.backup_server_image,
            "command": ["/bin/sh", "-ec", MAKE_ACCOUNTS],
            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
            "securityContext": confined(),
            "volumeMounts": [
                {"name": "accounts", "mountPath": "/accounts"},
                mount("credentials-run", format!("/credentials/{}", RUN.name)),
                mount("credentials-care", format!("/credentials/{}", CARE.name)),
            ],
        })
    }

    fn serving(&self, port: &Port) -> Value {
        let mut command = vec![
            "rest-server".to_owned(),
            "--path=/data".to_owned(),
            format!("--listen=:{}", port.number),
            format!("--htpasswd-file=/accounts/{}", port.name),
        ];
        command.extend(port.flags.iter().map(|flag| (*flag).to_owned()));
        // Whoever asks without an account is refused: that it answers at all is enough.
        let answers = |seconds: u32| json!({"tcpSocket": {"port": port.number}, "periodSeconds": seconds});
        json!({
            "name": port.name,
            "image": self.own.backup_server_image,
            "command": command,
            "ports": [{"name": port.name, "containerPort": port.number, "protocol": "TCP"}],
            "readinessProbe": answers(2),
            "livenessProbe": answers(20),
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
            "securityContext": confined(),
            "volumeMounts": [
                {"name": "data", "mountPath": "/data"},
                {"name": "accounts", "mountPath": "/accounts", "readOnly": true},
            ],
        })
    }
}

fn confined() -> Value {
    json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}})
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
