//! A cluster on this machine with the operator in it, installed as users install it.
//!
//! ```text
//! images ─┐
//! tools ──┼─► cluster ─► install (with simulated nodes: host_operator beside it) ─► platform, backups ─► waiting
//! helm ───┘
//! ```

pub(crate) mod backups;
mod host_operator;
mod install;
pub(crate) mod platform;
pub(crate) mod waiting;

use std::path::Path;

use commonscloud_cluster::cargo::Profile;
use commonscloud_cluster::command::Failure;
use commonscloud_cluster::images::BuiltImage;
use commonscloud_cluster::local::{self, Cluster, ClusterName, NodeKind, Parts, UpOptions};
use commonscloud_cluster::{Progress, images, tools};
use kube::Client;

pub(crate) use self::install::NAMESPACE;

/// What cluster is wanted.
pub(crate) struct Wanted<'a> {
    /// Its name; one that is up is taken as it is.
    pub(crate) name: &'a ClusterName,
    /// What its nodes are.
    pub(crate) node: NodeKind,
    /// Names of the images that its node is to have; the operator's it has anyway.
    pub(crate) images: Vec<String>,
    /// The checkout with images/ and charts/.
    pub(crate) source: &'a Path,
}

/// A cluster in which the operator works.
pub(crate) struct Operated {
    /// The cluster.
    pub(crate) cluster: Cluster,
    /// A client of its administrator.
    pub(crate) client: Client,
}

/// Builds what is missing, brings the cluster up or finds it up, and installs the operator.
pub(crate) async fn up(wanted: &Wanted<'_>, progress: &Progress) -> Result<Operated, Failure> {
    let (cluster, images, helm) = prepare(wanted, progress).await?;
    let client = local::client(&cluster.kubeconfig).await?;
    install::chart(&cluster, &images, &helm, wanted.source, progress).await?;
    if wanted.node == NodeKind::Simulated {
        host_operator::start(&cluster, wanted.source, progress).await?;
    }
    Ok(Operated { cluster, client })
}

/// Builds side by side, and brings the cluster up with the images on its node.
async fn prepare(wanted: &Wanted<'_>, progress: &Progress) -> Result<(Cluster, Vec<BuiltImage>, tools::Tool), Failure> {
    let build = async { build(wanted, progress).await };
    let helm = async { tools::ensure("helm", wanted.source, progress).await.map_err(Failure::from) };
    let (images, helm) = futures::try_join!(build, helm)?;
    let options = UpOptions {
        name: wanted.name.clone(),
        node: wanted.node,
        images: images.iter().map(|image| image.tar.clone()).collect(),
        source: wanted.source.to_path_buf(),
    };
    let cluster = local::up(&options, progress).await?;
    Ok((cluster, images, helm))
}

async fn build(wanted: &Wanted<'_>, progress: &Progress) -> Result<Vec<BuiltImage>, Failure> {
    let source = wanted.source;
    let others = wanted.images.iter().map(String::as_str).filter(|name| *name != "operator");
    let images: Vec<&str> = others.chain(["operator"]).collect();
    match wanted.node {
        NodeKind::Simulated => {
            local::build_simulated(source, progress).await?;
            // Nothing runs on simulated nodes.
            Ok(Vec::new())
        }
        // A node that runs takes by import what it lacks.
        NodeKind::Real if local::find(wanted.name)?.is_some() => {
            Ok(images::build(&images, Profile::Release, source, progress).await?)
        }
        NodeKind::Real => {
            let parts = Parts { tools: local::REAL_TOOLS, images: &images, tars: &[] };
            Ok(local::build(parts, source, progress).await?.images)
        }
    }
}
