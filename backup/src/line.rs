//! Texts of others, for a place that has room for one line.

/// The text on one line, cut at a character where it is longer than `most` bytes.
pub fn one_line(text: &str, most: usize) -> String {
    let mut line = String::with_capacity(text.len().min(most));
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > most {
            break;
        }
    }
    if line.len() > most {
        let end = (0..=most.saturating_sub('…'.len_utf8())).rev().find(|at| line.is_char_boundary(*at));
        line.truncate(end.unwrap_or_default());
        line.push('…');
    }
    line
}
