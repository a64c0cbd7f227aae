//! Texts of values: JSON in one line, bytes in hexadecimal.

use serde_json::Value;

/// The value as JSON in one line that YAML reads as the same value: what YAML would take for a
/// line break or refuse as unprintable is escaped as well.
pub(crate) fn json_text(value: &Value) -> String {
    let plain = value.to_string();
    let mut text = String::with_capacity(plain.len());
    for character in plain.chars() {
        let unprintable = character.is_control()
            || matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
        if unprintable {
            text.extend(format!("\\u{:04x}", u32::from(character)).chars());
        } else {
            text.push(character);
        }
    }
    text
}

/// The bytes as lower-case hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}
