//! What of an instance runs while its data is being replaced.

use serde_json::{Value, json};

use super::*;
use crate::engine::object::RenderedObject;
use crate::plan::Stage;
use commonscloud_api::{DeclaredObject, Manifest};

/// It says nothing of `suspend`.
const CLEAN: &str = r#"apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ instance.name ~ "-clean" }}
spec:
  schedule: 0 0 1 1 *
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      template:
        metadata:
          labels: {{ labels(component="clean") }}
        spec:
          restartPolicy: OnFailure
          automountServiceAccountToken: false
          securityContext:
            runAsNonRoot: true
            runAsUser: 1000
            seccompProfile: {type: RuntimeDefault}
          containers:
            - name: clean
              image: {{ images.radicale }}
              terminationMessagePolicy: FallbackToLogsOnError
              resources: {{ resources.app | json_encode }}
              securityContext:
                allowPrivilegeEscalation: false
                capabilities: {drop: [ALL]}
"#;

fn stopped(but: &[&str]) -> Stage {
    Stage::Stopped { but: but.iter().map(|component| (*component).to_owned()).collect() }
}

fn rendered(template: &ServiceTemplate, stage: Stage) -> Vec<RenderedObject> {
    let package = compiled(template);
    let mut plan = packages::plan(&package, &package.versions()[0].name, Surroundings::Full, true);
    plan.stage = stage;
    render(&plan).unwrap().objects
}

fn find<'a>(objects: &'a [RenderedObject], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| object.kind == kind && object.name == name);
    &found.unwrap_or_else(|| panic!("{kind} {name}")).value
}

#[test]
fn a_stopped_instance_runs_the_components_that_go_on_and_nothing_else_of_it_changes() {
    for template in builtin() {
        let whole = rendered(&template, Stage::Whole);
        let mut expected: Vec<Value> = whole.iter().map(|object| object.value.clone()).collect();
        let mut halted = 0;
        for value in &mut expected {
            let goes_on = value["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"] == "db";
            match value["kind"].as_str().unwrap() {
                "Deployment" | "StatefulSet" if !goes_on => value["spec"]["replicas"] = json!(0),
                "CronJob" => value["spec"]["suspend"] = json!(true),
                _ => continue,
            }
            halted += 1;
        }
        let stopped: Vec<Value> = rendered(&template, stopped(&["db"])).into_iter().map(|o| o.value).collect();
        assert_eq!(stopped, expected, "{:?}", template.metadata.name);
        assert!(halted > 0, "{:?}", template.metadata.name);
    }
}

#[test]
fn the_database_of_a_wiki_goes_on_alone_or_stops_as_well() {
    let wiki = example("mediawiki.yaml");
    let replicas = |stage: Stage, kind: &str, name: &str| {
        let objects = rendered(&wiki, stage);
        find(&objects, kind, name)["spec"]["replicas"].clone()
    };
    for (stage, app, db) in [(Stage::Whole, 1, 1), (stopped(&["db"]), 0, 1), (stopped(&[]), 0, 0)] {
        assert_eq!(replicas(stage.clone(), "Deployment", "sample-app"), app);
        assert_eq!(replicas(stage, "StatefulSet", "sample-db"), db);
    }
}

/// A field that is taken back alone would stay as it is in the cluster.
#[test]
fn a_package_that_says_nothing_of_it_says_it_all_the_same_so_that_what_was_stopped_starts_again() {
    let mut template = radicale();
    let app = template.spec.manifests.iter_mut().find(|manifest| manifest.template.contains("replicas: 1")).unwrap();
    app.template = app.template.replace("  replicas: 1\n", "");
    let clean = DeclaredObject { kind: "CronJob".to_owned(), name: "clean".to_owned(), ..DeclaredObject::default() };
    let (name, template_of_it) = ("clean.yaml".to_owned(), CLEAN.to_owned());
    template.spec.manifests.push(Manifest { name, objects: vec![clean], template: template_of_it });
    let of = |stage: Stage| {
        let objects = rendered(&template, stage);
        let job = find(&objects, "CronJob", "sample-clean")["spec"]["suspend"].clone();
        (find(&objects, "Deployment", "sample-app")["spec"]["replicas"].clone(), job)
    };
    assert_eq!(of(Stage::Whole), (json!(1), json!(false)));
    assert_eq!(of(stopped(&["app"])), (json!(1), json!(true)));
    assert_eq!(of(stopped(&[])), (json!(0), json!(true)));
}
