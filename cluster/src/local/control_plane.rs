//! etcd, API server, controller manager and scheduler: their certificates and their processes.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use super::kubeconfig;
use super::pki::{self, Authority, Pair, PkiError, Subject};
use super::plan::{Process, Ready};
use crate::tools::Tool;

/// Where the control plane listens, and which networks it hands out.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    pub(super) api_server: SocketAddr,
    /// What the service `kubernetes` points to; never a loopback address, the API server refuses it.
    pub(super) advertised: IpAddr,
    pub(super) etcd: SocketAddr,
    pub(super) etcd_peer: SocketAddr,
    pub(super) pods: String,
    pub(super) services: String,
    /// The first address of `services`: the API server's own.
    pub(super) kubernetes_service: IpAddr,
}

/// Authorities and key pairs that the control plane's processes share.
pub(super) struct Credentials {
    pub(super) authority: Authority,
    folder: PathBuf,
    server: String,
    etcd: Pair,
    etcd_authority: PathBuf,
    api_server: Pair,
    kubelet_client: Pair,
    front_proxy: Pair,
    front_proxy_authority: PathBuf,
    service_accounts: Pair,
}

impl Credentials {
    /// Makes all of them in `folder`.
    pub(super) fn create(folder: &Path, addresses: &Addresses) -> Result<Self, PkiError> {
        let authority = Authority::create(folder, "ca")?;
        let etcd_authority = Authority::create(folder, "etcd-ca")?;
        let front_proxy_authority = Authority::create(folder, "front-proxy-ca")?;
        let local = || ["localhost".to_owned(), "127.0.0.1".to_owned()].into_iter();
        let etcd_names: Vec<String> = local().collect();
        let kubernetes = ["", ".default", ".default.svc", ".default.svc.cluster.local"];
        let api_names: Vec<String> = kubernetes
            .iter()
            .map(|suffix| format!("kubernetes{suffix}"))
            .chain(local())
            .chain([addresses.advertised.to_string(), addresses.kubernetes_service.to_string()])
            .collect();
        Ok(Self {
            etcd: etcd_authority.issue("etcd", &Subject::user("etcd"), &etcd_names)?,
            api_server: authority.issue("apiserver", &Subject::user("kube-apiserver"), &api_names)?,
            kubelet_client: authority.issue(
                "apiserver-kubelet-client",
                &Subject::member("kube-apiserver-kubelet-client", "system:masters"),
                &[],
            )?,
            front_proxy: front_proxy_authority.issue(
                "front-proxy-client",
                &Subject::user("front-proxy-client"),
                &[],
            )?,
            service_accounts: pki::key_pair(folder, "service-accounts")?,
            etcd_authority: etcd_authority.files.certificate,
            front_proxy_authority: front_proxy_authority.files.certificate,
            server: format!("https://{}", addresses.api_server),
            folder: folder.to_path_buf(),
            authority,
        })
    }

    /// A kubeconfig for a component that is known to the API server as `subject`.
    pub(super) fn kubeconfig(&self, name: &str, subject: &Subject<'_>) -> Result<PathBuf, PkiError> {
        kubeconfig::issue(&self.authority, &self.folder, &self.server, name, subject)
    }
}

/// What is written about each request: everything but bodies, and only when it is answered.
const AUDIT_POLICY: &str = r#"{"apiVersion":"audit.k8s.io/v1","kind":"Policy","omitStages":["RequestReceived"],"rules":[{"level":"Metadata"}]}"#;

/// Name of the API server's process, which others start after.
pub(super) const API_SERVER: &str = "kube-apiserver";

/// Where the API server logs who asked for what.
pub(super) fn audit_log(folder: &Path) -> PathBuf {
    folder.join("logs/audit.log")
}

/// The four processes, in the order in which they start.
///
/// `admin` is the kubeconfig that the readiness of the API server is asked with.
pub(super) fn processes(
    folder: &Path,
    kubernetes: &Tool,
    etcd: &Tool,
    addresses: &Addresses,
    credentials: &Credentials,
    admin: &Path,
) -> Result<Vec<Process>, PkiError> {
    let policy = folder.join("audit-policy.json");
    pki::write_private(&policy, AUDIT_POLICY)?;
    Ok(vec![
        etcd_process(folder, etcd, addresses, credentials),
        api_server(folder, kubernetes, addresses, credentials, &policy).ready(Ready::ApiServer(admin.to_path_buf())),
        controller_manager(kubernetes, addresses, credentials)?,
        scheduler(kubernetes, credentials)?,
    ])
}

fn etcd_process(folder: &Path, etcd: &Tool, addresses: &Addresses, credentials: &Credentials) -> Process {
    let client = format!("https://{}", addresses.etcd);
    let peer = format!("https://{}", addresses.etcd_peer);
    let Pair { certificate, key } = &credentials.etcd;
    Process::new("etcd", etcd.program("etcd"))
        .file("data-dir", &folder.join("etcd"))
        .flag("listen-client-urls", &client)
        .flag("advertise-client-urls", &client)
        .flag("listen-peer-urls", &peer)
        .flag("initial-advertise-peer-urls", &peer)
        .flag("initial-cluster", format!("default={peer}"))
        .file("cert-file", certificate)
        .file("key-file", key)
        .file("trusted-ca-file", &credentials.etcd_authority)
        .argument("--client-cert-auth")
        .file("peer-cert-file", certificate)
        .file("peer-key-file", key)
        .file("peer-trusted-ca-file", &credentials.etcd_authority)
        .argument("--peer-client-cert-auth")
        // The data is thrown away with the cluster: nothing needs to reach the disk.
        .argument("--unsafe-no-fsync")
        // The default of 2 GiB is less than a fleet of thousands of instances (`make bench-10k`).
        .flag("quota-backend-bytes", 8_u64 << 30)
        .flag("log-level", "warn")
        .ready(Ready::Port(addresses.etcd))
}

fn api_server(
    folder: &Path,
    kubernetes: &Tool,
    addresses: &Addresses,
    credentials: &Credentials,
    policy: &Path,
) -> Process {
    let authority = &credentials.authority.files.certificate;
    Process::new(API_SERVER, kubernetes.program(API_SERVER))
        .after("etcd")
        // A third of its time went into collecting garbage: half of that for more memory.
        .environment("GOGC", "200")
        .flag("bind-address", addresses.api_server.ip())
        .flag("secure-port", addresses.api_server.port())
        .flag("advertise-address", addresses.advertised)
        .flag("etcd-servers", format!("https://{}", addresses.etcd))
        .file("etcd-cafile", &credentials.etcd_authority)
        .file("etcd-certfile", &credentials.etcd.certificate)
        .file("etcd-keyfile", &credentials.etcd.key)
        .flag("authorization-mode", "Node,RBAC")
        .flag("enable-admission-plugins", "NodeRestriction")
        .argument("--allow-privileged")
        .file("client-ca-file", authority)
        .file("tls-cert-file", &credentials.api_server.certificate)
        .file("tls-private-key-file", &credentials.api_server.key)
        .file("kubelet-certificate-authority", authority)
        .file("kubelet-client-certificate", &credentials.kubelet_client.certificate)
        .file("kubelet-client-key", &credentials.kubelet_client.key)
        .flag("kubelet-preferred-address-types", "InternalIP")
        .flag("service-account-issuer", "https://kubernetes.default.svc.cluster.local")
        .file("service-account-key-file", &credentials.service_accounts.certificate)
        .file("service-account-signing-key-file", &credentials.service_accounts.key)
        .file("requestheader-client-ca-file", &credentials.front_proxy_authority)
        .flag("requestheader-allowed-names", "front-proxy-client")
        .flag("requestheader-extra-headers-prefix", "X-Remote-Extra-")
        .flag("requestheader-group-headers", "X-Remote-Group")
        .flag("requestheader-username-headers", "X-Remote-User")
        .file("proxy-client-cert-file", &credentials.front_proxy.certificate)
        .file("proxy-client-key-file", &credentials.front_proxy.key)
        .flag("service-cluster-ip-range", &addresses.services)
        // The ingress is reached on the ports that a browser uses.
        .flag("service-node-port-range", "80-32767")
        .file("audit-policy-file", policy)
        .file("audit-log-path", &audit_log(folder))
        .flag("audit-log-maxsize", 500)
        .flag("profiling", false)
}

fn controller_manager(
    kubernetes: &Tool,
    addresses: &Addresses,
    credentials: &Credentials,
) -> Result<Process, PkiError> {
    let name = "kube-controller-manager";
    let kubeconfig = credentials.kubeconfig(name, &Subject::user("system:kube-controller-manager"))?;
    Ok(Process::new(name, kubernetes.program(name))
        .after(API_SERVER)
        .file("kubeconfig", &kubeconfig)
        .flag("leader-elect", false)
        .flag("secure-port", 0)
        .argument("--use-service-account-credentials")
        .file("service-account-private-key-file", &credentials.service_accounts.key)
        .file("root-ca-file", &credentials.authority.files.certificate)
        .file("cluster-signing-cert-file", &credentials.authority.files.certificate)
        .file("cluster-signing-key-file", &credentials.authority.files.key)
        .argument("--allocate-node-cidrs")
        .flag("cluster-cidr", &addresses.pods)
        .flag("service-cluster-ip-range", &addresses.services)
        // With the default of 20 requests a second, thirty claims take seconds to be bound.
        .flag("kube-api-qps", 300)
        .flag("kube-api-burst", 600)
        // A request that ends half-way stays counted in a ResourceQuota until it is counted anew,
        // by default after five minutes.
        .flag("resource-quota-sync-period", "10s")
        .flag("profiling", false))
}

fn scheduler(kubernetes: &Tool, credentials: &Credentials) -> Result<Process, PkiError> {
    let name = "kube-scheduler";
    let kubeconfig = credentials.kubeconfig(name, &Subject::user("system:kube-scheduler"))?;
    Ok(Process::new(name, kubernetes.program(name))
        .after(API_SERVER)
        .file("kubeconfig", &kubeconfig)
        .flag("leader-elect", false)
        .flag("secure-port", 0)
        .flag("kube-api-qps", 300)
        .flag("kube-api-burst", 600)
        .flag("profiling", false))
}
