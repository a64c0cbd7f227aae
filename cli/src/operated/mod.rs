//! A cluster on this machine with the operator in it, installed as users install it.
//!
//! ```text
//! images ─┐
//! cluster ┼─► install (with simulated nodes: host_operator beside it) ─► platform ─► waiting
//! helm ───┘
//! ```

mod host_operator;
mod install;
pub(crate) mod platform;
pub(crate) mod waiting;

use std::path::Path;

use commonscloud_cluster::command::Failure;
use commonscloud_cluster::images::BuiltImage;
use commonscloud_cluster::local::{self, Cluster, ClusterName, NodeKind, UpOptions};
use commonscloud_cluster::{Progress, images, tools};
use kube::Client;

/// What cluster is wanted.
pub(crate) struct Wanted<'a> {
    /// Its name; one that is up is taken as it is.
    pub(crate) name: &'a ClusterName,
    /// What its nodes are.
    pub(crate) node: NodeKind,
    /// Names of the images that its node is to have beside the operator's; none: all there are.
    pub(crate) images: Option<Vec<String>>,
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

/// Builds side by side, and puts the images into the cluster.
async fn prepare(wanted: &Wanted<'_>, progress: &Progress) -> Result<(Cluster, Vec<BuiltImage>, tools::Tool), Failure> {
    let mut options = UpOptions {
        name: wanted.name.clone(),
        node: wanted.node,
        images: Vec::new(),
        source: wanted.source.to_path_buf(),
    };
    let chosen: Vec<&str> = wanted.images.iter().flatten().map(String::as_str).chain(["operator"]).collect();
    let names = if wanted.images.is_some() { &chosen[..] } else { &[] };
    let build = async {
        match wanted.node {
            NodeKind::Real => images::build(names, wanted.source, progress).await.map_err(Failure::from),
            // Nothing runs on simulated nodes.
            NodeKind::Simulated => Ok(Vec::new()),
        }
    };
    let cluster = async { local::up(&options, progress).await.map_err(Failure::from) };
    let helm = async { tools::ensure("helm", wanted.source, progress).await.map_err(Failure::from) };
    let (images, cluster, helm) = futures::try_join!(build, cluster, helm)?;
    if images.is_empty() {
        return Ok((cluster, images, helm));
    }
    let phase = progress.phase("images on the node");
    options.images = images.iter().map(|image| image.tar.clone()).collect();
    let cluster = local::up(&options, progress).await?;
    phase.done();
    Ok((cluster, images, helm))
}
