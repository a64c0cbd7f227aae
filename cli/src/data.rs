//! `commonscloud data`: the records of what services have stored.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{ServiceData, marks};
use commonscloud_operator::cache::{Live, Sealed};
use commonscloud_operator::compare::{KnownData, Rebound, rebound};
use commonscloud_operator::kinds;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

/// Look after the records of what services have stored.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Rebind(Rebind),
}

/// Bind a record to the volumes and Secrets that are there now, after what was lost has been restored
/// under the same names and with the labels of the instance.
///
/// Needs the verbs get, patch and `rebind` on servicedata.commonscloud.coop, and get and list on
/// persistentvolumeclaims and secrets, in the Entity's namespace.
#[derive(Debug, clap::Args)]
struct Rebind {
    /// Whose data, as ENTITY/INSTANCE, for example `hort/office`.
    #[arg(value_parser = parse)]
    instance: (String, String),
    /// Only mark the record as being restored: nothing is made, and nothing is judged missing, until
    /// the command is given again without it.
    #[arg(long, conflicts_with_all = ["abort", "without"])]
    begin: bool,
    /// Take the mark away and leave the record as it is.
    #[arg(long, conflicts_with = "without")]
    abort: bool,
    /// Why, for whoever reads the status.
    #[arg(long, default_value = "commonscloud data rebind")]
    reason: String,
    /// A claim or Secret of the record that is not restored: it is made anew, and empty.
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
}

/// Reads `ENTITY/INSTANCE`.
pub(crate) fn parse(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((entity, instance)) if !entity.is_empty() && !instance.is_empty() => {
            Ok((entity.to_owned(), instance.to_owned()))
        }
        _ => Err("write ENTITY/INSTANCE, for example hort/office".to_owned()),
    }
}

/// Runs the command.
///
/// # Errors
/// When the record cannot be read or written, or what it names is not there.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Command::Rebind(rebind) = &arguments.command;
    let client = Client::try_default().await?;
    let (namespace, name) = &rebind.instance;
    let records: Api<ServiceData> = Api::namespaced(client.clone(), namespace);
    let record = records.get(name).await?;
    if rebind.abort {
        write(&records, &record, json!({"restoring": Value::Null})).await?;
        return said(format!("ServiceData {name}: not being restored any more"));
    }
    if rebind.begin {
        write(&records, &record, json!({"restoring": rebind.reason})).await?;
        return said(format!("ServiceData {name}: being restored; nothing is made until this is run without --begin"));
    }
    let known = known(&client, namespace, record.clone()).await?;
    let Rebound { spec, lines } = rebound(&known, &rebind.without)?;
    let marked = match record.spec.restoring {
        Some(_) => record,
        None => write(&records, &record, json!({"restoring": rebind.reason})).await?,
    };
    write(&records, &marked, spec).await?;
    let lines = if lines.is_empty() { vec!["everything is the recorded one already".to_owned()] } else { lines };
    said(lines.join("\n"))
}

/// Prints to standard output.
pub(crate) fn said(text: String) -> Result<(), Failure> {
    Ok(std::io::stdout().write_all(format!("{text}\n").as_bytes())?)
}

/// The operator writes a status once for each change of a record.
const TRIES: usize = 10;

/// Patches the record as it was read. The operator may report its status at any time: what it says of
/// itself is no reason to refuse.
async fn write(records: &Api<ServiceData>, record: &ServiceData, spec: Value) -> Result<ServiceData, Failure> {
    let name = record.name_any();
    let mut version = record.resource_version();
    for _ in 0..TRIES {
        let metadata = json!({"uid": record.uid(), "resourceVersion": version});
        let patch = Patch::Merge(json!({"metadata": metadata, "spec": spec}));
        match records.patch(&name, &PatchParams::default(), &patch).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            other => return Ok(other?),
        }
        let now = records.get(&name).await?;
        let is_going = now.metadata.deletion_timestamp.is_some();
        if now.uid() != record.uid() || now.spec != record.spec || is_going {
            return Err(
                format!("ServiceData {name} was changed meanwhile by somebody else: run the command again").into()
            );
        }
        version = now.resource_version();
    }
    Err(format!(
        "ServiceData {name}: the API server answered {TRIES} times that it was changed meanwhile: run the command again"
    )
    .into())
}

/// The claims and Secrets of the namespace that the operator manages.
async fn known(client: &Client, namespace: &str, record: ServiceData) -> Result<KnownData, Failure> {
    let managed = ListParams::default().labels(&format!("{}={}", marks::MANAGED_BY, marks::OPERATOR));
    let kind = kinds::resource_of(&kinds::VOLUME);
    let claims: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind);
    let volumes = claims.list(&managed).await?.items.into_iter();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let sealed = secrets.list(&managed).await?.items.into_iter().map(|secret| Sealed::of(&secret));
    let secrets: BTreeMap<String, Arc<Sealed>> = sealed.map(|secret| (secret.name.clone(), Arc::new(secret))).collect();
    Ok(KnownData {
        record: Some(Arc::new(record)),
        volumes: volumes.map(|claim| Arc::new(Live::of(kinds::VOLUME.kind, claim))).collect(),
        secrets,
        ..KnownData::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_named_with_its_entity() {
        assert_eq!(parse("hort/office"), Ok(("hort".to_owned(), "office".to_owned())));
        assert!(parse("office").unwrap_err().contains("ENTITY/INSTANCE"));
        assert!(parse("/office").is_err());
    }
}
