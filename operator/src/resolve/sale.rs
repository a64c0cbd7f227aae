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

/// How many services of unknown size are named.
const NAMED: usize = 5;
/// A sum beyond what numbers hold.
const TOO_LARGE: &str = "more than can be counted";

/// A service by its name, and what is sold for it; none: the Tariff does not say.
pub type Sold<'a> = (&'a str, Option<&'a Sale>);

/// The price of a month, no service left out: `20.00 EUR + 1 unpriced + 1 unknown (wiki)`.
pub fn total_price(services: &[Sold<'_>], currency: &str) -> String {
    let sales = || services.iter().filter_map(|(_, sale)| *sale);
    let unpriced = sales().filter(|sale| sale.price.is_none()).count();
    let priced: Vec<Price> = sales().filter_map(|sale| sale.price).collect();
    let (first, rest) = priced.split_first().map_or((None, &[][..]), |(first, rest)| (Some(*first), rest));
    let sum = first.map(|first| match rest.iter().try_fold(first, |sum, price| sum.checked_add(*price)) {
        Some(sum) => format!("{sum} {currency}"),
        None => format!("{TOO_LARGE} {currency}"),
    });
    let unpriced = (unpriced > 0).then(|| format!("{unpriced} unpriced"));
    let parts: Vec<String> = sum.into_iter().chain(unpriced).chain(unknown(services)).collect();
    if parts.is_empty() { format!("0.00 {currency}") } else { parts.join(" + ") }
}

/// The quotas together, no service left out: `3Gi + 1 unknown (wiki)`.
pub fn total_storage(services: &[Sold<'_>]) -> String {
    let quotas: Vec<Bytes> = services.iter().filter_map(|(_, sale)| Some(sale.as_ref()?.quota)).collect();
    let sum = quotas.iter().try_fold(Bytes::ZERO, |sum, quota| sum.checked_add(*quota));
    let sum = sum.map_or_else(|| TOO_LARGE.to_owned(), |sum| sum.to_string());
    let sum = (!quotas.is_empty() || services.is_empty()).then_some(sum);
    sum.into_iter().chain(unknown(services)).collect::<Vec<_>>().join(" + ")
}

/// The services of which the Tariff does not say what they are: they run, and somebody pays.
fn unknown(services: &[Sold<'_>]) -> Option<String> {
    let names: Vec<&str> = services.iter().filter(|(_, sale)| sale.is_none()).map(|(name, _)| *name).collect();
    let more = names.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    (!names.is_empty()).then(|| format!("{} unknown ({shown}{more})", names.len()))
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
        let (priced, unpriced) = (("a", Some(&priced)), ("b", Some(&unpriced)));
        assert_eq!(total_price(&[priced, unpriced], "EUR"), "20.00 EUR + 1 unpriced");
        assert_eq!(total_price(&[unpriced], "EUR"), "1 unpriced");
        assert_eq!((total_price(&[], "EUR"), total_storage(&[])), ("0.00 EUR".to_owned(), "0".to_owned()));
    }

    #[test]
    fn a_service_whose_tier_is_gone_stays_in_the_totals_by_name() {
        let sale = sell("t", &tariff(), "office", "1gb", 0).unwrap();
        let services = [("office", Some(&sale)), ("wiki", None)];
        assert_eq!(total_price(&services, "EUR"), "5.00 EUR + 1 unknown (wiki)");
        assert_eq!(total_storage(&services), "1Gi + 1 unknown (wiki)");
        assert_eq!(total_price(&services[1..], "EUR"), "1 unknown (wiki)");
        let many = ["a", "b", "c", "d", "e", "f", "g"].map(|name| (name, None));
        assert_eq!(total_storage(&many), "7 unknown (a, b, c, d, e and 2 more)");
    }

    #[test]
    fn a_sum_that_does_not_fit_says_so() {
        let price = format!("{}.00", u64::MAX / 100).parse().ok();
        let sale = Sale { quota: Bytes::new(u64::MAX), price, currency: "EUR".into() };
        let twice = [("a", Some(&sale)), ("b", Some(&sale))];
        assert_eq!(total_price(&twice, "EUR"), "more than can be counted EUR");
        assert_eq!(total_storage(&twice), "more than can be counted");
    }

    #[test]
    fn a_month_is_the_sum_of_all_services() {
        let sold = [("office", "1gb", 3), ("agora", "forum", 1), ("projects", "1gb", 0)];
        let sales = sold.map(|(template, tier, blocks)| sell("t", &tariff(), template, tier, blocks).unwrap());
        let services: Vec<Sold<'_>> = sales.iter().map(|sale| ("service", Some(sale))).collect();
        assert_eq!(total_price(&services, "EUR"), "31.00 EUR");
    }

    #[test]
    fn what_is_not_sold_is_refused_with_what_is() {
        let refusal = sell("t", &tariff(), "office", "forum", 0).unwrap_err();
        assert_eq!(refusal.reason(), Reason::TierUnknown);
        assert!(refusal.to_string().ends_with("allowed: 1gb, 50gb"), "{refusal}");
        assert_eq!(sell("t", &tariff(), "office", "1gb", 5).unwrap_err().reason(), Reason::ExtraBlocksTooMany);
    }
}
