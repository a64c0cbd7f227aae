//! Where a repository is, and how its server is reached: what restic's containers get of a target. Credentials come
//! by reference, never as a value: nobody reads them in a Job.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use serde_json::{Value, json};

use super::server::served;
use crate::api::{BackupTarget, NetworkPeers, RestTarget, S3Target, SftpTarget};
use crate::template::operation::anywhere;

/// The folder at a target with the keys of all others.
pub const ESCROW: &str = "escrow";
/// The annotation of a pod with the certificates of a private authority: they stand in the Platform, and so need no
/// object to be mounted from.
const AUTHORITY: &str = "commonscloud.coop/authority";
/// Files of Secrets, for whichever user the pod has.
const FOR_ALL: u32 = 0o444;

/// Where a repository is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repository {
    /// Name of the target.
    pub target: String,
    /// As restic knows it, in a variable of a container's environment: `$$` stands for `$`.
    pub url: String,
    /// The folder of the Entity's repositories at the target.
    pub folder: String,
    /// The instance; empty where the folder is the repository.
    pub instance: String,
}

impl Repository {
    /// Its folder below the target's.
    pub fn path(&self) -> String {
        path(&self.folder, &self.instance)
    }
}

/// What somebody wants with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Read it, and add to it.
    Run,
    /// Remove from it as well. In the operator's namespace only.
    Care,
}

/// What containers need to reach a target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Access {
    /// Variables of their environment, beside the repository's own.
    pub env: Vec<Value>,
    /// Volumes of the pod.
    pub volumes: Vec<Value>,
    /// Where these are mounted.
    pub mounts: Vec<Value>,
    /// Annotations of the pod.
    pub annotations: BTreeMap<String, String>,
    /// What is reached, as rules of `spec.egress` of a NetworkPolicy; names are looked up beside.
    pub egress: Vec<Value>,
    /// The Secrets of the target that have to be in the pod's namespace.
    pub secrets: BTreeSet<String>,
}

/// The repository of an instance. `home`: the operator's namespace, in which volumes are served.
pub fn repository(home: &str, target: &BackupTarget, folder: &str, instance: &str, purpose: Purpose) -> Repository {
    let url = url(&served(target, home), &path(folder, instance), purpose);
    Repository { target: target.name.clone(), url, folder: folder.to_owned(), instance: instance.to_owned() }
}

/// The repository with the keys of all others, encrypted to the Platform's recipients.
pub fn escrow_repository(home: &str, target: &BackupTarget) -> Repository {
    repository(home, target, ESCROW, "", Purpose::Run)
}

/// One folder for both, since a rest-server knows two below its own: an account's, and a repository's.
fn path(folder: &str, instance: &str) -> String {
    [folder, instance].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
}

fn url(target: &BackupTarget, path: &str, purpose: Purpose) -> String {
    let escaped = |url: String| url.replace('$', "$$");
    match Server::of(target) {
        Some(Server::S3(s3)) => {
            let prefix = s3.prefix.as_deref().map(|prefix| format!("/{}", prefix.trim_end_matches('/')));
            escaped(format!("s3:{}/{}{}/{path}", s3.endpoint, s3.bucket, prefix.unwrap_or_default()))
        }
        Some(Server::Rest(rest)) => escaped(format!("rest:{}/{path}", address(rest, purpose).trim_end_matches('/'))),
        Some(Server::Sftp(sftp)) => {
            let SftpTarget { user, host, port, path: base, .. } = sftp;
            // The other account's name is in its Secret.
            let user = if has_care_account(sftp, purpose) { "$(SFTP_USER)" } else { user };
            // Two slashes: what follows is the whole path, not one below the account's own folder.
            format!("sftp://{user}@{host}:{port}/{base}/{path}")
        }
        None => String::new(),
    }
}

/// What containers need to reach this target. `home`: the operator's namespace; `network`: of the Platform.
pub fn access(home: &str, target: &BackupTarget, purpose: Purpose, network: &NetworkPeers) -> Access {
    let mut access = Access::default();
    let target = &served(target, home);
    let Some(server) = Server::of(target) else { return access };
    let care = target.care_secret().filter(|_| purpose == Purpose::Care);
    let Some(secret) = care.or(target.secret()) else { return access };
    access.secrets.insert(secret.clone().into_owned());
    let variable =
        |name: &str, key: &str| json!({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}});
    match server {
        Server::S3(s3) => {
            access.env.push(variable("AWS_ACCESS_KEY_ID", "accessKeyId"));
            access.env.push(variable("AWS_SECRET_ACCESS_KEY", "secretAccessKey"));
            let region = s3.region.iter().map(|region| json!({"name": "AWS_DEFAULT_REGION", "value": region}));
            access.env.extend(region);
            trust(&mut access, s3.ca_bundle.as_deref());
        }
        Server::Rest(rest) => {
            access.env.push(variable("RESTIC_REST_USERNAME", "username"));
            access.env.push(variable("RESTIC_REST_PASSWORD", "password"));
            trust(&mut access, rest.ca_bundle.as_deref());
        }
        Server::Sftp(sftp) => {
            if has_care_account(sftp, purpose) {
                access.env.push(variable("SFTP_USER", "user"));
            }
            let items = ["privateKey", "knownHosts"].map(|key| json!({"key": key, "path": key}));
            let source = json!({"secretName": secret, "defaultMode": FOR_ALL, "items": items});
            access.volumes.push(json!({"name": "ssh", "secret": source}));
            access.mounts.push(json!({"name": "ssh", "mountPath": "/ssh", "readOnly": true}));
        }
    }
    access.egress.push(egress(target, server.port(purpose), network));
    access
}

/// The certificates, as a file that the kubelet writes.
fn trust(access: &mut Access, authority: Option<&str>) {
    let Some(certificates) = authority else { return };
    access.annotations.insert(AUTHORITY.to_owned(), certificates.to_owned());
    access.volumes.push(json!({"name": "ca", "downwardAPI": {"items": [annotation_file(AUTHORITY, "ca.crt")]}}));
    access.mounts.push(json!({"name": "ca", "mountPath": "/ca", "readOnly": true}));
}

/// An annotation of the pod as a file of a volume of kind `downwardAPI`.
pub(super) fn annotation_file(annotation: &str, path: &str) -> Value {
    json!({"path": path, "fieldRef": {"apiVersion": "v1", "fieldPath": format!("metadata.annotations['{annotation}']")}})
}

/// Whom the Platform names, else every address but the cluster's own: no policy knows names.
fn egress(target: &BackupTarget, port: u16, network: &NetworkPeers) -> Value {
    let named = &target.network.peers;
    let peers: Vec<NetworkPolicyPeer> = if named.is_empty() { anywhere(network) } else { named.clone() };
    json!({"to": peers, "ports": [{"port": target.network.port.unwrap_or(port), "protocol": "TCP"}]})
}

/// The kind of a target: the API server takes exactly one.
enum Server<'t> {
    S3(&'t S3Target),
    Rest(&'t RestTarget),
    Sftp(&'t SftpTarget),
}

impl<'t> Server<'t> {
    fn of(target: &'t BackupTarget) -> Option<Self> {
        let s3 = target.s3.as_ref().map(Self::S3);
        s3.or(target.rest.as_ref().map(Self::Rest)).or(target.sftp.as_ref().map(Self::Sftp))
    }

    fn port(&self, purpose: Purpose) -> u16 {
        match self {
            Self::S3(s3) => port_of(&s3.endpoint),
            Self::Rest(rest) => port_of(address(rest, purpose)),
            Self::Sftp(sftp) => sftp.port,
        }
    }
}

fn address(rest: &RestTarget, purpose: Purpose) -> &str {
    rest.care_url.as_deref().filter(|_| purpose == Purpose::Care).unwrap_or(&rest.url)
}

fn has_care_account(sftp: &SftpTarget, purpose: Purpose) -> bool {
    purpose == Purpose::Care && sftp.care_secret_name.is_some()
}

/// The port of an address: its own, else that of its protocol.
fn port_of(url: &str) -> u16 {
    let (protocol, rest) = url.split_once("://").unwrap_or(("https", url));
    let host = rest.split('/').next().unwrap_or_default();
    let own = host.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    own.unwrap_or(if protocol == "http" { 80 } else { 443 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "system";

    fn target(text: Value) -> BackupTarget {
        serde_json::from_value(text).unwrap()
    }

    fn network() -> NetworkPeers {
        NetworkPeers { cluster_ranges: vec!["10.42.0.0/16".into()], ..NetworkPeers::default() }
    }

    fn s3(more: Value) -> BackupTarget {
        let mut s3 = json!({"endpoint": "https://s3.example.org", "bucket": "cloud", "secretName": "add"});
        s3.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        target(json!({"name": "offsite", "s3": s3}))
    }

    fn url_of(target: &BackupTarget, purpose: Purpose) -> String {
        repository(HOME, target, "garden-0a1b2c3d", "wiki", purpose).url
    }

    fn by_reference(access: &Access) -> Vec<(String, String, String)> {
        let text = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or("-").to_owned();
        let one = |variable: &Value| {
            let (secret, key) = ("/valueFrom/secretKeyRef/name", "/valueFrom/secretKeyRef/key");
            (text(variable, "/name"), text(variable, secret), text(variable, key))
        };
        access.env.iter().map(one).collect()
    }

    fn named(names: [[&str; 3]; 2]) -> Vec<(String, String, String)> {
        names.map(|[name, secret, key]| (name.to_owned(), secret.to_owned(), key.to_owned())).into()
    }

    #[test]
    fn a_bucket_is_reached_at_every_address_but_the_clusters_own() {
        let target = s3(json!({"prefix": "cloud/$(HOME)", "careSecretName": "care"}));
        assert_eq!(
            url_of(&target, Purpose::Run),
            "s3:https://s3.example.org/cloud/cloud/$$(HOME)/garden-0a1b2c3d.wiki",
            "Kubernetes puts in no variable of its own"
        );
        let access = access(HOME, &target, Purpose::Run, &network());
        let expected =
            named([["AWS_ACCESS_KEY_ID", "add", "accessKeyId"], ["AWS_SECRET_ACCESS_KEY", "add", "secretAccessKey"]]);
        assert_eq!(by_reference(&access), expected);
        assert_eq!(access.secrets, ["add".to_owned()].into());
        let addresses = json!([
            {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.42.0.0/16"]}}, {"ipBlock": {"cidr": "::/0"}},
        ]);
        assert_eq!(access.egress, [json!({"to": addresses, "ports": [{"port": 443, "protocol": "TCP"}]})]);
        assert!(access.volumes.is_empty() && access.mounts.is_empty() && access.annotations.is_empty());
    }

    #[test]
    fn who_removes_has_another_secret_than_who_adds() {
        let care = |target: &BackupTarget| access(HOME, target, Purpose::Care, &network()).secrets;
        assert_eq!(care(&s3(json!({"careSecretName": "care"}))), ["care".to_owned()].into());
        assert_eq!(care(&s3(json!({}))), ["add".to_owned()].into());
    }

    #[test]
    fn a_private_authority_is_a_file_of_an_annotation() {
        let access = access(HOME, &s3(json!({"caBundle": "PEM", "region": "nl"})), Purpose::Run, &network());
        assert_eq!(access.env[2], json!({"name": "AWS_DEFAULT_REGION", "value": "nl"}));
        assert_eq!(access.annotations, [(AUTHORITY.to_owned(), "PEM".to_owned())].into());
        let path = "metadata.annotations['commonscloud.coop/authority']";
        let item = &access.volumes[0]["downwardAPI"]["items"][0];
        assert_eq!((&item["path"], &item["fieldRef"]["fieldPath"]), (&json!("ca.crt"), &json!(path)));
        assert_eq!(access.mounts[0]["mountPath"], "/ca");
    }

    #[test]
    fn a_server_of_restics_own_protocol_in_the_cluster_is_reached_at_its_pods_port() {
        let peer = json!({"namespaceSelector": {"matchLabels": {"name": "backups"}}});
        let target = target(json!({
            "name": "here",
            "rest": {"url": "http://backup.example.org:8000/cloud/", "secretName": "add", "careUrl": "http://care.example.org"},
            "network": {"peers": [peer], "port": 8080},
        }));
        assert_eq!(url_of(&target, Purpose::Run), "rest:http://backup.example.org:8000/cloud/garden-0a1b2c3d.wiki");
        assert_eq!(url_of(&target, Purpose::Care), "rest:http://care.example.org/garden-0a1b2c3d.wiki");
        assert_eq!(escrow_repository(HOME, &target).url, "rest:http://backup.example.org:8000/cloud/escrow");
        let reached = access(HOME, &target, Purpose::Run, &network());
        assert_eq!(reached.egress, [json!({"to": [peer], "ports": [{"port": 8080, "protocol": "TCP"}]})]);
        let expected =
            named([["RESTIC_REST_USERNAME", "add", "username"], ["RESTIC_REST_PASSWORD", "add", "password"]]);
        assert_eq!(by_reference(&reached), expected);
    }

    #[test]
    fn a_volume_is_reached_at_the_server_that_the_operator_runs_for_it() {
        let target = target(json!({"name": "here", "volume": {"size": "1Gi"}}));
        let base = "rest:http://backup-server-here.system.svc";
        assert_eq!(url_of(&target, Purpose::Run), format!("{base}:8000/garden-0a1b2c3d.wiki"));
        assert_eq!(url_of(&target, Purpose::Care), format!("{base}:8001/garden-0a1b2c3d.wiki"));
        assert_eq!(escrow_repository(HOME, &target).url, format!("{base}:8000/escrow"));
        for (purpose, secret, port) in
            [(Purpose::Run, "backup-server-here", 8000), (Purpose::Care, "backup-care-here", 8001)]
        {
            let reached = access(HOME, &target, purpose, &network());
            assert_eq!(reached.secrets, [secret.to_owned()].into());
            let pods = &reached.egress[0]["to"][0];
            assert_eq!(pods["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], "system");
            assert_eq!(pods["podSelector"]["matchLabels"]["commonscloud.coop/backup-server"], "here");
            assert_eq!(reached.egress[0]["to"].as_array().map(Vec::len), Some(1), "and nobody else");
            assert_eq!(reached.egress[0]["ports"], json!([{"port": port, "protocol": "TCP"}]));
        }
    }

    #[test]
    fn an_account_of_an_ssh_server_has_its_keys_in_files_and_its_name_in_the_address() {
        let sftp = json!({
            "host": "ssh.example.org", "port": 2222, "user": "cloud", "path": "/srv/backups",
            "secretName": "add", "careSecretName": "care",
        });
        let target = target(json!({"name": "ssh", "sftp": sftp}));
        let run = "sftp://cloud@ssh.example.org:2222//srv/backups/garden-0a1b2c3d.wiki";
        assert_eq!(url_of(&target, Purpose::Run), run);
        assert_eq!(url_of(&target, Purpose::Care), run.replace("cloud@", "$(SFTP_USER)@"));
        let reached = access(HOME, &target, Purpose::Run, &network());
        assert_eq!((reached.env.len(), reached.mounts[0]["mountPath"].as_str()), (0, Some("/ssh")));
        let source = &reached.volumes[0]["secret"];
        assert_eq!((&source["secretName"], &source["items"][0]["key"]), (&json!("add"), &json!("privateKey")));
        assert_eq!(reached.egress[0]["ports"], json!([{"port": 2222, "protocol": "TCP"}]));
        let care = access(HOME, &target, Purpose::Care, &network());
        assert_eq!(by_reference(&care)[0], ("SFTP_USER".into(), "care".into(), "user".into()));
    }
}
