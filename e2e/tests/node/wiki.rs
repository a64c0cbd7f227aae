//! MediaWiki, unmodified from Debian, with a MariaDB: a page and an upload survive its pods, and the
//! traps of its installer.

use std::sync::Arc;

use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Outcome, ensure, ensure_eq};
use commonscloud_operator::api::ServiceTemplate;
use commonscloud_operator::template;
use serde_json::{Value, json};

use crate::broken::Trial;
use crate::late_database::late_by_15_seconds;
use crate::office::replace_pods;
use crate::package::{MEDIAWIKI, node_copy, quote_secrets, replace};
use crate::tier::{Node, READY};

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new("a page and an upload of MediaWiki survive its pods", page_survives),
        Scenario::new(
            "the wiki withstands a killed installation, quotation marks in secrets and a late database",
            all_at_once,
        ),
        Scenario::new("without its guard, a killed installation of MediaWiki never ends", killed_installation)
            .sampled(),
        Scenario::new("without its guard, MediaWiki's installer finds a configuration and refuses", installer_refuses)
            .sampled(),
        Scenario::new("without its guard, MediaWiki's volume cannot be written", unwritable_volume).sampled(),
    ]
}

const MAINTENANCE: &str = "/usr/share/mediawiki/maintenance";

/// Runs a shell script in the application's container.
async fn shell(node: &Node, entity: &str, service: &str, script: &str) -> Outcome<String> {
    let pod = node.pod(entity, service, "app").await?;
    let words = ["/bin/sh", "-ec", script];
    node.cluster.kubectl.exec(entity, &pod, "mediawiki", &words).await?.succeeded(script)
}

/// Uploads the file `Acta.txt`.
///
/// # Errors
/// When the wiki does not take it.
pub async fn upload(node: &Node, entity: &str, service: &str) -> Outcome {
    let upload = format!(
        "mkdir -p /tmp/upload; echo 'acta de la reunió' >/tmp/upload/Acta.txt; php {MAINTENANCE}/importImages.php --user=Admin --extensions=txt /tmp/upload"
    );
    shell(node, entity, service, &upload).await.map(drop)
}

async fn page_survives(node: Arc<Node>) -> Outcome {
    let name = "biblioteca";
    let parameters = json!({"siteName": "L'Enciclopèdia \"lliure\""});
    let wiki = json!({"name": "wiki", "template": "mediawiki", "tier": "1gb", "parameters": parameters});
    node.running(&entity(name, json!({"others": [wiki]}))).await?;
    let host = node.host(name, "wiki");
    let page = format!("echo 'Som una cooperativa.' | php {MAINTENANCE}/edit.php --user Admin Cooperativa");
    shell(&node, name, "wiki", &page).await?;
    upload(&node, name, "wiki").await?;
    replace_pods(&node, name, "wiki", &["app", "db"]).await?;
    let page = eventually("the wiki serves the page again", READY, async || {
        node.ingress.get(&host, "/index.php/Cooperativa", None).await
    });
    let page = String::from_utf8(page.await?)?;
    ensure!(page.contains("Som una cooperativa."), "{page}");
    let facts = ask(&node, &host, "meta=siteinfo").await?;
    ensure_eq!(facts["query"]["general"]["sitename"], json!("L'Enciclopèdia \"lliure\""), "the wiki's name");
    ensure_eq!(facts["query"]["general"]["lang"], json!("ca"), "the Entity's language");
    let groups = ask(&node, &host, "list=users&ususers=Admin&usprop=groups").await?;
    ensure!(groups.to_string().contains("sysop"), "{groups}");
    let image = ask(&node, &host, "titles=File:Acta.txt&prop=imageinfo&iiprop=url").await?;
    let url = image.pointer("/query/pages").and_then(Value::as_object).and_then(|pages| pages.values().next());
    let url = url.and_then(|page| page.pointer("/imageinfo/0/url")).and_then(Value::as_str).unwrap_or_default();
    let path = url.strip_prefix(&format!("https://{host}")).unwrap_or_default().to_owned();
    ensure!(path.starts_with("/images/"), "{image}");
    let upload = String::from_utf8(node.ingress.get(&host, &path, None).await?)?;
    ensure_eq!(upload.trim(), "acta de la reunió", "the upload");
    Ok(())
}

/// A query of MediaWiki's API.
async fn ask(node: &Node, host: &str, query: &str) -> Outcome<Value> {
    let path = format!("/api.php?action=query&format=json&{query}");
    Ok(serde_json::from_slice(&node.ingress.get(host, &path, None).await?)?)
}

fn wiki_copy(node: &Node, name: &str) -> Outcome<ServiceTemplate> {
    let package = template::load_directory(&node.cluster.programs.source.join(MEDIAWIKI))?;
    node_copy(node, package, name)
}

/// The first installation dies when it has made the first tables.
fn kill_first_installation(package: &mut ServiceTemplate) -> Outcome {
    let installer = "php \"$wiki/maintenance/install.php\"";
    replace(package, 1, installer, "installer")?;
    let killed = r#"
installer() {
    if [ -e /data/.killed-once ]; then
        php "$wiki/maintenance/install.php" "$@"
        return
    fi
    : >/data/.killed-once
    php "$wiki/maintenance/install.php" "$@" &
    until [ "$(sql 'SHOW TABLES' | wc -l)" -gt 3 ]; do sleep 0.05; done
    kill -9 $!
    exit 137
}

install() {
"#;
    replace(package, 1, "\ninstall() {\n", killed)
}

async fn all_at_once(node: Arc<Node>) -> Outcome {
    let mut package = wiki_copy(&node, "wiki-withstands")?;
    kill_first_installation(&mut package)?;
    late_by_15_seconds(&mut package)?;
    quote_secrets(&mut package);
    let trial = Trial::begin(&node, &package).await?;
    trial.becomes_ready().await?;
    ensure_eq!(trial.restarts("app", "prepare").await?, 1, "restarts of prepare: killed once, and waited for the rest");
    let groups = ask(&node, &node.host(trial.name(), "site"), "list=users&ususers=Admin&usprop=groups").await?;
    ensure!(groups.to_string().contains("sysop"), "{groups}");
    trial.end().await
}

async fn given_up(trial: Trial<'_>, times: i32) -> Outcome {
    let seen = async || {
        let restarts = trial.restarts("app", "prepare").await?;
        ensure!(restarts >= times, "prepare began again {restarts} times");
        Ok(())
    };
    trial.does_not_become_ready(&["prepare"], seen).await
}

async fn killed_installation(node: Arc<Node>) -> Outcome {
    let mut package = wiki_copy(&node, "wiki-killed")?;
    kill_first_installation(&mut package)?;
    let dropped = "sql \"DROP TABLE \\`$table\\`\"";
    replace(&mut package, 1, dropped, "true")?;
    given_up(Trial::begin(&node, &package).await?, 2).await
}

async fn installer_refuses(node: Arc<Node>) -> Outcome {
    let mut package = wiki_copy(&node, "wiki-refuses")?;
    let mount = "            - {name: configuration, mountPath: /configuration, readOnly: true}\n";
    let found = "            - {name: configuration, mountPath: /etc/mediawiki/LocalSettings.php, subPath: LocalSettings.php, readOnly: true}\n";
    replace(&mut package, 1, mount, &format!("{mount}{found}"))?;
    given_up(Trial::begin(&node, &package).await?, 1).await
}

async fn unwritable_volume(node: Arc<Node>) -> Outcome {
    let mut package = wiki_copy(&node, "wiki-group")?;
    replace(&mut package, 1, "        fsGroup: 33\n", "")?;
    given_up(Trial::begin(&node, &package).await?, 1).await
}
