//! What a service package may not be: at admission, else as a condition of the package, which its
//! instances do not feel.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::{entity, namespaced};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, ready};
use commonscloud_e2e::{Failure, Outcome, ensure, resources};
use commonscloud_operator::template;
use serde_json::{Value, json};

use super::table::{Row, Table, hold, row};
use super::watch::{Running, Watch};
use super::with;
use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("a faulty package is refused by every door, and a revision cannot be changed", refused),
        Scenario::new("a package that renders what it may not says so, and its instances run on", told),
        Scenario::new("an instance of a package that was never good says what is wrong with it", never_good),
    ]
}

/// A copy of the Radicale package under another name.
pub fn copy(tier: &ControlPlane, name: &str) -> Outcome<Value> {
    let mut copy = template::load_directory(&tier.cluster.programs.source.join("examples/templates/radicale.yaml"))?;
    copy.metadata.name = Some(name.to_owned());
    Ok(json!(copy))
}

fn rows(base: &Value) -> Vec<Row> {
    let mut rows = malformed(base);
    rows.extend(growths());
    rows
}

fn malformed(base: &Value) -> Vec<Row> {
    let kind = "/spec/manifests/0/objects/0/kind";
    let image = "/spec/versions/0/images/0/reference";
    let allowed =
        &["objects[].kind: packages cannot render this kind", "cluster-wide", "allowed: NetworkPolicy, ServiceAccount"];
    let manifest = "/spec/manifests/0/name";
    vec![
        row("cluster-wide kind", kind, json!("ClusterRole"), json!("NetworkPolicy"), allowed),
        row("kind that gives rights", kind, json!("RoleBinding"), json!("ConfigMap"), allowed),
        row(
            "malformed image",
            image,
            json!("radicale 3"),
            json!("docker.io/local/radicale:4"),
            &["spec.versions[0].images[0].reference"],
        ),
        row("path as a manifest's name", manifest, json!("../a.yaml"), json!("a.yaml"), &["spec.manifests[0].name"]),
        row(
            "two volumes of one name",
            "/spec/volumes",
            json!([volume(), volume()]),
            json!([volume()]),
            &["volumes", "uplicate"],
        ),
        row("no manifests", "/spec/manifests", json!([]), base["spec"]["manifests"].clone(), &["spec.manifests"]),
        row("malformed name", "/metadata/name", json!("with.dot"), json!("sound-name"), &["metadata.name"]).of_new(),
        row("unknown field", "/spec/volume", json!("data"), Value::Null, &["volume"]),
    ]
}

fn volume() -> Value {
    json!({"name": "data", "size": "quota", "carriesQuota": true})
}

/// What a volume outside the quota may not say of its growth.
fn growths() -> Vec<Row> {
    let grows = |growth: Value| json!([volume(), {"name": "db", "size": "1Gi", "growth": growth}]);
    let sound = || grows(json!({"maximum": "4Gi", "whenFreeBelowPercent": 5, "stepPercent": 100}));
    let bad = |fault, growth: Value, says| row(fault, "/spec/volumes", grows(growth), sound(), says);
    let sold = json!([{"name": "data", "size": "quota", "carriesQuota": true, "growth": {"maximum": "quota"}}]);
    vec![
        row(
            "growth of what is sold",
            "/spec/volumes",
            sold,
            sound(),
            &["spec.volumes[0]", "whose size is what is sold"],
        ),
        bad("growth without end", json!({}), &["spec.volumes[1].growth.maximum", "Required"]),
        bad("empty maximum", json!({"maximum": ""}), &["spec.volumes[1].growth.maximum"]),
        bad(
            "growth too late",
            json!({"maximum": "4Gi", "whenFreeBelowPercent": 4}),
            &["growth.whenFreeBelowPercent", "greater than or equal to 5"],
        ),
        bad(
            "growth too early",
            json!({"maximum": "4Gi", "whenFreeBelowPercent": 51}),
            &["growth.whenFreeBelowPercent", "less than or equal to 50"],
        ),
        bad(
            "too small a step",
            json!({"maximum": "4Gi", "stepPercent": 19}),
            &["growth.stepPercent", "greater than or equal to 20"],
        ),
        bad(
            "too large a step",
            json!({"maximum": "4Gi", "stepPercent": 101}),
            &["growth.stepPercent", "less than or equal to 100"],
        ),
    ]
}

async fn refused(tier: Arc<ControlPlane>) -> Outcome {
    let name = "refused-package";
    let base = copy(&tier, name)?;
    let table = Table { rows: rows(&base), base };
    table.founded(&tier).await?;
    let templates = resources::ours(&tier.cluster.client, "ServiceTemplate");
    let made = ready(&templates, name, READY).await?;
    let revision = made["status"]["revision"].as_str().unwrap_or_default().to_owned();
    let live = resources::ours(&tier.cluster.client, "ServiceTemplateRevision").get(&revision).await?;
    let mut live = serde_json::to_value(live)?;
    live["metadata"] = json!({"name": revision});
    let stays = &["a revision cannot be changed", "change the ServiceTemplate, which makes a new one"];
    let of_revision = row("changed revision", "/spec/template", json!("other"), json!(name), stays).of_change();
    let revisions = Table { base: live, rows: vec![of_revision] };
    let watched = [("ServiceTemplate", name.to_owned()), ("ServiceTemplateRevision", revision)];
    let running = watched.map(|(kind, name)| Running::Object(kind, name)).to_vec();
    hold(&tier, &[table, revisions], running).await
}

/// A fault that only rendering shows: what is put at the end of a manifest, and what is said of it.
struct Rendered {
    fault: &'static str,
    more: &'static str,
    says: &'static [&'static str],
}

/// Each in manifest `app.yaml`, which declares ConfigMap `app`, and no other.
const RENDERED: [Rendered; 8] = [
    Rendered {
        fault: "undeclared object",
        more: "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ instance.name ~ \"-more\" }}}\n",
        says: &["app.yaml", "renders ConfigMap more", "do not declare"],
    },
    Rendered {
        fault: "another namespace",
        more: "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ instance.name ~ \"-app\" }}, namespace: kube-system}\n",
        says: &["app.yaml", "metadata.namespace must be the instance's own", "leave it out"],
    },
    Rendered {
        fault: "cluster-wide kind",
        more: "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: {{ instance.name ~ \"-app\" }}}\n",
        says: &["app.yaml", "the kind \"ClusterRole\" is not allowed: it is cluster-wide", "allowed: NetworkPolicy"],
    },
    Rendered {
        fault: "another's name",
        more: "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: kube-root-ca.crt}\n",
        says: &["app.yaml", "renders ConfigMap kube-root-ca.crt", "a name is {{ instance.name ~ \"-NAME\" }}"],
    },
    Rendered {
        fault: "invalid YAML",
        more: "---\nkind: [ConfigMap\n",
        says: &["app.yaml", "renders to text that is no YAML", "[ConfigMap"],
    },
    Rendered { fault: "Tera syntax", more: "{{ instance.name\n", says: &["app.yaml:"] },
    Rendered { fault: "unknown value", more: "# {{ does_not_exist }}\n", says: &["app.yaml:", "does_not_exist"] },
    Rendered { fault: "text of others", more: "{% include \"/etc/passwd\" %}\n", says: &["app.yaml:", "include"] },
];

impl Rendered {
    /// The package with the fault.
    fn of(&self, package: &Value) -> Value {
        let at = "/spec/manifests/1/template";
        let template = package.pointer(at).and_then(Value::as_str).unwrap_or_default();
        with(package.clone(), at, json!(format!("{template}\n{}", self.more)))
    }
}

/// Waits until the package is stalled in these words, for the generation that it has now.
async fn stalled(tier: &ControlPlane, name: &str, words: &[&str]) -> Outcome {
    let templates = resources::ours(&tier.cluster.client, "ServiceTemplate");
    eventually("the package's status names the fault", Duration::from_secs(20), async || {
        let package = serde_json::to_value(templates.get(name).await?)?;
        let current = package["status"]["observedGeneration"] == package["metadata"]["generation"];
        ensure!(current, "its status is about an older generation");
        let said = condition(&package, "Stalled").filter(|said| said["status"] == "True");
        let said = said.ok_or_else(|| Failure::new(conditions(&package)))?;
        let message = said["message"].as_str().unwrap_or_default();
        let missing: Vec<_> = words.iter().filter(|words| !message.contains(**words)).collect();
        ensure!(said["reason"] == "PackageInvalid" && missing.is_empty(), "no {missing:?} in {said}");
        Ok(())
    })
    .await
}

async fn told(tier: Arc<ControlPlane>) -> Outcome {
    let name = "told-package";
    let package = copy(&tier, name)?;
    tier.cluster.applied(std::slice::from_ref(&package)).await?;
    let service = json!({"name": "site", "template": name, "tier": "1gb"});
    tier.running(&entity(name, json!({"others": [service]}))).await?;
    let watch = Watch::over(&tier, vec![Running::Entity(name.to_owned())]).await?;
    let mut faults = Vec::new();
    for rendered in &RENDERED {
        tier.cluster.applied(&[rendered.of(&package)]).await?;
        let said = stalled(&tier, name, rendered.says).await;
        faults.extend(said.err().map(|failure| format!("{}: {failure}", rendered.fault)));
        faults.extend(watch.touched(&tier).await?.into_iter().map(|line| format!("{}: {line}", rendered.fault)));
    }
    tier.cluster.applied(&[package]).await?;
    ready(&resources::ours(&tier.cluster.client, "ServiceTemplate"), name, READY).await?;
    faults.extend(watch.touched(&tier).await?);
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

async fn never_good(tier: Arc<ControlPlane>) -> Outcome {
    let name = "never-good";
    let package = copy(&tier, name)?;
    let faulty = RENDERED[0].of(&package);
    let service = namespaced("DedicatedService", name, "site", json!({"template": name, "tier": "1gb"}));
    tier.running(&entity(name, json!({}))).await?;
    tier.cluster.applied(&[faulty, service]).await?;
    stalled(&tier, name, RENDERED[0].says).await?;
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", name);
    eventually("the instance says what is wrong with its package", Duration::from_secs(20), async || {
        let service = serde_json::to_value(services.get("site").await?)?;
        let said = condition(&service, "Stalled").ok_or_else(|| Failure::new(conditions(&service)))?;
        let message = said["message"].as_str().unwrap_or_default();
        let tells = message.contains("ServiceTemplate never-good is refused") && message.contains("ConfigMap more");
        ensure!(said["reason"] == "PackageInvalid" && tells, "{said}");
        Ok(())
    })
    .await?;
    tier.cluster.applied(&[package]).await?;
    ready(&services, "site", READY).await.map(drop)
}
