//! `cluster up --apply`: success only when everything is Ready, else the reasons.

use std::path::Path;
use std::time::Duration;

use commonscloud_e2e::cluster::down;
use commonscloud_e2e::command::{Finished, run};
use commonscloud_e2e::programs::Programs;
use commonscloud_e2e::{Outcome, ensure, ensure_eq};
use serde_json::{Value, json};

const NAME: &str = "test-applied";
const NAMESPACE: &str = "applied";

/// A Deployment whose pod asks for that much memory.
fn deployment(name: &str, memory: &str) -> Value {
    let labels = json!({"app": name});
    let resources = json!({"requests": {"memory": memory}});
    let containers = json!([{"name": "app", "image": "docker.io/local/pause:3.10", "resources": resources}]);
    let template = json!({"metadata": {"labels": labels}, "spec": {"containers": containers}});
    let metadata = json!({"name": name, "namespace": NAMESPACE});
    let spec = json!({"selector": {"matchLabels": labels}, "template": template});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
}

async fn up(folder: &Path, wait: &str, junit: &Path) -> Outcome<Finished> {
    let programs = Programs::build().await?;
    let (folder, junit) = (folder.display().to_string(), junit.display().to_string());
    let words = ["cluster", "up", "--local", "--node", "simulated", "--name", NAME, "--output", "json"];
    let words = [&words[..], &["--apply", &folder, "--wait", wait, "--junit", &junit]].concat();
    let source = programs.source.display().to_string();
    let environment = [("COMMONSCLOUD_SOURCE", source.as_str())];
    run(&programs.commonscloud, &words, &environment, None, Duration::from_mins(20)).await
}

fn write(folder: &Path, file: &str, object: &Value) -> Outcome {
    Ok(std::fs::write(folder.join(file), object.to_string())?)
}

async fn scenario() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (manifests, junit) = (folder.path().join("manifests"), folder.path().join("junit.xml"));
    std::fs::create_dir(&manifests)?;
    // The namespace comes last by name and is needed first.
    write(&manifests, "a.json", &deployment("fits", "1Mi"))?;
    write(&manifests, "z.json", &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}))?;

    let said: Value = serde_json::from_str(&up(&manifests, "2m", &junit).await?.succeeded("cluster up")?)?;
    ensure_eq!(said["not_ready"], json!([]), "what is not ready");
    let report = std::fs::read_to_string(&junit)?;
    ensure!(report.contains("tests=\"2\" failures=\"0\""), "{report}");

    write(&manifests, "b.json", &deployment("too-large", "900Ti"))?;
    let finished = up(&manifests, "5s", &junit).await?;
    let said: Value = serde_json::from_str(&finished.stdout)?;
    let complaint = finished.refused("a Deployment that fits on no node")?;
    let reason = said["not_ready"][0].as_str().unwrap_or_default();
    ensure!(reason.starts_with(&format!("Deployment {NAMESPACE}/too-large: ")), "{said}");
    ensure!(reason.contains("Insufficient memory"), "{reason}");
    ensure!(complaint.contains(reason), "{complaint}");
    let report = std::fs::read_to_string(&junit)?;
    ensure!(report.contains("tests=\"3\" failures=\"1\""), "{report}");
    ensure!(report.contains("Insufficient memory"), "{report}");
    Ok(())
}

pub async fn with_reasons() -> Outcome {
    let outcome = scenario().await;
    down(NAME).await?;
    outcome
}
