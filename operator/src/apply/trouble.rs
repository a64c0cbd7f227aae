//! What a write's failure means: whether it passes by itself, and what people should read.

use crate::api::Reason;

/// Why a write was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{object}: {message}")]
pub struct WriteError {
    /// What it means.
    pub trouble: Trouble,
    /// The object, for example `Deployment/office-app`.
    pub object: String,
    /// The API server's own words.
    pub message: String,
}

/// What a write's failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The network, an overload, an API server that warms up.
    Passing,
    /// The object has changed since it was read.
    Conflict,
    /// It exists already.
    Exists,
    /// It does not exist.
    Missing,
    /// The namespace's quota is used up.
    QuotaExceeded,
    /// The operator lacks a right; a `RoleBinding` takes a moment to have effect.
    Forbidden,
    /// The API server or a policy refuses the object as it is.
    Refused,
    /// The answer differs from what was sent: writing again would never end.
    NotCanonical,
    /// Somebody else changes it back each time.
    Contested,
    /// Another process leads by now.
    NotLeading,
}

impl Trouble {
    /// Whether it is worth to try again without any change.
    pub const fn passes(self) -> bool {
        !matches!(self, Self::Refused | Self::NotCanonical | Self::Contested)
    }

    /// The condition's reason.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Passing | Self::NotLeading => Reason::ApiUnavailable,
            Self::Conflict => Reason::Conflict,
            Self::Exists => Reason::AlreadyExists,
            Self::Missing => Reason::NotFound,
            Self::QuotaExceeded => Reason::QuotaExceeded,
            Self::Forbidden => Reason::Forbidden,
            Self::Refused => Reason::Refused,
            Self::NotCanonical => Reason::NotCanonical,
            Self::Contested => Reason::FieldContested,
        }
    }
}

/// What the client's error means.
pub(super) fn classify(error: &kube::Error) -> (Trouble, String) {
    let kube::Error::Api(status) = error else {
        return (Trouble::Passing, error.to_string());
    };
    let message = status.message.clone();
    let trouble = match status.code {
        // The API server has not found a policy's parameters yet; says the same as a refusal.
        400..=499 if message.contains("failed to configure") => Trouble::Passing,
        // A JSON patch that tests a resourceVersion, or removes what is gone, says no more than this.
        422 if message.starts_with("the server rejected our request due to an error in our request") => {
            Trouble::Conflict
        }
        409 if status.reason == "AlreadyExists" => Trouble::Exists,
        409 => Trouble::Conflict,
        404 => Trouble::Missing,
        403 if message.contains("exceeded quota") => Trouble::QuotaExceeded,
        403 if message.contains("denied request") => Trouble::Refused,
        403 => Trouble::Forbidden,
        400..=499 if status.code != 429 && status.code != 408 => Trouble::Refused,
        _ => Trouble::Passing,
    };
    (trouble, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(code: u16, reason: &str, message: &str) -> Trouble {
        classify(&kube::Error::Api(kube::core::Status::failure(message, reason).with_code(code).boxed())).0
    }

    #[test]
    fn a_policy_that_warms_up_is_no_fault_of_the_object() {
        let warming =
            "ValidatingAdmissionPolicy 'tier' denied request: failed to configure policy: failed to find resource";
        assert_eq!(trouble(422, "Invalid", warming), Trouble::Passing);
        assert_eq!(trouble(403, "Forbidden", warming), Trouble::Passing);
        assert_eq!(trouble(422, "Invalid", "spec.selector: field is immutable"), Trouble::Refused);
    }

    #[test]
    fn a_right_that_is_not_there_yet_passes_and_a_policy_does_not() {
        assert!(trouble(403, "Forbidden", "services is forbidden: User \"x\" cannot patch resource").passes());
        assert_eq!(trouble(403, "Forbidden", "exceeded quota: entity, requested: storage=5Gi"), Trouble::QuotaExceeded);
        assert!(
            !trouble(403, "Forbidden", "ValidatingAdmissionPolicy 'x' with binding 'x' denied request: no").passes()
        );
    }

    #[test]
    fn what_exists_is_told_from_what_changed() {
        assert_eq!(trouble(409, "AlreadyExists", ""), Trouble::Exists);
        assert_eq!(trouble(409, "Conflict", ""), Trouble::Conflict);
        let patch = "the server rejected our request due to an error in our request";
        assert_eq!(trouble(422, "Invalid", patch), Trouble::Conflict);
        assert_eq!(trouble(503, "ServiceUnavailable", ""), Trouble::Passing);
    }
}
