//! Quantities as the API server writes them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::Bytes;

/// What a whole one is in nanos.
const NANO: i128 = 1_000_000_000;

/// Suffixes with powers of 1024, smallest first.
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// Suffixes with powers of 1000 from 10^-9, smallest first.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];

/// An amount as Kubernetes writes it, such as `500m` or `1536Mi`.
///
/// Two quantities are equal when their values are. Shown as the API server writes it once it has
/// read its own text: `1024Mi` is `1Gi`, and `74484.375Ki`, which it first gives back as `76272000`,
/// is `76272k`.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

/// The suffixes that a quantity was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Binary,
    Decimal,
    Exponent,
}

/// A text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a quantity; write a number with a unit such as m, Mi or Gi, for example 500m or 5Gi")]
pub struct QuantityError(String);

impl Quantity {
    /// The amount in bytes, a part of a byte rounded up; none when it is negative or too large.
    pub fn bytes(self) -> Option<Bytes> {
        let whole = self.nanos / NANO + i128::from(self.nanos % NANO > 0);
        u64::try_from(whole).ok().filter(|_| self.nanos >= 0).map(Bytes::new)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| QuantityError(text.to_owned()))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.nanos < 0 { "-" } else { "" };
        let nanos = self.nanos.unsigned_abs();
        match binary(nanos).filter(|_| self.format == Format::Binary) {
            Some((number, suffix)) => write!(f, "{sign}{number}{suffix}"),
            None => decimal(f, sign, nanos, self.format),
        }
    }
}

/// Less than a nano is rounded up, as the API server does.
fn parse(text: &str) -> Option<Quantity> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let number_end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(number_end);
    let (multiplier, divisor, format) = scale(suffix)?;
    let nanos = nanos(number, multiplier, divisor)?;
    Some(Quantity { nanos: if negative { -nanos } else { nanos }, format })
}

/// What a suffix multiplies by, as a fraction, and the form that it asks for.
fn scale(suffix: &str) -> Option<(i128, i128, Format)> {
    if let Some(power) = BINARY.iter().skip(1).position(|known| *known == suffix) {
        return Some((1 << (10 * (power + 1)), 1, Format::Binary));
    }
    if let Some(at) = DECIMAL.iter().position(|known| *known == suffix) {
        let power = u32::try_from(at).ok()?;
        return Some(if at >= 3 {
            (1000_i128.pow(power - 3), 1, Format::Decimal)
        } else {
            (1, 1000_i128.pow(3 - power), Format::Decimal)
        });
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let power = 10_i128.checked_pow(exponent.unsigned_abs()).filter(|_| exponent.abs() <= 18)?;
    Some(if exponent >= 0 { (power, 1, Format::Exponent) } else { (1, power, Format::Exponent) })
}

fn nanos(number: &str, multiplier: i128, divisor: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 27 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let numerator = digits.parse::<i128>().ok()?.checked_mul(multiplier)?.checked_mul(NANO)?;
    let denominator = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?.checked_mul(divisor)?;
    Some(numerator / denominator + i128::from(numerator % denominator != 0))
}

/// With a binary suffix; none where no power of 1024 divides the amount: such a text has no suffix,
/// and what has none is read as a decimal one.
fn binary(nanos: u128) -> Option<(u128, &'static str)> {
    let mut rest = nanos / NANO.unsigned_abs();
    if !nanos.is_multiple_of(NANO.unsigned_abs()) || rest < 1024 {
        return None;
    }
    let mut power = 0;
    while rest.is_multiple_of(1024) && power + 1 < BINARY.len() {
        rest /= 1024;
        power += 1;
    }
    BINARY.get(power).filter(|_| power > 0).map(|suffix| (rest, *suffix))
}

fn decimal(f: &mut fmt::Formatter<'_>, sign: &str, nanos: u128, format: Format) -> fmt::Result {
    if nanos == 0 {
        return f.write_str("0");
    }
    let (mut rest, mut at) = (nanos, 0_usize);
    while rest.is_multiple_of(1000) && at + 1 < DECIMAL.len() {
        rest /= 1000;
        at += 1;
    }
    let suffix = DECIMAL.get(at).copied().unwrap_or_default();
    match (format, i32::try_from(at)) {
        (Format::Exponent, Ok(at)) if at != 3 => write!(f, "{sign}{rest}e{}", 3 * at - 9),
        _ => write!(f, "{sign}{rest}{suffix}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(text: &str) -> Option<String> {
        text.parse::<Quantity>().ok().map(|quantity| quantity.to_string())
    }

    #[test]
    fn quantities_are_written_as_the_api_server_does() {
        for (text, expected) in [
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("2.0", "2"),
            ("1000M", "1G"),
            ("0.5Ti", "512Gi"),
            ("10", "10"),
            ("0.1", "100m"),
            ("1536Mi", "1536Mi"),
            ("100m", "100m"),
            ("1023Ki", "1023Ki"),
            ("512", "512"),
            ("0.5Ki", "512"),
            ("1e3", "1e3"),
            ("1E3", "1e3"),
            ("1500m", "1500m"),
            ("0", "0"),
            ("0Gi", "0"),
            ("-1000m", "-1"),
            ("1E", "1E"),
            ("100000k", "100M"),
            ("1k", "1k"),
            ("1024", "1024"),
            ("0.1Gi", "107374182400m"),
            (".5", "500m"),
            ("5.", "5"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_stays_alone() {
        for text in ["", "Gi", "1gi", "1.2.3", "a", "1 Gi", "1e", "1e99", "--1", "9999999999999999999999999999", "é"] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_without_a_suffix_is_written_as_it_is_read_again() {
        for text in ["74484.375Ki", "76272000", "76272k"] {
            assert_eq!(canonical(text).as_deref(), Some("76272k"), "{text}");
        }
    }

    #[test]
    fn quantities_are_equal_when_their_values_are() {
        let quantity = |text: &str| text.parse::<Quantity>().unwrap();
        for (a, b) in [("1Gi", "1073741824"), ("1e3", "1k"), ("0.5", "500m"), ("-1", "-1000m"), ("0Gi", "0")] {
            assert_eq!(quantity(a), quantity(b));
        }
        assert_ne!(quantity("1G"), quantity("1Gi"));
        assert!(quantity("-1Gi") < quantity("1m") && quantity("1G") < quantity("1Gi"));
    }

    #[test]
    fn a_part_of_a_byte_is_a_byte_more() {
        let bytes = |text: &str| text.parse::<Quantity>().unwrap().bytes().map(Bytes::get);
        assert_eq!(bytes("1.5Gi"), Some(3 << 29));
        assert_eq!(bytes("107374182400m"), Some(107_374_183));
        assert_eq!((bytes("0"), bytes("1e3"), bytes("1Ei")), (Some(0), Some(1000), Some(1 << 60)));
        assert_eq!((bytes("-1"), bytes("100000E")), (None, None));
    }

    proptest! {
        #[test]
        fn twice_is_once(number in 0_u32..1_000_000, fraction in 0_u32..1000, suffix in "(|n|u|m|k|M|G|T|Ki|Mi|Gi|e3|e-3)") {
            let once = canonical(&format!("{number}.{fraction}{suffix}")).unwrap();
            prop_assert_eq!(canonical(&once), Some(once.clone()));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,30}") {
            let _ = canonical(&text);
        }
    }
}
