//! The projects platform from its manifest to an upload that survives its pods, and the traps of
//! Phorge and MariaDB: the package withstands them, a copy of it without the guard does not.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq};
use commonscloud_operator::api::ServiceTemplate;
use serde_json::{Value, json};

use crate::broken::Trial;
use crate::late_database::{late_by_15_seconds, stops_without_a_wait};
use crate::office::{random_mebibyte, replace_pods, sha256};
use crate::package::{builtin, node_copy, replace};
use crate::tier::{Node, READY};

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new(
            "an upload to the projects survives their pods, and a full quota stops uploads only",
            upload_survives,
        ),
        Scenario::new(
            "the projects withstand killed first starts, quotation marks in secrets and a late database",
            all_at_once,
        ),
        Scenario::new("without its guard, making Phorge's databases never ends once it was killed", killed_upgrade)
            .sampled(),
        Scenario::new("without its guard, a MariaDB killed while it was made never serves", killed_initialization)
            .sampled(),
        Scenario::new("without its guard, Phorge refuses the probes' Host", wrong_host).sampled(),
        Scenario::new("without its guard, a quotation mark in a secret breaks Phorge's configuration", quoted_secret)
            .sampled(),
        Scenario::new("without its guard, a database 15 s late stops Phorge", late_database).sampled(),
        Scenario::new("a MariaDB without Phorge's settings is refused", server_settings),
        Scenario::new("without its guard, Phorge's volume cannot be written", unwritable_volume).sampled(),
        Scenario::new(
            "a renamed administrator of Phorge stays the only one, and without that guard gets another beside",
            renamed_administrator,
        ),
        Scenario::new(
            "without its guard, a mail address that is taken stops Phorge, and the status says so",
            address_taken,
        )
        .sampled(),
    ]
}

/// Phorge's API as a person of this token.
struct Conduit<'a> {
    node: &'a Node,
    host: String,
    token: String,
}

impl<'a> Conduit<'a> {
    async fn of_administrator(node: &'a Node, entity: &str, service: &str) -> Outcome<Conduit<'a>> {
        let admin = node.administrator(entity, service).await?;
        let pod = node.pod(entity, service, "app").await?;
        let words = ["/srv/phorge/bin/standin", "token", &admin.username];
        let said = node.cluster.kubectl.exec(entity, &pod, "web", &words).await?.succeeded("bin/standin token")?;
        Ok(Self { node, host: node.host(entity, service), token: said.trim().to_owned() })
    }

    /// What a method answers, refusals included.
    async fn call(&self, method: &str, fields: &[(&str, &str)]) -> Outcome<Value> {
        let mut all = vec![("api.token", self.token.as_str())];
        all.extend(fields);
        let answer = self.node.ingress.post_form(&self.host, &format!("/api/{method}"), &all).await?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// The result of a method.
    async fn result(&self, method: &str, fields: &[(&str, &str)]) -> Outcome<Value> {
        let answer = self.call(method, fields).await?;
        ensure!(answer["error_code"].is_null(), "{method}: {answer}");
        Ok(answer["result"].clone())
    }

    async fn upload(&self, name: &str, bytes: &[u8]) -> Outcome<String> {
        let data = STANDARD.encode(bytes);
        let phid = self.result("file.upload", &[("name", name), ("data_base64", &data)]).await?;
        phid.as_str().map(str::to_owned).ok_or_else(|| Failure::new(format!("file.upload gave {phid}")))
    }

    async fn download(&self, phid: &str) -> Outcome<Vec<u8>> {
        let data = self.result("file.download", &[("phid", phid)]).await?;
        STANDARD.decode(data.as_str().unwrap_or_default()).map_err(|error| Failure::new(error.to_string()))
    }
}

async fn upload_survives(node: Arc<Node>) -> Outcome {
    let name = "feina";
    let running = node.running(&entity(name, json!({"projects": {"tier": "1gb"}}))).await?;
    ensure_eq!(running["status"]["servicesReady"], json!("1/1"), "services ready");
    let host = node.host(name, "projects");
    let status = String::from_utf8(node.ingress.get(&host, "/status/", None).await?)?;
    ensure_eq!(status.trim(), "ALIVE", "/status/");
    let page = String::from_utf8(node.ingress.get(&host, "/", None).await?)?;
    ensure!(!page.contains("mysql.port"), "a setup issue: {page}");
    let conduit = Conduit::of_administrator(&node, name, "projects").await?;
    let bytes = random_mebibyte()?;
    let phid = conduit.upload("memoria.bin", &bytes).await?;

    fill(&node, name).await?;
    let data = STANDARD.encode(&bytes);
    let refused = conduit.call("file.upload", &[("name", "massa.bin"), ("data_base64", &data)]).await?;
    ensure!(refused["error_info"].as_str().is_some_and(|text| text.contains("No space left")), "{refused}");
    conduit.result("maniphest.createtask", &[("title", "Assemblea"), ("description", "")]).await?;

    // The volume is still full: that keeps nothing from starting.
    replace_pods(&node, name, "projects", &["app", "db"]).await?;
    let again = eventually("the projects serve the file again", READY, async || conduit.download(&phid).await);
    ensure_eq!(sha256(&again.await?), sha256(&bytes), "sha256 after the pods were deleted");
    let tasks = conduit.result("maniphest.query", &[]).await?;
    ensure!(tasks.to_string().contains("Assemblea"), "{tasks}");
    Ok(())
}

/// Takes what is free on the volume that is sold, to the last block.
async fn fill(node: &Node, entity: &str) -> Outcome {
    let pod = node.pod(entity, "projects", "app").await?;
    let script = "fallocate -l $(($(df -B1 --output=avail /var/files | tail -n 1) - 8388608)) /var/files/fill; dd if=/dev/zero of=/var/files/rest bs=4k 2>&1 | grep -q 'No space left'";
    let finished = node.cluster.kubectl.exec(entity, &pod, "web", &["/bin/sh", "-c", script]).await?;
    finished.succeeded("filling the volume").map(drop)
}

fn projects_copy(node: &Node, name: &str) -> Outcome<ServiceTemplate> {
    node_copy(node, builtin("projects")?, name)
}

/// Generated keys that end a string wherever they are not quoted.
fn quote_secrets(package: &mut ServiceTemplate) {
    for key in package.spec.secrets.iter_mut().flat_map(|secret| &mut secret.keys) {
        if key.length.take().is_some() {
            key.value = Some(r#"it's "six" o'clock\"#.to_owned());
        }
    }
}

/// The first `bin/storage upgrade` dies when it has made some of the databases.
fn kill_first_upgrade(package: &mut ServiceTemplate) -> Outcome {
    let killed = r#"if [ ! -e /data/.killed-once ]; then
    : >/data/.killed-once
    STANDIN_UPGRADE_SECONDS=30 /srv/phorge/bin/storage upgrade --force &
    until [ -n "$(a_database)" ]; do sleep 0.1; done
    sleep 1
    kill -9 $!
    exit 137
fi
run /srv/phorge/bin/storage upgrade --force
"#;
    replace(package, 1, "\nrun /srv/phorge/bin/storage upgrade --force\n", &format!("\n{killed}"))
}

/// The first start of MariaDB dies as soon as its system tables' folder is there.
fn kill_first_initialization(package: &mut ServiceTemplate) -> Outcome {
    let killed = r"if [ ! -e .killed-once ]; then
    : >.killed-once
    docker-entrypoint.sh mariadbd --datadir=/var/lib/mysql/data &
    until [ -d data/mysql ]; do sleep 0.02; done
    kill -9 -1
    exit 137
fi
exec docker-entrypoint.sh";
    replace(package, 1, "exec docker-entrypoint.sh", killed)
}

async fn all_at_once(node: Arc<Node>) -> Outcome {
    let mut package = projects_copy(&node, "feina-withstands")?;
    kill_first_initialization(&mut package)?;
    kill_first_upgrade(&mut package)?;
    late_by_15_seconds(&mut package)?;
    quote_secrets(&mut package);
    let trial = Trial::begin(&node, &package).await?;
    trial.becomes_ready().await?;
    ensure_eq!(trial.restarts("app", "prepare").await?, 1, "restarts of prepare: killed once, and waited for the rest");
    ensure_eq!(trial.restarts("db", "mariadb").await?, 1, "restarts of MariaDB");
    let admin = node.administrator(trial.name(), "site").await?;
    ensure!(admin.password.contains('"'), "no quotation mark in {:?}", admin.password);
    let conduit = Conduit::of_administrator(&node, trial.name(), "site").await?;
    let phid = conduit.upload("prova.txt", b"hola").await?;
    ensure_eq!(conduit.download(&phid).await?, b"hola", "the upload");
    trial.end().await
}

/// Waits until a container of a component was given up at least so often, and the service is not Ready.
async fn given_up(trial: Trial<'_>, component: &str, container: &str, times: i32) -> Outcome {
    let seen = async || {
        let restarts = trial.restarts(component, container).await?;
        ensure!(restarts >= times, "{container} began again {restarts} times");
        Ok(())
    };
    let words = if component == "db" { "db" } else { container };
    trial.does_not_become_ready(&[words], seen).await
}

async fn killed_upgrade(node: Arc<Node>) -> Outcome {
    let mut package = projects_copy(&node, "feina-killed")?;
    kill_first_upgrade(&mut package)?;
    replace(&mut package, 1, "\nbegin_or_begin_again\n", "\n")?;
    given_up(Trial::begin(&node, &package).await?, "app", "prepare", 2).await
}

async fn killed_initialization(node: Arc<Node>) -> Outcome {
    let mut package = projects_copy(&node, "feina-half")?;
    kill_first_initialization(&mut package)?;
    replace(&mut package, 1, "elif [ -e .initializing ]; then\n", "elif false; then\n")?;
    given_up(Trial::begin(&node, &package).await?, "db", "mariadb", 2).await
}

async fn wrong_host(node: Arc<Node>) -> Outcome {
    let mut package = projects_copy(&node, "feina-host")?;
    replace(&mut package, 2, "                - {name: Host, value: {{ hostname }}}\n", "")?;
    let trial = Trial::begin(&node, &package).await?;
    let refused = async || {
        let selector = "--field-selector=reason=Unhealthy";
        let words = ["get", "events", "-n", trial.name(), selector, "-o", "jsonpath={.items[*].message}"];
        let events = node.cluster.kubectl.ok(&words).await?;
        ensure!(events.contains("statuscode: 500"), "{events}");
        Ok(())
    };
    trial.does_not_become_ready(&["app"], refused).await
}

async fn quoted_secret(node: Arc<Node>) -> Outcome {
    let mut package = projects_copy(&node, "feina-quoted")?;
    quote_secrets(&mut package);
    let unquoted =
        r#"$text = str_replace(json_encode($settings["mysql.pass"]), '"'.$settings["mysql.pass"].'"', json_encode("#;
    replace(&mut package, 1, "$text = json_encode(", unquoted)?;
    replace(&mut package, 1, "JSON_THROW_ON_ERROR);", "JSON_THROW_ON_ERROR));")?;
    given_up(Trial::begin(&node, &package).await?, "app", "prepare", 1).await
}

async fn late_database(node: Arc<Node>) -> Outcome {
    let mut package = projects_copy(&node, "feina-late")?;
    late_by_15_seconds(&mut package)?;
    stops_without_a_wait(&node, package).await
}

async fn server_settings(node: Arc<Node>) -> Outcome {
    for (name, setting) in
        [("feina-packet", "max_allowed_packet = 64M\n"), ("feina-strict", "sql_mode = STRICT_ALL_TABLES\n")]
    {
        let mut package = projects_copy(&node, name)?;
        replace(&mut package, 1, setting, "")?;
        given_up(Trial::begin(&node, &package).await?, "app", "prepare", 1).await?;
    }
    Ok(())
}

async fn unwritable_volume(node: Arc<Node>) -> Outcome {
    let mut package = projects_copy(&node, "feina-group")?;
    replace(&mut package, 1, "        fsGroup: 2000\n", "")?;
    given_up(Trial::begin(&node, &package).await?, "app", "prepare", 1).await
}

/// What happened to the administrator between two starts.
fn between_starts(package: &mut ServiceTemplate, happened: &str) -> Outcome {
    let accounts = "\nrun php /scripts/accounts.php\n";
    replace(package, 1, accounts, &format!("{accounts}{happened}{accounts}"))
}

/// Whether there is a person of the name that the Secret has.
async fn is_there(node: &Node, trial: &Trial<'_>) -> Outcome<bool> {
    let admin = node.administrator(trial.name(), "site").await?;
    let pod = node.pod(trial.name(), "site", "app").await?;
    let words = ["/srv/phorge/bin/standin", "token", &admin.username];
    Ok(node.cluster.kubectl.exec(trial.name(), &pod, "web", &words).await?.success)
}

async fn renamed_administrator(node: Arc<Node>) -> Outcome {
    for (name, guarded) in [("feina-renamed", true), ("feina-doubled", false)] {
        let mut package = projects_copy(&node, name)?;
        between_starts(&mut package, "/srv/phorge/bin/standin rename \"$ADMIN_USERNAME\" rosa")?;
        if !guarded {
            let any = "loadAllWhere('isAdmin = 1 AND isDisabled = 0 AND isSystemAgent = 0')";
            replace(&mut package, 1, any, "loadAllWhere('userName = %s', $username)")?;
        }
        let trial = Trial::begin(&node, &package).await?;
        trial.becomes_ready().await?;
        ensure_eq!(is_there(&node, &trial).await?, !guarded, "whether a second administrator was made");
        trial.end().await?;
    }
    Ok(())
}

async fn address_taken(node: Arc<Node>) -> Outcome {
    let gone = "/srv/phorge/bin/standin rename \"$ADMIN_USERNAME\" rosa\n/srv/phorge/bin/standin disable rosa";
    let mut package = projects_copy(&node, "feina-gone")?;
    between_starts(&mut package, gone)?;
    let trial = Trial::begin(&node, &package).await?;
    trial.becomes_ready().await?;
    ensure!(is_there(&node, &trial).await?, "nobody administers");
    trial.end().await?;

    let mut package = projects_copy(&node, "feina-taken")?;
    between_starts(&mut package, gone)?;
    replace(&mut package, 1, "for ($number = 2; id(", "for ($number = 2; false && id(")?;
    let trial = Trial::begin(&node, &package).await?;
    trial.does_not_become_ready(&["prepare", "Duplicate entry"], async || Ok(())).await
}
