//! Who may do what, from the API server's own answers, as tables.
//!
//! The rules are those of `SelfSubjectRulesReview`, asked as each subject in each place; every right
//! that a table shows, and every right that nobody but the administrator is to have, is asked a
//! second time by `SubjectAccessReview`.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, ResourceRule, SelfSubjectRulesReview, SelfSubjectRulesReviewSpec, SubjectAccessReview,
    SubjectAccessReviewSpec, SubjectRulesReviewStatus,
};
use kube::Client;
use kube::api::{Api, PostParams};

use crate::cluster::Cluster;
use crate::failure::{Failure, Outcome};

/// Questions that are asked side by side.
const AT_ONCE: usize = 32;

/// Somebody whom the API server knows.
#[derive(Debug, Clone)]
pub struct Subject {
    /// What the tables call them.
    pub title: &'static str,
    /// The user's name.
    pub user: String,
    /// The groups that come with it.
    pub groups: Vec<String>,
}

/// Where rights are looked at.
#[derive(Debug, Clone)]
pub struct Place {
    /// What the tables call it.
    pub title: &'static str,
    /// The namespace; none for the kinds that are in no namespace.
    pub namespace: Option<String>,
}

/// A resource as rules name it: `pods/exec`, `deployments.apps`, and the names that a rule is
/// limited to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    resource: Resource,
    names: Vec<String>,
}

/// A resource or subresource of the API server's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Resource {
    group: String,
    name: String,
}

impl Resource {
    fn shown(&self) -> String {
        let Self { group, name } = self;
        if group.is_empty() { name.clone() } else { format!("{name}.{group}") }
    }
}

/// What the API server offers: whether in a namespace, and the verbs.
type Offered = BTreeMap<Resource, (bool, BTreeSet<String>)>;
/// Verbs by row, for one subject in one place.
type Rights = BTreeMap<Row, BTreeSet<String>>;

/// The tables: one for each place, with a column for each subject. The first subject is the
/// administrator, who is expected to have all rights.
///
/// # Errors
/// When the API server does not answer, or answers the same question in two ways.
pub async fn tables(cluster: &Cluster, subjects: &[Subject], places: &[Place]) -> Outcome<String> {
    let offered = offered(&cluster.client).await?;
    let mut text = String::new();
    for place in places {
        let mut columns = Vec::new();
        for subject in subjects {
            columns.push(rights(cluster, &offered, subject, place).await?);
        }
        check(&cluster.client, &offered, subjects, place, &columns).await?;
        text.push_str(&table(&offered, subjects, place, &columns));
    }
    Ok(text)
}

/// Every resource and subresource, in the version that the API server prefers.
async fn offered(client: &Client) -> Outcome<Offered> {
    let mut versions = vec![(String::new(), client.list_core_api_resources("v1").await?)];
    for group in client.list_api_groups().await?.groups {
        let preferred = group.preferred_version.or_else(|| group.versions.first().cloned());
        let preferred = preferred.ok_or_else(|| Failure::new(format!("{} has no version", group.name)))?;
        versions.push((group.name, client.list_api_group_resources(&preferred.group_version).await?));
    }
    let mut offered = Offered::new();
    for (group, list) in versions {
        for resource in list.resources {
            let key = Resource { group: group.clone(), name: resource.name };
            offered.insert(key, (resource.namespaced, resource.verbs.into_iter().collect()));
        }
    }
    Ok(offered)
}

async fn rights(cluster: &Cluster, offered: &Offered, subject: &Subject, place: &Place) -> Outcome<Rights> {
    let client = cluster.impersonate(&subject.user, &subject.groups).await?;
    // Rules that hold in every namespace hold in `default` too, where nobody has any others.
    let namespace = place.namespace.clone().or_else(|| Some("default".to_owned()));
    let question =
        SelfSubjectRulesReview { spec: SelfSubjectRulesReviewSpec { namespace }, ..SelfSubjectRulesReview::default() };
    let answer = Api::<SelfSubjectRulesReview>::all(client).create(&PostParams::default(), &question).await?;
    let SubjectRulesReviewStatus { resource_rules, .. } = answer.status.unwrap_or_default();
    Ok(expand(offered, place.namespace.is_some(), &resource_rules))
}

/// The verbs that rules give for each resource that is offered there.
fn expand(offered: &Offered, namespaced: bool, rules: &[ResourceRule]) -> Rights {
    let mut rights = Rights::new();
    for rule in rules {
        let names = rule.resource_names.clone().unwrap_or_default();
        let (groups, resources) = (rule.api_groups.as_deref(), rule.resources.as_deref());
        for (resource, (inside, verbs)) in offered {
            if *inside != namespaced || !has(groups, &resource.group) || !names_resource(resources, &resource.name) {
                continue;
            }
            let all = rule.verbs.iter().any(|verb| verb == "*");
            // Verbs such as `bind` are offered by no resource.
            let given = if all { verbs.iter().cloned().collect() } else { rule.verbs.clone() };
            rights.entry(Row { resource: resource.clone(), names: names.clone() }).or_default().extend(given);
        }
        for resource in unlisted(offered, namespaced, rule) {
            rights.entry(Row { resource, names: names.clone() }).or_default().extend(rule.verbs.clone());
        }
    }
    rights
}

/// Subresources that exist for rules only, such as `nodes/metrics`: they are where their parent is.
fn unlisted(offered: &Offered, namespaced: bool, rule: &ResourceRule) -> Vec<Resource> {
    let pairs = rule.api_groups.iter().flatten().flat_map(|group| {
        let names = rule.resources.iter().flatten();
        names.map(move |name| Resource { group: group.clone(), name: name.clone() })
    });
    let parent = |resource: &Resource| {
        let name = resource.name.split_once('/')?.0.to_owned();
        offered.get(&Resource { group: resource.group.clone(), name })
    };
    let is_here = |resource: &Resource| parent(resource).is_some_and(|(inside, _)| *inside == namespaced);
    pairs.filter(|resource| !offered.contains_key(resource) && is_here(resource)).collect()
}

fn has(list: Option<&[String]>, wanted: &str) -> bool {
    list.unwrap_or_default().iter().any(|word| word == "*" || word == wanted)
}

fn names_resource(list: Option<&[String]>, wanted: &str) -> bool {
    let any_parent = wanted.split_once('/').map(|(_, subresource)| format!("*/{subresource}"));
    has(list, wanted) || any_parent.is_some_and(|pattern| has(list, &pattern))
}

/// What only an administrator may be able to do, wherever the resource is offered.
const DOORS: [(&str, &str, &str); 14] = [
    ("create", "", "pods/exec"),
    ("create", "", "pods/attach"),
    ("create", "", "pods/portforward"),
    ("get", "", "pods/proxy"),
    ("get", "", "pods/log"),
    ("get", "", "services/proxy"),
    ("get", "", "nodes/proxy"),
    ("create", "", "pods"),
    ("patch", "", "secrets"),
    ("deletecollection", "", "secrets"),
    ("create", "", "serviceaccounts/token"),
    ("escalate", "rbac.authorization.k8s.io", "roles"),
    ("escalate", "rbac.authorization.k8s.io", "clusterroles"),
    ("create", "rbac.authorization.k8s.io", "clusterrolebindings"),
];

/// Asks again, one question for each right in the columns and for each door.
async fn check(client: &Client, offered: &Offered, subjects: &[Subject], place: &Place, columns: &[Rights]) -> Outcome {
    let mut questions = Vec::new();
    for (subject, rights) in subjects.iter().zip(columns).skip(1) {
        for (row, verbs) in rights {
            questions.extend(verbs.iter().map(|verb| (subject, row.clone(), verb.clone(), true)));
        }
        for (verb, group, name) in DOORS {
            let resource = Resource { group: group.to_owned(), name: name.to_owned() };
            let here = offered.get(&resource).is_some_and(|(namespaced, _)| *namespaced == place.namespace.is_some());
            if here {
                questions.push((subject, Row { resource, names: Vec::new() }, verb.to_owned(), false));
            }
        }
    }
    let ask = |(subject, row, verb, expected): (&Subject, Row, String, bool)| {
        let question = question(subject, place, &row, &verb);
        let title = subject.title;
        async move {
            let answer =
                Api::<SubjectAccessReview>::all(client.clone()).create(&PostParams::default(), &question).await?;
            let allowed = answer.status.is_some_and(|status| status.allowed);
            let shown = row.resource.shown();
            crate::ensure!(
                allowed == expected,
                "may the {title} {verb} {shown} {}? SubjectAccessReview says {allowed}, expected {expected}",
                place.title
            );
            Ok(())
        }
    };
    futures::stream::iter(questions).map(ask).buffer_unordered(AT_ONCE).try_collect().await
}

fn question(subject: &Subject, place: &Place, row: &Row, verb: &str) -> SubjectAccessReview {
    let (resource, subresource) = match row.resource.name.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (row.resource.name.as_str(), None),
    };
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(subject.user.clone()),
            groups: Some(subject.groups.clone()),
            resource_attributes: Some(ResourceAttributes {
                group: Some(row.resource.group.clone()),
                resource: Some(resource.to_owned()),
                subresource,
                namespace: place.namespace.clone(),
                name: row.names.first().cloned(),
                verb: Some(verb.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    }
}

fn table(offered: &Offered, subjects: &[Subject], place: &Place, columns: &[Rights]) -> String {
    let titles: Vec<&str> = subjects.iter().map(|subject| subject.title).collect();
    let mut text = format!("### {}\n\n| resource | {} |\n", place.title, titles.join(" | "));
    text.push_str(&format!("|---|{}\n", "---|".repeat(subjects.len())));
    let Some((first, others)) = columns.split_first() else { return text };
    let rows: BTreeSet<&Row> = others.iter().flat_map(BTreeMap::keys).collect();
    for row in &rows {
        let all = offered.get(&row.resource).map(|(_, verbs)| verbs);
        let cells = columns.iter().map(|rights| {
            // A right to all of a kind is one to those named as well.
            let unnamed = Row { names: Vec::new(), ..(*row).clone() };
            let found = rights.get(row).or_else(|| rights.get(&unnamed));
            match all {
                // Offered by no list of resources: only the rules name it, the administrator's name all.
                None if found.is_none() && std::ptr::eq(rights, first) => "all".to_owned(),
                _ => cell(found, all),
            }
        });
        text.push_str(&format!("| {} | {} |\n", shown(row), cells.collect::<Vec<_>>().join(" | ")));
    }
    let of_nobody = |resource: &Resource| !rows.iter().any(|row| row.resource == *resource);
    let here = offered.iter().filter(|(_, (namespaced, _))| *namespaced == place.namespace.is_some());
    let closed: Vec<String> = here
        .filter(|(resource, _)| of_nobody(resource))
        .map(|(resource, _)| format!("`{}`", resource.shown()))
        .collect();
    text.push_str(&format!("\nNobody but the administrator has any right to: {}.\n\n", closed.join(", ")));
    text
}

fn shown(row: &Row) -> String {
    let names: Vec<String> = row.names.iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        format!("`{}`", row.resource.shown())
    } else {
        format!("`{}` {}", row.resource.shown(), names.join(", "))
    }
}

/// `all`, `-`, or the verbs; `read` is get, list and watch.
fn cell(verbs: Option<&BTreeSet<String>>, offered: Option<&BTreeSet<String>>) -> String {
    let Some(verbs) = verbs.filter(|verbs| !verbs.is_empty()) else { return "-".to_owned() };
    if offered.is_some_and(|all| all.is_subset(verbs)) && verbs.len() > 3 {
        return "all".to_owned();
    }
    let mut rest = verbs.clone();
    let mut words = Vec::new();
    if ["get", "list", "watch"].iter().all(|verb| verbs.contains(*verb)) {
        words.push("read".to_owned());
        rest.retain(|verb| !matches!(verb.as_str(), "get" | "list" | "watch"));
    }
    words.extend(rest);
    words.join(" ")
}

/// The text between `<!-- begin: NAME -->` and `<!-- end: NAME -->`.
///
/// # Errors
/// When a mark is missing.
pub fn between<'a>(document: &'a str, name: &str) -> Outcome<&'a str> {
    let missing = || Failure::new(format!("the document has no <!-- begin: {name} --> … <!-- end: {name} -->"));
    let (_, after) = document.split_once(&format!("<!-- begin: {name} -->\n")).ok_or_else(missing)?;
    after.split_once(&format!("<!-- end: {name} -->")).map(|(inside, _)| inside).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered() -> Offered {
        let resource = |group: &str, name: &str| Resource { group: group.to_owned(), name: name.to_owned() };
        let verbs = |words: &str| words.split(' ').map(str::to_owned).collect();
        [
            (resource("", "secrets"), (true, verbs("create get list watch"))),
            (resource("", "pods/exec"), (true, verbs("create"))),
            (resource("", "nodes"), (false, verbs("get list"))),
            (resource("rbac.authorization.k8s.io", "clusterroles"), (false, verbs("create get list watch"))),
        ]
        .into()
    }

    fn rule(group: &str, resource: &str, verbs: &[&str], names: &[&str]) -> ResourceRule {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        ResourceRule {
            api_groups: Some(owned(&[group])),
            resources: Some(owned(&[resource])),
            resource_names: Some(owned(names)),
            verbs: owned(verbs),
        }
    }

    #[test]
    fn rules_become_rows_with_their_names_and_what_nobody_has_is_named() {
        let rules = [
            rule("rbac.authorization.k8s.io", "clusterroles", &["bind"], &["tenant"]),
            rule("", "nodes/metrics", &["get"], &[]),
        ];
        let operator = expand(&offered(), false, &rules);
        let everything = expand(&offered(), false, &[rule("*", "*", &["*"], &[])]);
        let subject = |title| Subject { title, user: String::new(), groups: Vec::new() };
        let place = Place { title: "In no namespace", namespace: None };
        let shown =
            table(&offered(), &[subject("administrator"), subject("operator")], &place, &[everything, operator]);
        assert!(shown.contains("| `nodes/metrics` | all | get |"), "{shown}");
        assert!(shown.contains("| `clusterroles.rbac.authorization.k8s.io` `tenant` | all | bind |"), "{shown}");

        let place = Place { title: "In A", namespace: Some("a".to_owned()) };
        let reads = expand(&offered(), true, &[rule("", "secrets", &["get", "list", "watch"], &[])]);
        let shown =
            table(&offered(), &[subject("administrator"), subject("operator")], &place, &[Rights::new(), reads]);
        assert!(shown.contains("| `secrets` | - | read |"), "{shown}");
        assert!(shown.contains("any right to: `pods/exec`."), "{shown}");
    }

    #[test]
    fn the_text_between_the_marks_is_found() {
        let document = "a\n<!-- begin: x -->\nb\nc\n<!-- end: x -->\nd";
        assert_eq!(between(document, "x").unwrap(), "b\nc\n");
        assert!(between(document, "y").is_err());
    }
}
