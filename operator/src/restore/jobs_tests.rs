//! What the Jobs of a restore are given.

use serde_json::{Value, json};

use super::super::world::{SNAPSHOT, World};
use super::*;
use crate::api::RestorePhase;

fn made(phase: RestorePhase, jobs: impl Fn(&Subject, &ObservedRestore, &Manifest) -> Jobs) -> Vec<Wanted> {
    let mut world = World::new();
    world.run_to(phase);
    let observed = world.seen();
    jobs(&world.subject(), &observed, &world.manifest).unwrap()
}

fn pod(wanted: &Wanted) -> &Value {
    let job = wanted.objects.iter().find(|object| object.kind == "Job").unwrap();
    assert_eq!(job.value["metadata"]["ownerReferences"][0]["kind"], "ServiceRestore");
    assert_eq!(job.name, wanted.name);
    &job.value["spec"]["template"]["spec"]
}

fn claims(pod: &Value) -> Vec<&str> {
    let volumes = pod["volumes"].as_array().unwrap().iter();
    volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str()).collect()
}

fn arguments(pod: &Value, field: &str) -> Vec<Vec<String>> {
    let containers = pod[field].as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let args = containers.filter_map(|container| serde_json::from_value(container["args"].clone()).ok());
    args.collect()
}

fn starts(arguments: &[String], with: &[&str]) -> bool {
    arguments.iter().zip(with).filter(|(is, wanted)| is == *wanted).count() == with.len()
}

#[test]
fn files_are_written_into_new_claims_and_a_databases_stays_empty() {
    let jobs = made(RestorePhase::Files, fill);
    let names: Vec<_> = jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["calendar-restore"]);
    let files = pod(&jobs[0]);
    assert_eq!(claims(files), ["calendar-data-r1"]);
    let restored = &arguments(files, "containers")[0];
    assert!(starts(restored, &["restore", "--snapshot", &"1".repeat(64), "--volume", "data"]), "{restored:?}");
    assert_eq!(files["securityContext"]["runAsUser"], 33);
    let mounts = files["containers"][0]["volumeMounts"].as_array().unwrap();
    let mount = mounts.iter().find(|mount| mount["mountPath"] == "/volumes/data").unwrap();
    assert_ne!(mount["readOnly"], json!(true));
    assert!(files.get("affinity").is_none(), "no pod mounts it yet");
}

#[test]
fn the_dump_is_fed_to_load_and_verify_is_compared_with_the_recorded_state() {
    let load = made(RestorePhase::Loading, load);
    let pod_of_load = pod(&load[0]);
    assert!(starts(&arguments(pod_of_load, "initContainers")[0], &["pipes", "load"]));
    let fed = arguments(pod_of_load, "containers");
    assert!(fed.iter().any(|of| starts(of, &["feed", "--snapshot", &"2".repeat(64)])), "{fed:?}");
    let compare = made(RestorePhase::Verifying, |subject, observed, _| compare(subject, observed));
    let names: Vec<_> = compare.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["calendar-compare", "calendar-compare-2"]);
    for job in &compare {
        let all = arguments(pod(job), "containers");
        assert!(all.iter().any(|of| starts(of, &["compare", "--snapshot", SNAPSHOT])), "{all:?}");
    }
    assert_eq!(claims(pod(&compare[1])), ["calendar-data-r1"], "the record names the new claims");
    let mounts = pod(&compare[1])["containers"][0]["volumeMounts"].as_array().unwrap();
    assert!(mounts.iter().any(|mount| mount["mountPath"] == "/volumes/data" && mount["readOnly"] == true));
    assert!(!mounts.iter().any(|mount| mount["mountPath"] == "/stream"), "verify is another Job's");
}

#[test]
fn the_manifest_is_read_without_anything_of_the_instance() {
    let jobs = made(RestorePhase::Preparing, |subject, observed, _| manifest(subject, observed));
    let pod = pod(&jobs[0]);
    assert!(claims(pod).is_empty());
    assert!(starts(&arguments(pod, "containers")[0], &["manifest", "--snapshot", SNAPSHOT]));
}
