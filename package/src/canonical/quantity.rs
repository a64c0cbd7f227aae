//! Quantities as the API server writes them.

/// Units of a quantity, in thousandths of a thousandth of a thousandth (nano).
const NANO: i128 = 1_000_000_000;

/// Suffixes with powers of 1024, smallest first.
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// Suffixes with powers of 1000 from 10^-9, smallest first.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Binary,
    Decimal,
    Exponent,
}

/// The quantity as the API server writes it (`1024Mi` as `1Gi`, `0.1` as `100m`, `2.0` as `2`);
/// none when the text is no quantity. Less than a nano is rounded up, as the API server does.
pub fn canonical_quantity(text: &str) -> Option<String> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let number_end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(number_end);
    let (multiplier, divisor, format) = scale(suffix)?;
    let nanos = nanos(number, multiplier, divisor)?;
    let shown = show(nanos, format)?;
    Some(if negative && nanos != 0 { format!("-{shown}") } else { shown })
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

fn show(nanos: i128, format: Format) -> Option<String> {
    let whole = nanos / NANO;
    let binary = format == Format::Binary && nanos % NANO == 0 && whole >= 1024;
    if binary {
        let mut rest = whole;
        let mut power = 0;
        while rest % 1024 == 0 && power + 1 < BINARY.len() {
            rest /= 1024;
            power += 1;
        }
        return Some(format!("{rest}{}", BINARY.get(power)?));
    }
    if nanos == 0 {
        return Some("0".to_owned());
    }
    let mut rest = nanos;
    let mut at = 0;
    while rest % 1000 == 0 && at + 1 < DECIMAL.len() {
        rest /= 1000;
        at += 1;
    }
    if format == Format::Exponent {
        let exponent = 3 * i32::try_from(at).ok()? - 9;
        return Some(if exponent == 0 { rest.to_string() } else { format!("{rest}e{exponent}") });
    }
    Some(format!("{rest}{}", DECIMAL.get(at)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
            assert_eq!(canonical_quantity(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_stays_alone() {
        for text in ["", "Gi", "1gi", "1.2.3", "a", "1 Gi", "1e", "1e99", "--1", "9999999999999999999999999999", "é"] {
            assert_eq!(canonical_quantity(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn twice_is_once(number in 0_u32..1_000_000, fraction in 0_u32..1000, suffix in "(|n|u|m|k|M|G|T|Ki|Mi|Gi|e3|e-3)") {
            let once = canonical_quantity(&format!("{number}.{fraction}{suffix}")).unwrap();
            prop_assert_eq!(canonical_quantity(&once), Some(once.clone()));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,30}") {
            let _ = canonical_quantity(&text);
        }
    }
}
