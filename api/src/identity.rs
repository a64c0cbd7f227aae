//! Who signs people in.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern::{ISSUER_PATTERN, USER_PREFIX_PATTERN};

/// Who signs people in, and how they are known to this cluster.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformIdentity {
    /// `Keycloak`: run by the platform itself, and reconciled from Collectives and Accesses. `External`: another one,
    /// whose clients are made by hand.
    #[serde(default)]
    pub provider: IdentityProvider,
    /// The issuer (OpenID Connect) of all that is signed in to, for example `https://id.example.org/realms/commons`.
    /// What a service's own parameters name goes before it.
    #[schemars(length(max = 512), regex(pattern = ISSUER_PATTERN))]
    pub issuer: String,
    /// What stands before a person's subject where the API server knows them (`claimMappings.username.prefix` of its
    /// AuthenticationConfiguration), so that nobody at the provider can be called like anybody else here.
    #[serde(default = "PlatformIdentity::default_user_prefix")]
    #[schemars(length(min = 2, max = 32), regex(pattern = USER_PREFIX_PATTERN))]
    #[x_kube(validation = Rule::new("!self.startsWith('system:')").message("identity.userPrefix: names that begin with system: belong to Kubernetes"))]
    pub user_prefix: String,
    /// How many days an invitation can be accepted.
    #[serde(default = "PlatformIdentity::default_invitation_days")]
    #[schemars(range(min = 1, max = 90))]
    pub invitation_days: u32,
    /// How many days it is kept who gave or took what.
    #[serde(default = "PlatformIdentity::default_keep_history_days")]
    #[schemars(range(min = 30, max = 3650))]
    pub keep_history_days: u32,
}

impl PlatformIdentity {
    fn default_user_prefix() -> String {
        "person:".to_owned()
    }

    const fn default_invitation_days() -> u32 {
        14
    }

    const fn default_keep_history_days() -> u32 {
        730
    }
}

/// A provider of identities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IdentityProvider {
    /// Keycloak, run by the platform.
    Keycloak,
    /// Any that speaks OpenID Connect; people and clients are kept there by hand.
    #[default]
    External,
}
