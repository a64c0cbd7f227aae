//! What routes, names and guards: kube-proxy, Cilium and `CoreDNS`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use serde_json::json;

use super::here;
use crate::local::control_plane::API_SERVER;
use crate::local::name::ClusterName;
use crate::local::plan::{Process, Ready};
use crate::tools::Tool;

/// kube-proxy: services for the node's own processes, and the ingress's ports on its address.
///
/// # Errors
/// When its file cannot be written below `folder`.
pub(in crate::local) fn kube_proxy(
    folder: &Path,
    kubernetes: &Tool,
    cluster: &ClusterName,
    pods: &str,
    kubeconfig: &Path,
) -> io::Result<Process> {
    let config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": kubeconfig},
        "clusterCIDR": pods,
        "hostnameOverride": cluster,
        "mode": "iptables",
        "iptables": {"minSyncPeriod": "100ms", "localhostNodePorts": false},
        // These would be settings of the whole machine.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    });
    std::fs::write(folder.join("kube-proxy.json"), config.to_string())?;
    Ok(Process::new("kube-proxy", kubernetes.program("kube-proxy"))
        .after(API_SERVER)
        .file("config", &here("kube-proxy.json"))
        .ready(Ready::Port(([127, 0, 0, 1], 10256).into())))
}

/// Cilium's agent, for network policies and the pods' links. Neither its operator nor Envoy runs.
pub(in crate::local) fn cilium(cilium: &Tool, cluster: &ClusterName, pods: &str, kubeconfig: &Path) -> Process {
    let off = [
        "enable-ipv6",
        "kube-proxy-replacement",
        "enable-l7-proxy",
        "enable-hubble",
        "enable-envoy-config",
        "enable-health-checking",
        "enable-endpoint-health-checking",
        "enable-bgp-control-plane",
        "enable-cilium-network-policy",
        "enable-cilium-clusterwide-network-policy",
        "cni-exclusive",
        "enable-gops",
    ];
    let process = Process::new("cilium-agent", cilium.program("cilium-agent"))
        .after(API_SERVER)
        .environment("K8S_NODE_NAME", cluster.as_str())
        .environment("CILIUM_K8S_NAMESPACE", "kube-system")
        .file("k8s-kubeconfig-path", kubeconfig)
        .flag("k8s-namespace", "kube-system")
        .flag("identity-allocation-mode", "crd")
        .flag("ipam", "kubernetes")
        .flag("enable-ipv4", true)
        .flag("routing-mode", "native")
        .flag("ipv4-native-routing-cidr", pods)
        .flag("enable-ipv4-masquerade", true)
        .flag("devices", "eth0")
        .flag("direct-routing-device", "eth0")
        .flag("bpf-root", "/sys/fs/bpf")
        .flag("cgroup-root", "/run/cilium/cgroupv2")
        .file("lib-dir", &cilium.share(""))
        .flag("state-dir", "/run/cilium")
        .flag("k8s-client-qps", 100)
        .flag("k8s-client-burst", 200)
        // By default a changed label stays without effect for seconds.
        .flag("identity-max-jitter", "0s")
        .flag("identity-change-grace-period", "0s")
        // By default `ipBlock` never matches a node, and so neither DNS nor the API server, which are processes
        // of this one. Pods it does not match either, and that stays so: it is what most clusters do.
        .flag("policy-cidr-match-mode", "nodes")
        .flag(
            "api-rate-limit",
            "endpoint-create=rate-limit:1000/s,rate-burst:1000,parallel-requests:16,auto-adjust:false",
        )
        .ready(Ready::Socket("/run/cilium/cilium.sock".into()));
    off.iter().fold(process, |process, name| process.flag(name, false))
}

/// `CoreDNS` on the node's address: the cluster's names, and `*.base_domain` as the node itself.
///
/// # Errors
/// When its file cannot be written below `folder`.
pub(in crate::local) fn coredns(
    folder: &Path,
    coredns: &Tool,
    address: IpAddr,
    base_domain: &str,
    kubeconfig: &Path,
) -> io::Result<Process> {
    std::fs::write(folder.join("Corefile"), corefile(address, base_domain, kubeconfig))?;
    Ok(Process::new("coredns", coredns.program("coredns"))
        .after(API_SERVER)
        .argument("-conf")
        .argument(here("Corefile").to_string_lossy())
        .ready(Ready::Port(SocketAddr::new(address, 53))))
}

fn corefile(address: IpAddr, base_domain: &str, kubeconfig: &Path) -> String {
    let kubeconfig = kubeconfig.display();
    // There is no way out of the cluster: every other name is said not to exist, at once.
    format!(
        r#"cluster.local:53 in-addr.arpa:53 {{
    bind {address}
    errors
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig}
        ttl 5
    }}
}}
{base_domain}:53 {{
    bind {address}
    errors
    template IN A {base_domain} {{
        answer "{{{{ .Name }}}} 5 IN A {address}"
    }}
    template ANY ANY {base_domain} {{
        rcode NOERROR
    }}
}}
.:53 {{
    bind {address}
    errors
    template ANY ANY . {{
        rcode NXDOMAIN
    }}
}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_the_base_domain_lead_to_the_node() {
        let text = corefile(IpAddr::from([10, 89, 0, 2]), "commonscloud.test", Path::new("/k"));
        assert!(text.contains(r#"answer "{{ .Name }} 5 IN A 10.89.0.2""#), "{text}");
    }
}
