//! The Jobs of operations: what they are, and that they keep to the rules of all other pods.

use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::engine::object::RenderedObject;
use crate::engine::typed;
use crate::format::directory::load_directory;
use crate::format::sample::{self, Surroundings};
use crate::plan::{Plan, PlannedFurther};
use crate::rule::Rule;
use crate::security::pods;
use crate::{Package, builtin, render};
use commonscloud_api::{Operations, PackageFile, ServiceTemplate};

/// A wiki with operations, the example without its own.
fn template() -> ServiceTemplate {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/templates/mediawiki.yaml");
    let mut template = load_directory(&file).unwrap();
    template.spec.files.retain(|file| OperationKind::ALL.iter().all(|kind| kind.as_str() != file.name));
    let op = |script: &str, more: Value| {
        let mut operation = json!({"component": "app", "image": "mediawiki", "script": script, "timeoutSeconds": 60});
        operation.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        operation
    };
    let files = json!({"volumes": [{"name": "data", "path": "/data", "writable": true}]});
    let database = |user: Option<u32>| {
        json!({
            "component": "db", "image": "mariadb", "timeoutSeconds": 3600, "user": user, "marksBegin": true,
            "secrets": [{"name": "db", "path": "/secrets/db", "keys": ["password"]}],
            "connectsTo": [{"component": "db", "port": 3306}],
            "scratch": [{"path": "/run/mysqld", "size": "1Mi"}],
        })
    };
    let mut load = op("load", database(None));
    load["marksBegin"] = json!(false);
    let operations: Operations = serde_json::from_value(json!({
        "files": [{"volume": "data", "exclude": ["images/thumb/**"]}],
        "dumped": ["db"],
        "quiesce": op("quiesce", files.clone()),
        "unquiesce": op("quiesce", files),
        "dump": op("dump", database(None)),
        "load": load,
        "verify": op("dump", json!({
                "component": "db", "connectsTo": [{"component": "db", "port": 3306}],
            "configMaps": [{"name": "settings", "path": "/settings"}], "interpreter": ["/usr/bin/php", "-r"],
        })),
    }))
    .unwrap();
    for (name, content) in [
        ("quiesce", "echo \"backup $$ of $INSTANCE $(cat /data/x)\" >/data/images/lock_yBgMBwiR"),
        ("dump", "exec mariadb-dump --host=\"$INSTANCE-db\" --single-transaction mediawiki"),
        ("load", "exec mariadb --host=\"$INSTANCE-db\" mediawiki"),
    ] {
        template.spec.files.push(PackageFile { name: name.to_owned(), content: content.to_owned() });
    }
    template.spec.operations = Some(operations);
    template
}

struct Wiki {
    package: Package,
    plan: Plan,
    objects: Vec<RenderedObject>,
}

fn wiki() -> Wiki {
    let package = Package::compile("mediawiki", &template().spec).unwrap_or_else(|error| panic!("{error:#?}"));
    let parameters = package.validate_parameters(&json!({})).unwrap();
    let mut plan = sample::plan(&package, &package.versions()[0], parameters, Surroundings::Full).unwrap();
    plan.image_pull_secrets = vec!["mirror".to_owned()];
    let objects = render(&plan).unwrap().objects;
    Wiki { package, plan, objects }
}

fn run() -> Run {
    Run {
        name: "sample-backup".to_owned(),
        owner: RunOwner { kind: "ServiceBackup".into(), name: "sample-1".into(), uid: "u-1".into() },
        beside_pods: true,
        ..Run::default()
    }
}

/// The other end of a stream, as little as can be.
fn companion() -> Companion {
    let container = |name: &str| {
        json!({
            "name": name, "image": "docker.io/local/backup:1", "args": [name],
            "volumeMounts": [{"name": "stream", "mountPath": STREAM}, {"name": "repository", "mountPath": "/repository"}],
        })
    };
    Companion {
        init_containers: vec![container("pipe")],
        containers: vec![container("restic")],
        volumes: vec![json!({"name": "repository", "secret": {"secretName": "commonscloud-repository"}})],
        egress: vec![
            json!({"to": [{"ipBlock": {"cidr": "192.0.2.1/32"}}], "ports": [{"port": 443, "protocol": "TCP"}]}),
        ],
        annotations: [("sample.org/text".to_owned(), "a text".to_owned())].into(),
    }
}

fn made(wiki: &Wiki, kind: OperationKind, run: &Run) -> Vec<RenderedObject> {
    operation_objects(&wiki.plan, &wiki.objects, &wiki.package.operations().unwrap(), &[kind], run).unwrap()
}

fn text(objects: &[RenderedObject]) -> String {
    objects.iter().map(|object| serde_yaml::to_string(&object.value).unwrap()).collect::<Vec<_>>().join("---\n")
}

#[test]
fn an_operation_that_writes_a_file_for_the_application() {
    insta::assert_snapshot!("quiesce", text(&made(&wiki(), OperationKind::Quiesce, &run())));
}

#[test]
fn a_dump_and_a_state_of_one_moment_and_who_reads_them() {
    let (wiki, run) = (wiki(), Run { companion: companion(), ..run() });
    let kinds = [OperationKind::Dump, OperationKind::Verify];
    let source = wiki.package.operations().unwrap();
    let objects = operation_objects(&wiki.plan, &wiki.objects, &source, &kinds, &run).unwrap();
    insta::assert_snapshot!("dump", text(&objects));
}

#[test]
fn files_are_read_beside_the_pods_that_write_them() {
    let wiki = wiki();
    let places = file_places(&wiki.plan, &wiki.objects, &wiki.package.operations().unwrap()).unwrap();
    assert_eq!((places[0].component.as_str(), places[0].user), ("app", 33));
    let mut run = Run { companion: companion(), ..run() };
    run.companion.init_containers.clear();
    let objects = files_objects(&wiki.plan, &wiki.objects, &places, Writing::Nothing, 3600, &run).unwrap();
    insta::assert_snapshot!("files", text(&objects));
}

#[test]
fn companions_alone_have_no_volume_of_the_instance_and_reach_what_they_name() {
    let wiki = wiki();
    let mut run = Run { companion: companion(), ..run() };
    run.companion.init_containers.clear();
    let objects = companion_objects(&wiki.plan, 65_532, 600, &run);
    for object in &objects {
        assert_eq!(typed::check(&object.kind, &object.value), []);
        let mut problems = pods::problems(&wiki.plan, object);
        // The container is whoever's companion it is, with a Secret that no package has.
        problems.retain(|problem| !problem.field.contains("containers[restic]") && problem.rule != Rule::Secret);
        assert_eq!(problems, []);
    }
    let text = text(&objects);
    assert!(!text.contains("persistentVolumeClaim") && !text.contains("affinity"), "{text}");
    assert!(text.contains("192.0.2.1/32") && text.contains("sample.org/text: a text"), "{text}");
    assert!(text.contains("runAsUser: 65532") && text.contains("activeDeadlineSeconds: 720"), "{text}");
}

/// A job of an operation keeps to every rule of a package's own pods.
#[test]
fn a_job_of_an_operation_breaks_no_rule() {
    let wiki = wiki();
    for kind in OperationKind::ALL {
        for object in made(&wiki, kind, &run()) {
            assert_eq!(typed::check(&object.kind, &object.value), []);
            assert_eq!(pods::problems(&wiki.plan, &object), [], "{kind}");
        }
    }
}

#[test]
fn no_service_and_no_policy_of_the_instance_reaches_a_run() {
    let wiki = wiki();
    let own = made(&wiki, OperationKind::Dump, &run()).pop().unwrap();
    let labels = &own.value["spec"]["template"]["metadata"]["labels"];
    let selected = |object: &RenderedObject, path: &str| {
        let selector = object.value.pointer(path).and_then(Value::as_object);
        selector.is_some_and(|selector| selector.iter().all(|(key, value)| labels.get(key) == Some(value)))
    };
    for object in &wiki.objects {
        let paths = ["/spec/selector", "/spec/selector/matchLabels", "/spec/podSelector/matchLabels"];
        assert!(paths.iter().all(|path| !selected(object, path)), "{} {}", object.kind, object.name);
    }
}

#[test]
fn a_script_arrives_as_it_is_written() {
    let wiki = wiki();
    let job = made(&wiki, OperationKind::Quiesce, &run()).pop().unwrap();
    assert_eq!(
        *command(&job).last().unwrap(),
        wiki.package.spec().files.iter().find(|file| file.name == "quiesce").unwrap().content
    );
}

/// As its container is given it: Kubernetes reads `$$` as `$`, and leaves no other sign alone.
fn command(job: &RenderedObject) -> Vec<String> {
    let words = job.value["spec"]["template"]["spec"]["containers"][0]["command"].as_array().unwrap();
    words.iter().map(|word| word.as_str().unwrap().replace("$$", "$")).collect()
}

#[test]
fn what_quiesce_says_is_told_when_it_succeeds_as_well() {
    let job = made(&wiki(), OperationKind::Quiesce, &run()).pop().unwrap();
    let told = tempfile::NamedTempFile::new().unwrap();
    let path = told.path().display().to_string();
    for code in [0, 3] {
        let mut words = command(&job).into_iter().map(|word| word.replace("/dev/termination-log", &path));
        let mut run = std::process::Command::new(words.next().unwrap());
        let mut words: Vec<String> = words.collect();
        *words.last_mut().unwrap() = format!("echo 'somebody is at work' >&2; exit {code}");
        let output = run.args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody is at work\n");
        assert_eq!(output.stderr, b"somebody is at work\n", "the log has it as well");
    }
}

#[test]
fn a_table_is_named_to_load_alone_and_a_key_that_came_later_is_found() {
    let mut wiki = wiki();
    let further = PlannedFurther { secret: "sample-db-2".into(), keys: vec!["password".into()] };
    wiki.plan.secrets.iter_mut().find(|secret| secret.name == "db").unwrap().further.push(further);
    let run = Run { table: Some("page".to_owned()), ..run() };
    let names = |kind| {
        let job = made(&wiki, kind, &run).pop().unwrap().value.to_string();
        (job.contains("\"TABLE\""), job.contains("sample-db-2"))
    };
    assert_eq!(names(OperationKind::Load), (true, true));
    assert_eq!(names(OperationKind::Dump), (false, true));
}

#[test]
fn without_pods_nothing_says_on_which_node_it_runs() {
    let wiki = wiki();
    let affinity = |kind, beside_pods| {
        let job = made(&wiki, kind, &Run { beside_pods, ..run() }).pop().unwrap();
        job.value.pointer("/spec/template/spec/affinity").is_some()
    };
    assert_eq!((affinity(OperationKind::Quiesce, true), affinity(OperationKind::Quiesce, false)), (true, false));
    assert!(!affinity(OperationKind::Dump, true), "it mounts no volume");
}

/// Else it may not open the files of the component's pods.
#[test]
fn a_run_has_the_groups_and_the_label_of_the_components_pods() {
    let mut wiki = wiki();
    let own = json!({"runAsUser": 33, "supplementalGroups": [7], "seLinuxOptions": {"level": "s0:c1,c2"}});
    for object in wiki.objects.iter_mut().filter(|object| object.kind == "Deployment") {
        object.value["spec"]["template"]["spec"]["securityContext"] = own.clone();
    }
    let job = made(&wiki, OperationKind::Quiesce, &run()).pop().unwrap();
    let context = &job.value["spec"]["template"]["spec"]["securityContext"];
    for field in ["supplementalGroups", "seLinuxOptions"] {
        assert_eq!(context[field], own[field], "{context}");
    }
}

#[test]
fn an_instance_of_an_older_revision_has_the_operations_that_fit_it() {
    let mut old = template().spec;
    old.operations = None;
    let scripts = ["quiesce", "unquiesce", "dump", "load", "verify"];
    old.files.retain(|file| !scripts.contains(&file.name.as_str()));
    let old = Package::compile("mediawiki", &old).unwrap();
    let compile = |edit: fn(&mut Operations, String)| {
        let mut spec = template().spec;
        edit(spec.operations.as_mut().unwrap(), old.revision_name());
        Package::compile("mediawiki", &spec).unwrap()
    };
    let newest = compile(|_, _| {});
    let fitting = compile(|operations, old| operations.compatible_revisions.push(old));
    assert!(operations_for(&old, [&newest]).is_none(), "nothing is taken that does not say that it fits");
    let found = operations_for(&old, [&newest, &fitting]).unwrap();
    assert_eq!(found.revision(), fitting.revision_name());
    assert_eq!(operations_for(&newest, [&fitting]).unwrap().revision(), newest.revision_name());
    // Its script comes with it, and not from the older package, which has none.
    let wiki = wiki();
    let plan = Plan { package: std::sync::Arc::new(old.clone()), ..wiki.plan.clone() };
    assert!(operation_objects(&plan, &wiki.objects, &found, &[OperationKind::Dump], &run()).is_ok());
}

/// Kubernetes would hand every file of the volume to the pod's group, under the running application.
#[test]
fn an_operation_with_a_volume_of_another_component_is_refused() {
    let mut spec = template().spec;
    let operations = spec.operations.as_mut().unwrap();
    operations.quiesce.as_mut().unwrap().component = "db".to_owned();
    let faults = Package::compile("mediawiki", &spec).unwrap_err().faults;
    let found: Vec<_> = faults.iter().map(|fault| (fault.rule.name(), fault.field.as_str())).collect();
    assert_eq!(found, [("operation-part", "spec.operations.quiesce.volumes[0].name")]);
    assert!(faults[0].message.contains("pods of component \"app\""), "{}", faults[0].message);
}

/// The operations are the only thing that is new: packages without are what they were.
#[test]
fn packages_without_operations_have_none() {
    for mut template in builtin() {
        template.spec.operations = None;
        let package = Package::compile(template.metadata.name.as_deref().unwrap(), &template.spec).unwrap();
        assert!(package.operations().is_none());
        assert!(!serde_json::to_string(&template.spec).unwrap().contains("\"operations\""));
    }
}

#[test]
fn what_cannot_run_is_told_in_words() {
    let mut wiki = wiki();
    let run = run();
    let told = |wiki: &Wiki, objects: &[RenderedObject], kind| {
        let source = wiki.package.operations().unwrap();
        operation_objects(&wiki.plan, objects, &source, &[kind], &run).unwrap_err().to_string()
    };
    assert!(told(&wiki, &[], OperationKind::Dump).contains("no Deployment or StatefulSet of component \"db\""));
    let mut as_root = wiki.objects.clone();
    for object in as_root.iter_mut().filter(|object| object.kind == "Deployment") {
        object.value["spec"]["template"]["spec"]["securityContext"] = json!({"runAsUser": 0});
    }
    assert!(told(&wiki, &as_root, OperationKind::Quiesce).contains("\"app\" say no runAsUser other than 0"));
    wiki.plan.images.remove("mariadb");
    assert_eq!(told(&wiki, &wiki.objects, OperationKind::Load), "the image \"mariadb\" is not one of this instance's");
}
