//! `commonscloud recover`: after the loss of the cluster everything is back, from a target and a private key alone.
//!
//! | module | what lives there |
//! |---|---|
//! | `records` | what comes back, judged by what lives; pure |
//! | `data` | a service's run, Secrets, record and restore; pure but for what it reads at the target |
//! | `steps` | the writes, each by name and none twice |
//! | `hostnames` | who had a host name that several ask for, and comes back first |
//! | `restores` | the restores, once the operator knows what they are of, and their end |
//! | `journal` | what was done, in a ConfigMap |
//! | `outlook` | what would come back, how old it is, how long it takes |

mod data;
mod hostnames;
mod journal;
mod outlook;
mod records;
mod restores;
mod steps;

use std::collections::BTreeMap;
use std::path::PathBuf;

use commonscloud_backup::records::Records;
use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::Platform;
use commonscloud_operator::kinds;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client};

use self::journal::Journal;
use self::records::{Living, Plan, Seen, plan};
use self::restores::Awaited;
use self::steps::Recovery;
use crate::asked;
use crate::data::said;
use crate::operated::NAMESPACE;
use crate::stop;
use crate::target::{self, FoundRecords, ServerArguments, Target, url_or_name};

/// Bring everything back after the loss of the cluster, from a target of backups and a private key alone: Platform,
/// Tariffs, templates and their revisions, Entities, and every service with its data, passwords and host names.
///
/// The cluster is an empty one with the chart installed.
/// It can be stopped at any time: the same command goes on. It writes over nothing that lives: what is in its way is
/// named and left. Needs all rights in the cluster, as cluster-admin has them.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where the backups are: a URL as restic writes it, without a repository's folder, for example
    /// `s3:https://s3.example.org/bucket/folder`, `rest:https://backup.example.org/cloud`, `sftp:user@host:/srv/backups`;
    /// or the name of a target of the Platform, where the cluster has one already.
    #[arg(long, value_name = "URL-OR-NAME", value_parser = url_or_name)]
    target: String,
    /// The file of age-keygen with the private key of one of the Platform's recipients.
    #[arg(long, value_name = "FILE")]
    identity: PathBuf,
    /// Only say what would come back, how old it is and how long it takes; nothing is written.
    #[arg(long)]
    dry_run: bool,
    /// These records, by the id of their snapshot or how it begins. Absent: those that an earlier call began with,
    /// else the newest.
    #[arg(long, value_name = "ID")]
    records: Option<String>,
    /// The operator's namespace.
    #[arg(long, value_name = "NAME", default_value = NAMESPACE)]
    operator_namespace: String,
    /// How many services are restored at once. A restore that waits for something does not count.
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100))]
    at_once: u16,
    #[command(flatten)]
    server: ServerArguments,
}

/// Runs the command, until all is back or it is stopped.
///
/// # Errors
/// When the target or the cluster does not answer, or something could not be brought back: each such thing is named.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    stop::at_once(Box::pin(recover(arguments)), "stopped; what is done is done: the same command goes on").await
}

async fn recover(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::try_default().await?;
    let home = arguments.operator_namespace.clone();
    has_chart(&client).await?;
    let identity = target::identity(&arguments.identity)?;
    let journal = Journal::read(&client, &home).await?;
    let target = Target::find(&client, &arguments.target, &arguments.server).await?;
    let opened = target.keys(&identity).await?;
    let wanted = arguments.records.as_deref().or(journal.records());
    let FoundRecords { snapshot, records, unread } = target.records(&opened.keys, wanted).await?;
    let living = living(&client, &records).await?;
    let plan = plan(&records, &living);
    let mut missing = unread;
    missing.extend(opened.sealed_to_others.iter().map(|(folder, why)| format!("the key of folder {folder}: {why}")));
    missing.extend(plan.left.iter().cloned());
    missing.extend(secrets_to_bring(&client, &records, &home).await?);
    let now = Timestamp::now();
    plan.alive.iter().chain(&plan.asked_twice).try_for_each(|line| said(line.clone()))?;
    if arguments.dry_run {
        let expected = outlook::expected(&target, &opened.keys, &plan).await;
        return said(outlook::text(&records, &snapshot, &expected, &missing, arguments.at_once.into(), now));
    }
    let user = asked::whoever(&client).await?;
    let kept = Vec::new();
    let mut recovery = Recovery { client, home, target, keys: opened.keys, journal, missing, kept, user };
    let shown = recovery.target.shown();
    recovery.journal.begin(&snapshot, &shown, now).await?;
    let awaited = apply(&mut recovery, &plan, arguments.at_once.into()).await?;
    end(recovery, &records, &awaited).await
}

/// Records and Secrets first; the Platform last of what is made: from then on the operator works.
async fn apply<'r>(recovery: &mut Recovery, plan: &Plan<'r>, at_once: usize) -> Result<Vec<Awaited<'r>>, Failure> {
    recovery.platform_key().await?;
    recovery.shared(&plan.shared).await?;
    let (first, later): (Vec<_>, Vec<_>) = plan.entities.iter().partition(|planned| planned.after.is_empty());
    let mut awaited = recovery.entities(&first).await;
    recovery.shared(plan.platform.as_slice()).await?;
    recovery.restores(&mut awaited, at_once).await?;
    let (mut free, mut rest) = hostnames::next(later);
    while !free.is_empty() {
        let mut others = recovery.after_others(&free).await?;
        recovery.restores(&mut others, at_once).await?;
        awaited.extend(others);
        (free, rest) = hostnames::next(rest);
    }
    Ok(awaited)
}

/// Says what came of it.
async fn end(mut recovery: Recovery, records: &Records, awaited: &[Awaited<'_>]) -> Result<(), Failure> {
    let now = Timestamp::now();
    let begun = recovery.journal.begun().unwrap_or(now);
    said(outlook::outcome(records, awaited, begun, now))?;
    recovery.kept.iter().try_for_each(|line| said(line.clone()))?;
    if recovery.missing.is_empty() {
        recovery.journal.end(now).await?;
        return said("everything is back; commonscloud status says whether it is Ready".to_owned());
    }
    let lines: String = recovery.missing.iter().map(|line| format!("\n  {line}")).collect();
    Err(format!("not all is back; each of these needs somebody (docs/operations/recover.md), then the same command once more:{lines}").into())
}

async fn has_chart(client: &Client) -> Result<(), Failure> {
    match Api::<Platform>::all(client.clone()).list(&ListParams::default().limit(1)).await {
        Err(kube::Error::Api(status)) if status.code == 404 => {
            Err("this cluster does not know the kinds of CommonsCloud: install the chart first, without a Platform"
                .into())
        }
        answer => Ok(answer.map(drop)?),
    }
}

/// What lives of all that the records name.
async fn living(client: &Client, records: &Records) -> Result<Living, Failure> {
    let mut living = Living::new();
    for place in records::places(records) {
        let (kind, namespace, name) = &place;
        let resource = kinds::resource(kind).ok_or_else(|| format!("records: {kind} is no kind of this release"))?;
        let api: Api<DynamicObject> = if namespace.is_empty() {
            Api::all_with(client.clone(), &resource)
        } else {
            Api::namespaced_with(client.clone(), namespace, &resource)
        };
        if let Some(found) = api.get_opt(name).await? {
            living.insert(place, Seen::of(&found));
        }
    }
    Ok(living)
}

/// The Secrets that somebody has to bring, since nobody generates them: restores wait for those of the target. One of
/// the operator's former namespace belongs into its present one.
async fn secrets_to_bring(client: &Client, records: &Records, home: &str) -> Result<Vec<String>, Failure> {
    let mut lacking = BTreeMap::new();
    for needed in &records.secrets {
        let is_home = needed.namespace == records.cluster.namespace;
        let namespace = if is_home { home } else { needed.namespace.as_str() };
        if Api::<Secret>::namespaced(client.clone(), namespace).get_opt(&needed.name).await?.is_none() {
            let keys =
                if needed.keys.is_empty() { String::new() } else { format!(" with keys {}", needed.keys.join(", ")) };
            let line = format!("Secret {namespace}/{}{keys} is not here ({}): apply it", needed.name, needed.named_by);
            lacking.insert((namespace.to_owned(), needed.name.clone()), line);
        }
    }
    Ok(lacking.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parsed::parsed;

    #[test]
    fn a_target_is_named_without_a_password() {
        let read = |target: &str| parsed::<Arguments>(&["--identity", "key", "--target", target]);
        for known in ["offsite", "s3:https://s3.example.org/b", "sftp:user@host:/srv/backups", "/srv/backups"] {
            assert!(read(known).is_ok_and(|arguments| arguments.target == known), "{known}");
        }
        let error = read("rest:https://me:hunter2@backup.example.org").unwrap_err();
        assert!(error.contains("--credentials"), "{error}");
    }
}
