//! What every controller has at hand.

use std::sync::{Arc, OnceLock};

use k8s_openapi::jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::backup_records::RecordsTold;
use super::backup_server::ServersTold;
use super::clock::Start;
use super::events::{Reported, events, publish};
use super::identity::IdentityTold;
use super::platform::Issuers;
use super::queue::Queue;
use super::recorder::Recorder;
use crate::api::{GROUP, Retention, VERSION};
use crate::apply::{ErrorKind, Server, Target, WriteError};
use crate::backup::Own;
use crate::cache::{Caches, Key, Kind, Known, PeerWatches, SecretWatches};
use crate::entity::ServiceAccount;
use crate::gather::Packages;
use crate::reachability::Reachability;
use crate::redact;
use crate::usage::Usages;

/// The name of the only Platform.
const PLATFORM: &str = "default";

/// What every controller has at hand.
pub struct Context {
    /// The caches, and who hears of their changes.
    pub known: Known,
    /// Where writes go.
    pub server: Server,
    /// Compiled packages.
    pub packages: Packages,
    /// The watches of Secrets' names.
    pub secrets: SecretWatches,
    /// The feeds of whom the Platform names in the cluster's network.
    pub peers: PeerWatches,
    /// The issuer that the Platform names.
    pub issuers: Issuers,
    /// Asks services for their page; none when told not to.
    pub reachability: Option<Reachability>,
    /// What the kubelets say of volumes; none when told not to ask.
    pub usages: Option<Usages>,
    /// What runs of backups need to know of the operator.
    pub own: Own,
    /// Held while the first escrow at a target is looked for and begun.
    pub escrows: tokio::sync::Mutex<()>,
    /// Held while the turn of a run has come, until its status says that it has begun.
    pub turns: tokio::sync::Mutex<()>,
    /// Where the platform's own records could not be stored.
    pub records: RecordsTold,
    /// What is told of the servers of volumes with backups.
    pub servers: ServersTold,
    /// What is told of the identity provider, and who has it looked at.
    pub identity: IdentityTold,
    /// Who the operator is.
    pub account: ServiceAccount,
    /// Tells of what turned.
    pub recorder: Recorder,
    /// When the operator started.
    pub start: Start,
    /// When it began to lead, once it does.
    pub leads_since: OnceLock<Timestamp>,
    /// What is to be looked at.
    pub queue: Arc<Queue<Key>>,
}

impl Context {
    /// The caches.
    pub fn caches(&self) -> &Caches {
        self.known.caches()
    }

    /// The time that goes into statuses.
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Since when this process looks at what there is: while none leads nobody does.
    pub fn watched_since(&self) -> Timestamp {
        self.leads_since.get().copied().unwrap_or(Timestamp::MIN)
    }

    /// How long data stays that is left now.
    ///
    /// # Errors
    /// When there is a Platform and it cannot be read: another date than its own must not be recorded.
    pub fn retention(&self) -> Result<Retention, WriteError> {
        if let Some(platform) = self.caches().platform() {
            return Ok(platform.spec.retention);
        }
        match self.caches().platforms.undecodable("", PLATFORM) {
            None => Ok(Retention::default()),
            Some(platform) => {
                let message = format!("its spec.retention cannot be read: {}", platform.error);
                let object = format!("{}/{PLATFORM}", platform.kind);
                Err(WriteError { kind: ErrorKind::Undecodable, object, message })
            }
        }
    }

    /// Writes a status without secrets, unless it is what was last reported.
    ///
    /// # Errors
    /// When the API server does not take it.
    pub async fn report<S: Serialize + PartialEq + Clone + Reported>(
        &self,
        key: &Key,
        uid: &str,
        before: Option<&S>,
        status: &S,
    ) -> Result<(), WriteError> {
        if before == Some(status) {
            return Ok(());
        }
        let status = &redacted(self.caches(), key, status);
        if before == Some(status) {
            return Ok(());
        }
        let mut metadata = json!({"name": key.name, "uid": uid});
        if let (false, Value::Object(fields)) = (key.namespace.is_empty(), &mut metadata) {
            fields.insert("namespace".to_owned(), Value::from(key.namespace.as_str()));
        }
        let kind = key.kind.as_str();
        let object =
            json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": kind, "metadata": metadata, "status": status});
        let target = Target { kind, namespace: &key.namespace, name: &key.name };
        let answer = self.server.apply_status(target, &object).await?;
        self.known.take_in(key, kind, answer);
        for event in events(before, status) {
            publish(&self.recorder, key, uid, &event).await;
        }
        Ok(())
    }

    /// Sets the finalizers of a resource of the version that was read.
    ///
    /// # Errors
    /// When the API server does not take it.
    pub async fn set_finalizers(
        &self,
        key: &Key,
        uid: &str,
        version: &str,
        finalizers: &[String],
    ) -> Result<(), WriteError> {
        let kind = key.kind.as_str();
        let patch = json!({"metadata": {"uid": uid, "resourceVersion": version, "finalizers": finalizers}});
        let target = Target { kind, namespace: &key.namespace, name: &key.name };
        let answer = self.server.merge(target, &patch).await?;
        self.known.take_in(key, kind, answer);
        Ok(())
    }
}

/// A status in which no message quotes a secret.
fn redacted<S: Clone + Reported>(caches: &Caches, key: &Key, status: &S) -> S {
    let mut status = status.clone();
    for message in status.messages() {
        *message = redact::by_form(&without_secrets(caches, key, message)).into_owned();
    }
    status
}

/// A text about a resource without what the known Secrets of its Entity hold.
pub(super) fn without_secrets(caches: &Caches, key: &Key, text: &str) -> String {
    let namespace = if key.kind == Kind::Entity { &key.name } else { &key.namespace };
    caches.secrets.redact(namespace, text)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use k8s_openapi::api::core::v1::Secret;

    use super::*;
    use crate::api::{ComponentStatus, EntityServiceStatus, EntityStatus, InstanceStatus, Reason};
    use crate::cache::{Identity, Sealed};
    use crate::report::{Problem, Verdict, conditions};

    #[test]
    fn no_message_of_a_status_quotes_a_secret() {
        let caches = Caches::default();
        let mail = Secret {
            data: Some([("password".to_owned(), ByteString(b"mail of coop".to_vec()))].into()),
            ..Secret::default()
        };
        caches.secrets.none_in("coop");
        let identity = Identity { namespace: "coop".to_owned(), name: "smtp".to_owned(), ..Identity::default() };
        caches.secrets.put(&identity, Sealed::of(&mail));
        let said = "refused: mail of coop, q7VwT0c4ZrYb2LkPsN9mXeHd5AgJfU1i";
        let shown = "refused: [redacted], [redacted]";

        let verdict = Verdict::Reconciling(Problem::new(Reason::InitFailed, said));
        let conditions = conditions(&[], verdict.shown(), 1, Timestamp::UNIX_EPOCH);
        let component = ComponentStatus { message: Some(said.to_owned()), ..ComponentStatus::default() };
        let instance = InstanceStatus { conditions, components: vec![component], ..InstanceStatus::default() };
        let key = Key::new(Kind::DedicatedOffice, "coop", "office");
        let mut instance = redacted(&caches, &key, &instance);
        assert!(instance.messages().iter().all(|message| *message == shown), "{instance:?}");

        let service = EntityServiceStatus { message: Some(said.to_owned()), ..EntityServiceStatus::default() };
        let entity = EntityStatus { services: vec![service], ..EntityStatus::default() };
        let entity = redacted(&caches, &Key::cluster(Kind::Entity, "coop"), &entity);
        assert_eq!(entity.services[0].message.as_deref(), Some(shown));
    }
}
