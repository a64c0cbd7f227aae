//! What a Tariff sells: a tier and blocks make a quota and a price.

use std::fmt;

use super::refusal::Refusal;
use crate::api::{TariffSpec, Tier};
use crate::core::{Bytes, Price};

/// What is sold for one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// Tier and blocks together.
    pub quota: Bytes,
    /// The price of a period; none when a part of it has no price.
    pub price: Option<Price>,
    /// ISO 4217 code.
    pub currency: String,
}

/// `25.00 EUR`, or `unpriced`.
impl fmt::Display for Sale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.price {
            Some(price) => write!(f, "{price} {}", self.currency),
            None => f.write_str("unpriced"),
        }
    }
}

/// What `tier` and `blocks` are in a Tariff for a template.
///
/// # Errors
/// When the Tariff has no such tier for the template, sells fewer blocks, or holds what is no
/// amount.
pub fn sell(tariff: &str, spec: &TariffSpec, template: &str, tier: &str, blocks: u32) -> Result<Sale, Refusal> {
    let found =
        spec.tiers.iter().find(|t| t.name == tier && is_for(t, template)).ok_or_else(|| Refusal::TierUnknown {
            tier: tier.to_owned(),
            tariff: tariff.to_owned(),
            template: template.to_owned(),
            allowed: tiers_for(spec, template),
        })?;
    let too_many = |maximum| Refusal::ExtraBlocksTooMany { blocks, maximum, tariff: tariff.to_owned() };
    let base = storage(tariff, "tiers", &found.storage)?;
    let price = price(tariff, "tiers", found.price.as_deref())?;
    if blocks == 0 {
        return Ok(Sale { quota: base, price, currency: spec.currency.clone() });
    }
    let block = spec.extra_block.as_ref().ok_or_else(|| too_many(0))?;
    if blocks > block.maximum {
        return Err(too_many(block.maximum));
    }
    let more = storage(tariff, "extraBlock", &block.storage)?.checked_mul(blocks.into());
    let quota = more.and_then(|more| base.checked_add(more)).ok_or_else(|| too_many(block.maximum))?;
    let blocks_price =
        self::price(tariff, "extraBlock", block.price.as_deref())?.and_then(|p| p.checked_mul(blocks.into()));
    let price = price.zip(blocks_price).and_then(|(a, b)| a.checked_add(b));
    Ok(Sale { quota, price, currency: spec.currency.clone() })
}

/// The sum of a month: `20.00 EUR + 1 unpriced`.
pub fn total(sales: &[Sale], currency: &str) -> String {
    let priced = sales.iter().filter_map(|sale| sale.price);
    let unpriced = sales.iter().filter(|sale| sale.price.is_none()).count();
    let sum = priced.reduce(|a, b| a.checked_add(b).unwrap_or(a));
    match (sum, unpriced) {
        (Some(sum), 0) => format!("{sum} {currency}"),
        (Some(sum), _) => format!("{sum} {currency} + {unpriced} unpriced"),
        (None, 0) => format!("0.00 {currency}"),
        (None, _) => format!("{unpriced} unpriced"),
    }
}

fn is_for(tier: &Tier, template: &str) -> bool {
    tier.templates.is_empty() || tier.templates.iter().any(|t| t == template)
}

fn tiers_for(spec: &TariffSpec, template: &str) -> String {
    let names: Vec<&str> = spec.tiers.iter().filter(|t| is_for(t, template)).map(|t| t.name.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn storage(tariff: &str, field: &str, text: &str) -> Result<Bytes, Refusal> {
    text.parse().map_err(|error| Refusal::storage(tariff, field, &error))
}

fn price(tariff: &str, field: &str, text: Option<&str>) -> Result<Option<Price>, Refusal> {
    text.map(|text| text.parse().map_err(|error| Refusal::price(tariff, field, &error))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reason;

    fn tariff() -> TariffSpec {
        serde_yaml::from_str(
            "currency: EUR\ntiers:\n- {name: 1gb, storage: 1Gi, price: '5.00'}\n- {name: 50gb, storage: 50Gi}\n- {name: forum, storage: 2Gi, price: '1', templates: [agora]}\nextraBlock: {storage: 5Gi, price: '5.00', maximum: 4}",
        )
        .unwrap()
    }

    #[test]
    fn a_tier_and_blocks_make_a_quota_and_a_price() {
        let sale = sell("t", &tariff(), "office", "1gb", 3).unwrap();
        assert_eq!((sale.quota.to_string().as_str(), sale.to_string().as_str()), ("16Gi", "20.00 EUR"));
    }

    #[test]
    fn what_has_no_price_is_unpriced_and_never_free() {
        let unpriced = sell("t", &tariff(), "office", "50gb", 1).unwrap();
        assert_eq!(unpriced.to_string(), "unpriced");
        let priced = sell("t", &tariff(), "office", "1gb", 3).unwrap();
        assert_eq!(total(&[priced, unpriced.clone()], "EUR"), "20.00 EUR + 1 unpriced");
        assert_eq!(total(&[unpriced], "EUR"), "1 unpriced");
        assert_eq!(total(&[], "EUR"), "0.00 EUR");
    }

    #[test]
    fn a_month_is_the_sum_of_all_services() {
        let sold = [("office", "1gb", 3), ("agora", "forum", 1), ("projects", "1gb", 0)];
        let sales = sold.map(|(template, tier, blocks)| sell("t", &tariff(), template, tier, blocks).unwrap());
        assert_eq!(total(&sales, "EUR"), "31.00 EUR");
    }

    #[test]
    fn what_is_not_sold_is_refused_with_what_is() {
        let refusal = sell("t", &tariff(), "office", "forum", 0).unwrap_err();
        assert_eq!(refusal.reason(), Reason::TierUnknown);
        assert!(refusal.to_string().ends_with("allowed: 1gb, 50gb"), "{refusal}");
        assert_eq!(sell("t", &tariff(), "office", "1gb", 5).unwrap_err().reason(), Reason::ExtraBlocksTooMany);
    }
}
