//! The leaves of an Entity that are not of one of its services.

use commonscloud_e2e::manifests::{entity, object};
use serde_json::json;

use super::case::{Case, See, refused, see, shows};
use super::live::Stage;

const NAME: &str = "leaves-entity";
const DEAR: &str = "leaves-dear";

/// An Entity with the three services.
pub fn stage() -> Stage {
    let tiers = json!([{"name": "1gb", "storage": "1Gi", "price": "30.00"}]);
    let dear = object("Tariff", DEAR, json!({"currency": "EUR", "tiers": tiers}));
    let small = json!({"tier": "1gb"});
    let office = json!({"tier": "1gb", "hostname": "office.a.example"});
    let mut subject = entity(NAME, json!({"office": office, "agora": small, "projects": small}));
    subject["spec"]["domains"] = json!(["a.example"]);
    subject["spec"]["language"] = json!("ca");
    subject["spec"]["managers"] =
        json!([{"name": "anna", "mail": "anna@a.example", "subject": {"kind": "User", "name": "anna-a"}}]);
    Stage {
        namespace: NAME.to_owned(),
        around: vec![dear],
        subject,
        ready: vec![format!("Entity/{NAME}")],
        cases: cases(),
    }
}

fn own(leaf: &str, value: &str, sees: Vec<See>) -> Case {
    shows("Entity", format!("spec.{leaf}"), json!(value), sees)
}

/// The cases of an Entity's own leaves.
fn cases() -> Vec<Case> {
    let namespace = format!("Namespace/{NAME}");
    let language =
        |container: &str| format!("/spec/template/spec/containers/{container}/env/NC_default_language/value");
    let mut cases = vec![
        own(
            "displayName",
            "Another name",
            vec![
                see(&namespace, "/metadata/annotations/commonscloud.coop~1display-name", "Another name"),
                see("ConfigMap/office-settings", "/data/display_name", "Another name"),
                see("ConfigMap/agora-settings", "/data/FIRST_TITLE", "Another name"),
                see("ConfigMap/projects-settings", "/data/display_name", "Another name"),
            ],
        ),
        own(
            "language",
            "en",
            vec![
                see("Deployment/office-app", language("nextcloud"), "en"),
                see("Deployment/office-app", language("cron"), "en"),
                see("ConfigMap/office-settings", "/data/title", "Dedicated office"),
                see("ConfigMap/agora-settings", "/data/DISCOURSE_DEFAULT_LOCALE", "en"),
            ],
        ),
        refused(
            "Entity",
            "spec.domains[0]",
            json!("b.example"),
            &["spec.services.office.hostname", "office.a.example", "allowed: b.example"],
        ),
        refused("Entity", "spec.adopt[0]", json!("no-uid"), &["spec.adopt[0]"]),
        // What they do where the Platform has backups is shown in a scenario of its own.
        refused("Entity", "spec.backup.target", json!("No Target"), &["spec.backup.target"]),
        refused("Entity", "spec.backup.cron", json!("at night"), &["allowed: five fields of cron"]),
        refused(
            "Entity",
            "spec.backup.timeZone",
            json!("Europe/Madrid"),
            &["backup.timeZone: set it only together with backup.cron"],
        ),
        own(
            "tariff",
            DEAR,
            vec![
                see(&namespace, "/metadata/labels/commonscloud.coop~1tariff", DEAR),
                see(format!("Entity/{NAME}"), "/status/price", "90.00 EUR"),
                see("DedicatedAgora/agora", "/status/price", "30.00 EUR"),
            ],
        ),
    ];
    cases.extend(of_managers());
    cases
}

fn of_managers() -> Vec<Case> {
    let bindings = ["RoleBinding/commonscloud-manager", "RoleBinding/commonscloud-entity-manager"];
    let services = ["DedicatedOffice/office", "DedicatedAgora/agora", "DedicatedProjects/projects"];
    let shown = |seen: &str| services.map(|service| see(service, "/status/managers/0", seen)).into();
    let mut mails: Vec<See> = shown("anna <anna@b.example>");
    mails.push(see("ConfigMap/agora-settings", "/data/DISCOURSE_DEVELOPER_EMAILS", "anna@b.example"));
    vec![
        own("managers[0].name", "berta", shown("berta <anna@a.example>")),
        own("managers[0].mail", "anna@b.example", mails),
        own("managers[0].subject.kind", "Group", bindings.map(|of| see(of, "/subjects/0/kind", "Group")).into()),
        own("managers[0].subject.name", "anna-b", bindings.map(|of| see(of, "/subjects/0/name", "anna-b")).into()),
    ]
}
