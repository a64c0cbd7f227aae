//! The traps of the upstream image: the package withstands them, and a copy of it without the guard
//! does not become Ready.

use std::sync::Arc;

use commonscloud_e2e::command::Finished;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Outcome, ensure, ensure_eq};
use commonscloud_operator::api::ServiceTemplate;

use crate::broken::Trial;
use crate::killed_database::{KILLED, kill_first_starts};
use crate::late_database::{late_by_15_seconds, stops_without_a_wait};
use crate::office::{psql, replace_pods};
use crate::package::{office_copy, quote_secrets, replace};
use crate::tier::{Node, READY};

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new(
            "the office withstands killed first starts, quotation marks in secrets and a late database",
            all_at_once,
        ),
        Scenario::new(
            "without its guard, an installation killed after the version file was written never ends",
            killed_installation,
        )
        .sampled(),
        Scenario::new(
            "without its guard, an installation killed after it made the administrator's home is refused for ever",
            first_try_files,
        )
        .sampled(),
        Scenario::new(
            "files without their database are refused, and without that guard a killed installation destroys them",
            files_alone,
        ),
        Scenario::new(
            "what serves an office cannot leave the marker that drops its database, and without that guard it does",
            marker_out_of_reach,
        ),
        Scenario::new("without its guard, a wrong Host header keeps the probes from passing", wrong_host).sampled(),
        Scenario::new("without its guard, a quotation mark in a secret stops the database", quoted_secret).sampled(),
        Scenario::new("without its guard, a database 15 s late stops the installation", late_database).sampled(),
        Scenario::new("without its guard, an unwritable session file stops the application", session_file).sampled(),
        Scenario::new("a database whose indexes another C library sorted is refused in words", other_library),
    ]
}

/// Of an installation: on the volume before it begins.
const VERSION_FILE: &str = "$html/version.php";
/// Of an installation: made half-way, after the tables.
const ADMINISTRATORS_HOME: &str = "$files/$NEXTCLOUD_ADMIN_USER";

/// The first run of the init step dies as soon as the image's entrypoint has made a file or folder.
fn kill_after(package: &mut ServiceTemplate, made: &str) -> Outcome {
    let killed = r#"if [ ! -e /data/.killed-once ]; then
    : >/data/.killed-once
    NEXTCLOUD_UPDATE=1 /entrypoint.sh true &
    until [ -e "MADE" ]; do sleep 0.1; done
    kill -9 $!
    # With its first process the whole container is killed.
    kill -9 $$
    exit 137
fi
NEXTCLOUD_UPDATE=1 /entrypoint.sh true
"#;
    replace(package, 1, "NEXTCLOUD_UPDATE=1 /entrypoint.sh true\n", &killed.replace("MADE", made))
}

/// The database begins 15 s late besides, so that a later try of the kubelet's meets the same.
fn late(package: &mut ServiceTemplate) -> Outcome {
    replace(package, 1, "exec 9>>.lock\n", "[ -e .killed-once ] || sleep 15\nexec 9>>.lock\n")?;
    late_by_15_seconds(package)
}

async fn all_at_once(node: Arc<Node>) -> Outcome {
    let mut package = office_copy(&node, "withstands")?;
    kill_first_starts(&mut package)?;
    kill_after(&mut package, ADMINISTRATORS_HOME)?;
    late(&mut package)?;
    quote_secrets(&mut package);
    let trial = Trial::begin(&node, &package).await?;
    trial.becomes_ready().await?;
    let restarts = trial.restarts("app", "prepare").await?;
    ensure!(
        restarts == 1,
        "the init step ran {} times, not twice: the late database is to be waited for",
        restarts + 1
    );
    ensure_eq!(trial.restarts("db", "postgres").await?, KILLED, "restarts of PostgreSQL: killed, and nothing else");
    let host = node.host(trial.name(), "site");
    let admin = node.administrator(trial.name(), "site").await?;
    ensure!(admin.password.contains('\''), "no quotation mark in {:?}", admin.password);
    let path = crate::office::dav(&admin, "prova.txt");
    node.ingress.put(&host, &path, &admin, b"hola".to_vec()).await?;
    let page = String::from_utf8(node.ingress.get(&host, "/status.php", None).await?)?;
    ensure!(page.contains("\"installed\":true") && page.contains("\"maintenance\":false"), "{page}");
    trial.end().await
}

async fn killed_installation(node: Arc<Node>) -> Outcome {
    let mut package = office_copy(&node, "killed")?;
    kill_after(&mut package, VERSION_FILE)?;
    replace(&mut package, 1, "\nbegin_or_begin_again\n", "\n")?;
    let trial = Trial::begin(&node, &package).await?;
    // Killed once, and given up at least once more.
    let tried_again = async || {
        let restarts = trial.restarts("app", "prepare").await?;
        ensure!(restarts >= 2, "prepare began again {restarts} times");
        Ok(())
    };
    trial.does_not_become_ready(&["prepare"], tried_again).await
}

async fn first_try_files(node: Arc<Node>) -> Outcome {
    let mut package = office_copy(&node, "first-try")?;
    kill_after(&mut package, ADMINISTRATORS_HOME)?;
    replace(&mut package, 1, "        find \"$files\" -mindepth 1 -delete\n", "")?;
    let trial = Trial::begin(&node, &package).await?;
    let refused = async || {
        let words = ["logs", "-n", trial.name(), "deployment/site-app", "--container=prepare"];
        let log = node.cluster.kubectl.ok(&words).await?;
        ensure!(log.contains("files already exist for this user"), "{log}");
        Ok(())
    };
    trial.does_not_become_ready(&["prepare"], refused).await
}

/// Somebody restored the volume of files and nothing else.
fn restore_files_alone(package: &mut ServiceTemplate) -> Outcome {
    let restored = "mkdir -p \"$files\"\n[ -e /data/.restored ] || { : >/data/.restored; mkdir \"$files/rosa\"; }\n";
    replace(package, 1, "mkdir -p \"$files\"\n", restored)
}

async fn files_alone(node: Arc<Node>) -> Outcome {
    let mut package = office_copy(&node, "files-alone")?;
    restore_files_alone(&mut package)?;
    let trial = Trial::begin(&node, &package).await?;
    trial.does_not_become_ready(&["prepare", "holds files, but the database is empty"], async || Ok(())).await?;

    let mut package = office_copy(&node, "files-gone")?;
    restore_files_alone(&mut package)?;
    kill_after(&mut package, ADMINISTRATORS_HOME)?;
    replace(&mut package, 1, "        is_empty \"$files\" || fail", "        true || fail")?;
    let trial = Trial::begin(&node, &package).await?;
    trial.becomes_ready().await?;
    let pod = node.pod(trial.name(), "site", "app").await?;
    let words = ["ls", "/data/files"];
    let left = node.cluster.kubectl.exec(trial.name(), &pod, "nextcloud", &words).await?.succeeded("ls")?;
    ensure!(left.contains("admin") && !left.contains("rosa"), "without its guard the files are still there: {left}");
    trial.end().await
}

/// A container that serves leaves a marker as prepare makes them.
async fn leave_a_marker(trial: &Trial<'_>, node: &Node, container: &str) -> Outcome<Finished> {
    let pod = node.pod(trial.name(), "site", "app").await?;
    let words = ["sh", "-c", "echo not prepare >/data/.installing"];
    node.cluster.kubectl.exec(trial.name(), &pod, container, &words).await
}

async fn marker_out_of_reach(node: Arc<Node>) -> Outcome {
    let trial = Trial::begin(&node, &office_copy(&node, "out-of-reach")?).await?;
    trial.becomes_ready().await?;
    for container in ["nextcloud", "cron"] {
        leave_a_marker(&trial, &node, container).await?.refused("a marker beside the files")?;
    }
    trial.end().await?;

    let mut package = office_copy(&node, "within-reach")?;
    replace(&mut package, 2, "{name: data, mountPath: /data/files, subPath: files}", "{name: data, mountPath: /data}")?;
    let trial = Trial::begin(&node, &package).await?;
    trial.becomes_ready().await?;
    let host = node.host(trial.name(), "site");
    let admin = node.administrator(trial.name(), "site").await?;
    let path = crate::office::dav(&admin, "acta.txt");
    node.ingress.put(&host, &path, &admin, b"hola".to_vec()).await?;
    leave_a_marker(&trial, &node, "nextcloud").await?.succeeded("a marker beside the files")?;
    replace_pods(&node, trial.name(), "site", &["app"]).await?;
    let db = node.pod(trial.name(), "site", "db").await?;
    let rows = psql(&node, trial.name(), &db, "select count(*) from oc_filecache").await?;
    ensure_eq!(rows, "0", "files of an office whose database was dropped");
    trial.end().await
}

async fn wrong_host(node: Arc<Node>) -> Outcome {
    let mut package = office_copy(&node, "wrong-host")?;
    let header = "              httpHeaders:\n                - {name: Host, value: {{ hostname }}}\n";
    replace(&mut package, 2, header, "")?;
    let trial = Trial::begin(&node, &package).await?;
    let refused = async || {
        let words = [
            "get",
            "events",
            "-n",
            trial.name(),
            "--field-selector=reason=Unhealthy",
            "-o",
            "jsonpath={.items[*].message}",
        ];
        let events = node.cluster.kubectl.ok(&words).await?;
        ensure!(events.contains("statuscode: 400"), "{events}");
        Ok(())
    };
    trial.does_not_become_ready(&["app"], refused).await
}

async fn quoted_secret(node: Arc<Node>) -> Outcome {
    let mut package = office_copy(&node, "quoted")?;
    quote_secrets(&mut package);
    replace(&mut package, 1, "<<'SQL'\n\\getenv password NEXTCLOUD_PASSWORD\n", "<<SQL\n")?;
    replace(&mut package, 1, ":'password'", "'$NEXTCLOUD_PASSWORD'")?;
    let trial = Trial::begin(&node, &package).await?;
    let stopped = async || {
        let restarts = trial.restarts("db", "postgres").await?;
        ensure!(restarts >= 1, "the database did not stop");
        Ok(())
    };
    trial.does_not_become_ready(&["db"], stopped).await
}

async fn late_database(node: Arc<Node>) -> Outcome {
    let mut package = office_copy(&node, "late")?;
    late(&mut package)?;
    stops_without_a_wait(&node, package).await
}

async fn session_file(node: Arc<Node>) -> Outcome {
    let mut package = office_copy(&node, "session")?;
    let mount = "            - {name: session, mountPath: /usr/local/etc/php/conf.d/redis-session.ini, subPath: redis-session.ini}\n";
    replace(&mut package, 1, mount, "")?;
    let trial = Trial::begin(&node, &package).await?;
    let stopped = async || {
        let restarts = trial.restarts("app", "nextcloud").await?;
        ensure!(restarts >= 2, "the application began again {restarts} times");
        Ok(())
    };
    trial.does_not_become_ready(&["nextcloud"], stopped).await
}

async fn other_library(node: Arc<Node>) -> Outcome {
    let trial = Trial::begin(&node, &office_copy(&node, "other-library")?).await?;
    trial.becomes_ready().await?;
    let db = node.pod(trial.name(), "site", "db").await?;
    let sql = "UPDATE pg_database SET datcollversion = '2.19' WHERE datname = 'nextcloud'";
    let words = ["psql", "-U", "postgres", "-d", "postgres", "-c", sql];
    node.cluster.kubectl.exec(trial.name(), &db, "postgres", &words).await?.succeeded(sql)?;
    node.cluster.kubectl.ok(&["delete", "pod", &db, "-n", trial.name(), "--wait=false"]).await?;
    let last = "jsonpath={.status.containerStatuses[*].lastState.terminated.message}";
    eventually("the database is refused", READY, async || {
        let said = node.cluster.kubectl.ok(&["get", "pod", &db, "-n", trial.name(), "-o", last]).await?;
        ensure!(said.contains("another C library") && said.contains("nextcloud:2.19"), "{said}");
        Ok(())
    })
    .await?;
    trial.end().await
}
