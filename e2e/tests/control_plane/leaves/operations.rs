//! The leaves of `operations` of a package: what the Job of an operation is made of, or why the package is refused.

use commonscloud_e2e::{Failure, Outcome};
use commonscloud_operator::plan::Plan;
use commonscloud_operator::restore::is_relocatable;
use commonscloud_operator::template::RenderedObject;
use commonscloud_operator::template::operation::{self, Run, RunOwner};
use serde_json::{Value, json};

use super::case::{Case, See, reads, refused, see, shows};

const KINDS: [&str; 5] = ["quiesce", "unquiesce", "dump", "load", "verify"];

/// What an office's operations would make, by `Operation/KIND`, `Opening/KIND` and `Files/VOLUME`, and whether one of
/// another name takes its backups.
pub fn made(plan: &Plan, objects: &[RenderedObject]) -> Outcome<Vec<(String, Value)>> {
    let Some(source) = plan.package.operations() else { return Ok(Vec::new()) };
    let failed = |error: operation::OperationError| Failure::new(error.to_string());
    let mut made = Vec::new();
    for (kind, _) in source.operations.all() {
        let run = Run {
            name: "office-run".to_owned(),
            owner: RunOwner { kind: "ServiceBackup".to_owned(), name: "office".to_owned(), uid: "u".to_owned() },
            ..Run::default()
        };
        let all = operation::operation_objects(plan, objects, &source, &[kind], &run).map_err(failed)?;
        let named = |kind_of: &str| all.iter().find(|object| object.kind == kind_of).map(|object| object.value.clone());
        made.extend(named("Job").map(|job| (format!("Operation/{kind}"), job)));
        made.extend(named("NetworkPolicy").map(|policy| (format!("Opening/{kind}"), policy)));
    }
    for place in operation::file_places(plan, objects, &source).map_err(failed)? {
        let shown = json!({"user": place.user, "exclude": place.exclude, "component": place.component});
        made.push((format!("Files/{}", place.volume), shown));
    }
    let is_relocatable = is_relocatable(plan, "another");
    made.push(("Restore/of-another".to_owned(), json!({"isRelocatable": is_relocatable})));
    Ok(made)
}

/// Operations of an office in which every field is said.
fn whole() -> Value {
    let one = json!({
        "component": "app", "image": "nextcloud", "script": "prepare", "interpreter": ["/bin/sh", "-ec"],
        "timeoutSeconds": 60,
        "volumes": [{"name": "data", "path": "/data", "writable": true}],
        "secrets": [{"name": "db", "path": "/secrets/db", "keys": ["password"]}],
        "configMaps": [{"name": "scripts", "path": "/scripts"}],
        "scratch": [{"path": "/scratch", "size": "16Mi"}],
        "connectsTo": [{"component": "db", "port": 5432}],
    });
    let mut whole = json!({"files": [{"volume": "data"}, {"volume": "app"}], "dumped": ["db"]});
    for kind in KINDS {
        whole[kind] = one.clone();
    }
    whole
}

/// The cases of an office's operations.
pub fn cases() -> Vec<Case> {
    let own = |leaf: &str, value: Value, seen: See| {
        shows("ServiceTemplate", format!("spec.operations.{leaf}"), value, vec![seen]).given("spec.operations", whole())
    };
    let refuses = |leaf: &str, value: Value, words: &[&'static str]| {
        refused("ServiceTemplate", format!("spec.operations.{leaf}"), value, words).given("spec.operations", whole())
    };
    let mut cases = vec![
        refuses("files[0].volume", json!("db"), &["the volume \"db\" is there twice"]),
        own("files[0].user", json!(34), see("Files/data", "/user", 34)),
        own("files[0].exclude[0]", json!("cache/**"), see("Files/data", "/exclude/0", "cache/**")),
        refuses("dumped[0]", json!("data"), &["the volume \"data\" is there twice"]),
        refuses("leftOut[0].volume", json!("db"), &["missing field `reason`"]),
        own("relocatable", json!(true), see("Restore/of-another", "/isRelocatable", true)),
        refuses("compatibleRevisions[0]", json!("office-34"), &["not the name of a revision"]),
    ];
    for kind in KINDS {
        let job = format!("Operation/{kind}");
        let container = |at: &str| format!("/spec/template/spec/containers/{kind}/{at}");
        let volume = |at: &str| format!("/spec/template/spec/volumes/{at}");
        let wrapped = kind != "unquiesce";
        let command = |at: usize| container(&format!("command/{}", if wrapped { at + 4 } else { at }));
        let of = |leaf: &str, value: Value, at: String, seen: Value| {
            own(&format!("{kind}.{leaf}"), value, see(job.as_str(), at, seen))
        };
        let open = |leaf: &str, value: Value, at: &str| {
            own(&format!("{kind}.{leaf}"), value.clone(), see(format!("Opening/{kind}"), at, value))
        };
        let path = |leaf: &str, mount: &str| {
            of(leaf, json!("/other"), container(&format!("volumeMounts/{mount}/mountPath")), json!("/other"))
        };
        let begins = match kind {
            "dump" | "verify" => {
                let seen = json!(format!("/stream/{kind}.begun"));
                of("marksBegin", json!(true), container("env/BEGUN/value"), seen)
            }
            _ => refuses(&format!("{kind}.marksBegin"), json!(true), &["is of `dump` and `verify`"]),
        };
        let component = match kind {
            "dump" | "verify" => refuses(&format!("{kind}.component"), json!("db"), &["in one pod with `dump`"]),
            _ => refuses(&format!("{kind}.component"), json!("db"), &["is mounted by pods of component \"app\""]),
        };
        cases.extend([
            begins,
            component,
            of("image", json!("redis"), container("image"), json!("docker.io/library/redis:7")),
            own(&format!("{kind}.script"), json!("redis"), reads(job.as_str(), command(2), "redis-server")),
            of("interpreter[0]", json!("/bin/bash"), command(0), json!("/bin/bash")),
            of("timeoutSeconds", json!(77), "/spec/activeDeadlineSeconds".to_owned(), json!(197)),
            of("user", json!(34), "/spec/template/spec/securityContext/runAsUser".to_owned(), json!(34)),
            of(
                "volumes[0].name",
                json!("app"),
                volume("volume-app/persistentVolumeClaim/claimName"),
                json!("office-app"),
            ),
            path("volumes[0].path", "volume-data"),
            of("volumes[0].writable", json!(false), container("volumeMounts/volume-data/readOnly"), json!(true)),
            of(
                "secrets[0].name",
                json!("redis"),
                volume(&format!("{kind}-secret-redis/secret/secretName")),
                json!("office-redis"),
            ),
            path("secrets[0].path", &format!("{kind}-secret-db")),
            of(
                "secrets[0].keys[0]",
                json!("username"),
                volume(&format!("{kind}-secret-db/secret/items/0/key")),
                json!("username"),
            ),
            of(
                "configMaps[0].name",
                json!("settings"),
                volume(&format!("{kind}-config-settings/configMap/name")),
                json!("office-settings"),
            ),
            path("configMaps[0].path", &format!("{kind}-config-scripts")),
            path("scratch[0].path", &format!("{kind}-scratch-0")),
            of(
                "scratch[0].size",
                json!("32Mi"),
                volume(&format!("{kind}-scratch-0/emptyDir/sizeLimit")),
                json!("32Mi"),
            ),
            open(
                "connectsTo[0].component",
                json!("redis"),
                "/spec/egress/0/to/0/podSelector/matchLabels/app.kubernetes.io~1component",
            ),
            open("connectsTo[0].port", json!(5433), "/spec/egress/0/ports/0/port"),
        ]);
    }
    cases
}
