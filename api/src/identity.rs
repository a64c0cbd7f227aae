//! Who signs people in.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::pattern::ISSUER_PATTERN;

/// Who signs people in. Accounts and clients are kept there by hand: the operator keeps who belongs and who may enter,
/// and drives no provider yet.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformIdentity {
    /// The issuer (OpenID Connect) at which people have their accounts, for example
    /// `https://id.example.org/realms/commons`.
    #[schemars(length(max = 512), regex(pattern = ISSUER_PATTERN))]
    pub issuer: String,
    /// How many days it is kept who gave or took what.
    #[serde(default = "PlatformIdentity::default_keep_history_days")]
    #[schemars(range(min = 30, max = 3650))]
    pub keep_history_days: u32,
}

impl PlatformIdentity {
    const fn default_keep_history_days() -> u32 {
        730
    }
}
