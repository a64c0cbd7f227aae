//! The operator's rights as they were installed.

use std::sync::Arc;

use commonscloud_e2e::chart::{NAMESPACE, USER};
use commonscloud_e2e::manifests::{entity, entity_with_office};
use commonscloud_e2e::rights::{Place, Subject, between, tables};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, ensure};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role};
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY, SMTP};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("the roles as installed hold no * and no escalate", no_wildcards),
        Scenario::new(
            "the operator reads no Secret outside the namespaces of entities and its own",
            secrets_are_closed,
        ),
        Scenario::new("the operator cannot write outside the namespaces of entities", held_to_its_namespaces),
        Scenario::new("the operator changes and deletes no Secret but copies of the platform's", held_to_copies),
        Scenario::new("the operator writes nothing of its own namespace but servers of volumes", held_to_servers),
        Scenario::new("kubelets are shown an account that reads figures and nothing else", figures_only),
        Scenario::new("everybody's rights are those of the tables in docs/security.md", matrix),
        Scenario::new("the roles view and edit reach entities and services, and no record, revision or price", people),
        Scenario::new("managers look at their own entity, until they are taken out of the list", managers),
    ]
}

fn faults(role: &str, rules: Option<&[PolicyRule]>) -> Vec<String> {
    let mut faults = Vec::new();
    for rule in rules.unwrap_or_default() {
        let lists =
            [Some(&rule.verbs), rule.api_groups.as_ref(), rule.resources.as_ref(), rule.non_resource_urls.as_ref()];
        for word in lists.into_iter().flatten().flatten() {
            if word.contains('*') || word == "escalate" || word == "impersonate" {
                faults.push(format!("{role}: {word:?} in {rule:?}"));
            }
        }
        let binds = rule.verbs.iter().any(|verb| verb == "bind");
        if binds && rule.resource_names.as_ref().is_none_or(Vec::is_empty) {
            faults.push(format!("{role}: bind without resourceNames"));
        }
    }
    faults
}

async fn no_wildcards(tier: Arc<ControlPlane>) -> Outcome {
    let client = tier.cluster.client.clone();
    let ours = |name: &str| name.starts_with("commonscloud");
    let mut seen = 0;
    let mut all = Vec::new();
    for role in Api::<ClusterRole>::all(client.clone()).list(&ListParams::default()).await? {
        if ours(&role.name_any()) {
            seen += 1;
            all.extend(faults(&role.name_any(), role.rules.as_deref()));
        }
    }
    for role in Api::<Role>::all(client.clone()).list(&ListParams::default()).await? {
        if ours(&role.name_any()) {
            seen += 1;
            all.extend(faults(&role.name_any(), role.rules.as_deref()));
        }
    }
    ensure!(seen >= 3, "only {seen} roles of the chart were found");
    for binding in Api::<ClusterRoleBinding>::all(client).list(&ListParams::default()).await? {
        let subjects = binding.subjects.iter().flatten();
        let bound = subjects.into_iter().any(|subject| USER.ends_with(&format!(":{}", subject.name)));
        if bound && !ours(&binding.role_ref.name) {
            all.push(format!("{} gives the operator {}", binding.name_any(), binding.role_ref.name));
        }
    }
    ensure!(all.is_empty(), "{}", all.join("\n"));
    Ok(())
}

/// `kubectl auth can-i` as the operator; `no` is what is expected.
async fn may_not(tier: &ControlPlane, question: &[&str]) -> Outcome {
    let mut words = vec!["auth", "can-i"];
    words.extend(question);
    words.extend(["--as", USER]);
    let finished = tier.cluster.kubectl.run(&words, None).await?;
    ensure!(finished.stdout.trim() == "no", "{}: {}", question.join(" "), finished.stdout);
    Ok(())
}

async fn secrets_are_closed(tier: Arc<ControlPlane>) -> Outcome {
    tier.running(&entity_with_office("rights")).await?;
    for verb in ["get", "list", "watch", "create", "delete"] {
        may_not(&tier, &[verb, "secrets", "-n", "kube-system"]).await?;
        may_not(&tier, &[verb, "secrets", "--all-namespaces"]).await?;
    }
    let granted =
        tier.cluster.kubectl.run(&["auth", "can-i", "get", "secrets", "-n", "rights", "--as", USER], None).await?;
    ensure!(granted.stdout.trim() == "yes", "the operator cannot read Secrets of an entity: {}", granted.stdout);
    Ok(())
}

async fn held_to_its_namespaces(tier: Arc<ControlPlane>) -> Outcome {
    for resource in [
        "deployments.apps",
        "configmaps",
        "pods",
        "clusterroles.rbac.authorization.k8s.io",
        "nodes/proxy",
        "serviceaccounts/token",
    ] {
        may_not(&tier, &["create", resource, "-n", "kube-system"]).await?;
    }
    may_not(&tier, &["bind", "clusterroles.rbac.authorization.k8s.io/cluster-admin"]).await?;
    let words = ["label", "namespace", "kube-public", "commonscloud.coop/entity=kube-public", "--as", USER];
    let finished = tier.cluster.kubectl.run(&words, None).await?;
    finished.refused("the operator's own label on a namespace that is no entity's").map(drop)
}

async fn held_to_copies(tier: Arc<ControlPlane>) -> Outcome {
    let name = "rights-secrets";
    tier.running(&entity_with_office(name)).await?;
    let kubectl = &tier.cluster.kubectl;
    kubectl.ok(&["create", "secret", "generic", "by-hand", "-n", name, "--from-literal=key=value"]).await?;
    for (secret, refusal) in [("by-hand", "denied request"), ("office-admin", "denied request"), (SMTP, "")] {
        let live = kubectl.ok(&["get", "secret", secret, "-n", name, "-o", "json"]).await?;
        let mut changed: Value = serde_json::from_str(&live)?;
        changed["metadata"]["annotations"]["touched"] = json!("yes");
        let (replace, delete) = (["replace", "-f", "-", "--as", USER], ["delete", "-f", "-", "--as", USER]);
        let delete = [&delete[..], &["--dry-run=server"]].concat();
        for words in [&replace[..], &delete[..]] {
            let finished = kubectl.run(words, Some(changed.to_string().as_bytes())).await?;
            if refusal.is_empty() {
                finished.succeeded(&format!("{words:?} of the operator's own copy {secret}"))?;
                continue;
            }
            let message = finished.refused(&format!("the operator's {words:?} of {secret}"))?;
            ensure!(message.contains(refusal), "{secret}: {message}");
        }
    }
    Ok(())
}

async fn held_to_servers(tier: Arc<ControlPlane>) -> Outcome {
    let kubectl = &tier.cluster.kubectl;
    let service = |name: &str, labels: Value| {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels}, "spec": {"ports": [{"port": 8000}]},
        })
        .to_string()
    };
    let create = ["create", "-f", "-", "--dry-run=server", "--as", USER];
    let label = json!({"commonscloud.coop/backup-server": "rights"});
    let (own, taken) = (service("backup-server-rights", label.clone()), service("rights", label));
    kubectl.run(&create, Some(own.as_bytes())).await?.succeeded("a server's own Service")?;
    let refused = ["denied request", "backup-server-TARGET"];
    let message = kubectl.run(&create, Some(taken.as_bytes())).await?.refused("another Service")?;
    ensure!(refused.iter().all(|words| message.contains(words)), "{message}");
    let by_hand = service("rights-by-hand", json!({}));
    kubectl.run(&["create", "-f", "-"], Some(by_hand.as_bytes())).await?.succeeded("a Service by hand")?;
    let delete = ["delete", "-f", "-", "--dry-run=server", "--as", USER];
    let message = kubectl.run(&delete, Some(by_hand.as_bytes())).await?.refused("a Service by hand")?;
    ensure!(refused.iter().all(|words| message.contains(words)), "{message}");
    kubectl.run(&["delete", "-f", "-"], Some(by_hand.as_bytes())).await?.succeeded("the end of it").map(drop)
}

/// The account whose tokens the operator shows to kubelets.
const FIGURES: &str = "system:serviceaccount:commonscloud-system:commonscloud-usage";

async fn figures_only(tier: Arc<ControlPlane>) -> Outcome {
    let token = |account: &str| format!("serviceaccounts/{account}");
    let (figures, operator) = (token("commonscloud-usage"), token("commonscloud-operator"));
    let of_figures = ["create", figures.as_str(), "--subresource=token", "-n", NAMESPACE];
    let of_operator = ["create", operator.as_str(), "--subresource=token", "-n", NAMESPACE];
    for (expected, whom, question) in [
        ("yes", FIGURES, &["get", "nodes", "--subresource=metrics"][..]),
        ("no", FIGURES, &["get", "nodes", "--subresource=proxy"][..]),
        ("no", FIGURES, &["get", "nodes"][..]),
        ("no", FIGURES, &["list", "pods", "--all-namespaces"][..]),
        ("no", FIGURES, &["get", "secrets", "-n", NAMESPACE][..]),
        ("no", FIGURES, &["list", "entities.commonscloud.coop"][..]),
        ("no", USER, &["get", "nodes", "--subresource=metrics"][..]),
        ("yes", USER, &of_figures[..]),
        ("no", USER, &of_operator[..]),
        ("no", USER, &["create", "serviceaccounts/default", "--subresource=token", "-n", "kube-system"][..]),
    ] {
        let words = [&["auth", "can-i"][..], question, &["--as", whom]].concat();
        let finished = tier.cluster.kubectl.run(&words, None).await?;
        ensure!(finished.stdout.trim() == expected, "{words:?}: {}{}", finished.stdout, finished.stderr);
    }
    Ok(())
}

/// An Entity with a manager, and an office with a group of managers of its own.
fn managed(name: &str) -> Value {
    let manager = |kind: &str, subject: &str| json!([{"name": "m", "subject": {"kind": kind, "name": subject}}]);
    let office = json!({"tier": "1gb", "managers": manager("Group", &format!("office-of-{name}"))});
    let mut entity = entity(name, json!({"office": office}));
    entity["spec"]["managers"] = manager("User", &format!("manager-of-{name}"));
    entity
}

fn subject(title: &'static str, user: &str, groups: &[&str]) -> Subject {
    let groups = groups.iter().chain(&["system:authenticated"]).map(|group| (*group).to_owned()).collect();
    Subject { title, user: user.to_owned(), groups }
}

async fn matrix(tier: Arc<ControlPlane>) -> Outcome {
    let (a, b) = (managed("rights-a"), managed("rights-b"));
    tokio::try_join!(tier.running(&a), tier.running(&b))?;
    let subjects = [
        subject("administrator", "an-administrator", &["system:masters"]),
        subject("operator", USER, &["system:serviceaccounts", "system:serviceaccounts:commonscloud-system"]),
        subject("manager of A", "manager-of-rights-a", &[]),
        subject("manager of A's office", "somebody", &["office-of-rights-a"]),
        subject("manager of B", "manager-of-rights-b", &[]),
        subject(
            "pod of A",
            "system:serviceaccount:rights-a:default",
            &["system:serviceaccounts", "system:serviceaccounts:rights-a"],
        ),
    ];
    let place = |title, namespace: &str| Place { title, namespace: Some(namespace.to_owned()) };
    let places = [
        place("In the namespace of Entity A", "rights-a"),
        place("In the namespace of Entity B", "rights-b"),
        place("In the operator's own namespace", NAMESPACE),
        place("In a namespace of no Entity", "kube-system"),
        Place { title: "Kinds in no namespace", namespace: None },
    ];
    let seen = tables(&tier.cluster, &subjects, &places).await?;
    let path = tier.cluster.programs.source.join("docs/security.md");
    let document = std::fs::read_to_string(&path)?;
    let written = between(&document, "rights")?;
    if written == seen {
        return Ok(());
    }
    if std::env::var("COMMONSCLOUD_WRITE_DOCS").is_ok_and(|write| write == "1") {
        let marked = |text: &str| format!("<!-- begin: rights -->\n{text}<!-- end: rights -->");
        std::fs::write(&path, document.replace(&marked(written), &marked(&seen)))?;
        return Ok(());
    }
    let first = seen.lines().zip(written.lines()).find(|(seen, written)| seen != written);
    Err(Failure::new(format!(
        "docs/security.md does not say what the API server answers, first in (seen, written) {first:?}\nlook whether \
         that is meant, then write the tables anew: COMMONSCLOUD_WRITE_DOCS=1 cargo test --workspace --test \
         control_plane -- 'rights are those'"
    )))
}

async fn people(tier: Arc<ControlPlane>) -> Outcome {
    let name = "rights-people";
    tier.running(&entity_with_office(name)).await?;
    let kubectl = &tier.cluster.kubectl;
    for (role, user) in [("view", "a-viewer"), ("edit", "an-editor")] {
        let (role, subject) = (format!("--clusterrole={role}"), format!("--user={user}"));
        kubectl.ok(&["create", "rolebinding", user, &role, &subject, "-n", name]).await?;
    }
    let words = ["create", "clusterrolebinding", name, "--clusterrole=edit", "--user=an-editor-of-all"];
    kubectl.ok(&words).await?;
    let mut wrong = Vec::new();
    for (user, verb, resource, expected) in [
        ("a-viewer", "get", "dedicatedoffices", true),
        ("a-viewer", "patch", "dedicatedoffices", false),
        ("a-viewer", "get", "servicedata", false),
        ("a-viewer", "get", "servicebackups", false),
        ("a-viewer", "get", "entities", false),
        ("an-editor", "get", "dedicatedoffices", true),
        ("an-editor", "patch", "dedicatedoffices", true),
        ("an-editor", "patch", "dedicatedoffices/status", false),
        ("an-editor", "create", "dedicatedservices", true),
        ("an-editor", "get", "servicedata", false),
        ("an-editor", "create", "servicebackups", false),
        ("an-editor", "create", "servicerestores", false),
        ("an-editor", "create", "restoreconsents", false),
        ("an-editor", "create", "entities", false),
        ("an-editor-of-all", "create", "entities", true),
        ("an-editor-of-all", "get", "servicedata", false),
        ("an-editor-of-all", "patch", "platforms", false),
        ("an-editor-of-all", "patch", "tariffs", false),
        ("an-editor-of-all", "create", "servicetemplaterevisions", false),
    ] {
        // Asked in a namespace, a kind in none is judged by that namespace's bindings.
        let in_none = ["entities", "platforms", "tariffs", "servicetemplaterevisions"].contains(&resource);
        let namespace = if in_none { "default" } else { name };
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let (resource, subresource) = (format!("{resource}.commonscloud.coop"), format!("--subresource={subresource}"));
        let words = ["auth", "can-i", verb, &resource, &subresource, "-n", namespace, "--as", user];
        let said = kubectl.run(&words, None).await?;
        if (said.stdout.trim() == "yes") != expected {
            wrong.push(format!("{user} {verb} {resource} {subresource}: {}", said.stdout.trim()));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    kubectl.ok(&["delete", "clusterrolebinding", name]).await.map(drop)
}

/// A real request as somebody else: whether it was answered, or refused for want of rights.
async fn answered(tier: &ControlPlane, as_whom: &[&str], words: &[&str]) -> Outcome<bool> {
    let finished = tier.cluster.kubectl.run(&[words, as_whom].concat(), None).await?;
    ensure!(
        finished.success || finished.stderr.contains("orbidden"),
        "{}: neither answered nor refused: {}",
        words.join(" "),
        finished.stderr
    );
    Ok(finished.success)
}

async fn managers(tier: Arc<ControlPlane>) -> Outcome {
    let (a, b) = (managed("managed-a"), managed("managed-b"));
    tokio::try_join!(tier.running(&a), tier.running(&b))?;
    let manager: &[&str] = &["--as", "manager-of-managed-a"];
    let of_office: &[&str] = &["--as", "somebody", "--as-group", "office-of-managed-a"];
    let pod: &[&str] = &["--as", "system:serviceaccount:managed-a:default"];
    for (whom, reads_a) in [(manager, true), (of_office, true), (pod, false)] {
        for of in ["dedicatedoffices", "servicedata", "servicebackups", "servicerestores", "restoreconsents", "events"]
        {
            let words = ["get", of];
            let in_a = answered(&tier, whom, &[&words[..], &["-n", "managed-a"]].concat()).await?;
            ensure!(in_a == reads_a, "{whom:?} in A: {words:?} answered: {in_a}");
            let in_b = answered(&tier, whom, &[&words[..], &["-n", "managed-b"]].concat()).await?;
            ensure!(!in_b, "{whom:?} {words:?} in B");
        }
        for words in [
            &["get", "secrets"][..],
            &["get", "pods"],
            &["delete", "dedicatedoffice", "office", "--dry-run=server"],
            &["annotate", "dedicatedoffice", "office", "a=b", "--dry-run=server"],
            &["create", "configmap", "mine", "--dry-run=server"],
        ] {
            for namespace in ["managed-a", "managed-b"] {
                let answered = answered(&tier, whom, &[words, &["-n", namespace]].concat()).await?;
                ensure!(!answered, "{whom:?} {words:?} in {namespace}");
            }
        }
    }
    // Taken out of the list, they may look no more: so it was the list that let them.
    tier.cluster.applied(&[entity_with_office("managed-a")]).await?;
    for whom in [manager, of_office] {
        eventually("the right goes with the name in the list", READY, async || {
            let words = ["get", "dedicatedoffices", "-n", "managed-a"];
            ensure!(!answered(&tier, whom, &words).await?, "{whom:?} may still look");
            Ok(())
        })
        .await?;
    }
    Ok(())
}
