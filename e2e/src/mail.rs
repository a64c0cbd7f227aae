//! The mail server that services send through, as a pod in a namespace of its own: it stands for the world outside, and
//! tells what it got.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::failure::{Failure, Outcome};
use crate::user_agent::links;

/// Its namespace.
pub const NAMESPACE: &str = "mail";

/// What everything of it is called.
const NAME: &str = "mailpit";
/// Where it takes mail. The Service has the same port, so that the Platform has to name one alone.
const SMTP: u16 = 1025;
/// Where it tells what it got.
const HTTP: u16 = 8025;
/// The sender of the services' mail.
const FROM: &str = "cloud@example.org";

/// Starts the server.
///
/// # Errors
/// When it does not answer within a minute.
pub async fn start(cluster: &Cluster, image: &str) -> Outcome {
    cluster.applied(&objects(image)).await?;
    let words = ["wait", "--for=condition=Ready", "pod/mailpit", "-n", NAMESPACE, "--timeout=1m"];
    cluster.kubectl.ok(&words).await.map(drop)
}

/// `smtp` of the Platform.
pub fn smtp() -> Value {
    json!({"host": format!("{NAME}.{NAMESPACE}.svc.cluster.local"), "port": SMTP, "from": FROM})
}

/// `network.mail` of the Platform.
pub fn peers() -> Value {
    json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}}])
}

/// A letter that came.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Letter {
    /// What it is about.
    pub subject: String,
    /// What it is made of.
    #[serde(rename = "HTML")]
    pub html: String,
}

/// What is told of many letters.
#[derive(Deserialize)]
struct Listed {
    messages: Vec<Summary>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    #[serde(rename = "ID")]
    id: String,
    /// None of what has no header `To`.
    to: Option<Vec<Mailbox>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mailbox {
    address: String,
}

/// The letters to an address, the newest first.
///
/// # Errors
/// When the server does not answer.
pub async fn letters_to(cluster: &Cluster, address: &str) -> Outcome<Vec<Letter>> {
    let listed: Listed = told(cluster, "messages?limit=200").await?;
    let mut letters = Vec::new();
    for summary in listed.messages {
        if summary.to.iter().flatten().any(|to| to.address.eq_ignore_ascii_case(address)) {
            letters.push(told(cluster, &format!("message/{}", summary.id)).await?);
        }
    }
    Ok(letters)
}

async fn told<T: for<'t> Deserialize<'t>>(cluster: &Cluster, what: &str) -> Outcome<T> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{NAME}:{HTTP}/proxy/api/v1/{what}");
    let said = cluster.kubectl.ok(&["get", "--raw", &path]).await?;
    serde_json::from_str(&said).map_err(|error| Failure::new(format!("{what}: {error}: {said}")))
}

impl Letter {
    /// The link in it whose address has this in it.
    pub fn link(&self, part: &str) -> Option<String> {
        links(&self.html).into_iter().find(|link| link.contains(part))
    }
}

fn objects(image: &str) -> Vec<Value> {
    let labels = json!({"app": NAME});
    let metadata = json!({"name": NAME, "namespace": NAMESPACE, "labels": labels});
    let arguments = [
        format!("--smtp=0.0.0.0:{SMTP}"),
        format!("--listen=0.0.0.0:{HTTP}"),
        "--database=/tmp/mail.db".to_owned(),
        // It asks nobody else about whom it speaks with, or about a newer version.
        "--smtp-disable-rdns".to_owned(),
        "--disable-version-check".to_owned(),
    ];
    let container = json!({
        "name": NAME,
        "image": image,
        "args": arguments,
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": HTTP}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    });
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": {
                "automountServiceAccountToken": false,
                "terminationGracePeriodSeconds": 0,
                "securityContext": {
                    "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [container],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
            },
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"port": SMTP, "protocol": "TCP"}]},
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_read_as_the_server_tells_it() {
        let told = json!({
            "ID": "a", "Subject": "Invitation", "Text": "…",
            "HTML": "<p><a href=\"https://id.example.org/registrations?client_id&#61;account&amp;token=x\">Here</a></p>",
        });
        let letter: Letter = serde_json::from_value(told).unwrap();
        let link = letter.link("registrations").unwrap();
        assert_eq!(link, "https://id.example.org/registrations?client_id=account&token=x");
        assert_eq!(letter.link("action-token"), None);

        let listed =
            json!({"total": 1, "messages": [{"ID": "a", "To": [{"Name": "", "Address": "anna@example.org"}]}]});
        let listed: Listed = serde_json::from_value(listed).unwrap();
        assert_eq!(
            (listed.messages[0].id.as_str(), listed.messages[0].to.as_ref().unwrap()[0].address.as_str()),
            ("a", "anna@example.org")
        );
    }
}
