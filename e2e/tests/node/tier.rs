//! What the scenarios share: a real cluster, images, the chart, a Platform of small requests.

use std::path::PathBuf;
use std::time::Duration;

use commonscloud_e2e::backup::servers;
use commonscloud_e2e::cluster::{self, Cluster, Nodes, commonscloud};
use commonscloud_e2e::https::{Credentials, Ingress};
use commonscloud_e2e::programs::Programs;
use commonscloud_e2e::suite::Tier;
use commonscloud_e2e::{Failure, Outcome, chart, ensure, manifests, wait};
use commonscloud_operator::api::{Component, ServiceTemplate};
use commonscloud_operator::template;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt as _;
use kube::api::Api;
use kube::core::DynamicObject;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{package, tried_package};

/// The cluster's name.
const CLUSTER: &str = "test-node";
/// How long an office may take from its manifest to Ready, others starting beside it.
pub const READY: Duration = Duration::from_mins(4);

/// The real node with the operator.
pub struct Node {
    /// The cluster.
    pub cluster: Cluster,
    /// The way in from outside.
    pub ingress: Ingress,
    /// The images that the node has.
    pub images: Vec<Image>,
}

/// An image that `commonscloud images build` made.
#[derive(Debug, Clone, Deserialize)]
pub struct Image {
    /// Its folder below `images/`.
    pub name: String,
    /// The reference it is imported under.
    pub reference: String,
    tar: PathBuf,
}

impl Tier for Node {
    const NAME: &'static str = "node";

    fn impossible() -> Option<String> {
        if nix::unistd::geteuid().is_root() {
            None
        } else {
            Some("a real node needs root: namespaces, mounts, network policy".to_owned())
        }
    }

    async fn bring_up() -> Outcome<Self> {
        let programs = Programs::build().await?;
        // As `cluster build` made them: the published profile would be compiled for this alone.
        let built = commonscloud(programs, &["images", "build", "--profile", "release", "--output", "json"]).await?;
        let images: Vec<Image> = serde_json::from_str(&built)?;
        let tars: Vec<PathBuf> = images.iter().map(|image| image.tar.clone()).collect();
        let cluster = Cluster::up(CLUSTER, Nodes::Real, &tars).await?;
        let address = cluster.facts.node_ip.ok_or_else(|| Failure::new("the node has no address"))?;
        let ingress = Ingress::new(address, &cluster.facts.ca_certificate)?;
        let tier = Self { cluster, ingress, images };
        let source = &tier.cluster.programs.source;
        let radicale = template::load_directory(&source.join(package::RADICALE))?;
        let mediawiki = template::load_directory(&source.join(package::MEDIAWIKI))?;
        servers::start(&tier.cluster, tier.image("backup-server")?).await?;
        // Platform and Tariff are the chart's: the first installation ends with them.
        let image = |name: &str| {
            let (repository, tag) = tier.image(name)?.rsplit_once(':').ok_or_else(|| Failure::new("no tag"))?;
            Ok::<_, Failure>(json!({"repository": repository, "tag": tag}))
        };
        let values = json!({
            "image": image("operator")?,
            "backup": {"image": image("backup")?, "server": {"image": image("rest-server")?}},
            "platform": {"create": true, "spec": tier.platform(&mediawiki)?["spec"]},
            "tariffs": {manifests::TARIFF: manifests::tariff(manifests::TARIFF)["spec"]},
        });
        chart::install(&tier.cluster, &values).await?;
        tier.cluster.applied(&[json!(radicale), json!(mediawiki)]).await?;
        Ok(tier)
    }

    async fn take_down() -> Outcome {
        // The second one's own scenario may have been stopped on its way.
        cluster::down(CLUSTER).await.and(cluster::down(tried_package::CLUSTER).await)
    }

    async fn hints(&self) -> String {
        let words = ["logs", "-n", chart::NAMESPACE, "deployment/commonscloud-operator", "--tail=10"];
        let log = self.cluster.kubectl.run(&words, None).await.map(|ended| ended.stdout + &ended.stderr);
        format!("the operator's last words:\n{}", log.unwrap_or_else(|failure| failure.to_string()))
    }
}

impl Node {
    /// The reference of an image by the name of its folder.
    ///
    /// # Errors
    /// When there is none.
    pub fn image(&self, name: &str) -> Outcome<&str> {
        let found = self.images.iter().find(|image| image.name == name);
        found.map(|image| image.reference.as_str()).ok_or_else(|| Failure::new(format!("no image {name}")))
    }

    /// The Platform: the demo's images, and all of it small.
    fn platform(&self, mediawiki: &ServiceTemplate) -> Outcome<Value> {
        let example = std::fs::read_to_string(self.cluster.programs.source.join("examples/platform.yaml"))?;
        let example: Value = serde_yaml::from_str(&example)?;
        let resources: Vec<Value> = template::builtin().iter().chain([mediawiki]).flat_map(small_components).collect();
        let node = self.cluster.facts.node_ip.map(|address| format!("{address}/32"));
        Ok(manifests::object(
            "Platform",
            "default",
            json!({
                "baseDomain": self.cluster.facts.base_domain,
                "exposure": {
                    "ingressClass": "traefik",
                    "caBundle": std::fs::read_to_string(&self.cluster.facts.ca_certificate)?,
                },
                "storageClasses": [{"name": "commonscloud-xfs", "overhead": {"bytes": 101_711_872}}],
                "images": example["spec"]["images"],
                "resources": resources,
                "network": {
                    "ingress": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "traefik"}}}],
                    "dns": [{"ipBlock": {"cidr": node}}],
                    "public": [{"ipBlock": {"cidr": node}}],
                },
                "backup": servers::platform(),
            }),
        ))
    }

    /// Changes fields of the Platform's spec; null takes one away. It concerns every instance there is.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn change_platform(&self, spec: &Value) -> Outcome {
        let patch = json!({"spec": spec}).to_string();
        self.cluster.kubectl.ok(&["patch", "platform", "default", "--type=merge", "--patch", &patch]).await.map(drop)
    }

    /// All Entities.
    pub fn entities(&self) -> Api<DynamicObject> {
        self.cluster.entities()
    }

    /// Applies an Entity and waits until it is Ready.
    ///
    /// # Errors
    /// The refusal, or its conditions.
    pub async fn running(&self, entity: &Value) -> Outcome<Value> {
        self.cluster.running(entity, READY).await
    }

    /// Deletes an Entity with all its data, so that a tier's data never adds up: nobody may but the
    /// controller that empties namespaces, and in its name it is done.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn discard(&self, entity: &str) -> Outcome {
        self.cluster.kubectl.ok(&["delete", "entity", entity, "--wait=false"]).await?;
        let emptier = "--as=system:serviceaccount:kube-system:namespace-controller";
        let words = ["delete", "persistentvolumeclaims", "--all", "-n", entity, "--wait=false", emptier];
        self.cluster.kubectl.ok(&words).await.map(drop)
    }

    /// The host name of an Entity's service.
    pub fn host(&self, entity: &str, service: &str) -> String {
        format!("{entity}-{service}.{}", self.cluster.facts.base_domain)
    }

    /// The first administrator of a service, from the Secret that its status names.
    ///
    /// # Errors
    /// When the Secret or a key is missing.
    pub async fn administrator(&self, entity: &str, service: &str) -> Outcome<Credentials> {
        let secrets: Api<Secret> = Api::namespaced(self.cluster.client.clone(), entity);
        let data = secrets.get(&format!("{service}-admin")).await?.data.unwrap_or_default();
        let text = |key: &str| {
            let bytes: &ByteString =
                data.get(key).ok_or_else(|| Failure::new(format!("no key {key} in {service}-admin")))?;
            Ok::<_, Failure>(String::from_utf8_lossy(&bytes.0).into_owned())
        };
        Ok(Credentials { username: text("username")?, password: text("password")? })
    }

    /// The running pods of a component of a service.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn pods(&self, entity: &str, service: &str, component: &str) -> Outcome<Vec<Pod>> {
        let selector = format!("commonscloud.coop/instance={service},app.kubernetes.io/component={component}");
        let pods: Vec<Pod> = wait::list(&self.cluster.client, entity, &selector).await?;
        let runs = |pod: &Pod| {
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            phase == Some("Running") && pod.metadata.deletion_timestamp.is_none()
        };
        Ok(pods.into_iter().filter(runs).collect())
    }

    /// The one running pod of a component.
    ///
    /// # Errors
    /// When there is none or more.
    pub async fn pod(&self, entity: &str, service: &str, component: &str) -> Outcome<String> {
        let pods = self.pods(entity, service, component).await?;
        ensure!(pods.len() == 1, "{} pods of {entity}/{service}-{component} run", pods.len());
        Ok(pods[0].name_any())
    }
}

/// The overrides that make every component of a package small.
fn small_components(template: &ServiceTemplate) -> Vec<Value> {
    let component = |component: &Component| {
        // Java takes a part of what its limit is, and needs more than all others.
        let is_java = (template.name_any().as_str(), component.name.as_str()) == ("keycloak", "app");
        let small = package::small();
        let resources = if is_java { json!({"requests": small["requests"]}) } else { small };
        json!({
            "template": template.name_any(),
            "component": component.name,
            "resources": resources,
        })
    };
    template.spec.components.iter().map(component).collect()
}
