//! Who signs people in.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::pattern::{ISSUER_PATTERN, NAME_PATTERN, USER_PREFIX_PATTERN};

/// Who signs people in. Without `keycloak` accounts and clients are kept at the issuer by hand, and the operator keeps
/// who belongs and who may enter.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.keycloak) || self.issuer.matches('^https://([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?[.])+[a-z]{2,}/realms/[a-z0-9]([-a-z0-9]{0,34}[a-z0-9])?$')").message("identity.issuer: of a keycloak it is https://HOST/realms/REALM, with a host name in lower case and a realm of a-z, 0-9 and -, for example https://cloud-identity.example.org/realms/commons"),
    validation = Rule::new("!self.userPrefix.startsWith('system:')").message("identity.userPrefix: names that begin with system: are Kubernetes' own; allowed, for example: oidc:")
)]
pub struct PlatformIdentity {
    /// The issuer (OpenID Connect) at which people have their accounts, for example
    /// `https://id.example.org/realms/commons`.
    #[schemars(length(max = 512), regex(pattern = ISSUER_PATTERN))]
    pub issuer: String,
    /// What the API server's own configuration puts before `sub` to make the name by which it knows somebody
    /// (`claimMappings.username.prefix`). The operator writes it into each account that it binds.
    #[serde(default = "PlatformIdentity::default_user_prefix")]
    #[schemars(length(max = 64), regex(pattern = USER_PREFIX_PATTERN))]
    pub user_prefix: String,
    /// How many days it is kept who gave or took what.
    #[serde(default = "PlatformIdentity::default_keep_history_days")]
    #[schemars(range(min = 30, max = 3650))]
    pub keep_history_days: u32,
    /// The Keycloak that the operator drives: it invites people, binds their accounts, and says at each service's client who
    /// may enter. Absent: accounts and clients are kept at the issuer by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keycloak: Option<PlatformKeycloak>,
}

/// The Keycloak that the operator drives: a service of an Entity that the platform keeps for itself.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformKeycloak {
    /// The Entity that has it.
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub entity: String,
    /// Its name there: a `DedicatedService` of template `keycloak`.
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub service: String,
}

impl PlatformIdentity {
    fn default_user_prefix() -> String {
        "oidc:".to_owned()
    }

    const fn default_keep_history_days() -> u32 {
        730
    }

    /// The realm of the Keycloak that is driven: host name and name. None where none is, or the issuer is no realm of one.
    pub fn realm(&self) -> Option<(&str, &str)> {
        self.keycloak.as_ref()?;
        let (host, realm) = self.issuer.strip_prefix("https://")?.split_once("/realms/")?;
        let is_realm = !realm.is_empty() && !realm.contains('/') && !host.is_empty() && !host.contains('/');
        is_realm.then_some((host, realm))
    }

    /// What a service is called at the provider. No name holds a dot: no two services come to the same.
    pub fn client_id(entity: &str, service: &str) -> String {
        format!("{entity}.{service}")
    }

    /// The service of an Entity that is called so at the provider.
    pub fn service_of<'a>(entity: &str, client_id: &'a str) -> Option<&'a str> {
        client_id
            .strip_prefix(entity)?
            .strip_prefix('.')
            .filter(|service| !service.is_empty() && !service.contains('.'))
    }

    /// Whether a service is the Keycloak that is driven.
    pub fn is_provider(&self, entity: &str, service: &str) -> bool {
        self.keycloak.as_ref().is_some_and(|keycloak| keycloak.entity == entity && keycloak.service == service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(issuer: &str, keycloak: bool) -> PlatformIdentity {
        let mut identity = serde_json::json!({"issuer": issuer});
        if keycloak {
            identity["keycloak"] = serde_json::json!({"entity": "cloud", "service": "identity"});
        }
        serde_json::from_value(identity).unwrap()
    }

    #[test]
    fn a_realm_is_known_by_its_issuer_and_only_where_one_is_driven() {
        let issuer = "https://cloud-identity.example.org/realms/commons";
        assert_eq!(identity(issuer, true).realm(), Some(("cloud-identity.example.org", "commons")));
        assert_eq!(identity(issuer, false).realm(), None);
        for other in ["https://id.example.org", "https://id.example.org/realms/", "https://id.example.org/a/realms/b"] {
            assert_eq!(identity(other, true).realm(), None, "{other}");
        }
    }

    #[test]
    fn a_platform_that_says_nothing_of_it_has_the_usual_prefix_and_drives_nothing() {
        let identity = identity("https://id.example.org", false);
        assert_eq!((identity.user_prefix.as_str(), identity.keep_history_days), ("oidc:", 730));
        assert!(!identity.is_provider("cloud", "identity"));
        let client = PlatformIdentity::client_id("hort", "wiki-two");
        assert_eq!(PlatformIdentity::service_of("hort", &client), Some("wiki-two"));
        assert_eq!(PlatformIdentity::service_of("hor", &client), None);
        assert_eq!(PlatformIdentity::service_of("hort", "hort-wiki"), None);
        assert_ne!(PlatformIdentity::client_id("a-b", "c"), PlatformIdentity::client_id("a", "b-c"));
    }
}
