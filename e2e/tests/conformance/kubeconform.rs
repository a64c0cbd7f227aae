//! kubeconform: every object against the schema of its kind.

use std::time::Duration;

use commonscloud_cluster::progress::Progress;
use commonscloud_cluster::{folders, tools};
use commonscloud_e2e::{Failure, Outcome, command, ensure, ensure_eq};
use serde_json::Value;

use crate::rendered::{self, Manifests};
use crate::schemas;

/// For a few hundred objects.
const LIMIT: Duration = Duration::from_mins(2);

/// What is rendered and shown is valid, and all of it was looked at.
pub async fn finds_nothing() -> Outcome {
    let mut wrong = Vec::new();
    for manifests in rendered::all().await? {
        let results = results(manifests).await?;
        ensure_eq!(results.len(), manifests.objects()?.len(), "{}: objects that were looked at", manifests.of);
        wrong.extend(faults(&results).into_iter().map(|fault| format!("{}: {fault}", manifests.of)));
    }
    ensure!(wrong.is_empty(), "kubeconform:\n{}", wrong.join("\n"));
    Ok(())
}

/// A misspelt field, a text for a number, a field of one of our kinds: each is found, and nothing else.
pub async fn finds_what_is_wrong() -> Outcome {
    let all = rendered::all().await?;
    for (of, right, wrong) in [
        ("the chart", "revisionHistoryLimit: 3", "revisionHistoryLimits: 3"),
        ("a large Entity", "replicas: 1", "replicas: one"),
        ("the chart with all, upgraded", "baseDomain: commonscloud.test", "basedomain: commonscloud.test"),
    ] {
        let text = all.iter().find(|manifests| manifests.of == of).map(|manifests| manifests.text.as_str());
        let text = text.filter(|text| text.contains(right));
        let text = text.ok_or_else(|| Failure::new(format!("{of} has no {right:?} to be spoilt")))?;
        let spoilt = Manifests { of, text: text.replacen(right, wrong, 1) };
        let faults = faults(&results(&spoilt).await?);
        ensure_eq!(faults.len(), 1, "{of} with {wrong:?}: what is found: {faults:?}");
    }
    Ok(())
}

async fn results(manifests: &Manifests) -> Outcome<Vec<Value>> {
    let source = folders::source(None)?;
    let kubeconform = tools::ensure("kubeconform", &source, &Progress::shown()).await?.program("kubeconform");
    let descriptions = tools::ensure("kubernetes", &source, &Progress::shown()).await?.share("openapi");
    let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
    let kinds =
        manifests.objects()?.iter().map(|object| (text(&object["apiVersion"]), text(&object["kind"]))).collect();
    let folder = tempfile::tempdir()?;
    schemas::write(folder.path(), &kinds, &descriptions)?;
    let schemas = format!("{}/{}", folder.path().display(), schemas::FILE);
    let words = ["-strict", "-verbose", "-output", "json", "-schema-location", &schemas, "-"];
    let finished = command::run(&kubeconform, &words, &[], Some(manifests.text.as_bytes()), LIMIT).await?;
    // It fails when it finds something: what it found tells more.
    let told: Value = serde_json::from_str(&finished.stdout)
        .map_err(|error| Failure::new(format!("kubeconform: {error}: {}{}", finished.stdout, finished.stderr)))?;
    // Between two separators there may be nothing.
    let is_object = |result: &&Value| result["status"] != "";
    Ok(told["resources"].as_array().into_iter().flatten().filter(is_object).cloned().collect())
}

/// Each result that is not *valid*: kinds without a schema as well.
fn faults(results: &[Value]) -> Vec<String> {
    let wrong = results.iter().filter(|result| result["status"] != "statusValid");
    wrong.map(|result| format!("{} {}: {}", result["kind"], result["name"], result["msg"])).collect()
}
