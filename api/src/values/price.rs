//! Prices in exact decimals.

use std::fmt;
use std::str::FromStr;

/// An amount of money in hundredths of its currency. A price not yet set is `Option::None`, never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price {
    cents: u64,
}

/// Why a text is no price.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no price; write a decimal with at most two places, for example 10.00")]
pub struct PriceError {
    text: String,
}

impl Price {
    /// The sum, or none where it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self { cents: self.cents.checked_add(other.cents)? })
    }

    /// The product, or none where it does not fit.
    pub fn checked_mul(self, factor: u64) -> Option<Self> {
        Some(Self { cents: self.cents.checked_mul(factor)? })
    }
}

impl FromStr for Price {
    type Err = PriceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || PriceError { text: text.to_owned() };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 2 {
            return Err(error());
        }
        let cents = format!("{fraction:0<2}").parse::<u64>().map_err(|_| error())?;
        let whole: u64 = whole.parse().map_err(|_| error())?;
        let cents = whole.checked_mul(100).and_then(|w| w.checked_add(cents)).ok_or_else(error)?;
        Ok(Self { cents })
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.cents / 100, self.cents % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact() {
        let sum = "0.10".parse::<Price>().unwrap().checked_mul(3).unwrap();
        assert_eq!(sum.to_string(), "0.30");
        assert_eq!("5".parse::<Price>().unwrap().to_string(), "5.00");
        assert_eq!("5.5".parse::<Price>().unwrap().to_string(), "5.50");
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for text in ["", ".", "-1", "1.234", "1,5", "1.", "1e3", "999999999999999999999"] {
            assert!(text.parse::<Price>().is_err(), "{text}");
        }
    }
}
