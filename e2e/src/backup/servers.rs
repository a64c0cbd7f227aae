//! The servers that backups go to, as pods in a namespace of their own: they stand for the world outside.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::chart;
use crate::cluster::Cluster;
use crate::ensure_eq;
use crate::failure::Outcome;
use crate::wait::eventually;

/// Their namespace.
pub const NAMESPACE: &str = "backup-servers";

/// The target that is an append-only server of restic's own protocol; the first one.
pub const REST: &str = "rest";
/// The target that is a bucket.
pub const S3: &str = "s3";
/// The target that is an account of an SSH server. Its Secret is there after [`let_in_by_ssh`].
pub const SFTP: &str = "sftp";
/// A target at an address at which nobody is.
pub const NOWHERE: &str = "nowhere";
/// A target on the server of [`REST`], whose Secret a scenario changes.
pub const SPARE: &str = "spare";

/// The target that is a volume of the cluster itself, which the operator serves.
pub const VOLUME: &str = "volume";
/// What everything of that server is called.
pub const VOLUME_SERVER: &str = "backup-server-volume";

/// The account at each of them.
const USER: &str = "cloud";
const PASSWORD: &str = "hunter2hunter2";
/// The public key of age's own documentation: nobody here has to open what is encrypted to it.
const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
/// The private key of the tests of age's implementation in Rust, which everybody can read there.
pub const IDENTITY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33\n";
/// Its public half.
const OPENED: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
/// A claim is bound and a pod started by then.
const SERVED: Duration = Duration::from_mins(3);
/// TEST-NET-1: nobody has it.
const NOBODYS_ADDRESS: &str = "192.0.2.1";

/// A server: its name and port, and what starts it.
struct Server {
    name: &'static str,
    port: u16,
    script: &'static str,
}

const SERVERS: [Server; 3] = [
    Server {
        name: REST,
        port: 8000,
        script: "htpasswd -nbB \"$CLOUD_USER\" \"$CLOUD_PASSWORD\" >/data/.htpasswd\nexec rest-server --path /data --listen :8000 --append-only\n",
    },
    Server {
        name: S3,
        port: 7070,
        script: "mkdir -p /data/cloud\nexport ROOT_ACCESS_KEY=$CLOUD_USER ROOT_SECRET_KEY=$CLOUD_PASSWORD\nexec versitygw --port :7070 posix /data\n",
    },
    Server {
        name: SFTP,
        port: 2222,
        script: "for key in hostKey account; do\n    [ -e /ssh/$key ] || ssh-keygen -q -t ed25519 -N '' -C '' -f /ssh/$key\ndone\ncp /ssh/account.pub /ssh/authorizedKeys\nexec /usr/sbin/sshd -D -e\n",
    },
];

/// Makes the servers, and the Secrets of the targets in the operator's namespace; waits for none of them.
///
/// # Errors
/// When the API server refuses.
pub async fn start(cluster: &Cluster, image: &str) -> Outcome {
    cluster.applied(&objects(image)).await
}

/// Waits until a server answers.
///
/// # Errors
/// When it does not within a minute.
pub async fn ready(cluster: &Cluster, server: &str) -> Outcome {
    let pod = format!("pod/{server}");
    cluster.kubectl.ok(&["wait", "--for=condition=Ready", &pod, "-n", NAMESPACE, "--timeout=1m"]).await.map(drop)
}

/// Waits until the operator serves the volume.
///
/// # Errors
/// When it does not within three minutes.
pub async fn volume_ready(cluster: &Cluster) -> Outcome {
    eventually("the volume is served", SERVED, async || {
        let available = "jsonpath={.status.availableReplicas}";
        let words = ["get", "deployment", VOLUME_SERVER, "-n", chart::NAMESPACE, "-o", available];
        let pods = cluster.kubectl.ok(&words).await?;
        ensure_eq!(pods.trim(), "1", "pods that answer");
        Ok(())
    })
    .await
}

/// Runs a shell script beside the server of the volume, whose repositories lie below `/data`.
///
/// # Errors
/// When it fails.
pub async fn volume_shell(cluster: &Cluster, script: &str) -> Outcome<String> {
    let server = format!("deployment/{VOLUME_SERVER}");
    cluster.kubectl.exec(chart::NAMESPACE, &server, "run", &["/bin/sh", "-ec", script]).await?.succeeded(script)
}

/// Runs a shell script beside a server, whose repositories lie below `/data`.
///
/// # Errors
/// When it fails.
pub async fn shell(cluster: &Cluster, server: &str, script: &str) -> Outcome<String> {
    cluster.kubectl.exec(NAMESPACE, server, server, &["/bin/sh", "-ec", script]).await?.succeeded(script)
}

/// Gives the operator the key of the SSH server's account, and the server's own.
///
/// # Errors
/// When the server does not run.
pub async fn let_in_by_ssh(cluster: &Cluster) -> Outcome {
    ready(cluster, SFTP).await?;
    let account = shell(cluster, SFTP, "cat /ssh/account").await?;
    let server = shell(cluster, SFTP, "cat /ssh/hostKey.pub").await?;
    let known = format!("[{}]:2222 {server}", host(SFTP));
    cluster.applied(&[secret(SFTP, &json!({"privateKey": account, "knownHosts": known}))]).await
}

/// A schedule of runs, or of care, by which nothing begins within half a day of now.
pub fn much_later() -> Value {
    let hour = (Timestamp::now().to_zoned(TimeZone::UTC).hour() + 12) % 24;
    // Scenarios run side by side, and each asks for runs of its own.
    json!({"cron": format!("0 {hour} * * *"), "windowMinutes": 60, "atOnce": 16})
}

/// `spec.backup` of the Platform. Nothing runs by itself within half a day, and nothing is drilled.
pub fn platform() -> Value {
    let ssh =
        json!({"host": host(SFTP), "port": 2222, "user": USER, "path": "/data/cloud", "secretName": secret_name(SFTP)});
    let bucket =
        json!({"endpoint": format!("http://{}:7070", host(S3)), "bucket": "cloud", "secretName": secret_name(S3)});
    json!({
        "targets": [
            {"name": REST, "rest": rest(REST, &host(REST)), "network": peers(REST)},
            {"name": S3, "s3": bucket, "network": peers(S3)},
            {"name": SFTP, "sftp": ssh, "network": peers(SFTP)},
            {"name": NOWHERE, "rest": rest(NOWHERE, NOBODYS_ADDRESS),
             "network": {"peers": [{"ipBlock": {"cidr": format!("{NOBODYS_ADDRESS}/32")}}]}},
            {"name": SPARE, "rest": rest(SPARE, &host(REST)), "network": peers(REST)},
            {"name": VOLUME, "volume": {"size": "1Gi"}},
        ],
        "recipients": [RECIPIENT, OPENED],
        "schedule": much_later(),
        "care": much_later(),
        "drills": {"enabled": false},
        "resources": {"requests": {"cpu": "5m", "memory": "32Mi"}, "limits": {"memory": "512Mi"}},
    })
}

/// The Secret of a target, in the operator's namespace.
pub fn secret_name(target: &str) -> String {
    format!("backup-{target}")
}

/// The Secret of a target of restic's own protocol.
pub fn rest_secret(target: &str) -> Value {
    secret(target, &json!({"username": USER, "password": PASSWORD}))
}

/// How restic gets into the REST server: variables of its environment.
pub fn rest_environment() -> [(&'static str, &'static str); 2] {
    [("RESTIC_REST_USERNAME", USER), ("RESTIC_REST_PASSWORD", PASSWORD)]
}

/// The same, and its server does not know the password.
pub fn refused_secret(target: &str) -> Value {
    secret(target, &json!({"username": USER, "password": "another"}))
}

fn rest(target: &str, host: &str) -> Value {
    // rest-server knows two folders below its own: here a repository's, `ENTITY-UID.SERVICE`, is the only one.
    json!({"url": format!("http://{host}:8000"), "secretName": secret_name(target)})
}

fn host(server: &str) -> String {
    format!("{server}.{NAMESPACE}.svc.cluster.local")
}

fn peers(server: &str) -> Value {
    json!({"peers": [{
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}},
        "podSelector": {"matchLabels": labels(server)},
    }]})
}

fn labels(server: &str) -> Value {
    json!({"app": server})
}

fn secret(target: &str, data: &Value) -> Value {
    let metadata = json!({"name": secret_name(target), "namespace": chart::NAMESPACE});
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})
}

fn objects(image: &str) -> Vec<Value> {
    let namespace = |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let mut objects = vec![namespace(NAMESPACE), namespace(chart::NAMESPACE)];
    objects.extend(SERVERS.iter().flat_map(|server| [pod(server, image), service(server)]));
    objects.extend([REST, NOWHERE, SPARE].map(rest_secret));
    objects.push(secret(S3, &json!({"accessKeyId": USER, "secretAccessKey": PASSWORD})));
    objects
}

fn service(server: &Server) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": server.name, "namespace": NAMESPACE},
        "spec": {"selector": labels(server.name), "ports": [{"port": server.port, "protocol": "TCP"}]},
    })
}

fn pod(server: &Server, image: &str) -> Value {
    let container = json!({
        "name": server.name,
        "image": image,
        "command": ["/bin/sh", "-ec", server.script],
        "env": [{"name": "CLOUD_USER", "value": USER}, {"name": "CLOUD_PASSWORD", "value": PASSWORD}],
        "readinessProbe": {"tcpSocket": {"port": server.port}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "ssh", "mountPath": "/ssh"}],
    });
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": server.name, "namespace": NAMESPACE, "labels": labels(server.name)},
        "spec": {
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "ssh", "emptyDir": {}}],
        },
    })
}

#[cfg(test)]
mod tests {
    use commonscloud_operator::api::PlatformBackup;

    use super::*;

    #[test]
    fn each_target_has_a_secret_but_those_whose_keys_a_server_or_the_operator_makes() {
        let backup: PlatformBackup = serde_json::from_value(platform()).unwrap();
        let made: Vec<Value> = objects("docker.io/local/x:1").into_iter().filter(|o| o["kind"] == "Secret").collect();
        for target in &backup.targets {
            let secret = target.secret().unwrap();
            let is_made = made.iter().any(|object| object["metadata"]["name"] == *secret);
            assert_eq!(is_made, ![SFTP, VOLUME].contains(&target.name.as_str()), "{}", target.name);
            assert!(target.volume.is_none() || target.server_name() == VOLUME_SERVER);
        }
        assert_eq!((backup.targets.len(), backup.targets[0].name.as_str()), (made.len() + 2, REST));
    }
}
