//! What a write's failure means: whether it passes by itself, and what people should read.

use crate::api::Reason;

/// Why a write was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{object}: {message}")]
pub struct WriteError {
    /// What it means.
    pub kind: ErrorKind,
    /// The object, for example `Deployment/office-app`.
    pub object: String,
    /// The API server's own words.
    pub message: String,
}

/// What a write's failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The network, an overload, an API server that warms up.
    Transient,
    /// The object has changed since it was read.
    Conflict,
    /// It exists already.
    Exists,
    /// It does not exist.
    Missing,
    /// The namespace is being deleted.
    NamespaceTerminating,
    /// The namespace's quota is used up.
    QuotaExceeded,
    /// The operator lacks a right; a `RoleBinding` takes a moment to have effect.
    Forbidden,
    /// A `LimitRange` of the namespace does not allow the size.
    OutOfLimits,
    /// The claim has no volume yet that could grow.
    NotBound,
    /// The storage class lets no volume grow.
    NotExpandable,
    /// Somebody else's object has its name.
    Foreign,
    /// What it depends on cannot be read.
    Undecodable,
    /// The API server, a policy or a webhook refuses the object as it is.
    Refused,
    /// The answer differs from what was sent: writing again would never end.
    NotCanonical,
    /// Somebody else changes it back each time.
    Contested,
    /// Another process leads by now.
    NotLeading,
}

impl ErrorKind {
    /// What the client's error means.
    pub fn of(error: &kube::Error) -> Self {
        classify(error).0
    }

    /// Whether it is worth to try again without any change.
    pub const fn is_transient(self) -> bool {
        !matches!(
            self,
            Self::OutOfLimits
                | Self::NotExpandable
                | Self::Foreign
                | Self::Undecodable
                | Self::Refused
                | Self::NotCanonical
                | Self::Contested
        )
    }

    /// The condition's reason.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Transient | Self::NotLeading => Reason::ApiUnavailable,
            Self::Conflict => Reason::Conflict,
            Self::Exists | Self::Foreign => Reason::AlreadyExists,
            Self::Missing => Reason::NotFound,
            Self::NamespaceTerminating => Reason::NamespaceTerminating,
            Self::QuotaExceeded => Reason::QuotaExceeded,
            Self::Forbidden => Reason::Forbidden,
            Self::OutOfLimits => Reason::LimitRangeViolated,
            Self::NotBound => Reason::VolumePending,
            Self::NotExpandable => Reason::VolumeNotExpandable,
            Self::Undecodable => Reason::Undecodable,
            Self::Refused => Reason::Refused,
            Self::NotCanonical => Reason::NotCanonical,
            Self::Contested => Reason::FieldContested,
        }
    }
}

/// What the client's error means.
pub(super) fn classify(error: &kube::Error) -> (ErrorKind, String) {
    let kube::Error::Api(status) = error else {
        return (ErrorKind::Transient, error.to_string());
    };
    let message = status.message.clone();
    let kind = match status.code {
        // The API server has not found a policy's parameters yet; says the same as a refusal.
        400..=499 if message.contains("failed to configure") => ErrorKind::Transient,
        // The token was renewed, and the old one is still in use.
        401 => ErrorKind::Transient,
        // A JSON patch that tests a resourceVersion, or removes what is gone, says no more than this.
        422 if message.starts_with("the server rejected our request due to an error in our request") => {
            ErrorKind::Conflict
        }
        409 if status.reason == "AlreadyExists" => ErrorKind::Exists,
        409 => ErrorKind::Conflict,
        404 => ErrorKind::Missing,
        403 => forbidden(&message),
        400..=499 if status.code != 429 && status.code != 408 => ErrorKind::Refused,
        _ => ErrorKind::Transient,
    };
    (kind, message)
}

/// The API server says 403 to whoever lacks a right, and so do its admission plugins to an object
/// that they do not let in. They are told apart by their words alone.
fn forbidden(message: &str) -> ErrorKind {
    let says = |words: &str| message.contains(words);
    // A policy's or a webhook's own words may hold any of the others.
    if says("denied request") || says("denied the request") {
        return ErrorKind::Refused;
    }
    let lacks_right = says("forbidden: User \"") && says("\" cannot ")
        || says("attempting to grant RBAC permissions not currently held")
        || says("a resource you can't set finalizers on");
    match () {
        () if lacks_right => ErrorKind::Forbidden,
        () if says("exceeded quota") => ErrorKind::QuotaExceeded,
        // A quota that was only just made, and is not counted yet.
        () if says("status unknown for quota") => ErrorKind::Transient,
        () if says("because it is being terminated") => ErrorKind::NamespaceTerminating,
        () if says("the storageclass that provisions the pvc must support resize") => ErrorKind::NotExpandable,
        () if says("bound persistent volume claims can be expanded") => ErrorKind::NotBound,
        () if says(" usage per ") || says("max limit to request ratio per ") => ErrorKind::OutOfLimits,
        () => ErrorKind::Refused,
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    fn kind(code: u16, reason: &str, message: &str) -> ErrorKind {
        classify(&kube::Error::Api(kube::core::Status::failure(message, reason).with_code(code).boxed())).0
    }

    #[test]
    fn a_policy_that_warms_up_is_no_fault_of_the_object() {
        let warming =
            "ValidatingAdmissionPolicy 'tier' denied request: failed to configure policy: failed to find resource";
        assert_eq!(kind(422, "Invalid", warming), ErrorKind::Transient);
        assert_eq!(kind(403, "Forbidden", warming), ErrorKind::Transient);
        assert_eq!(kind(422, "Invalid", "spec.selector: field is immutable"), ErrorKind::Refused);
    }

    #[test_case(r#"services is forbidden: User "x" cannot create resource "services" in API group "" in the namespace "e""# => ErrorKind::Forbidden; "a right that is lacking")]
    #[test_case(r#"rolebindings.rbac.authorization.k8s.io "a" is forbidden: user "x" (groups=["g"]) is attempting to grant RBAC permissions not currently held:"# => ErrorKind::Forbidden; "a right that one cannot give")]
    #[test_case(r#"deployments.apps "a" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: , <nil>"# => ErrorKind::Forbidden; "a right on the owner")]
    #[test_case(r#"persistentvolumeclaims "two-data" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"# => ErrorKind::NotExpandable; "a growth")]
    #[test_case(r#"persistentvolumeclaims "a" is forbidden: Only bound persistent volume claims can be expanded"# => ErrorKind::NotBound; "a growth before there is a volume")]
    #[test_case(r#"persistentvolumeclaims "a" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi"# => ErrorKind::OutOfLimits; "a claim above the limit")]
    #[test_case(r#"pods "a" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, maximum cpu usage per Pod is 1, but limit is 2]"# => ErrorKind::OutOfLimits; "a pod above two limits")]
    #[test_case(r#"pods "a" is forbidden: memory max limit to request ratio per Container is 2, but provided ratio is 8.000000"# => ErrorKind::OutOfLimits; "a ratio above the limit")]
    #[test_case(r#"persistentvolumeclaims "a" is forbidden: exceeded quota: entity, requested: requests.storage=5Gi, used: requests.storage=1Gi, limited: requests.storage=2Gi"# => ErrorKind::QuotaExceeded; "a quota")]
    #[test_case(r#"persistentvolumeclaims "a" is forbidden: status unknown for quota: entity, resources: requests.storage"# => ErrorKind::Transient; "a quota not counted yet")]
    #[test_case(r#"configmaps "a" is forbidden: unable to create new content in namespace e because it is being terminated"# => ErrorKind::NamespaceTerminating; "a namespace that goes")]
    #[test_case(r#"configmaps "a" is forbidden: ValidatingAdmissionPolicy 'x' with binding 'y' denied request: maximum usage per User "x" cannot be"# => ErrorKind::Refused; "a policy")]
    #[test_case(r#"admission webhook "a.example.org" denied the request: no"# => ErrorKind::Refused; "a webhook")]
    #[test_case(r#"pods "a" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)"# => ErrorKind::Refused; "Pod Security")]
    fn a_403_is_named_for_what_it_is(message: &str) -> ErrorKind {
        kind(403, "Forbidden", message)
    }

    #[test]
    fn a_right_that_is_not_there_yet_passes_and_a_refusal_does_not() {
        assert!(
            ErrorKind::Forbidden.is_transient()
                && ErrorKind::QuotaExceeded.is_transient()
                && ErrorKind::Conflict.is_transient()
        );
        assert!(
            !ErrorKind::Refused.is_transient()
                && !ErrorKind::OutOfLimits.is_transient()
                && !ErrorKind::NotExpandable.is_transient()
        );
        assert_eq!(kind(401, "Unauthorized", "Unauthorized"), ErrorKind::Transient);
    }

    #[test]
    fn what_exists_is_told_from_what_changed() {
        assert_eq!(kind(409, "AlreadyExists", ""), ErrorKind::Exists);
        assert_eq!(kind(409, "Conflict", ""), ErrorKind::Conflict);
        let patch = "the server rejected our request due to an error in our request";
        assert_eq!(kind(422, "Invalid", patch), ErrorKind::Conflict);
        assert_eq!(kind(503, "ServiceUnavailable", ""), ErrorKind::Transient);
    }
}
