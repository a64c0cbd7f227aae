//! An instance of a package on a local cluster: applied, waited for, backed up and restored, removed.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use commonscloud_cluster::command::{CLUSTER_VARIABLE, Failure, duration};
use commonscloud_cluster::local::{self, ClusterName, DEFAULT_NAME, NodeKind};
use commonscloud_cluster::{Progress, apply, folders};
use commonscloud_operator::api::{Entity, Platform, ServiceTemplate};
use commonscloud_operator::template::Package;
use kube::api::{DeleteParams, DynamicObject};
use kube::{Api, ResourceExt as _};

use super::proof::Proof;
use super::{manifests, print};
use crate::operated::{self, Operated, Wanted, backups, platform, waiting};
use crate::services::{self, Service};

/// The longest that removing an instance may take.
const REMOVAL: Duration = Duration::from_mins(1);

/// Where an instance is tried, and for how long.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Name of the cluster, brought up where there is none.
    #[arg(long, env = CLUSTER_VARIABLE, default_value = DEFAULT_NAME)]
    cluster: ClusterName,
    /// What the cluster's nodes are; absent: as they are, and in a new one real when root, else simulated.
    #[arg(long, value_enum, requires = "run")]
    node: Option<NodeKind>,
    /// The checkout with images/, charts/ and examples/; found from the current folder by default.
    #[arg(long, env = "COMMONSCLOUD_SOURCE", value_name = "DIR")]
    source: Option<PathBuf>,
    /// How long the instance may take to become Ready, such as 90s or 5m; its backup and its restore as long each.
    #[arg(long, value_parser = duration, default_value = "5m", requires = "run")]
    wait: Duration,
    /// Leave the instance there, to be looked at.
    #[arg(long, requires = "run")]
    keep: bool,
}

/// Brings an instance up, tries its operations, and removes it unless it is to be kept.
///
/// # Errors
/// What the instance waits for, or why its backup or restore failed, in the words of their status.
pub(super) async fn run(options: &Options, template: ServiceTemplate, package: &Package) -> Result<(), Failure> {
    let source = folders::source(options.source.as_deref())?;
    let node = local::node_kind(&options.cluster, options.node)?;
    let progress = Progress::shown();
    if node == NodeKind::Simulated {
        progress.say("Simulated nodes: no container of the package runs; objects, quota and status are real.");
    }
    let examples = apply::read(&source.join("examples/platform.yaml"))?;
    let template = manifests::as_third_party(template, &examples)?;
    let mut images = manifests::local_images(&template, &source)?;
    images.extend(backups::IMAGES.map(str::to_owned));
    let wanted = Wanted { name: &options.cluster, node, images, source: &source };
    let operated = operated::up(&wanted, &progress).await?;
    let trial = Trial { operated, entity: unused_name(), progress };
    let objects = manifests::objects(&template, package, &trial.entity)?;
    let outcome = match trial.bring_up(examples, objects, options.wait).await {
        Ok(()) => {
            let service = template.name_any();
            trial.proof(&service, options.wait).run(package.spec().operations.as_ref()).await
        }
        Err(failure) => Err(failure),
    };
    if options.keep {
        trial.tell_where();
        return outcome;
    }
    let with_hint = |error: Failure| Failure::from(format!("{error}\nto look at its pods, run the same with --keep"));
    let outcome = outcome.map_err(with_hint);
    let removed = trial.remove().await;
    outcome.and(removed)
}

/// A name that no Entity had before: what an earlier instance stored is kept under its own.
fn unused_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default();
    format!("try-{now}")
}

/// An instance, its Entity and where they are.
struct Trial {
    operated: Operated,
    entity: String,
    progress: Progress,
}

impl Trial {
    /// Applies everything, and waits until the instance is Ready.
    async fn bring_up(
        &self,
        mut platform: Vec<DynamicObject>,
        mut objects: Vec<DynamicObject>,
        patience: Duration,
    ) -> Result<(), Failure> {
        let client = &self.operated.client;
        let phase = self.progress.phase("apply the package and an Entity");
        // A Platform that is there is somebody's.
        if Api::<Platform>::all(client.clone()).get_opt("default").await?.is_none() {
            platform::fill_in(&mut platform, &self.operated.cluster)?;
            if let Some(key) = backups::key(&self.operated.cluster)? {
                // A drill beside the restore would only slow it down.
                backups::fill_in(&mut platform, &key, false);
            }
            objects.splice(0..0, platform);
        }
        apply::apply(client, objects).await?;
        phase.done();
        waiting::until_ready(client, Some(&self.entity), patience, &self.progress).await?;
        let services = services::all(client).await?;
        for Service { name, version, quota, url, .. } in services.iter().filter(|of| of.entity == self.entity) {
            print(&format!("{name}: Ready; version {version}, quota {quota}, {url}\n"));
        }
        Ok(())
    }

    fn proof<'a>(&'a self, service: &'a str, patience: Duration) -> Proof<'a> {
        Proof { operated: &self.operated, entity: &self.entity, service, patience, progress: &self.progress }
    }

    fn tell_where(&self) {
        let Self { operated, entity, .. } = self;
        print(&format!(
            "kept in namespace {entity}. To look at it, and to remove it:
  {}
  kubectl get pods --namespace {entity}
  kubectl delete entity {entity}
",
            operated.cluster.shell_line()
        ));
    }

    /// Deletes the Entity, and waits until it is gone. What it stored is kept, as everywhere.
    async fn remove(&self) -> Result<(), Failure> {
        let entity = &self.entity;
        let phase = self.progress.phase("remove the instance");
        let entities: Api<Entity> = Api::all(self.operated.client.clone());
        if entities.get_opt(entity).await?.is_some() {
            entities.delete(entity, &DeleteParams::default()).await?;
        }
        let deadline = Instant::now() + REMOVAL;
        while entities.get_opt(entity).await?.is_some() {
            if Instant::now() > deadline {
                let seconds = REMOVAL.as_secs();
                let why = format!("Entity {entity} is not gone after {seconds} s: kubectl describe entity {entity}");
                return Err(why.into());
            }
            tokio::time::sleep(waiting::ASK).await;
        }
        phase.done();
        print(&format!(
            "removed; its volumes are kept in namespace {entity} until the cluster is: commonscloud cluster down\n"
        ));
        Ok(())
    }
}
