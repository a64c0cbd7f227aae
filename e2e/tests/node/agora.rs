//! The agora from its manifest to a post and an upload that survive its pods, and the traps of
//! Discourse: the package withstands them, a copy of it without the guard does not.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq};
use commonscloud_operator::api::ServiceTemplate;
use serde_json::{Value, json};

use crate::broken::Trial;
use crate::killed_database::{KILLED, kill_first_starts};
use crate::late_database::{late_by_15_seconds, stops_without_a_wait};
use crate::office::{random_mebibyte, replace_pods, sha256};
use crate::package::{builtin, node_copy, quote_secrets, replace};
use crate::tier::{Node, READY};

/// The line by which the init step migrates.
const MIGRATE: &str = "\nSKIP_POST_DEPLOYMENT_MIGRATIONS=1 su discourse -c 'bundle exec rake db:migrate'\n";

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new(
            "a post and an upload to the agora survive its pods, and a full quota stops uploads only",
            survive,
        ),
        Scenario::new(
            "the agora withstands killed first starts, quotation marks in secrets and a late database",
            all_at_once,
        ),
        Scenario::new("a rotated client secret reaches the agora, which begins again with it", rotated_client),
        Scenario::new("without its guard, a killed migration leaves the agora down", killed_migration).sampled(),
        Scenario::new("without its guard, the agora's database lacks an extension", missing_extension).sampled(),
        Scenario::new("without its guard, the agora has no host name", no_hostname).sampled(),
        Scenario::new("without its guard, the agora's Redis would drop jobs", eviction).sampled(),
        Scenario::new(
            "without its guard, a quotation mark in a secret breaks Discourse's configuration",
            quoted_secret,
        )
        .sampled(),
        Scenario::new("without its guard, a database 15 s late stops the agora", late_database).sampled(),
    ]
}

/// Discourse's API, as `system`.
struct Forum<'a> {
    node: &'a Node,
    host: String,
    key: String,
}

impl<'a> Forum<'a> {
    async fn of(node: &'a Node, entity: &str, service: &str) -> Outcome<Forum<'a>> {
        let pod = node.pod(entity, service, "app").await?;
        let words = ["rake", "api_key:create_master[e2e]"];
        let said = node.cluster.kubectl.exec(entity, &pod, "discourse", &words).await?.succeeded("rake")?;
        let key = said.lines().last().unwrap_or_default().trim().to_owned();
        Ok(Self { node, host: node.host(entity, service), key })
    }

    async fn send(&self, path: &str, kind: &str, body: Vec<u8>) -> Outcome<(u16, Value)> {
        let headers = [("api-key", self.key.as_str()), ("api-username", "system"), ("content-type", kind)];
        let answer = self.node.ingress.send_with("POST", &self.host, path, &headers, body).await?;
        Ok((answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or_default()))
    }

    async fn post(&self, title: &str, raw: &str) -> Outcome<u64> {
        let body = json!({"title": title, "raw": raw}).to_string().into_bytes();
        let (status, said) = self.send("/posts.json", "application/json", body).await?;
        ensure_eq!(status, 200, "POST /posts.json: {said}");
        said["id"].as_u64().ok_or_else(|| Failure::new(format!("a post without an id: {said}")))
    }

    /// The status, and the upload's URL or what was said instead.
    async fn upload(&self, name: &str, bytes: &[u8]) -> Outcome<(u16, Value)> {
        let border = "border-of-the-parts";
        let field = |name: &str, value: &str| {
            format!("--{border}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let mut body = (field("type", "composer") + &field("synchronous", "true")).into_bytes();
        let head = format!(
            "--{border}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        body.extend(head.into_bytes());
        body.extend(bytes);
        body.extend(format!("\r\n--{border}--\r\n").into_bytes());
        self.send("/uploads.json", &format!("multipart/form-data; boundary={border}"), body).await
    }

    async fn get(&self, path: &str) -> Outcome<Vec<u8>> {
        self.node.ingress.get(&self.host, path, None).await
    }
}

async fn survive(node: Arc<Node>) -> Outcome {
    let name = "assemblea";
    let parameters = json!({"contactMail": "agora@example.org"});
    let running = node.running(&entity(name, json!({"agora": {"tier": "1gb", "parameters": parameters}}))).await?;
    ensure_eq!(running["status"]["servicesReady"], json!("1/1"), "services ready");
    let forum = Forum::of(&node, name, "agora").await?;
    ensure_eq!(forum.get("/srv/status").await?, b"ok", "/srv/status");
    let post = forum.post("Ordre del dia", "Primer punt: els pressupostos").await?;
    let bytes = random_mebibyte()?;
    let (status, uploaded) = forum.upload("acta.bin", &bytes).await?;
    ensure_eq!(status, 200, "the upload: {uploaded}");
    let url = uploaded["url"].as_str().unwrap_or_default().to_owned();

    fill(&node, name).await?;
    let (status, refused) = forum.upload("massa.bin", &random_mebibyte()?).await?;
    ensure!(status == 500 && refused.to_string().contains("No space left"), "{status}: {refused}");
    forum.post("Segon punt", "Un quota plena no atura el debat").await?;

    // The volume is still full: that keeps nothing from starting.
    replace_pods(&node, name, "agora", &["app", "db", "redis"]).await?;
    let again = eventually("the agora serves the upload again", READY, async || forum.get(&url).await);
    ensure_eq!(sha256(&again.await?), sha256(&bytes), "sha256 after the pods were deleted");
    let read = String::from_utf8(forum.get(&format!("/posts/{post}.json")).await?)?;
    ensure!(read.contains("els pressupostos"), "{read}");
    administered(&node, name, "agora").await
}

/// The first administrator is there, under the name that the Secret says.
async fn administered(node: &Node, entity: &str, service: &str) -> Outcome {
    let admin = node.administrator(entity, service).await?;
    let db = node.pod(entity, service, "db").await?;
    eventually("the first administrator is there", READY, async || {
        let sql = "SELECT username FROM users WHERE admin";
        let words = ["psql", "-U", "discourse", "-d", "discourse", "-tAc", sql];
        let found = node.cluster.kubectl.exec(entity, &db, "postgres", &words).await?.succeeded(sql)?;
        ensure!(found.lines().any(|line| line.trim() == admin.username), "administrators: {found:?}");
        Ok(())
    })
    .await
}

/// Takes what is free on the volume that is sold, to the last block.
async fn fill(node: &Node, entity: &str) -> Outcome {
    let pod = node.pod(entity, "agora", "app").await?;
    let script = "dd if=/dev/zero of=/shared/fill bs=1M 2>&1 | grep -q 'No space left' && dd if=/dev/zero of=/shared/fill-more bs=4k 2>&1 | grep -q 'No space left'";
    let finished = node.cluster.kubectl.exec(entity, &pod, "discourse", &["/bin/sh", "-c", script]).await?;
    finished.succeeded("filling the volume").map(drop)
}

fn agora_copy(node: &Node, name: &str) -> Outcome<ServiceTemplate> {
    node_copy(node, builtin("agora")?, name)
}

/// The first migration dies when two of its steps are done; `then` is what later runs do.
fn kill_first_migration(package: &mut ServiceTemplate, then: &str) -> Outcome {
    let killed = r#"
if [ ! -e /shared/.killed-once ]; then
    : >/shared/.killed-once
    STANDIN_MIGRATE_SECONDS=60 SKIP_POST_DEPLOYMENT_MIGRATIONS=1 su discourse -c 'bundle exec rake db:migrate' &
    until [ "$(sql 'SELECT count(*) FROM schema_migrations' 2>/dev/null || echo 0)" -ge 2 ]; do sleep 0.1; done
    # With its first process the whole container is killed.
    exit 137
fi"#;
    replace(package, 1, MIGRATE, &format!("{killed}{then}"))
}

async fn all_at_once(node: Arc<Node>) -> Outcome {
    let mut package = agora_copy(&node, "agora-withstands")?;
    kill_first_starts(&mut package)?;
    kill_first_migration(&mut package, MIGRATE)?;
    late_by_15_seconds(&mut package)?;
    quote_secrets(&mut package);
    let trial = Trial::begin(&node, &package).await?;
    trial.becomes_ready().await?;
    ensure_eq!(trial.restarts("app", "prepare").await?, 1, "restarts of prepare: killed once, and waited for the rest");
    ensure_eq!(trial.restarts("db", "postgres").await?, KILLED, "restarts of PostgreSQL: killed, and nothing else");
    let admin = node.administrator(trial.name(), "site").await?;
    ensure!(admin.password.contains('\''), "no quotation mark in {:?}", admin.password);
    Forum::of(&node, trial.name(), "site").await?.post("Prova", "hola").await?;
    trial.end().await
}

/// How long a changed Secret may take: the kubelet's next look, six probes, and a start.
const FOLLOWS: Duration = Duration::from_mins(5);

async fn rotated_client(node: Arc<Node>) -> Outcome {
    let client = "identity-provider";
    let oidc = json!({"issuer": "https://id.example.org", "clientSecretName": client});
    let trial = Trial::begin_with(&node, &agora_copy(&node, "agora-client")?, &json!({"oidc": oidc})).await?;
    let secret = |value: &str| {
        let labels = json!({"commonscloud.coop/for": "site"});
        let metadata = json!({"name": client, "namespace": trial.name(), "labels": labels});
        let values = json!({"client-id": "agora", "client-secret": value});
        [json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values})]
    };
    let old = secret("old");
    eventually("the Entity's namespace is there", READY, async || node.cluster.applied(&old).await).await?;
    trial.becomes_ready().await?;
    node.cluster.applied(&secret("new")).await?;
    eventually("the agora has the new secret", FOLLOWS, async || {
        let pod = node.pod(trial.name(), "site", "app").await?;
        let words = ["grep", "openid_connect_client_secret = 'new'", "/var/www/discourse/config/discourse.conf"];
        node.cluster.kubectl.exec(trial.name(), &pod, "discourse", &words).await?.succeeded("grep").map(drop)
    })
    .await?;
    eventually("the kubelet tells of the restart", READY, async || {
        ensure_eq!(trial.restarts("app", "discourse").await?, 1, "restarts of the application");
        Ok(())
    })
    .await?;
    trial.becomes_ready().await?;
    trial.end().await
}

async fn killed_migration(node: Arc<Node>) -> Outcome {
    let mut package = agora_copy(&node, "agora-killed")?;
    kill_first_migration(&mut package, "\n")?;
    let trial = Trial::begin(&node, &package).await?;
    let refused = async || {
        let selector = "--field-selector=reason=Unhealthy";
        let words = ["get", "events", "-n", trial.name(), selector, "-o", "jsonpath={.items[*].message}"];
        let events = node.cluster.kubectl.ok(&words).await?;
        ensure!(events.contains("statuscode: 502"), "{events}");
        Ok(())
    };
    trial.does_not_become_ready(&["app"], refused).await
}

/// Waits until the init step was given up at least `times` times, saying `words`, and the service is
/// not Ready.
async fn given_up(node: &Node, trial: Trial<'_>, times: i32, words: &str) -> Outcome {
    let seen = async || {
        let restarts = trial.restarts("app", "prepare").await?;
        ensure!(restarts >= times, "prepare began again {restarts} times");
        let pods = "commonscloud.coop/instance=site,app.kubernetes.io/component=app";
        let log = ["logs", "-n", trial.name(), "-l", pods, "-c", "prepare", "--previous", "--tail=20"];
        let said = node.cluster.kubectl.ok(&log).await?;
        ensure!(said.contains(words), "{said}");
        Ok(())
    };
    trial.does_not_become_ready(&["prepare"], seen).await
}

async fn missing_extension(node: Arc<Node>) -> Outcome {
    let mut package = agora_copy(&node, "agora-vector")?;
    replace(&mut package, 1, "CREATE EXTENSION vector;\n", "")?;
    given_up(&node, Trial::begin(&node, &package).await?, 1, "lacks the extension vector").await
}

async fn no_hostname(node: Arc<Node>) -> Outcome {
    let mut package = agora_copy(&node, "agora-host")?;
    replace(&mut package, 1, "  DISCOURSE_HOSTNAME: {{ hostname }}\n", "")?;
    given_up(&node, Trial::begin(&node, &package).await?, 1, "HOSTNAME").await
}

async fn eviction(node: Arc<Node>) -> Outcome {
    let mut package = agora_copy(&node, "agora-redis")?;
    replace(&mut package, 1, "maxmemory-policy noeviction'", "maxmemory-policy allkeys-lru'")?;
    given_up(&node, Trial::begin(&node, &package).await?, 1, "must be noeviction").await
}

async fn quoted_secret(node: Arc<Node>) -> Outcome {
    let mut package = agora_copy(&node, "agora-quoted")?;
    quote_secrets(&mut package);
    replace(&mut package, 1, "    *\\'*) mark=", "    never) mark=")?;
    given_up(&node, Trial::begin(&node, &package).await?, 1, "authentication failed").await
}

async fn late_database(node: Arc<Node>) -> Outcome {
    let mut package = agora_copy(&node, "agora-late")?;
    late_by_15_seconds(&mut package)?;
    stops_without_a_wait(&node, package).await
}
