//! Brings a real node up, from its packages to its ingress.

use std::path::Path;

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;

use super::components::{cilium, coredns, kube_proxy};
use super::containers::{Kubelet, containerd, kubelet};
use super::{Furnishing, cgroups, image_store, inotify, network, objects, storage};
use crate::apply;
use crate::images::Unpacked;
use crate::local::build::{Parts, build};
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

/// The tools that the node is made of.
struct Ingredients {
    kubernetes: Tool,
    etcd: Tool,
    coredns: Tool,
    cilium: Tool,
    provisioner: Tool,
    resizer: Tool,
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
    let (ingredients, images) = gather(options, progress).await?;
    let state = claim(options, room, Vec::new())?;
    let folder = room.folder();
    let phase = progress.phase("images for the node");
    image_store::lay_out(folder, images)?;
    phase.done();
    let phase = progress.phase("control plane");
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
    furnish(folder, &state, &plan, &ingredients.cilium, &certificate, progress).await?;
    Ok(state)
}

/// Packages, tools and images: built where they are not.
async fn gather(options: &UpOptions, progress: &Progress) -> Result<(Ingredients, Unpacked), UpError> {
    let source = &options.source;
    let parts = Parts { tools: &super::TOOLS, images: &super::IMAGES, tars: &options.images };
    let built = build(parts, source, progress).await?;
    let tool = |name: &'static str| tools::ensure(name, source, progress);
    let tools = Ingredients {
        kubernetes: tool("kubernetes").await?,
        etcd: tool("etcd").await?,
        coredns: tool("coredns").await?,
        cilium: tool("cilium").await?,
        provisioner: tool("csi-provisioner").await?,
        resizer: tool("csi-resizer").await?,
    };
    Ok((tools, built.unpacked))
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

/// What happens once the API server answers: objects, until the ingress is ready.
async fn furnish(
    folder: &Path,
    state: &State,
    plan: &Plan,
    cilium: &Tool,
    certificate: &Pair,
    progress: &Progress,
) -> Result<(), UpError> {
    let client = health::client(&folder.join("kubeconfig")).await.map_err(Box::new)?;
    let phase = progress.phase("node");
    apply::apply(&client, objects::node(cilium)?).await?;
    apply::apply(&client, objects::ingress(network::node(state.index), certificate)?).await?;
    wait_for_processes(folder, &plan.processes, &[]).await?;
    wait_for_nodes(folder, &client, "kubelet").await?;
    phase.done();
    let phase = progress.phase("ingress");
    let deployments = Api::<Deployment>::namespaced(client, "traefik");
    until(folder, "kubelet", "the ingress is not available", async || {
        let deployment = deployments.get("traefik").await.ok();
        deployment.and_then(|found| found.status?.available_replicas).is_some_and(|available| available > 0)
    })
    .await?;
    phase.done();
    Ok(())
}
