//! A cluster of this test's own, brought up and taken down by `commonscloud cluster`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use commonscloud_cluster::ClusterName;
use commonscloud_cluster::local;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::{Api, PatchParams, PostParams, ValidationDirective};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::DynamicObject;
use kube::{Client, Config};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use serde_json::Value;

use crate::audit::AuditLog;
use crate::command;
use crate::failure::{Failure, Outcome};
use crate::kubectl::Kubectl;
use crate::programs::Programs;
use crate::resources::{self, Doors};
use crate::wait;

/// What `commonscloud cluster up --output json` says.
#[derive(Debug, Clone, Deserialize)]
pub struct Facts {
    /// Kubeconfig of its administrator.
    pub kubeconfig: PathBuf,
    /// A kubectl of the cluster's own version.
    pub kubectl: PathBuf,
    /// Certificate, in PEM, of the authority behind the ingress's certificates.
    pub ca_certificate: PathBuf,
    /// The domain below which services answer.
    pub base_domain: String,
    /// The node's address; none on simulated nodes.
    pub node_ip: Option<IpAddr>,
    /// The API server's audit log.
    pub audit_log: PathBuf,
}

/// A cluster that is up.
#[derive(Clone)]
pub struct Cluster {
    /// Its name.
    pub name: ClusterName,
    /// What it said about itself.
    pub facts: Facts,
    /// The project's programs.
    pub programs: &'static Programs,
    /// kubectl as its administrator.
    pub kubectl: Kubectl,
    /// A client as its administrator.
    pub client: Client,
    /// Its audit log.
    pub audit: AuditLog,
}

/// What the cluster's nodes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nodes {
    /// Containers, volumes, network policy and ingress; needs root.
    Real,
    /// KWOK: pods are said to run.
    Simulated,
}

impl Cluster {
    /// Brings up the cluster, or takes the one that runs already.
    ///
    /// # Errors
    /// What `commonscloud cluster up` printed.
    pub async fn up(name: &str, nodes: Nodes, images: &[PathBuf]) -> Outcome<Self> {
        let programs = Programs::build().await?;
        let kind = match nodes {
            Nodes::Real => "real",
            Nodes::Simulated => "simulated",
        };
        let name = in_this_run(name);
        let mut words = vec!["cluster", "up", "--local", "--node", kind, "--name", &name, "--output", "json"];
        let images: Vec<String> = images.iter().map(|image| image.to_string_lossy().into_owned()).collect();
        for image in &images {
            words.extend(["--image", image]);
        }
        let said = commonscloud(programs, &words).await?;
        let facts: Facts = serde_json::from_str(&said)
            .map_err(|error| Failure::new(format!("cluster up printed no cluster ({error}): {said}")))?;
        let kubectl = Kubectl::new(facts.kubectl.clone(), facts.kubeconfig.clone());
        let client = Client::try_from(config(&facts).await?)?;
        let audit = AuditLog::new(facts.audit_log.clone());
        Ok(Self { name: name.parse()?, facts, programs, kubectl, client, audit })
    }

    /// Server-side apply of objects that are to be accepted, in the given order: the requests of
    /// `kubectl apply --server-side`, without a process for each.
    ///
    /// # Errors
    /// The first refusal.
    pub async fn applied(&self, objects: &[Value]) -> Outcome {
        let doors = Doors::discover(&self.client, objects).await?;
        let mut parameters = PatchParams::apply("kubectl");
        parameters.field_validation = Some(ValidationDirective::Strict);
        for object in objects {
            let applied = doors.apply(object, &parameters).await;
            applied.map_err(|failure| failure.during(&format!("apply {}", object["metadata"]["name"])))?;
        }
        Ok(())
    }

    /// All Entities.
    pub fn entities(&self) -> Api<DynamicObject> {
        resources::ours(&self.client, "Entity")
    }

    /// Applies an Entity and waits until it is Ready.
    ///
    /// # Errors
    /// The refusal, or its conditions when `limit` has passed.
    pub async fn running(&self, entity: &Value, limit: Duration) -> Outcome<Value> {
        self.applied(std::slice::from_ref(entity)).await?;
        let name = entity["metadata"]["name"].as_str().unwrap_or_default();
        wait::ready(&self.entities(), name, limit).await
    }

    /// Ends one of its processes at once; its supervisor starts it again. On simulated nodes only:
    /// the processes of a real node are counted in a pid namespace of its own.
    ///
    /// # Errors
    /// When there is no such process now.
    pub async fn kill(&self, process: &str) -> Outcome {
        let status = local::status(&self.name).await?;
        let processes = status.map(|status| status.processes.processes).unwrap_or_default();
        let pid = processes.iter().find(|known| known.name == process).and_then(|known| known.pid);
        let pid = pid.and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.ok_or_else(|| Failure::new(format!("cluster {} has no process {process} now", self.name)))?;
        Ok(kill(Pid::from_raw(pid), Signal::SIGKILL)?)
    }

    /// A client as its administrator that repeats no request by itself.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read.
    pub async fn impatient(&self) -> Outcome<Client> {
        let mut config = config(&self.facts).await?;
        config.default_retry = false;
        Ok(Client::try_from(config)?)
    }

    /// The name by which the API server knows the administrator.
    ///
    /// # Errors
    /// When the API server does not say.
    pub async fn user(&self) -> Outcome<String> {
        let reviews = Api::<SelfSubjectReview>::all(self.client.clone());
        let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
        let user = review.status.and_then(|status| status.user_info?.username);
        user.ok_or_else(|| Failure::new("the API server does not say who asks"))
    }

    /// A client that the API server takes for somebody else.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read.
    pub async fn impersonate(&self, user: &str, groups: &[String]) -> Outcome<Client> {
        let mut config = config(&self.facts).await?;
        config.auth_info.impersonate = Some(user.to_owned());
        config.auth_info.impersonate_groups = Some(groups.to_vec());
        Ok(Client::try_from(config)?)
    }
}

async fn config(facts: &Facts) -> Outcome<Config> {
    let options = KubeConfigOptions::default();
    Ok(Config::from_custom_kubeconfig(Kubeconfig::read_from(&facts.kubeconfig)?, &options).await?)
}

/// Takes a cluster down, whatever is left of it.
///
/// # Errors
/// What `commonscloud cluster down` printed.
pub async fn down(name: &str) -> Outcome {
    let programs = Programs::build().await?;
    commonscloud(programs, &["cluster", "down", "--name", &in_this_run(name)]).await.map(drop)
}

/// The cluster's name with `COMMONSCLOUD_TEST_SUFFIX`, so that two checkouts can be tested side by side.
pub fn in_this_run(name: &str) -> String {
    name.to_owned() + &std::env::var("COMMONSCLOUD_TEST_SUFFIX").unwrap_or_default()
}

/// Runs the administrator's tool to its end, and gives what it printed.
///
/// # Errors
/// Its output, when it fails.
pub async fn commonscloud(programs: &Programs, words: &[&str]) -> Outcome<String> {
    // From cold every tool is built from source.
    let limit = Duration::from_mins(50);
    let source = programs.source.to_string_lossy();
    let finished =
        command::run(&programs.commonscloud, words, &[("COMMONSCLOUD_SOURCE", &source)], None, limit).await?;
    finished.succeeded(&format!("commonscloud {}", words.join(" ")))
}
