//! What somebody meant who misspelt a name.

/// `did you mean X?` where one of the names is near; else all that there are.
pub(crate) fn meant(name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are: {}", known.join(", ")),
    }
}

/// The name that is one or two slips of the pen away, if there is one.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let most = if name.chars().count() < 5 { 1 } else { 2 };
    let near = known.iter().map(|known| (distance(name, known), *known));
    near.filter(|(slips, _)| *slips <= most).min_by_key(|(slips, _)| *slips).map(|(_, known)| known)
}

/// How many characters have to be put in, taken out or replaced, or neighbours exchanged; capitals
/// count for nothing.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (row, left) in a.iter().enumerate() {
        let mut now = vec![row + 1];
        for (column, right) in b.iter().enumerate() {
            let replaced = last[column] + usize::from(left != right);
            let mut fewest = replaced.min(last[column + 1] + 1).min(now[column] + 1);
            if row > 0 && column > 0 && *left == b[column - 1] && a[row - 1] == *right {
                fewest = fewest.min(before_last[column - 1] + 1);
            }
            now.push(fewest);
        }
        before_last = std::mem::replace(&mut last, now);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_found_and_other_words_are_not() {
        let known = ["targetPort", "port", "name", "versions", "hostname"];
        for (name, meant) in [
            ("targetPrt", Some("targetPort")),
            ("targetport", Some("targetPort")),
            ("versoins", Some("versions")),
            ("hostnme", Some("hostname")),
            ("nam", Some("name")),
            ("size", None),
            ("prot", Some("port")),
            ("", None),
        ] {
            assert_eq!(nearest(name, &known), meant, "{name}");
        }
        assert_eq!(meant("size", &["a", "b"]), "there are: a, b");
    }
}
