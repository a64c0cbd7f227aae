//! The leaves of the four Dedicated kinds, and the same leaves in an Entity's `services`: one table,
//! played through both doors.

use commonscloud_e2e::manifests::{self, entity, namespaced, object};
use commonscloud_e2e::{Failure, Outcome};
use commonscloud_operator::api::ServiceTemplate;
use commonscloud_operator::template::Package;
use serde_json::{Value, json};

use super::case::{Case, reads, refused, see, set, shows};
use super::live::Stage;

/// A service: its kind and what its table needs to know of its package.
pub struct Service {
    /// The kind of its Dedicated resource.
    pub kind: &'static str,
    /// The template.
    pub template: &'static str,
    /// Its key in an Entity's `services`, as a path.
    pub key: &'static str,
    /// The application's container in Deployment `{instance}-app`, called like its image or not.
    pub container: &'static str,
    /// The application's image in the package.
    pub image: &'static str,
    /// Its parameters before any change.
    pub parameters: fn() -> Value,
    /// The cases of its parameters.
    pub own: fn(&Door) -> Vec<Case>,
}

/// All services: the three typed ones, and one of a template by name.
pub static SERVICES: [Service; 4] = [
    Service {
        kind: "DedicatedOffice",
        template: "office",
        key: "services.office",
        container: "nextcloud",
        image: "nextcloud",
        parameters: || {
            let oidc = oidc(&json!({"allowedGroups": ["garden"]}));
            json!({"defaultUserQuota": "1Gi", "phoneRegion": "ES", "editor": "Shared", "oidc": oidc})
        },
        own: office,
    },
    Service {
        kind: "DedicatedAgora",
        template: "agora",
        key: "services.agora",
        container: "discourse",
        image: "discourse",
        parameters: || json!({"oidc": oidc(&json!({}))}),
        own: agora,
    },
    Service {
        kind: "DedicatedProjects",
        template: "projects",
        key: "services.projects",
        container: "web",
        image: "phorge",
        parameters: || json!({"oidc": oidc(&json!({"allowedGroups": ["garden"]}))}),
        own: projects,
    },
    Service {
        kind: "DedicatedService",
        template: "radicale",
        key: "services.others[0]",
        container: "radicale",
        image: "radicale",
        parameters: || json!({"realm": "Before"}),
        own: other,
    },
];

fn oidc(more: &Value) -> Value {
    let mut oidc = json!({"issuer": "https://id.example/a", "clientSecretName": "client-a", "groupsClaim": "groups"});
    if let (Value::Object(oidc), Value::Object(more)) = (&mut oidc, more.clone()) {
        oidc.extend(more);
    }
    oidc
}

/// Through what an instance's leaves are changed.
pub struct Door {
    /// The kind of the object that is edited.
    kind: &'static str,
    /// Where the instance's leaves begin in it.
    front: String,
    /// The kind of the instance.
    instance_kind: &'static str,
    /// The instance's name.
    name: String,
}

impl Door {
    fn path(&self, leaf: &str) -> String {
        format!("{}.{leaf}", self.front)
    }

    /// `Kind/{instance}-{component}`.
    fn child(&self, kind: &str, component: &str) -> String {
        format!("{kind}/{}-{component}", self.name)
    }

    fn instance(&self) -> String {
        format!("{}/{}", self.instance_kind, self.name)
    }

    fn shows(&self, leaf: &str, value: Value, child: (&str, &str), at: &str, seen: impl Into<Value>) -> Case {
        shows(self.kind, self.path(leaf), value, vec![see(self.child(child.0, child.1), at, seen)])
    }
}

/// The name of the version that only the revisions of this test have.
const NEXT: &str = "next";

/// Two revisions of a package, each with a version newer than the package has, and their names.
fn revisions(service: &Service, template: &ServiceTemplate) -> Outcome<[(String, Value); 2]> {
    let mut spec = serde_json::to_value(&template.spec)?;
    let mut next = spec["versions"][0].clone();
    next["upgradesFrom"] = json!([next["name"]]);
    next["name"] = json!(NEXT);
    for image in next["images"].as_array_mut().into_iter().flatten() {
        image["reference"] = json!(format!("docker.io/next/{}:1-trixie", image["name"].as_str().unwrap_or_default()));
    }
    spec["versions"].as_array_mut().ok_or_else(|| Failure::new("no versions"))?.insert(0, next);
    let revision = |spec: &Value| {
        let name = Package::compile(service.template, &serde_json::from_value(spec.clone())?)?.revision_name();
        let content = json!({"template": service.template, "content": spec});
        Ok::<_, Failure>((name.clone(), object("ServiceTemplateRevision", &name, content)))
    };
    let first = revision(&spec)?;
    spec["title"]["en"] = json!("Another");
    Ok([first, revision(&spec)?])
}

/// The stages of a service: made by its Entity, and written by hand beside it. The second can be set
/// once the first is.
pub fn stages(service: &Service, template: &ServiceTemplate) -> Outcome<[Stage; 2]> {
    let [(first, one), (second, other)] = revisions(service, template)?;
    let namespace = format!("leaves-{}", service.template);
    let domain = format!("{namespace}.example");
    let spec = |name: &str| {
        let manager = json!({"name": "anna", "mail": "anna@a.example", "subject": {"kind": "User", "name": "anna-a"}});
        let mut parameters = (service.parameters)();
        if let Some(client) = parameters.pointer_mut("/oidc/clientSecretName") {
            *client = json!(client_of(name, "a"));
        }
        json!({
            "tier": "1gb", "extraBlocks": 0, "hostname": format!("{name}.{domain}"), "paused": false,
            "revision": first, "version": template.spec.versions[0].name,
            "managers": [manager], "parameters": parameters,
        })
    };
    let made = if service.kind == "DedicatedService" { "site" } else { service.template };
    let mut owner = entity(&namespace, json!({}));
    owner["spec"]["domains"] = json!([domain]);
    set(&mut owner, &format!("spec.{}", service.key), &spec(made));
    let mut by_hand = namespaced(service.kind, &namespace, "hand", spec("hand"));
    if service.kind == "DedicatedService" {
        by_hand["spec"]["template"] = json!(service.template);
        owner["spec"]["services"]["others"][0]["template"] = json!(service.template);
        owner["spec"]["services"]["others"][0]["name"] = json!(made);
    }
    let door =
        |kind, front: String, name: &str| Door { kind, front, instance_kind: service.kind, name: name.to_owned() };
    let through_entity = door("Entity", format!("spec.{}", service.key), made);
    let directly = door(service.kind, "spec".to_owned(), "hand");
    let cases = |door: &Door| {
        let mut cases = shared(door, &namespace, &second);
        cases.extend((service.own)(door));
        cases.extend(last(service, door));
        cases
    };
    let clients = [(made, "a"), (made, "b"), ("hand", "a"), ("hand", "b")]
        .map(|(name, which)| manifests::client_secret(&namespace, &client_of(name, which), name));
    Ok([
        Stage {
            // The Secrets need the namespace, which comes with the Entity.
            around: [one, other, owner.clone()].into_iter().chain(clients).collect(),
            ready: vec![format!("Entity/{namespace}")],
            cases: cases(&through_entity),
            subject: owner,
            namespace: namespace.clone(),
        },
        Stage {
            around: Vec::new(),
            ready: vec![directly.instance()],
            cases: cases(&directly),
            subject: by_hand,
            namespace,
        },
    ])
}

/// What every instance has.
fn shared(door: &Door, namespace: &str, revision: &str) -> Vec<Case> {
    let request = "/spec/resources/requests/storage";
    let managers = format!("commonscloud-manager-{}", door.name);
    let binding = format!("RoleBinding/{managers}");
    let own = |leaf: &str, value: Value, sees| shows(door.kind, door.path(leaf), value, sees);
    let not =
        |leaf: &str, value: &str, words: &'static str| refused(door.kind, door.path(leaf), json!(value), &[words]);
    let hostname = format!("other-{}.{namespace}.example", door.name);
    vec![
        // 97 MiB are the file system's own.
        door.shows("extraBlocks", json!(1), ("PersistentVolumeClaim", "data"), request, "2145Mi"),
        door.shows("tier", json!("5gb"), ("PersistentVolumeClaim", "data"), request, "5217Mi"),
        door.shows("hostname", json!(hostname), ("Ingress", "app"), "/spec/rules/0/host", hostname.as_str()),
        own(
            "managers[0].name",
            json!("berta"),
            vec![see(door.instance(), "/status/managers/0", "berta <anna@a.example>")],
        ),
        own(
            "managers[0].mail",
            json!("anna@b.example"),
            vec![see(door.instance(), "/status/managers/0", "anna <anna@b.example>")],
        ),
        own("managers[0].subject.kind", json!("Group"), vec![see(&binding, "/subjects/0/kind", "Group")]),
        own("managers[0].subject.name", json!("anna-b"), vec![see(&binding, "/subjects/0/name", "anna-b")]),
        door.shows(
            "revision",
            json!(revision),
            ("Deployment", "app"),
            "/metadata/annotations/commonscloud.coop~1revision",
            revision,
        ),
        // What they do where the Platform has backups is shown in a scenario of its own.
        not("backup.target", "No Target", "backup.target"),
        not("backup.cron", "at night", "allowed: five fields of cron"),
        not("backup.timeZone", "Europe/Madrid", "backup.timeZone: set it only together with backup.cron"),
        // What it keeps from being changed is shown in a scenario of its own.
        own("paused", json!(true), vec![see(door.instance(), "/status/conditions/Paused/status", "True")]),
    ]
}

fn office(door: &Door) -> Vec<Case> {
    let setting = |leaf: &str, value: Value, key: &str, seen: &str| {
        door.shows(&format!("parameters.{leaf}"), value, ("ConfigMap", "settings"), &format!("/data/{key}"), seen)
    };
    let editor = format!("http://{}-editor:9980", door.name);
    vec![
        setting("defaultUserQuota", json!("2Gi"), "default_user_quota", "2Gi"),
        setting("phoneRegion", json!("FR"), "phone_region", "FR"),
        setting("editor", json!("Dedicated"), "editor_url", &editor),
        setting("oidc.issuer", json!("https://id.example/b"), "oidc_issuer", "https://id.example/b"),
        setting("oidc.groupsClaim", json!("roles"), "oidc_groups_claim", "roles"),
        setting("oidc.allowedGroups[0]", json!("school"), "oidc_groups_regex", "^(school)$"),
        client_secret(door, "/spec/template/spec/volumes/oidc/secret/secretName"),
    ]
}

fn agora(door: &Door) -> Vec<Case> {
    let setting = |leaf: &str, value: Value, key: &str, seen: &str| {
        door.shows(
            &format!("parameters.{leaf}"),
            value,
            ("ConfigMap", "settings"),
            &format!("/data/DISCOURSE_{key}"),
            seen,
        )
    };
    let discovery = "https://id.example/b/.well-known/openid-configuration";
    vec![
        setting("contactMail", json!("agora@b.example"), "CONTACT_EMAIL", "agora@b.example"),
        setting("oidc.issuer", json!("https://id.example/b"), "OPENID_CONNECT_DISCOVERY_DOCUMENT", discovery),
        setting("oidc.groupsClaim", json!("roles"), "OPENID_CONNECT_GROUPS_CLAIM", "roles"),
        client_secret(door, "/spec/template/spec/volumes/oidc/secret/secretName"),
        // Its managers' addresses are its administrators'.
        setting_of_managers(door),
    ]
}

fn setting_of_managers(door: &Door) -> Case {
    let at = "/data/DISCOURSE_DEVELOPER_EMAILS";
    door.shows("managers[0].mail", json!("anna@c.example"), ("ConfigMap", "settings"), at, "anna@c.example")
}

fn projects(door: &Door) -> Vec<Case> {
    let setting = |leaf: &str, value: Value, key: &str, seen: &str| {
        door.shows(&format!("parameters.oidc.{leaf}"), value, ("ConfigMap", "settings"), &format!("/data/{key}"), seen)
    };
    vec![
        setting("issuer", json!("https://id.example/b"), "oidc_issuer", "https://id.example/b"),
        setting("groupsClaim", json!("roles"), "oidc_groups_claim", "roles"),
        setting("allowedGroups[0]", json!("school"), "oidc_groups", "school"),
        client_secret(door, "/spec/template/spec/volumes/oidc/secret/secretName"),
    ]
}

fn client_secret(door: &Door, at: &str) -> Case {
    let other = client_of(&door.name, "b");
    door.shows("parameters.oidc.clientSecretName", json!(other), ("Deployment", "app"), at, other.as_str())
}

/// The Secret of a service's client at the identity provider; there are two.
fn client_of(service: &str, which: &str) -> String {
    format!("{service}-client-{which}")
}

fn other(door: &Door) -> Vec<Case> {
    let realm = reads(door.child("ConfigMap", "app"), "/data/config", "realm = After\n");
    let parameters = shows(door.kind, door.path("parameters"), json!({"realm": "After"}), vec![realm]);
    let template = refused(door.kind, door.path("template"), json!("office"), &["template: cannot be changed"]);
    vec![parameters, template]
}

/// What cannot be taken back.
fn last(service: &Service, door: &Door) -> Vec<Case> {
    let image = format!("/spec/template/spec/containers/{}/image", service.container);
    let next = format!("docker.io/next/{}:1-trixie", service.image);
    let mut cases = vec![door.shows("version", json!(NEXT), ("Deployment", "app"), &image, next)];
    if door.kind == "Entity" && service.kind == "DedicatedService" {
        // Another name is another service; the one of the old name goes, its data stays.
        let renamed = see("DedicatedService/renamed", "/metadata/name", "renamed");
        cases.push(shows(door.kind, door.path("name"), json!("renamed"), vec![renamed]));
    }
    cases
}
