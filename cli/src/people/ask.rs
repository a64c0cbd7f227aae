//! What is asked of the API server: what stands there, and the one patch of a change.

use std::collections::BTreeSet;
use std::fmt::Debug;

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{Access, Collective, ServiceData};
use commonscloud_operator::kinds;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::data::said;

/// A change that is decided and not made: the entries with their new fields, and what is said of each person.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Planned {
    pub(super) entries: Map<String, Value>,
    pub(super) lines: Vec<String>,
}

/// How a change is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Whatever others change meanwhile: it has keys of its own.
    Beside,
    /// Only while nothing was changed since it was read: what is made less must not come back.
    Unchanged,
    /// Not at all: whether it would be taken.
    Trial,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was made, or would be.
    Yes,
    /// Something was changed since it was read, of what was to be [`How::Unchanged`].
    Meanwhile,
}

/// That somebody takes an entry away. The operator does the rest.
pub(super) fn removal(by: &str) -> Value {
    json!({"removed": {"by": by}})
}

/// The Entity's Collective.
///
/// # Errors
/// When there is none, or the caller may not read it.
pub(super) async fn collective(client: &Client, entity: &str) -> Result<Collective, Failure> {
    let api: Api<Collective> = Api::namespaced(client.clone(), entity);
    let found = api.get_opt(Collective::NAME).await.map_err(refusal)?;
    let none = "has no Collective: is that an Entity's name? There is one while the Platform has spec.identity";
    found.ok_or_else(|| format!("{entity} {none}").into())
}

/// The Entity's Collective, where the caller may read it.
///
/// # Errors
/// When the API server does not answer.
pub(super) async fn readable_collective(client: &Client, entity: &str) -> Result<Option<Collective>, Failure> {
    let api: Api<Collective> = Api::namespaced(client.clone(), entity);
    match api.get_opt(Collective::NAME).await {
        Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(None),
        found => found.map_err(refusal),
    }
}

/// Who may enter a service.
///
/// # Errors
/// When there is no such service, or the caller may not read it.
pub(super) async fn access(client: &Client, entity: &str, service: &str) -> Result<Access, Failure> {
    let api: Api<Access> = Api::namespaced(client.clone(), entity);
    let found = api.get_opt(service).await.map_err(refusal)?;
    let none = "has no Access: is that a service's name? There is one while the Platform has spec.identity";
    found.ok_or_else(|| format!("{entity}/{service} {none}").into())
}

/// Who may enter an Entity's services, as far as the caller may know.
#[derive(Debug, Default)]
pub(super) struct Accesses {
    pub(super) read: Vec<Access>,
    /// Services of which it is not told.
    pub(super) unread: Vec<String>,
}

/// Who may enter which service. Managers read each by its name and cannot list them.
///
/// # Errors
/// When the API server does not answer, or does not say which services there are.
pub(super) async fn accesses(client: &Client, entity: &str) -> Result<Accesses, Failure> {
    let api: Api<Access> = Api::namespaced(client.clone(), entity);
    match api.list(&ListParams::default()).await {
        Ok(list) => return Ok(Accesses { read: list.items, unread: Vec::new() }),
        Err(kube::Error::Api(status)) if status.is_forbidden() => {}
        Err(error) => return Err(refusal(error)),
    }
    let mut accesses = Accesses::default();
    for service in services(client, entity).await? {
        match api.get_opt(&service).await {
            Ok(found) => accesses.read.extend(found),
            Err(kube::Error::Api(status)) if status.is_forbidden() => accesses.unread.push(service),
            Err(error) => return Err(refusal(error)),
        }
    }
    Ok(accesses)
}

/// The services that an Entity has, and those whose data is kept.
async fn services(client: &Client, entity: &str) -> Result<BTreeSet<String>, Failure> {
    let all = ListParams::default();
    let records: Api<ServiceData> = Api::namespaced(client.clone(), entity);
    let records = records.list(&all).await.map_err(refusal)?;
    let mut names: BTreeSet<String> = records.iter().map(ResourceExt::name_any).collect();
    for kind in &kinds::DEDICATED {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), entity, &kinds::resource_of(kind));
        names.extend(api.list(&all).await.map_err(refusal)?.iter().map(ResourceExt::name_any));
    }
    Ok(names)
}

/// Changes what was read by one patch, and nothing of what somebody else made under its name.
///
/// # Errors
/// The API server's refusal.
pub(super) async fn change<K>(client: &Client, object: &K, spec: Value, how: How) -> Result<Taken, Failure>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let patch = Patch::Merge(patch(object, spec, how));
    let parameters = PatchParams { dry_run: how == How::Trial, ..PatchParams::default() };
    match api.patch(&object.name_any(), &parameters, &patch).await {
        Ok(_) => Ok(Taken::Yes),
        Err(kube::Error::Api(status)) if status.code == 409 && how == How::Unchanged => Ok(Taken::Meanwhile),
        Err(error) => Err(refusal(error)),
    }
}

fn patch<K: Resource>(object: &K, spec: Value, how: How) -> Value {
    let mut metadata = json!({"uid": object.meta().uid});
    if how == How::Unchanged {
        metadata["resourceVersion"] = json!(object.meta().resource_version);
    }
    json!({"metadata": metadata, "spec": spec})
}

/// Carries a plan for the people of a service out, if it changes anything, and says what was planned.
///
/// # Errors
/// The API server's refusal.
pub(super) async fn carry_out(client: &Client, access: &Access, planned: Planned, how: How) -> Result<Taken, Failure> {
    let Planned { entries, lines } = planned;
    if !entries.is_empty() && change(client, access, json!({"people": entries}), how).await? == Taken::Meanwhile {
        return Ok(Taken::Meanwhile);
    }
    said(lines.join("\n"))?;
    Ok(Taken::Yes)
}

/// A refusal in the API server's words.
pub(super) fn refusal(error: kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) => format!("the API server: {}", status.message).into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::known::tests::access;

    #[test]
    fn a_patch_names_the_object_that_was_read_and_holds_nobody_up() {
        let spec = json!({"people": {"a": removal("anna")}});
        let beside = patch(&access(), spec.clone(), How::Beside);
        assert_eq!(beside, json!({"metadata": {"uid": "v"}, "spec": {"people": {"a": {"removed": {"by": "anna"}}}}}));
        let unchanged = patch(&access(), spec, How::Unchanged);
        assert_eq!(unchanged["metadata"], json!({"uid": "v", "resourceVersion": "7"}));
    }

    #[test]
    fn a_refusal_is_in_the_api_servers_words_alone() {
        let status = kube::core::Status::failure("accesses \"office\" is forbidden: ask another manager", "Forbidden");
        let said = refusal(kube::Error::Api(status.boxed())).to_string();
        assert_eq!(said, "the API server: accesses \"office\" is forbidden: ask another manager");
    }
}
