//! What an Entity may not be.

use std::sync::Arc;

use commonscloud_e2e::Outcome;
use commonscloud_e2e::manifests::{object, tariff};
use commonscloud_e2e::suite::Scenario;
use serde_json::{Value, json};

use super::table::{Row, Table, hold, row};
use super::watch::Running;
use super::with;
use crate::tier::ControlPlane;

/// The Entity that the rows are about.
const NAME: &str = "refused-entity";
/// Its Tariff, one that sells nothing of it, and one that sells the same.
const TARIFFS: [&str; 3] = ["refusals", "refusals-other", "refusals-same"];

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![Scenario::new("a faulty entity is refused by every door, and accepted without the fault", refused)]
}

/// Its own Tariff has a tier for forums only; the other one has one tier of its own.
pub fn tariffs() -> [Value; 3] {
    let forum = json!({"name": "forum", "storage": "1Gi", "templates": ["agora"]});
    let [own, other, same] = TARIFFS.map(tariff);
    let with_forum = |mut tariff: Value| {
        if let Some(tiers) = tariff["spec"]["tiers"].as_array_mut() {
            tiers.push(forum.clone());
        }
        tariff
    };
    let other = with(other, "/spec/tiers", json!([{"name": "100gb", "storage": "100Gi"}]));
    [with_forum(own), other, with_forum(same)]
}

/// The Entity without a fault, and the faults.
pub fn table() -> Table {
    let base = object(
        "Entity",
        NAME,
        json!({
            "displayName": "Cooperativa sense falta",
            "language": "ca",
            "tariff": TARIFFS[0],
            "domains": ["refused.example"],
            "managers": [{"name": "anna", "mail": "anna@refused.example"}],
            "services": {
                "office": {"tier": "1gb"},
                "others": [
                    {"name": "site", "template": "radicale", "tier": "1gb", "hostname": "site.refused.example"},
                ],
            },
        }),
    );
    let rows = [tiers(), blocks(), hostnames(), domains(), names(), people(), parameters()].concat();
    Table { base, rows }
}

fn tiers() -> Vec<Row> {
    let tier = |tier: &str| json!({"tier": tier});
    let office = "/spec/services/office/tier";
    let all = &["spec.services.office.tier", "gold", "Tariff refusals", "allowed: 1gb, 5gb, 10gb, 50gb"];
    let of_agora = &["spec.services.agora.tier", "gold", "allowed: 1gb, 5gb, 10gb, 50gb, forum"];
    let of_projects = &["spec.services.projects.tier", "gold", "for projects; allowed: 1gb, 5gb, 10gb, 50gb"];
    let of_other = &["spec.services.others[site].tier", "gold", "for radicale; allowed: 1gb, 5gb, 10gb, 50gb"];
    let forum = &["spec.services.office.tier", "forum", "for office; allowed: 1gb, 5gb, 10gb, 50gb"];
    let of_another = &["spec.services.office.tier", "Tariff refusals has no tier 100gb", "allowed: 1gb"];
    // In YAML a service with nothing behind its colon is null: none is asked for.
    let site = json!([{"name": "site", "template": "radicale", "tier": "1gb", "hostname": null}]);
    let services = |office: Value| json!({"office": office, "agora": null, "others": site});
    let sold_elsewhere = &["tier: Tariff refusals-other has no tier 1gb", "allowed: 100gb"];
    vec![
        row("unknown tier of the office", office, json!("gold"), json!("5gb"), all),
        row("unknown tier of an agora", "/spec/services/agora", tier("gold"), tier("forum"), of_agora),
        row("unknown tier of projects", "/spec/services/projects", tier("gold"), tier("1gb"), of_projects),
        row("unknown tier of another", "/spec/services/others/0/tier", json!("gold"), json!("5gb"), of_other),
        row("tier for other templates", office, json!("forum"), json!("10gb"), forum),
        row("tier of another tariff", office, json!("100gb"), json!("50gb"), of_another),
        row("tariff without the tiers", "/spec/tariff", json!(TARIFFS[1]), json!(TARIFFS[2]), sold_elsewhere),
        row(
            "service without a tier",
            "/spec/services",
            services(json!({})),
            services(Value::Null),
            &["spec.services.office.tier", "equired"],
        )
        // Server-side apply makes an empty object of what was there and becomes null.
        .of_new(),
        row("no tariff", "/spec/tariff", Value::Null, json!(TARIFFS[0]), &["spec.tariff", "equired"]),
        row("no name for a tier", office, json!("5 GB"), json!("5gb"), &["office.tier", "for example 5gb"]),
        row("empty tier", office, json!(""), json!("5gb"), &["spec.services.office.tier"]),
    ]
}

fn blocks() -> Vec<Row> {
    const FIELD: &str = "spec.services.office.extraBlocks";
    let office = "/spec/services/office/extraBlocks";
    let other = "/spec/services/others/0/extraBlocks";
    let at_least = &[FIELD, "greater than or equal to 0"];
    let at_most = &[FIELD, "less than or equal to 1000"];
    let sold = &[FIELD, "21 is more than Tariff refusals sells", "allowed: 0 to 20"];
    let sold_of_other = &["spec.services.others[site].extraBlocks", "21 is more", "allowed: 0 to 20"];
    vec![
        row("negative blocks", office, json!(-1), json!(0), at_least),
        row("more blocks than there can be", office, json!(1001), json!(20), at_most),
        row("blocks beyond 31 bits", office, json!(2_147_483_648_u64), json!(1), at_most),
        row("blocks beyond 63 bits", office, json!(9_223_372_036_854_775_808_u64), json!(1), &[FIELD]),
        row("half a block", office, json!(1.5), json!(1), &[FIELD]),
        row("blocks as a text", office, json!("3"), json!(3), &[FIELD]),
        row("more blocks than are sold", office, json!(21), json!(20), sold),
        row("more blocks than are sold of another", other, json!(21), json!(20), sold_of_other),
    ]
}

fn hostnames() -> Vec<Row> {
    const FIELD: &str = "spec.services.office.hostname";
    const MADE: &str = "refused-entity-office.test-cp.commonscloud.test";
    let at = "/spec/services/office/hostname";
    let own = json!("office.refused.example");
    let shape = &[FIELD, "labels of a-z, 0-9 and -", "for example office.example.org"];
    let malformed = |fault, value: &str| row(fault, at, json!(value), own.clone(), shape);
    let foreign = |fault, value: &str| {
        let says = &[FIELD, "lies at or below no domain", "allowed: refused.example (spec.domains)"];
        row(fault, at, json!(value), own.clone(), says)
    };
    let label = format!("{}.refused.example", "a".repeat(64));
    vec![
        malformed("upper case in a host name", "Office.refused.example"),
        malformed("host name without a dot", "localhost"),
        malformed("empty label in a host name", "office..refused.example"),
        malformed("newline after a host name", "office.refused.example\n"),
        malformed("wildcard as a host name", "*.refused.example"),
        malformed("underscore in a host name", "my_office.refused.example"),
        malformed("trailing dot of a host name", "office.refused.example."),
        malformed("address as a host name", "10.0.0.1"),
        malformed("label of 64 characters", &label),
        foreign("foreign host name", "office.elsewhere.example"),
        foreign("host name that only looks like one's own", "office.notrefused.example"),
        foreign("host name of another entity", "bystander-site.test-cp.commonscloud.test"),
        foreign("host name of the platform itself", "test-cp.commonscloud.test"),
        row(
            "made host name of another service",
            at,
            json!("refused-entity-site.test-cp.commonscloud.test"),
            json!(MADE),
            &[FIELD, MADE],
        )
        .of_change(),
        row(
            "host name that the entity uses already",
            at,
            json!("site.refused.example"),
            own.clone(),
            &[FIELD, "spec.services.others[site]", "allowed: one service for each host name"],
        ),
    ]
}

fn domains() -> Vec<Row> {
    let at = "/spec/domains";
    let more = json!(["refused.example", "more.example"]);
    let in_use = &["spec.services.others[site].hostname", "site.refused.example", "allowed: more.example"];
    let above = json!(["commonscloud.test"]);
    let everybodys = &["spec.services.others[site].hostname", "refused-entity"];
    vec![
        row("domain taken away under a host name", at, json!(["more.example"]), more.clone(), in_use),
        row("domain that holds everybody's", at, above, more.clone(), everybodys),
        row("malformed domain", at, json!(["refused.example", "More.example"]), more.clone(), &["spec.domains[1]"]),
        row("one domain twice", at, json!(["refused.example", "refused.example"]), more, &["domains", "uplicate"]),
    ]
}

fn names() -> Vec<Row> {
    let name =
        |fault, value: &str, says| row(fault, "/metadata/name", json!(value), json!("sound-name"), says).of_new();
    let reserved = &["metadata.name", "reserved for the cluster itself"];
    let shape = &["metadata.name", "at most 30 of a-z, 0-9 and -, beginning with a letter"];
    let service = |name: &str| json!({"name": name, "template": "radicale", "tier": "1gb"});
    let others = "/spec/services/others";
    let two = json!([service("site"), service("wiki")]);
    let typed = &["services.others[].name", "office, agora and projects are the names of the typed services"];
    let long = "a".repeat(31);
    vec![
        name("reserved name kube-…", "kube-public", reserved),
        name("reserved name default", "default", reserved),
        name("name of the operator's namespace", "commonscloud-system", reserved),
        name("name of the certificates' namespace", "cert-manager", reserved),
        name("name of the ingress's namespace", "traefik", reserved),
        name("name with a dot", "with.dot", shape),
        name("name that begins with a digit", "1numbered", shape),
        name("name of 31 characters", &long, shape),
        name("name in upper case", "Named", &["metadata.name", "lower case"]),
        row(
            "two services of one name",
            others,
            json!([service("site"), service("site")]),
            two.clone(),
            &["others", "uplicate"],
        ),
        row("name of a typed service", others, json!([service("site"), service("office")]), two.clone(), typed),
        row(
            "malformed name of a service",
            others,
            json!([service("My_site")]),
            two.clone(),
            &["spec.services.others[0].name"],
        ),
        row(
            "malformed template",
            "/spec/services/others/0/template",
            json!("../radicale"),
            json!("radicale"),
            &["spec.services.others[0].template"],
        ),
    ]
}

fn people() -> Vec<Row> {
    let manager = |mail: &str| json!([{"name": "anna", "mail": mail}]);
    let subject = |name: &str| json!([{"name": "anna", "subject": {"kind": "User", "name": name}}]);
    let managers = "/spec/managers";
    let systems = &["managers[].subject.name", "names that begin with system: belong to Kubernetes"];
    vec![
        row("empty display name", "/spec/displayName", json!(""), json!("Nom"), &["spec.displayName"]),
        row("unknown language", "/spec/language", json!("klingon"), json!("es"), &["spec.language", "\"ca\""]),
        row("no mail address", managers, manager("anna"), manager("anna@example.org"), &["spec.managers[0].mail"]),
        row(
            "two mail addresses in one",
            managers,
            manager("a,anna@example.org"),
            manager("anna@example.org"),
            &["spec.managers[0].mail"],
        ),
        row("the system as a manager", managers, subject("system:admin"), subject("anna"), systems),
        row("unknown field", "/spec/services/office/extraBlock", json!(3), Value::Null, &["extraBlock"]),
    ]
}

fn parameters() -> Vec<Row> {
    const FIELD: &str = "spec.services.office.parameters";
    let office = "/spec/services/office/parameters";
    let agora = "/spec/services/agora";
    let contact = |mail: &str| json!({"tier": "1gb", "parameters": {"contactMail": mail}});
    let oidc = |issuer: &str| json!({"oidc": {"issuer": issuer, "clientSecretName": "office-oidc"}});
    let issuer = &["spec.services.office.parameters.oidc.issuer", "https://"];
    vec![
        row("unknown parameter", office, json!({"colour": "red"}), json!({"phoneRegion": "ES"}), &["colour"]),
        row(
            "parameter of another shape",
            office,
            json!({"phoneRegion": "es"}),
            json!({"phoneRegion": "ES"}),
            &["spec.services.office.parameters.phoneRegion", "for example ES"],
        ),
        row("parameter of another type", office, json!({"phoneRegion": 34}), json!({"phoneRegion": "ES"}), &[FIELD]),
        row("parameter without its own", office, json!({"oidc": {}}), oidc("https://id.example.org"), &[FIELD, "oidc"]),
        row(
            "parameter out of the choice",
            office,
            json!({"editor": "Mine"}),
            json!({"editor": "Shared"}),
            &[FIELD, "Dedicated"],
        ),
        row("sign-in in the clear", office, oidc("http://id.example.org"), oidc("https://id.example.org"), issuer),
        row(
            "no contact",
            agora,
            contact("nobody"),
            contact("agora@refused.example"),
            &["spec.services.agora.parameters.contactMail"],
        ),
    ]
}

async fn refused(tier: Arc<ControlPlane>) -> Outcome {
    tier.cluster.applied(&tariffs()).await?;
    let table = table();
    table.founded(&tier).await?;
    hold(&tier, &[table], vec![Running::Entity(NAME.to_owned())]).await
}
