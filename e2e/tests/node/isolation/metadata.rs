//! Somebody behind the link-local address at which clouds tell a machine about itself, and whose
//! answers often hold the machine's credentials. No such service is on a local node: a listener on
//! the node's own address takes the place, as metadata proxies do, by a rule in the node's network
//! namespace.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use commonscloud_cluster::packages;
use commonscloud_e2e::{Failure, Outcome, ensure};
use nix::sched::{CloneFlags, setns};
use serde_json::Value;

use crate::tier::Node;

/// Where metadata is, in every cloud.
pub const ADDRESS: &str = "169.254.169.254";
/// What is answered.
pub const SOMEBODY: &str = "the metadata of the node";

/// The service, until it is ended.
pub struct Metadata {
    namespace: PathBuf,
    listener: SocketAddr,
}

impl Metadata {
    /// Begins to answer.
    ///
    /// # Errors
    /// When the node's network namespace is not found, or the rule is refused.
    pub fn begin(node: &Node) -> Outcome<Self> {
        let address = node.cluster.facts.node_ip.ok_or_else(|| Failure::new("the node has no address"))?;
        let namespace = namespace(node)?;
        let socket = within(namespace.clone(), move || listen(address))?;
        let listener = socket.local_addr()?;
        // A socket stays in the namespace in which it was made. The thread ends with this process.
        thread::spawn(move || answer(&socket));
        Ok(Self { namespace, listener })
    }

    /// Leads nobody to it any more.
    ///
    /// # Errors
    /// When the rule is not there.
    pub fn end(self) -> Outcome {
        let Self { namespace, listener } = self;
        within(namespace, move || rule("--delete", listener))
    }
}

fn listen(address: IpAddr) -> Outcome<TcpListener> {
    let listener = TcpListener::bind((address, 0))?;
    // Before kube-proxy's rules: the ingress has port 80 of every address of the node.
    rule("--insert", listener.local_addr()?)?;
    Ok(listener)
}

fn rule(verb: &str, listener: SocketAddr) -> Outcome {
    let iptables = packages::find("iptables").ok_or_else(|| Failure::new("no program iptables"))?;
    let listener = listener.to_string();
    let output = Command::new(iptables)
        .args(["--wait", "--table", "nat", verb, "PREROUTING", "--destination", ADDRESS, "--protocol", "tcp"])
        .args(["--dport", "80", "--jump", "DNAT", "--to-destination", &listener])
        .output()?;
    ensure!(output.status.success(), "iptables {verb}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn answer(listener: &TcpListener) {
    for mut stream in listener.incoming().flatten() {
        let mut request = [0; 1024];
        let _ = stream.read(&mut request);
        let _ = write!(stream, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n{SOMEBODY}\n");
    }
}

/// The node's network namespace: that of the process that its supervisor was started by.
fn namespace(node: &Node) -> Outcome<PathBuf> {
    let folder = node.cluster.facts.kubeconfig.with_file_name("cluster.json");
    let record: Value = serde_json::from_slice(&std::fs::read(&folder)?)?;
    let pid = record["supervisor"]["pid"].as_i64();
    let pid = pid.ok_or_else(|| Failure::new(format!("{}: no supervisor.pid", folder.display())))?;
    Ok(PathBuf::from(format!("/proc/{pid}/ns/net")))
}

/// Does something on a thread of its own in a network namespace.
fn within<T: Send + 'static>(namespace: PathBuf, work: impl FnOnce() -> Outcome<T> + Send + 'static) -> Outcome<T> {
    let entered = thread::spawn(move || {
        setns(File::open(namespace)?, CloneFlags::CLONE_NEWNET)?;
        work()
    });
    entered.join().unwrap_or_else(|_| Err(Failure::new("the thread in the node's network namespace died")))
}
