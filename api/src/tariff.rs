//! `Tariff`: what storage costs, as data.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::pattern::{BYTES_PATTERN, CURRENCY_PATTERN, NAME_PATTERN, PRICE_PATTERN, TIER_PATTERN};

/// A price list: the tiers that an Entity's services can have, and the block that extends them.
///
/// Tiers can be added, never changed or removed: a new price is a new Tariff, so that past
/// statements stay true. A tier without a price is *unpriced*, which is not 0.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "commonscloud.coop",
    version = "v1alpha1",
    kind = "Tariff",
    derive = "PartialEq",
    doc = "A price list: the tiers that services can have, and the block that extends them. Tiers can be added, never changed or removed: a new price is a new Tariff.",
    category = "commonscloud",
    printcolumn(name = "Currency", type_ = "string", json_path = ".spec.currency"),
    printcolumn(name = "Extra block", type_ = "string", json_path = ".spec.extraBlock.storage"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("has(self.extraBlock) || !has(oldSelf.extraBlock)")
        .message("extraBlock: cannot be removed, services may use it; make a new Tariff"),
)]
#[serde(rename_all = "camelCase")]
pub struct TariffSpec {
    /// ISO 4217 code of the currency of every price here, for example `EUR`.
    #[schemars(length(max = 16), regex(pattern = CURRENCY_PATTERN))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("currency: cannot be changed; make a new Tariff"))]
    pub currency: String,
    /// The period that a price covers.
    #[serde(default)]
    pub period: Period,
    /// The sizes that a service can be bought in, by name.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = Rule::new("oldSelf.all(o, self.exists(t, t.name == o.name))")
            .message("tiers: a tier cannot be removed, services may use it; make a new Tariff"),
    )]
    pub tiers: Vec<Tier>,
    /// The block by which `extraBlocks` extends a tier. Absent: no blocks are sold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("extraBlock: cannot be changed; make a new Tariff"))]
    pub extra_block: Option<ExtraBlock>,
}

/// The period that a price covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Period {
    /// A calendar month.
    #[default]
    Month,
}

/// A size that a service can be bought in.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("self == oldSelf").message("tiers: a tier cannot be changed; make a new Tariff"))]
#[serde(rename_all = "camelCase")]
pub struct Tier {
    /// What a service's `tier` says, for example `5gb`.
    #[schemars(length(min = 1, max = 30), regex(pattern = TIER_PATTERN))]
    pub name: String,
    /// The quota that the volume enforces, for example `5Gi`; at most `1Pi`.
    #[schemars(length(max = 12), regex(pattern = BYTES_PATTERN))]
    #[x_kube(validation = Rule::new("!isQuantity(self) || quantity(self).compareTo(quantity('1Pi')) <= 0").message("tiers[].storage: allowed: at most 1Pi"))]
    pub storage: String,
    /// Price per period, a decimal string such as `10.00`. Absent: *unpriced*, never free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 12), regex(pattern = PRICE_PATTERN))]
    pub price: Option<String>,
    /// Names of the templates that may have this tier, for example `office`. Empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 30), regex(pattern = NAME_PATTERN)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub templates: Vec<String>,
}

/// The block by which `extraBlocks` extends a tier.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtraBlock {
    /// Storage that one block adds to the quota, for example `5Gi`; at most `1Pi`.
    #[schemars(length(max = 12), regex(pattern = BYTES_PATTERN))]
    #[x_kube(validation = Rule::new("!isQuantity(self) || quantity(self).compareTo(quantity('1Pi')) <= 0").message("extraBlock.storage: allowed: at most 1Pi"))]
    pub storage: String,
    /// Price of one block per period, a decimal string. Absent: *unpriced*, never free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 12), regex(pattern = PRICE_PATTERN))]
    pub price: Option<String>,
    /// The most blocks that one service may have.
    #[serde(default = "ExtraBlock::default_maximum")]
    #[schemars(range(min = 0, max = 1000))]
    pub maximum: u32,
}

impl ExtraBlock {
    fn default_maximum() -> u32 {
        100
    }
}
