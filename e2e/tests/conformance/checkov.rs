//! checkov: what people's scanners say of the chart and of Entities.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use commonscloud_cluster::progress::Progress;
use commonscloud_cluster::{folders, tools};
use commonscloud_e2e::{Failure, Outcome, command, ensure};
use serde_json::{Value, json};

use crate::{listed, rendered};

/// For a few hundred objects.
const LIMIT: Duration = Duration::from_mins(3);

/// Something that checkov finds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The check's id.
    pub check: String,
    /// What it asks for.
    pub asks: String,
    /// The object, as `Kind name`, and `/container` if it has containers.
    pub object: String,
}

impl Finding {
    /// In one line.
    pub fn told(&self) -> String {
        format!("{}: {}: {}", self.check, self.object, self.asks)
    }
}

/// What is found and what is listed are the same.
pub async fn finds_nothing_unlisted() -> Outcome {
    let differences = listed::differences(&findings(&objects().await?).await?, &listed::read()?);
    ensure!(differences.is_empty(), "checkov and e2e/tests/conformance/listed.yaml:\n{}", differences.join("\n"));
    Ok(())
}

/// Whatever else a container lacks: that it lost its security context is told of each.
pub async fn finds_each_container_without_security_context() -> Outcome {
    let mut objects = objects().await?;
    let mut spoilt = BTreeSet::new();
    for object in &mut objects {
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        for list in LISTS {
            let containers = pod(object).and_then(|pod| pod.get_mut(list)).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                container["securityContext"].take();
                spoilt.insert(format!("{kind} {name}/{}", container["name"].as_str().unwrap_or_default()));
            }
        }
    }
    ensure!(spoilt.len() > 20, "only {} containers were found", spoilt.len());
    let differences = listed::differences(&findings(&objects).await?, &listed::read()?);
    let is_told = |place: &&String| differences.iter().any(|told| told.contains(&format!(": {place}: ")));
    let untold: Vec<&String> = spoilt.iter().filter(|place| !is_told(place)).collect();
    ensure!(untold.is_empty(), "without a security context, and nothing is told of: {untold:?}");
    Ok(())
}

/// All that is rendered.
async fn objects() -> Outcome<Vec<Value>> {
    let all = rendered::all().await?;
    Ok(all.iter().map(rendered::Manifests::objects).collect::<Outcome<Vec<_>>>()?.concat())
}

/// Where a pod has containers.
const LISTS: [&str; 2] = ["containers", "initContainers"];

/// The pod of an object that is or makes one.
fn pod(object: &mut Value) -> Option<&mut Value> {
    let path = match object["kind"].as_str().unwrap_or_default() {
        "Pod" => "/spec",
        "Deployment" | "StatefulSet" | "DaemonSet" | "Job" => "/spec/template/spec",
        "CronJob" => "/spec/jobTemplate/spec/template/spec",
        _ => return None,
    };
    object.pointer_mut(path)
}

/// The object once for each of its containers, with that one alone: checkov tells of the first that lacks
/// something and is silent about the others.
fn one_container_each(mut object: Value) -> Vec<Value> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let Some(pod) = pod(&mut object) else { return vec![object] };
    let lists = LISTS.map(|list| pod[list].take());
    let mut apart = Vec::new();
    for (list, containers) in LISTS.iter().zip(lists) {
        for container in containers.as_array().into_iter().flatten() {
            let mut copy = object.clone();
            copy["metadata"]["name"] = json!(format!("{name}/{}", container["name"].as_str().unwrap_or_default()));
            if let Some(pod) = self::pod(&mut copy) {
                pod["containers"] = json!([]);
                pod[*list] = json!([container]);
            }
            apart.push(copy);
        }
    }
    apart
}

async fn findings(objects: &[Value]) -> Outcome<Vec<Finding>> {
    let source = folders::source(None)?;
    let checkov = tools::ensure("checkov", &source, &Progress::shown()).await?.program("checkov");
    let mut text = String::new();
    for (count, mut object) in objects.iter().cloned().flat_map(one_container_each).enumerate() {
        // What is rendered twice is looked at twice: of two of one name it would see one.
        let name = format!("{count}:{}", object["metadata"]["name"].as_str().unwrap_or_default());
        object["metadata"]["name"] = json!(name);
        text += &format!("---\n{}", serde_yaml::to_string(&object)?);
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("rendered.yaml");
    fs::write(&file, text)?;
    let (home, file) = (folder.path().to_string_lossy(), file.to_string_lossy());
    let words = ["--framework", "kubernetes", "--file", &file, "--output", "json", "--quiet", "--skip-download"];
    // Settings of whoever runs this are not the project's.
    let finished = command::run(&checkov, &words, &[("HOME", &home)], None, LIMIT).await?;
    let told: Value = serde_json::from_str(&finished.stdout)
        .map_err(|error| Failure::new(format!("checkov: {error}: {}{}", finished.stdout, finished.stderr)))?;
    ensure!(told["summary"]["parsing_errors"] == 0, "checkov cannot read what is rendered: {}", told["summary"]);
    let failed = told["results"]["failed_checks"].as_array().into_iter().flatten();
    let mut findings: Vec<Finding> = failed.map(finding).collect();
    findings.sort();
    findings.dedup();
    Ok(findings)
}

/// checkov names an object `Kind.namespace.name`.
fn finding(failed: &Value) -> Finding {
    let text = |field: &str| failed[field].as_str().unwrap_or_default().to_owned();
    let resource = text("resource");
    let (kind, rest) = resource.split_once('.').unwrap_or((&resource, ""));
    let name = rest.split_once(':').map_or(rest, |(_, name)| name);
    Finding { check: text("check_id"), asks: text("check_name"), object: format!("{kind} {name}") }
}
