//! Amounts of storage.

use std::fmt;
use std::str::FromStr;

/// A whole number of bytes. Parsed from, and shown as, a Kubernetes quantity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(u64);

/// Why a text is not an amount of storage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an amount of storage; write a whole number with a unit such as Mi, Gi or Ti, for example 5Gi")]
pub struct BytesError {
    text: String,
}

/// Units by suffix, larger binary ones first, so that display picks the largest that divides.
const UNITS: [(&str, u64); 9] = [
    ("Ti", 1 << 40),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1_000),
    ("", 1),
];

impl Bytes {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// That many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum, or none where it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The product, or none where it does not fit.
    pub fn checked_mul(self, factor: u64) -> Option<Self> {
        self.0.checked_mul(factor).map(Self)
    }
}

impl FromStr for Bytes {
    type Err = BytesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || BytesError { text: text.to_owned() };
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let suffix = &text[digits.len()..];
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == suffix).ok_or_else(error)?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(error());
        }
        let number: u64 = digits.parse().map_err(|_| error())?;
        number.checked_mul(*unit).map(Self).ok_or_else(error)
    }
}

/// The canonical quantity: the largest binary unit that divides, else plain bytes.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = UNITS.iter().take(4).find(|(_, unit)| self.0 != 0 && self.0.is_multiple_of(*unit));
        match binary {
            Some((suffix, unit)) => write!(f, "{}{suffix}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_survives_parsing_and_showing() {
        for text in ["1Ki", "5Gi", "20Gi", "1536Mi", "1Ti", "1001"] {
            assert_eq!(text.parse::<Bytes>().unwrap().to_string(), text);
        }
        assert_eq!("5G".parse::<Bytes>().unwrap().get(), 5_000_000_000);
        assert_eq!("1024Mi".parse::<Bytes>().unwrap().to_string(), "1Gi");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "Gi", "-1Gi", "1.5Gi", "1 Gi", "1gi", "+1", "99999999999999999999", "18446744073709551615Ti"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }
}
