//! Per kind of child: what somebody does to it, and how that ends.

use serde_json::{Value, json};

use commonscloud_operator::api::marks;

/// What somebody does to every child at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Edited,
    Unlabelled,
    AddedTo,
    Deleted,
}

impl Fault {
    /// Deletions last: they take the most along.
    pub const ALL: [Self; 4] = [Self::Edited, Self::Unlabelled, Self::AddedTo, Self::Deleted];
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// It is undone, by at most so many writes.
    Undone(usize),
    /// The API server refuses it, in these words among others.
    Refused(&'static str),
    /// It stays: what others add there is theirs.
    Stays,
    /// Nothing comes of it: the API server itself fills in what was taken off.
    Nothing,
}

/// JSON patch operations for an object.
type Patch = fn(&Value) -> Value;

/// A kind of child.
pub struct Row {
    pub kind: &'static str,
    /// Which objects of that kind, where there are several sorts.
    which: fn(&Value) -> bool,
    edited: (Patch, Ends),
    unlabelled: Ends,
    added: (Patch, Ends),
    deleted: Ends,
}

impl Row {
    /// Whether the row is about this object.
    pub fn is_about(&self, object: &Value) -> bool {
        object["kind"] == self.kind && (self.which)(object)
    }

    /// The patch (none: a deletion), and how it ends.
    pub fn case(&self, fault: Fault, object: &Value) -> (Option<Value>, Ends) {
        match fault {
            Fault::Edited => (Some((self.edited.0)(object)), self.edited.1),
            Fault::Unlabelled => (Some(json!([{"op": "remove", "path": "/metadata/labels"}])), self.unlabelled),
            Fault::AddedTo => (Some((self.added.0)(object)), self.added.1),
            Fault::Deleted => (None, self.deleted),
        }
    }
}

/// Kinds that the operator writes and that are no children of an Entity, and why.
pub const NO_CHILDREN: [(&str, &str); 13] = [
    ("Platform", "people write it; the operator writes its status"),
    ("Tariff", "people write it"),
    ("ServiceTemplate", "people write it; those compiled in are registered at each start"),
    ("ServiceTemplateRevision", "it never changes: its schema refuses it"),
    ("Entity", "people write it; the operator writes its status and finalizer"),
    ("ServiceBackup", "who asks for one writes it; its schema refuses another spec"),
    ("ServiceRestore", "who asks for one writes it; its schema refuses another spec"),
    ("RestoreConsent", "who consents writes it; its schema refuses another spec"),
    ("Collective", "people write it, held by policies; the operator writes what follows"),
    ("Access", "people write it, held by policies; the operator writes what follows"),
    ("AccessHistory", "the operator alone writes it, by policy"),
    ("LeaveRequest", "who leaves writes it; its schema refuses another spec"),
    ("Role", "made only where the Platform has identity: the scenarios of collectives set one right"),
];

/// Every kind of child.
pub fn rows() -> Vec<Row> {
    [networks(), configuration(), workloads(), limits(), services(), data()].into_iter().flatten().collect()
}

/// A kind of which everything is undone, most of it by one write.
fn row(kind: &'static str, edited: Patch, added: Patch) -> Row {
    Row {
        kind,
        which: |_| true,
        edited: (edited, Ends::Undone(2)),
        unlabelled: Ends::Undone(1),
        added: (added, Ends::Undone(2)),
        deleted: Ends::Undone(1),
    }
}

fn set(path: &str, value: Value) -> Value {
    json!([{"op": "add", "path": path, "value": value}])
}

fn all(patches: impl IntoIterator<Item = Value>) -> Value {
    patches.into_iter().flat_map(|patch| patch.as_array().cloned().unwrap_or_default()).collect()
}

/// An item more in a list that may not be there yet.
fn append(object: &Value, list: &str, item: Value) -> Value {
    if object.pointer(list).is_some() { set(&format!("{list}/-"), item) } else { set(list, json!([item])) }
}

fn networks() -> Vec<Row> {
    vec![
        row(
            "NetworkPolicy",
            |_| set("/spec/podSelector", json!({"matchLabels": {"nobody": "here"}})),
            |_| {
                let open = json!([{}]);
                let types = json!(["Ingress", "Egress"]);
                all([set("/spec/ingress", open.clone()), set("/spec/egress", open), set("/spec/policyTypes", types)])
            },
        ),
        row(
            "Service",
            |_| all([set("/spec/ports/0/port", json!(4242)), set("/spec/type", json!("NodePort"))]),
            |object| {
                let door = json!({"name": "door", "port": 4243, "protocol": "TCP"});
                all([append(object, "/spec/ports", door), set("/spec/selector/nobody", json!("here"))])
            },
        ),
        row(
            "Ingress",
            |_| set("/spec/rules/0/host", json!("stolen.example.org")),
            |object| {
                let backend = json!({"service": {"name": "door", "port": {"number": 80}}});
                let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
                let rule = json!({"host": "door.example.org", "http": {"paths": [path]}});
                let alias = "/metadata/annotations/nginx.ingress.kubernetes.io~1server-alias";
                all([
                    append(object, "/spec/rules", rule),
                    set("/spec/defaultBackend", backend),
                    set(alias, json!("door.example.org")),
                ])
            },
        ),
    ]
}

fn configuration() -> Vec<Row> {
    vec![
        row(
            "ServiceAccount",
            |_| set("/automountServiceAccountToken", json!(true)),
            |object| append(object, "/imagePullSecrets", json!({"name": "door"})),
        ),
        row("ConfigMap", |object| first_value(object, "changed"), |_| set("/data/door", json!("open"))),
        row(
            "PodDisruptionBudget",
            |_| set("/spec/maxUnavailable", json!(0)),
            |_| set("/spec/selector/matchLabels/nobody", json!("here")),
        ),
    ]
}

/// Another value for the first key of `data`.
fn first_value(object: &Value, value: &str) -> Value {
    let key = object["data"].as_object().and_then(|data| data.keys().next()).cloned().unwrap_or_default();
    set(&format!("/data/{key}"), json!(value))
}

const PODS: &str = "/spec/template";
const PODS_OF_CRON_JOB: &str = "/spec/jobTemplate/spec/template";

/// A container before ours, and in ours a variable, one of a name that is there already, and a
/// capability; a volume and a label more.
fn slipped_in(object: &Value, pods: &str) -> Value {
    let first = format!("{pods}/spec/containers/0");
    let known = object.pointer(&format!("{first}/env/0/name")).cloned();
    let known = known.map(|name| json!({"name": name, "value": "another"}));
    all([
        set(&format!("{first}/securityContext/capabilities/add"), json!(["NET_BIND_SERVICE"])),
        append(object, &format!("{first}/env"), json!({"name": "LD_PRELOAD", "value": "/tmp/evil.so"})),
        known.map_or_else(|| json!([]), |known| set(&format!("{first}/env/-"), known)),
        append(object, &format!("{pods}/spec/volumes"), json!({"name": "door", "emptyDir": {}})),
        // Last, since what comes after it moves: a strategic merge patch puts what is new first, too.
        set(&first, json!({"name": "miner", "image": "docker.io/local/miner:1"})),
        set(&format!("{pods}/metadata/labels/door"), json!("open")),
    ])
}

fn other_image(pods: &str) -> Value {
    set(&format!("{pods}/spec/containers/0/image"), json!("docker.io/local/other:1"))
}

fn workloads() -> Vec<Row> {
    let of_pods: Patch = |_| all([set("/spec/replicas", json!(3)), other_image(PODS)]);
    let added: Patch = |object| slipped_in(object, PODS);
    vec![
        row("Deployment", of_pods, added),
        row("StatefulSet", of_pods, added),
        row(
            "CronJob",
            |_| all([set("/spec/schedule", json!("* * * * *")), other_image(PODS_OF_CRON_JOB)]),
            |object| slipped_in(object, PODS_OF_CRON_JOB),
        ),
        Row {
            added: (added, Ends::Refused("immutable")),
            // A Job without labels gets those of its pods.
            unlabelled: Ends::Nothing,
            ..row("Job", |_| set("/spec/backoffLimit", json!(0)), added)
        },
    ]
}

fn limits() -> Vec<Row> {
    vec![
        row("ResourceQuota", |_| set("/spec/hard/pods", json!("1")), |_| set("/spec/hard/configmaps", json!("0"))),
        row(
            "LimitRange",
            |_| set("/spec/limits/0/default/memory", json!("256Mi")),
            |_| set("/spec/limits/0/max", json!({"cpu": "4"})),
        ),
        row(
            "RoleBinding",
            |_| set("/subjects/0/name", json!("eve")),
            |object| {
                let eve = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"});
                append(object, "/subjects", eve)
            },
        ),
    ]
}

/// The Dedicated resources: their Entity makes them again with a finalizer, which the deleted one
/// had to lose.
fn services() -> Vec<Row> {
    let kinds = ["DedicatedOffice", "DedicatedAgora", "DedicatedProjects", "DedicatedService"];
    let of_entity = Ends::Refused("is made from Entity");
    let one = |kind| Row {
        edited: (|_| set("/spec/tier", json!("5gb")), of_entity),
        added: (|_| set("/spec/paused", json!(true)), of_entity),
        deleted: Ends::Undone(3),
        ..row(kind, |_| json!([]), |_| json!([]))
    };
    kinds.map(one).into()
}

/// What holds data is kept by policy, and what others add to its labels is theirs.
fn data() -> Vec<Row> {
    let is_data = |object: &Value| object["metadata"]["labels"][marks::DATA] == "true";
    let kept = |kind, edited, added| Row {
        which: is_data,
        unlabelled: Ends::Refused("cannot be changed"),
        deleted: Ends::Refused("is kept"),
        ..row(kind, edited, added)
    };
    let immutable = Ends::Refused("immutable");
    let more: Patch = |_| set("/data/door", json!("b3Blbg=="));
    let other: Patch = |object| first_value(object, "YW5vdGhlciBwYXNzd29yZCwgYW5kIGEgbG9uZ2VyIG9uZSBpdCBpcw==");
    vec![
        Row {
            edited: (|_| set("/spec/resources/requests/storage", json!("90Gi")), Ends::Refused("exceeded quota")),
            added: (|_| set("/metadata/labels/door", json!("open")), Ends::Stays),
            ..kept("PersistentVolumeClaim", other, more)
        },
        Row { edited: (other, immutable), added: (more, immutable), ..kept("Secret", other, more) },
        // A copy of a platform Secret.
        Row { which: |object| object["metadata"]["labels"][marks::DATA].is_null(), ..row("Secret", other, more) },
        Row {
            edited: (|_| set("/spec/version", json!("0")), Ends::Refused("is written by the operator")),
            added: (|_| set("/spec/keepUntil", json!("2030-01-01T00:00:00Z")), Ends::Undone(1)),
            ..kept("ServiceData", other, more)
        },
        Row {
            which: |_| true,
            ..kept(
                "Namespace",
                |_| set("/metadata/labels/pod-security.kubernetes.io~1enforce", json!("privileged")),
                |_| set("/metadata/labels/pod-security.kubernetes.io~1enforce-version", json!("v1.0")),
            )
        },
    ]
}
