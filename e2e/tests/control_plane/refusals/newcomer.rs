//! What somebody types who sees an Entity for the first time: the answer names the field, what is
//! allowed and an example, once.

use std::sync::Arc;

use commonscloud_e2e::manifests::{TARIFF, object};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, ensure};
use serde_json::{Value, json};

use super::doors::{Answer, Door, Mode, Wish, knock};
use super::with;
use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "what a newcomer mistypes is answered once, with the field, what is allowed and an example",
            answered,
        ),
        Scenario::new(
            "what an entity names and is not there is accepted with a warning that says what there is",
            warned,
        ),
    ]
}

/// Something mistyped, and what the answer says.
struct Typed {
    at: &'static str,
    value: Value,
    says: &'static [&'static str],
}

fn typed(at: &'static str, value: impl Into<Value>, says: &'static [&'static str]) -> Typed {
    Typed { at, value: value.into(), says }
}

const HOSTNAME: &[&str] =
    &["spec.services.office.hostname: Invalid value: ", "allowed: ", "for example office.example.org"];
const DOMAIN: &[&str] = &["spec.domains[0]: Invalid value: ", "allowed: ", "for example office.example.org"];
const MAIL: &[&str] = &["spec.managers[0].mail: Invalid value: ", "allowed: ", "for example anna@example.org"];
const NAME: &[&str] = &["metadata.name: at most 30 of a-z, 0-9 and -", "for example garden"];

/// What our own rules answer.
fn in_our_words() -> Vec<Typed> {
    let parameters = "/spec/services/office/parameters";
    let quota = &["office.parameters.defaultUserQuota: Invalid value: \"500MB\": allowed: ", "for example 5Gi"];
    let region = &["office.parameters.phoneRegion: Invalid value: \"es\": allowed: ", "for example ES"];
    let secret = json!({"oidc": {"issuer": "https://id.example.org", "clientSecretName": "Office OIDC"}});
    vec![
        typed(
            "/spec/services/office/tier",
            "1GB",
            &["spec.services.office.tier: Invalid value: \"1GB\": allowed: ", "for example 5gb"],
        ),
        typed("/spec/services/office/tier", "2gb", &["spec.services.office.tier", "allowed: 1gb, 5gb, 10gb, 50gb"]),
        typed("/spec/services/office/tier", "", &["spec.services.office.tier: Invalid value: ", "for example 5gb"]),
        typed("/spec/services/office/hostname", "Office.hort.example", HOSTNAME),
        typed("/spec/services/office/hostname", "my_office.hort.example", HOSTNAME),
        typed("/spec/services/office/hostname", "office.hort.example.", HOSTNAME),
        typed("/spec/services/office/hostname", "oficina.hört.example", HOSTNAME),
        typed("/spec/domains", json!(["*.hort.example"]), DOMAIN),
        typed("/spec/domains", json!(["https://hort.example"]), DOMAIN),
        typed("/spec/managers/0/mail", "anna", MAIL),
        typed("/spec/managers/0/mail", "Anna <anna@hort.example>", MAIL),
        typed(
            "/spec/managers/0/name",
            "Anna Maria",
            &["spec.managers[0].name: Invalid value: \"Anna Maria\": allowed: ", "for example anna.maria"],
        ),
        typed(parameters, json!({"defaultUserQuota": "500MB"}), quota),
        typed(parameters, json!({"phoneRegion": "es"}), region),
        typed(parameters, secret, &["oidc.clientSecretName: Invalid value: ", "allowed: ", "for example office-2026"]),
        typed("/spec/displayName", "Hort\nComunitari", &["spec.displayName: Invalid value: ", "for example La Llum"]),
        typed("/spec/tariff", "Tariff 2026", &["spec.tariff: Invalid value: ", "allowed: ", "for example office-2026"]),
        typed(
            "/spec/services/others/0/version",
            "v 3",
            &["spec.services.others[0].version: Invalid value: \"v 3\": allowed: ", "for example 34.0.1"],
        ),
        typed("/metadata/name", "hort.example", NAME),
        typed("/metadata/name", "hort-comunitari-de-la-vall-del-ges", NAME),
        typed("/metadata/name", "kube-hort", &["metadata.name: reserved for the cluster itself; choose another name"]),
    ]
}

/// What the API server answers by itself: types, choices, what is missing or unknown.
fn in_the_servers_words() -> Vec<Typed> {
    vec![
        typed("/spec/langauge", "ca", &["langauge"]),
        typed("/spec/services/wiki", json!({"tier": "1gb"}), &["services.wiki"]),
        typed("/spec/services/office/tier", 1, &["spec.services.office.tier", "string"]),
        typed("/spec/services/office/tier", Value::Null, &["spec.services.office.tier", "Required"]),
        typed("/spec/services/office/extraBlocks", "3", &["spec.services.office.extraBlocks", "integer"]),
        typed("/spec/services/office/extraBlocks", -1, &["spec.services.office.extraBlocks", "or equal to 0"]),
        typed("/spec/services/office/paused", "yes", &["spec.services.office.paused", "boolean"]),
        typed("/spec/language", "pt", &["spec.language", "\"ca\", \"en\", \"es\""]),
        typed("/spec/tariff", Value::Null, &["spec.tariff", "Required"]),
    ]
}

fn base() -> Value {
    object(
        "Entity",
        "newcomer",
        json!({
            "displayName": "Hort Comunitari",
            "tariff": TARIFF,
            "domains": ["hort.example"],
            "managers": [{"name": "anna", "mail": "anna@hort.example"}],
            "services": {
                "office": {"tier": "1gb"},
                "others": [{"name": "site", "template": "radicale", "tier": "1gb"}],
            },
        }),
    )
}

/// What is wrong with an answer.
fn faults(typed: &Typed, message: &str, ours: bool) -> Vec<String> {
    let missing = typed.says.iter().filter(|words| !message.contains(**words));
    let mut faults: Vec<String> = missing.map(|words| format!("no {words:?}")).collect();
    if message.contains("should match") {
        faults.push("a bare regular expression".to_owned());
    }
    // Several faults stand in brackets; those that were not looked for are a line of their own.
    if ours && (message.contains("is invalid: [") || message.contains("were not checked")) {
        faults.push("more than one line".to_owned());
    }
    faults.into_iter().map(|fault| format!("{} = {}: {fault} in {message}", typed.at, typed.value)).collect()
}

async fn answered(tier: Arc<ControlPlane>) -> Outcome {
    let base = base();
    let (ours, servers) = (in_our_words(), in_the_servers_words());
    let all = ours.iter().map(|typed| (typed, true)).chain(servers.iter().map(|typed| (typed, false)));
    let mut wrong = Vec::new();
    for (typed, ours) in all {
        let wish = Wish { base: &base, at: typed.at, value: &typed.value };
        // By POST: server-side apply answers to a wrong type before the schema is looked at.
        match knock(&tier.cluster.client, Door::Post, wish, Mode::DryRun).await? {
            Answer::Taken => wrong.push(format!("{} = {}: accepted", typed.at, typed.value)),
            Answer::Refused(message) => wrong.extend(faults(typed, &message, ours)),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::new(wrong.join("\n"))) }
}

/// What `kubectl` warns of when it applies an object that is taken.
async fn warnings(tier: &ControlPlane, object: &Value) -> Outcome<Vec<String>> {
    let words = ["apply", "--server-side", "--dry-run=server", "--filename", "-"];
    let answer = tier.cluster.kubectl.run(&words, Some(object.to_string().as_bytes())).await?;
    ensure!(answer.success, "{}", answer.stderr);
    Ok(answer.stderr.lines().filter(|line| line.starts_with("Warning:")).map(str::to_owned).collect())
}

async fn warned(tier: Arc<ControlPlane>) -> Outcome {
    let site = "/spec/services/others/0";
    let at = |field: &str| format!("{site}/{field}");
    let mistyped = [
        (
            "/spec/tariff".to_owned(),
            json!("exmaple-2026"),
            "spec.tariff: there is no Tariff exmaple-2026 (yet); there are: ",
        ),
        (
            at("template"),
            json!("radical"),
            "spec.services.others[site].template: there is no ServiceTemplate radical (yet); there are: ",
        ),
        (
            at("version"),
            json!("9.9"),
            "spec.services.others[site].version: radicale has no version 9.9 (yet); there are: ",
        ),
        (
            at("revision"),
            json!("radicale-0"),
            "spec.services.others[site].revision: radicale has no revision radicale-0 (yet); there are: radicale-",
        ),
        (
            at("parameters"),
            json!({"relm": "Hort"}),
            "spec.services.others[site].parameters: radicale has no relm (yet); there are: realm",
        ),
    ];
    for (at, value, says) in mistyped {
        let wrong = with(base(), &at, value);
        // The operator lists what there is a moment after it is there.
        eventually(says, READY, async || {
            let warnings = warnings(&tier, &wrong).await?;
            ensure!(warnings.len() == 1 && warnings.iter().all(|line| line.contains(says)), "{warnings:?}");
            Ok(())
        })
        .await?;
    }
    let warnings = warnings(&tier, &base()).await?;
    ensure!(warnings.is_empty(), "of nothing: {warnings:?}");
    Ok(())
}
