//! What the office's container `cron` sets while it serves: a quota in Kubernetes' units, and whose
//! accounts people of an identity provider get; and copies of the package without the guards.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::command::Finished;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, eventually};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use commonscloud_operator::api::ServiceTemplate;
use serde_json::{Value, json};

use crate::broken::Trial;
use crate::office::{dav, psql, replace_pods};
use crate::package::{office_copy, replace};
use crate::tier::{Node, READY};

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new("a quota of 5k takes 5000 bytes, and without its guard refuses every upload", small_k),
        Scenario::new(
            "nobody whom an identity provider calls admin gets the office's administrator, and without its guard does",
            borrowed_account,
        ),
        Scenario::new(
            "a sign-in that cannot be set is told, keeps nobody out, and comes by itself once it can",
            no_sign_in,
        ),
    ]
}

/// What somebody is told whose account is another's.
const CONFLICT: &str = "User conflict";
/// The Secret of the office's client at the identity provider.
const CLIENT: &str = "identity-provider";
/// How long settings may take from Ready to their effect.
const APPLIED: Duration = Duration::from_mins(2);

/// The status of an upload of so many bytes, in the place of the one before.
async fn upload(node: &Node, entity: &str, bytes: usize) -> Outcome<u16> {
    let admin = node.administrator(entity, "site").await?;
    let (host, path) = (node.host(entity, "site"), dav(&admin, "prova.bin"));
    Ok(node.ingress.send("PUT", &host, &path, Some(&admin), vec![b'x'; bytes]).await?.status.as_u16())
}

async fn refused(node: &Node, entity: &str, bytes: usize) -> Outcome {
    let status = upload(node, entity, bytes).await?;
    ensure!(status == 507, "an upload of {bytes} bytes: {status}");
    Ok(())
}

/// What a command of the office's says.
async fn said_by_occ(node: &Node, trial: &Trial<'_>, words: &[&str]) -> Outcome<String> {
    Ok(occ(node, trial, words).await?.succeeded("occ")?.trim().to_owned())
}

/// What upstream's own checks ask of whoever administers is done: after the installation, as after upgrades.
async fn left_to_nobody(node: &Node, trial: &Trial<'_>) -> Outcome {
    let version = said_by_occ(node, trial, &["config:system:get", "version"]).await?;
    eventually("the repairs of this version are done", APPLIED, async || {
        for app in ["core", "commonscloud"] {
            let repaired =
                said_by_occ(node, trial, &["config:app:get", app, "repaired", "--default-value=none"]).await?;
            ensure_eq!(repaired, version, "what {app} was repaired for");
        }
        Ok(())
    })
    .await?;
    let db = node.pod(trial.name(), "site", "db").await?;
    let sql = "select count(*) from pg_indexes where indexname = 'fs_size'";
    ensure_eq!(psql(node, trial.name(), &db, sql).await?, "1", "indices that an installation does not make");
    for (setting, value) in [("maintenance_window_start", "1"), ("has_internet_connection", "false")] {
        ensure_eq!(said_by_occ(node, trial, &["config:system:get", setting]).await?, value, "{setting}");
    }
    let pod = node.pod(trial.name(), "site", "app").await?;
    let headers = "echo implode(PHP_EOL, get_headers('http://127.0.0.1/status.php'));";
    let said = node.cluster.kubectl.exec(trial.name(), &pod, "nextcloud", &["php", "-r", headers]).await?;
    let said = said.succeeded("the headers of a page")?;
    ensure!(said.contains("Strict-Transport-Security: max-age=15552000"), "{said}");
    Ok(())
}

async fn small_k(node: Arc<Node>) -> Outcome {
    let quota = json!({"defaultUserQuota": "5k"});
    let trial = Trial::begin_with(&node, &office_copy(&node, "quota")?, &quota).await?;
    trial.becomes_ready().await?;
    eventually("the quota is applied", APPLIED, async || refused(&node, trial.name(), 5001).await).await?;
    let status = upload(&node, trial.name(), 5000).await?;
    ensure!(status < 300, "an upload of 5000 bytes: {status}");
    left_to_nobody(&node, &trial).await?;
    trial.end().await?;

    let mut package = office_copy(&node, "quota-zero")?;
    let converted = " | sed 's/k$/K/' | numfmt --from=auto) ||\n        fail";
    replace(&mut package, 1, converted, " | numfmt --from=auto) ||\n        echo")?;
    let trial = Trial::begin_with(&node, &package, &quota).await?;
    trial.becomes_ready().await?;
    eventually("no quota at all is applied", APPLIED, async || refused(&node, trial.name(), 1).await).await?;
    trial.end().await
}

/// An office with an identity provider, and the Secret of its client.
async fn with_provider<'a>(node: &'a Node, package: &ServiceTemplate) -> Outcome<Trial<'a>> {
    let trial = with_client(node, package, &json!({"client-id": "office", "client-secret": "secret"})).await?;
    trial.becomes_ready().await?;
    Ok(trial)
}

/// The Secret of an identity provider's client, in the namespace of the parameters that name it.
async fn apply_client(node: &Node, entity: &str, values: &Value) -> Outcome {
    let metadata = json!({"name": CLIENT, "namespace": entity, "labels": {"commonscloud.coop/for": "site"}});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values});
    node.cluster.applied(std::slice::from_ref(&secret)).await
}

/// An office that is to sign in as a client with these values.
async fn with_client<'a>(node: &'a Node, package: &ServiceTemplate, values: &Value) -> Outcome<Trial<'a>> {
    let oidc = json!({"issuer": "https://id.example.org", "clientSecretName": CLIENT, "allowedGroups": ["hort"]});
    let trial = Trial::begin_with(node, package, &json!({"oidc": oidc})).await?;
    eventually("the Entity's namespace is there", READY, async || apply_client(node, trial.name(), values).await)
        .await?;
    Ok(trial)
}

/// What the office says in a condition: its status, reason and message.
async fn told(node: &Node, entity: &str, kind: &str) -> Outcome<(String, String)> {
    let office = resources::ours_in(&node.cluster.client, "DedicatedService", entity).get("site").await?;
    let office = serde_json::to_value(office)?;
    let condition = condition(&office, kind).ok_or_else(|| Failure::new(format!("no condition {kind}")))?;
    let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
    Ok((format!("{}/{}", text("status"), text("reason")), text("message")))
}

async fn no_sign_in(node: Arc<Node>) -> Outcome {
    let trial = with_client(&node, &office_copy(&node, "no-sign-in")?, &json!({"client-id": "office"})).await?;
    eventually("the office says why there is no sign-in", READY, async || {
        let (configured, why) = told(&node, trial.name(), "Configured").await?;
        ensure!(configured == "False/SettingsFailed", "{configured}: {why}");
        ensure!(why == "settings: the Secret that oidc.clientSecretName names has no client-secret", "{why}");
        let (ready, _) = told(&node, trial.name(), "Ready").await?;
        ensure!(ready == "False/SettingsFailed", "{ready}");
        Ok(())
    })
    .await?;
    let status = upload(&node, trial.name(), 5000).await?;
    ensure!(status < 300, "people of the office itself are kept out: {status}");
    apply_client(&node, trial.name(), &json!({"client-id": "office", "client-secret": "secret"})).await?;
    trial.becomes_ready().await?;
    eventually("the settings are applied", READY, async || {
        let (configured, why) = told(&node, trial.name(), "Configured").await?;
        ensure!(configured == "True/SettingsApplied", "{configured}: {why}");
        Ok(())
    })
    .await?;
    trial.end().await
}

/// Whose account somebody of the provider gets, or the refusal.
async fn signed_in(node: &Node, trial: &Trial<'_>, sub: &str, name: &str) -> Outcome<String> {
    let claims = json!({"sub": sub, "preferred_username": name, "groups": ["hort"]}).to_string();
    let said = occ(node, trial, &["standin:sign-in", "commonscloud", &claims]).await?;
    // kubectl says in a line of its own that the command failed.
    let refusal = said.stderr.lines().find(|line| line.contains(CONFLICT)).unwrap_or(&said.stderr);
    Ok(if said.success { &said.stdout } else { refusal }.trim().to_owned())
}

async fn occ(node: &Node, trial: &Trial<'_>, words: &[&str]) -> Outcome<Finished> {
    let pod = node.pod(trial.name(), "site", "app").await?;
    let words = [&["php", "/var/www/html/occ"], words].concat();
    node.cluster.kubectl.exec(trial.name(), &pod, "nextcloud", &words).await
}

/// Waits until the settings make this of somebody.
async fn becomes(node: &Node, trial: &Trial<'_>, (sub, name): (&str, &str), account: &str) -> Outcome {
    eventually(&format!("{sub}, called {name}, becomes {account}"), APPLIED, async || {
        let became = signed_in(node, trial, sub, name).await?;
        ensure!(became.ends_with(account), "{became}");
        Ok(())
    })
    .await
}

async fn borrowed_account(node: Arc<Node>) -> Outcome {
    let trial = with_provider(&node, &office_copy(&node, "sign-in")?).await?;
    becomes(&node, &trial, ("8f1c", "admin"), "8f1c").await?;
    becomes(&node, &trial, ("admin", "rosa"), CONFLICT).await?;

    // An office from before the claim was recorded keeps the one that its people were known by.
    occ(&node, &trial, &["config:app:delete", "commonscloud", "oidc_uid"]).await?.succeeded("occ")?;
    replace_pods(&node, trial.name(), "site", &["app"]).await?;
    becomes(&node, &trial, ("8f1c", "rosa"), "rosa").await?;
    becomes(&node, &trial, ("8f1c", "admin"), CONFLICT).await?;
    trial.end().await?;

    let mut package = office_copy(&node, "sign-in-open")?;
    let guard = "    occ config:system:set user_oidc soft_auto_provision --type=boolean --value=false\n";
    replace(&mut package, 1, guard, "")?;
    let trial = with_provider(&node, &package).await?;
    becomes(&node, &trial, ("admin", "rosa"), "admin").await?;
    trial.end().await?;

    let mut package = office_copy(&node, "sign-in-by-name")?;
    replace(&mut package, 1, "    claim=sub\n", "    claim=preferred_username\n")?;
    let trial = with_provider(&node, &package).await?;
    becomes(&node, &trial, ("8f1c", "rosa"), "rosa").await?;
    trial.end().await
}
