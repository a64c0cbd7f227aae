//! The leaves of the Platform. There is one, so what they do is looked at while nothing else runs.

use commonscloud_e2e::manifests::{client_secret, entity, namespaced};
use commonscloud_operator::api::ServiceTemplate;
use commonscloud_operator::template::builtin;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use super::case::{Case, Deed, See, reads, refused, see, shows};
use super::live::Stage;
use crate::tier::platform;

/// The Entity that shows the differences.
pub const NAME: &str = "leaves-platform";
/// A storage class of its own, so that no volume of others grows.
pub const CLASS: &str = "leaves-xfs";
/// A template of its own, which gets a new revision.
pub const TEMPLATE: &str = "leaves-rollout";
/// The operator's namespace.
const SYSTEM: &str = "commonscloud-system";
/// The class of all others.
const COMMON: &str = "commonscloud-xfs";
/// Where the office's policy has the rules for each list of peers.
const RULES: [(&str, &str); 5] = [
    ("ingress", "ingress/0/from"),
    ("dns", "egress/2/to"),
    ("public", "egress/3/to"),
    ("identityProvider", "egress/4/to"),
    ("mail", "egress/5/to"),
];

/// The Platform with everything, and an office and two calendars on it.
pub fn stage(rollout: Value) -> Stage {
    let secret = |name: &str, keys: &[&str]| {
        let data: serde_json::Map<_, _> = keys.iter().map(|key| ((*key).to_owned(), json!("c29tZXRoaW5n"))).collect();
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": SYSTEM, "name": name}, "data": data})
    };
    let calendar =
        |name: &str| namespaced("DedicatedService", NAME, name, json!({"template": "radicale", "tier": "1gb"}));
    let oidc = json!({"issuer": "https://id.example", "clientSecretName": "client"});
    let office = json!({"tier": "1gb", "parameters": {"editor": "Shared", "oidc": oidc}});
    let mut around = vec![platform_with_all(), rollout];
    around.extend(["tls-a", "tls-b"].map(|name| secret(name, &["tls.crt", "tls.key"])));
    around.extend(["pull-a", "pull-b"].map(|name| secret(name, &[".dockerconfigjson"])));
    around.extend(["mail-a", "mail-b"].map(|name| secret(name, &["username", "password"])));
    around.push(entity(
        NAME,
        json!({"office": office, "others": [
            {"name": "site", "template": "radicale", "tier": "1gb"},
            {"name": "moved", "template": TEMPLATE, "tier": "1gb"},
        ]}),
    ));
    around.push(client_secret(NAME, "client", "office"));
    around.push(calendar("gone"));
    Stage {
        namespace: NAME.to_owned(),
        around,
        subject: platform_with_all(),
        ready: vec![format!("Entity/{NAME}"), "DedicatedService/gone".to_owned()],
        cases: cases(&calendar("late")),
    }
}

fn platform_with_all() -> Value {
    let mut platform = platform();
    let spec = &mut platform["spec"];
    spec["hostnamePattern"] = json!("{entity}-{service}.{baseDomain}");
    spec["exposure"]["tls"] = json!({"clusterIssuer": "issuer-a"});
    let own = json!({"name": CLASS, "enforcesSize": true, "overhead": {"bytes": 0, "perMille": 0}});
    spec["storageClasses"] = json!([spec["storageClasses"][0], own]);
    spec["storageClass"] = json!(CLASS);
    spec["images"] = json!([{"template": "office", "image": "redis", "mirror": "docker.io/leaves/one"}]);
    let figures = json!({"requests": {"cpu": "11m"}, "limits": {"memory": "999Mi"}});
    spec["resources"] = json!([{"template": "office", "component": "redis", "resources": figures}]);
    spec["network"] = json!({
        "ingress": peers(), "dns": peers(), "public": peers(), "identityProvider": peers(), "mail": peers(),
    });
    spec["imagePullSecrets"] = json!(["pull-a"]);
    spec["smtp"] = json!({"host": "mail.a.example", "port": 465, "from": "cloud@a.example", "secretName": "mail-a"});
    spec["editor"] = json!({"url": "https://editor-a.example"});
    spec["retention"] = json!({"days": 30});
    spec["rollout"] = json!({"strategy": "Manual"});
    platform
}

/// One peer by addresses, one by labels: no peer may be both.
pub(super) fn peers() -> Value {
    let selector = |key: &str| json!({"matchLabels": {"app": "a"}, "matchExpressions": [{"key": key, "operator": "In", "values": ["a"]}]});
    json!([
        {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
        {"namespaceSelector": selector("of-namespace"), "podSelector": selector("of-pod")},
    ])
}

/// The cases of the Platform's leaves, but those of the operator's own question (see `planned.rs`).
pub fn cases(late: &Value) -> Vec<Case> {
    let mut cases = exposure();
    cases.extend(storage(late));
    cases.extend(overrides());
    cases.extend(services());
    for (list, rule) in RULES {
        cases.extend(peers_of(list, &format!("/spec/{rule}")));
    }
    cases.extend(network());
    cases.extend(super::backup::of_platform());
    cases.extend(super::people::of_platform());
    cases
}

fn own(leaf: &str, value: Value, sees: Vec<See>) -> Case {
    shows("Platform", format!("spec.{leaf}"), value, sees)
}

fn exposure() -> Vec<Case> {
    let ingress = "Ingress/site-app";
    let host = |seen: String| vec![see(ingress, "/spec/rules/0/host", seen)];
    let base = platform()["spec"]["baseDomain"].as_str().unwrap_or_default().to_owned();
    let issuer = "/metadata/annotations/cert-manager.io~1cluster-issuer";
    vec![
        own("baseDomain", json!("leaves.example"), host(format!("{NAME}-site.leaves.example"))),
        own("hostnamePattern", json!("{service}.{entity}.{baseDomain}"), host(format!("site.{NAME}.{base}"))),
        own("exposure.ingressClass", json!("other"), vec![see(ingress, "/spec/ingressClassName", "other")]),
        own("exposure.tls.clusterIssuer", json!("issuer-b"), vec![see(ingress, issuer, "issuer-b")]),
        own(
            "exposure.tls.secretName",
            json!("tls-b"),
            vec![see(ingress, "/spec/tls/0/secretName", "tls-b"), see("Secret/tls-b", "/metadata/name", "tls-b")],
        )
        .given("spec.exposure.tls", json!({"secretName": "tls-a"})),
        own(
            "exposure.trustedProxies[0]",
            json!("100.80.0.0/12"),
            vec![see(
                "Deployment/office-app",
                "/spec/template/spec/containers/nextcloud/env/TRUSTED_PROXIES/value",
                "100.80.0.0/12",
            )],
        ),
    ]
}

fn storage(late: &Value) -> Vec<Case> {
    let claim = |seen: &str| vec![see("PersistentVolumeClaim/site-data", "/spec/resources/requests/storage", seen)];
    let enforced = |field: &str, seen: &str| {
        vec![see("DedicatedService/site", format!("/status/conditions/QuotaEnforced/{field}"), seen)]
    };
    let class = see("PersistentVolumeClaim/late-data", "/spec/storageClassName", COMMON);
    vec![
        own("storageClasses[1].overhead.bytes", json!(1_048_576), claim("1025Mi")),
        own("storageClasses[1].overhead.perMille", json!(500), claim("2Gi")),
        own("storageClasses[1].enforcesSize", json!(false), enforced("status", "False")),
        own("storageClasses[1].name", json!("leaves-other"), enforced("reason", "ClassUnknown")),
        own("storageClass", json!(COMMON), vec![class]).then(Deed::Apply(late.clone())),
    ]
}

fn overrides() -> Vec<Case> {
    let redis = "Deployment/office-redis";
    let image = "/spec/template/spec/containers/redis/image";
    let resources = |figure: &str| format!("/spec/template/spec/containers/redis/resources/{figure}");
    let of_db = |part: &str| format!("/spec/template/spec/containers/postgres/{part}");
    let db = "StatefulSet/office-db";
    let (version, packaged) = packaged("redis");
    let tag_of = |reference: &str| reference.rsplit_once(':').map(|(_, tag)| tag.to_owned()).unwrap_or_default();
    let tagged = |repository: &str| format!("docker.io/leaves/{repository}:{}", tag_of(&packaged));
    let shows = |reference: String| vec![see(redis, image, reference)];
    let given = |how: &str, value: Value| json!([{"template": "office", "image": "redis", how: value}]);
    let postgres = format!("docker.io/leaves/one:{}", tag_of(&self::packaged("postgres").1));
    vec![
        own(
            "imagePullSecrets[0]",
            json!("pull-b"),
            vec![
                see("Deployment/site-app", "/spec/template/spec/imagePullSecrets/0/name", "pull-b"),
                see("Secret/pull-b", "/metadata/name", "pull-b"),
            ],
        ),
        own("images[0].mirror", json!("docker.io/leaves/two"), shows(tagged("two"))),
        own("images[0].reference", json!(tagged("two")), shows(tagged("two")))
            .given("spec.images", given("reference", json!(tagged("one")))),
        own("images[0].versions[0].name", json!(version), shows(tagged("named")))
            .given("spec.images", given("versions", json!([{"name": "0", "reference": tagged("named")}]))),
        own("images[0].versions[0].reference", json!(tagged("other")), shows(tagged("other")))
            .given("spec.images", given("versions", json!([{"name": version, "reference": tagged("named")}]))),
        own(
            "images[0].image",
            json!("postgres"),
            vec![see(db, of_db("image"), postgres), see(redis, image, packaged.clone())],
        ),
        own("images[0].template", json!("agora"), shows(packaged.clone())),
        // One figure replaces one figure: the memory that is asked for stays the package's.
        own(
            "resources[0].resources.requests{cpu}",
            json!("12m"),
            vec![see(
                redis,
                resources("requests"),
                json!({"cpu": "12m", "ephemeral-storage": "16Mi", "memory": "64Mi"}),
            )],
        ),
        own(
            "resources[0].resources.limits{memory}",
            json!("998Mi"),
            vec![see(redis, resources("limits/memory"), "998Mi")],
        ),
        own(
            "resources[0].component",
            json!("db"),
            vec![see(db, of_db("resources/requests/cpu"), "11m"), see(redis, resources("requests/cpu"), "20m")],
        ),
        own("resources[0].template", json!("agora"), vec![see(redis, resources("requests/cpu"), "20m")]),
    ]
}

/// The newest version of the office, and its own reference of an image.
fn packaged(image: &str) -> (String, String) {
    let office = builtin().into_iter().find(|package| package.metadata.name.as_deref() == Some("office"));
    let newest = office.and_then(|office| office.spec.versions.into_iter().next()).unwrap_or_default();
    let found = newest.images.into_iter().find(|found| found.name == image);
    (newest.name, found.map(|found| found.reference).unwrap_or_default())
}

fn services() -> Vec<Case> {
    let app = "Deployment/office-app";
    let variable = |name: &str| format!("/spec/template/spec/containers/nextcloud/env/{name}");
    let port = |at: &str| see("NetworkPolicy/office-app", format!("/spec/egress/5/{at}"), 587);
    let user = format!("{}/valueFrom/secretKeyRef/name", variable("SMTP_NAME"));
    let until = Timestamp::now().checked_add((24 * 3650).hours()).map(|date| date.to_string()).unwrap_or_default();
    let year = until.get(..5).unwrap_or_default().to_owned();
    vec![
        own("smtp.host", json!("mail.b.example"), vec![see(app, variable("SMTP_HOST/value"), "mail.b.example")]),
        own("smtp.port", json!(587), vec![see(app, variable("SMTP_PORT/value"), "587"), port("ports/0/port")]),
        own(
            "smtp.from",
            json!("post@b.example"),
            vec![
                see(app, variable("MAIL_FROM_ADDRESS/value"), "post"),
                see(app, variable("MAIL_DOMAIN/value"), "b.example"),
            ],
        ),
        own(
            "smtp.secretName",
            json!("mail-b"),
            vec![see(app, user, "mail-b"), see("Secret/mail-b", "/metadata/name", "mail-b")],
        ),
        own(
            "editor.url",
            json!("https://editor-b.example"),
            vec![see("ConfigMap/office-settings", "/data/editor_url", "https://editor-b.example")],
        ),
        own("retention.days", json!(3650), vec![reads("ServiceData/gone", "/spec/keepUntil", year)])
            .then(Deed::Delete("DedicatedService/gone")),
        // Its template has another revision since it was made.
        own("rollout.strategy", json!("Automatic"), vec![see("DedicatedService/moved", "/status/version", "4")]),
        // What it does, six services show: `rollout.rs`.
        refused("Platform", "spec.rollout.maxUnavailable", json!(0), &["spec.rollout.maxUnavailable"]),
    ]
}

/// The ports of the peers, and what of public addresses is the cluster's own.
fn network() -> Vec<Case> {
    let policy = "NetworkPolicy/office-app";
    let port = |list: &str, port: u16, at: &str| {
        own(
            &format!("network.ports.{list}[0]"),
            json!(port),
            vec![see(policy, format!("/spec/egress/{at}/port"), port)],
        )
    };
    let without = |at: &str| see(policy, format!("/spec/egress/{at}"), "10.3.0.0/16");
    vec![
        port("dns", 5353, "2/ports/1"),
        port("public", 8443, "3/ports/0"),
        port("identityProvider", 8080, "4/ports/0"),
        port("mail", 2525, "5/ports/0"),
        // Beside what the block's own `except` says, and of mail to a server that is known by its name only.
        own(
            "network.clusterRanges[0]",
            json!("10.3.0.0/16"),
            vec![without("3/to/0/ipBlock/except/1"), without("5/to/0/ipBlock/except/0")],
        )
        .given("spec.network.mail", json!([])),
    ]
}

/// The leaves of a list of peers, seen in a rule of the office's policy.
fn peers_of(list: &str, rule: &str) -> Vec<Case> {
    let peer = |leaf: &str, at: &str, value: Value| {
        let seen = see("NetworkPolicy/office-app", format!("{rule}/{at}"), value.clone());
        own(&format!("network.{list}[{leaf}"), value, vec![seen])
    };
    let mut cases = vec![
        peer("0].ipBlock.cidr", "0/ipBlock/cidr", json!("10.0.0.0/9")),
        peer("0].ipBlock.except[0]", "0/ipBlock/except/0", json!("10.2.0.0/16")),
    ];
    for selector in ["namespaceSelector", "podSelector"] {
        let leaf = |leaf: &str| format!("1].{selector}.{leaf}");
        let at = |at: &str| format!("1/{selector}/{at}");
        cases.extend([
            peer(&leaf("matchLabels{app}"), &at("matchLabels/app"), json!("b")),
            peer(&leaf("matchExpressions[0].key"), &at("matchExpressions/0/key"), json!("other")),
            peer(&leaf("matchExpressions[0].operator"), &at("matchExpressions/0/operator"), json!("NotIn")),
            peer(&leaf("matchExpressions[0].values[0]"), &at("matchExpressions/0/values/0"), json!("b")),
        ]);
    }
    cases
}

/// A template of this version, which may follow some others: a copy of the calendars'.
pub fn rollout(radicale: &ServiceTemplate, version: &str, follows: &[&str]) -> Value {
    let mut template = json!(radicale);
    template["metadata"] = json!({"name": TEMPLATE});
    template["spec"]["versions"][0]["name"] = json!(version);
    template["spec"]["versions"][0]["upgradesFrom"] = json!(follows);
    template
}
