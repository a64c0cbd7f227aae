//! Brings a real node up, from its packages to its ingress.

use std::path::{Path, PathBuf};

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;

use super::components::{cilium, coredns, kube_proxy};
use super::containers::{Kubelet, containerd, kubelet};
use super::{Furnishing, cgroups, image_store, inotify, network, objects, storage};
use crate::images::{self, BuiltImage};
use crate::local::control_plane::{self, API_SERVER, Credentials};
use crate::local::error::UpError;
use crate::local::founding::{administrator, claim, link_kubectl};
use crate::local::launch;
use crate::local::pki::{Authority, Pair, Subject};
use crate::local::plan::{Plan, Process};
use crate::local::state::{Room, State, StateError};
use crate::local::wait::{until, wait_for_nodes, wait_for_processes};
use crate::local::{UpOptions, health};
use crate::progress::Progress;
use crate::tools::{self, Tool};
use crate::{apply, packages};

/// Everything that is built or installed before the node starts.
struct Ingredients {
    kubernetes: Tool,
    etcd: Tool,
    coredns: Tool,
    cilium: Tool,
    provisioner: Tool,
    resizer: Tool,
    images: Vec<BuiltImage>,
}

/// Brings the node up. Nothing of an earlier one is there any more.
///
/// # Errors
/// What is missing, or which component does not come up.
pub(in crate::local) async fn start(options: &UpOptions, room: &Room, progress: &Progress) -> Result<State, UpError> {
    if !nix::unistd::geteuid().is_root() {
        return Err(UpError::NotRoot);
    }
    inotify::check()?;
    let ingredients = gather(options, progress).await?;
    let phase = progress.phase("control plane");
    let state = claim(options, room, Vec::new())?;
    let folder = room.folder();
    let addresses = network::addresses(state.index);
    let credentials = Credentials::create(&folder.join("pki"), &addresses)?;
    let admin = administrator(folder, &credentials, &state.name, &addresses.api_server.to_string())?;
    let certificate = wildcard(folder, &state)?;
    link_kubectl(folder, &ingredients.kubernetes)?;
    let processes = processes(folder, &state, &ingredients, &credentials, &admin)?;
    let node = Furnishing { name: state.name.clone(), index: state.index, folder: super::folder(folder) };
    let plan = Plan { folder: folder.to_path_buf(), node: Some(node), processes };
    cgroups::create(&state.name).map_err(UpError::system("making control groups"))?;
    let supervisor = launch::start_node(&plan)?;
    let state = State { supervisor: Some(supervisor), ..state };
    room.write(&state)?;
    let (index, pid) = (state.index, supervisor.pid);
    tokio::task::spawn_blocking(move || network::connect(index, pid))
        .await
        .map_err(|error| UpError::system("linking the node")(std::io::Error::other(error)))?
        .map_err(UpError::system("linking the node"))?;
    wait_for_processes(folder, &plan.processes, &[API_SERVER]).await?;
    phase.done();
    furnish(options, folder, &state, &plan, &ingredients, &certificate, progress).await?;
    Ok(state)
}

/// Packages, tools and images; what does not need another is made beside it.
async fn gather(options: &UpOptions, progress: &Progress) -> Result<Ingredients, UpError> {
    let source = &options.source;
    let tool = |name: &'static str| tools::ensure(name, source, progress);
    let installed = async { packages::ensure(progress).await.map_err(UpError::from) };
    let built = async {
        // The compiler keeps all cores busy by itself: one tool after another.
        let tools = Ingredients {
            kubernetes: tool("kubernetes").await?,
            etcd: tool("etcd").await?,
            coredns: tool("coredns").await?,
            cilium: tool("cilium").await?,
            provisioner: tool("csi-provisioner").await?,
            resizer: tool("csi-resizer").await?,
            images: Vec::new(),
        };
        tool("traefik").await?;
        Ok(tools)
    };
    let ((), tools) = futures::try_join!(installed, built)?;
    let images = images::build(&["pause", "traefik"], source, progress).await?;
    Ok(Ingredients { images, ..tools })
}

/// The authority behind the ingress, and its certificate for every name below the base domain.
fn wildcard(folder: &Path, state: &State) -> Result<Pair, UpError> {
    let authority = Authority::create(&folder.join("ingress"), "ca")?;
    let domain = state.name.base_domain();
    let names = [domain.clone(), format!("*.{domain}")];
    let public = folder.join("ingress-ca.crt");
    std::fs::copy(&authority.files.certificate, &public).map_err(StateError::file(&public))?;
    Ok(authority.issue("wildcard", &Subject::user(&domain), &names)?)
}

fn processes(
    folder: &Path,
    state: &State,
    ingredients: &Ingredients,
    credentials: &Credentials,
    admin: &Path,
) -> Result<Vec<Process>, UpError> {
    let addresses = network::addresses(state.index);
    let address = network::node(state.index);
    let node = super::folder(folder);
    std::fs::create_dir_all(&node).map_err(StateError::file(&node))?;
    let written = UpError::system("writing the node's files");
    let name = state.name.as_str();
    let user = |name: &str, user: &str| credentials.kubeconfig(name, &Subject::user(user));
    let serving = credentials.authority.issue(
        "kubelet-serving",
        &Subject::member(&format!("system:node:{name}"), "system:nodes"),
        &[name.to_owned(), address.to_string()],
    )?;
    let kubelet_kubeconfig =
        credentials.kubeconfig("kubelet", &Subject::member(&format!("system:node:{name}"), "system:nodes"))?;
    let kubelet_options = Kubelet {
        cluster: &state.name,
        address,
        kubeconfig: &kubelet_kubeconfig,
        serving: &serving,
        authority: &credentials.authority.files.certificate,
    };
    let kubernetes = &ingredients.kubernetes;
    let mut all = control_plane::processes(folder, kubernetes, &ingredients.etcd, &addresses, credentials, admin)?;
    all.push(containerd(&node, &ingredients.cilium).map_err(&written)?);
    all.push(cilium(&ingredients.cilium, &state.name, &addresses.pods, &user("cilium", "cilium")?));
    let proxy = user("kube-proxy", "system:kube-proxy")?;
    all.push(kube_proxy(&node, kubernetes, &state.name, &addresses.pods, &proxy).map_err(&written)?);
    all.push(kubelet(&node, kubernetes, &kubelet_options).map_err(&written)?);
    let (domain, kubeconfig) = (state.name.base_domain(), user("coredns", "coredns")?);
    all.push(coredns(&node, &ingredients.coredns, address, &domain, &kubeconfig).map_err(&written)?);
    all.extend(storage::processes(
        &launch::keep_program(folder)?,
        &ingredients.provisioner,
        &ingredients.resizer,
        &state.name,
        &node.join("volumes"),
        &storage::Access {
            provisioner: &user("csi-provisioner", "csi-provisioner")?,
            resizer: &user("csi-resizer", "csi-resizer")?,
        },
    ));
    Ok(all)
}

/// What happens once the API server answers: objects and images, until the ingress is ready.
async fn furnish(
    options: &UpOptions,
    folder: &Path,
    state: &State,
    plan: &Plan,
    ingredients: &Ingredients,
    certificate: &Pair,
    progress: &Progress,
) -> Result<(), UpError> {
    let client = health::client(&folder.join("kubeconfig")).await.map_err(Box::new)?;
    let supervisor = state.supervisor.ok_or(UpError::NotRoot)?;
    let tars = |images: &[BuiltImage]| images.iter().map(|image| image.tar.clone()).collect::<Vec<PathBuf>>();
    let node = async {
        let phase = progress.phase("node");
        apply::apply(&client, objects::node(&ingredients.cilium)?).await?;
        apply::apply(&client, objects::ingress(network::node(state.index), certificate)?).await?;
        wait_for_processes(folder, &plan.processes, &[]).await?;
        wait_for_nodes(folder, &client, "kubelet").await?;
        phase.done();
        let phase = progress.phase("ingress");
        let deployments = Api::<Deployment>::namespaced(client.clone(), "traefik");
        until(folder, "kubelet", "the ingress is not available", async || {
            let deployment = deployments.get("traefik").await.ok();
            deployment.and_then(|found| found.status?.available_replicas).is_some_and(|available| available > 0)
        })
        .await?;
        phase.done();
        Ok::<(), UpError>(())
    };
    let import = async {
        wait_for_processes(folder, &plan.processes, &["containerd"]).await?;
        image_store::import(folder, supervisor.pid, &tars(&ingredients.images)).await?;
        if !options.images.is_empty() {
            let phase = progress.phase(format!("import {} images", options.images.len()));
            image_store::import(folder, supervisor.pid, &options.images).await?;
            phase.done();
        }
        Ok::<(), UpError>(())
    };
    futures::try_join!(node, import)?;
    Ok(())
}
