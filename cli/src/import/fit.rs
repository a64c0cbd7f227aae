//! What in the files of an application names the place where they were: Nextcloud's `config.php` has the database's
//! address and password. What other packages need comes from their environment. And what has to come along of the
//! settings of a Nextcloud that was never ours.

/// Where Nextcloud keeps its settings, below the volumes.
pub(super) const OFFICE_SETTINGS: &str = "app/config/config.php";

/// Nextcloud's settings with another database: its lines are as `var_export` writes them.
///
/// # Errors
/// When a line is missing or there twice: then it is something else.
pub(super) fn office(settings: &str, host: &str, user: &str, password: &str) -> Result<String, String> {
    let wanted = [("dbhost", host), ("dbuser", user), ("dbpassword", password)];
    let mut seen = [0; 3];
    let line = |line: &str, seen: &mut [usize; 3]| {
        let found = wanted.iter().position(|(key, _)| line.trim_start().starts_with(&format!("'{key}' => ")));
        let Some(at) = found else { return line.to_owned() };
        seen[at] += 1;
        let begin = &line[..line.len() - line.trim_start().len()];
        format!("{begin}'{}' => {},", wanted[at].0, quoted(wanted[at].1))
    };
    let lines: Vec<String> = settings.lines().map(|text| line(text, &mut seen)).collect();
    match wanted.iter().zip(seen).find(|(_, count)| *count != 1) {
        None => Ok(lines.join("\n") + "\n"),
        Some(((key, _), count)) => {
            Err(format!("{OFFICE_SETTINGS}: {key} is there {count} times, and once is expected"))
        }
    }
}

/// Settings by which Nextcloud knows its data, people and passwords, and which version both are of.
pub(super) const IDENTITY: [&str; 4] = ["instanceid", "passwordsalt", "secret", "version"];
/// By it clients know a restore. Not every Nextcloud has it.
pub(super) const FINGERPRINT: &str = "data-fingerprint";
const BEGIN: &str = "$CONFIG = array (";

/// Nextcloud's settings with the identity of another one: its lines are as `var_export` writes them.
///
/// # Errors
/// When a line is missing or there twice, or has no end: then it is something else.
pub(super) fn moved(settings: &str, identity: &[(&str, String)]) -> Result<String, String> {
    let key_of = |line: &str| IDENTITY.into_iter().chain([FINGERPRINT]).find(|key| is_setting(line, key));
    let (mut lines, mut taken, mut begins) = (Vec::new(), Vec::new(), 0);
    for line in settings.lines() {
        if let Some(key) = key_of(line) {
            if !line.ends_with("',") {
                return Err(format!("{key} is no text of one line"));
            }
            taken.push(key);
            continue;
        }
        lines.push(line.to_owned());
        if line == BEGIN {
            begins += 1;
            lines.extend(identity.iter().map(|(key, value)| format!("  '{key}' => {},", quoted(value))));
        }
    }
    let count = |key: &str| taken.iter().filter(|taken| **taken == key).count();
    if let Some(key) = IDENTITY.into_iter().find(|key| count(key) != 1) {
        return Err(format!("{key} is there {} times, and once is expected", count(key)));
    }
    if begins == 1 { Ok(lines.join("\n") + "\n") } else { Err(format!("`{BEGIN}` is there {begins} times")) }
}

/// Whether a line is this setting, and no value of a list.
fn is_setting(line: &str, key: &str) -> bool {
    line.strip_prefix("  '").and_then(|rest| rest.strip_prefix(key)).is_some_and(|rest| rest.starts_with("' => '"))
}

/// A string of PHP.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &str = "<?php\n$CONFIG = array (\n  'instanceid' => 'oc1',\n  'dbhost' => 'office-db',\n  \
        'dbuser' => 'nextcloud',\n  'dbpassword' => 'o\\'clock',\n  'secret' => 's',\n);\n";

    #[test]
    fn the_database_is_another_and_nothing_else_is() {
        let fitted = office(SETTINGS, "oficina-db", "nextcloud", r"a'b\c").unwrap();
        let expected = SETTINGS.replace("'office-db'", "'oficina-db'").replace("o\\'clock", r"a\'b\\c");
        assert_eq!(fitted, expected);
    }

    fn identity() -> Vec<(&'static str, String)> {
        let values = ["oc2", "o'clock", "s2", "33.0.8.1"];
        IDENTITY.into_iter().zip(values.map(str::to_owned)).collect()
    }

    const OWN: &str = "<?php\n$CONFIG = array (\n  'instanceid' => 'oc1',\n  'passwordsalt' => 'p',\n  'secret' => 's',\n  \
        'objects' => \n  array (\n    'secret' => 'k',\n  ),\n  'version' => '34.0.1.2',\n  'data-fingerprint' => \
        'f',\n  'dbpassword' => 'd',\n);\n";

    #[test]
    fn another_identity_takes_the_place_of_its_own() {
        let expected = "<?php\n$CONFIG = array (\n  'instanceid' => 'oc2',\n  'passwordsalt' => 'o\\'clock',\n  'secret' \
            => 's2',\n  'version' => '33.0.8.1',\n  'objects' => \n  array (\n    'secret' => 'k',\n  ),\n  'dbpassword' \
            => 'd',\n);\n";
        assert_eq!(moved(OWN, &identity()).unwrap(), expected);
    }

    #[test]
    fn an_identity_finds_its_place_or_nothing_is_changed() {
        let without = OWN.replace("  'secret' => 's',\n", "");
        assert!(moved(&without, &identity()).unwrap_err().contains("secret is there 0 times"));
        assert!(moved(&format!("{OWN}{OWN}"), &identity()).unwrap_err().contains("2 times"));
        assert!(moved(&OWN.replace("'oc1',", "'oc\n1',"), &identity()).unwrap_err().contains("one line"));
        assert!(moved(&OWN.replace("array (\n  'inst", "[\n  'inst"), &identity()).unwrap_err().contains("0 times"));
    }

    #[test]
    fn settings_of_another_shape_are_refused() {
        let error = office(&SETTINGS.replace("  'dbhost' => 'office-db',\n", ""), "h", "u", "p").unwrap_err();
        assert!(error.contains("dbhost is there 0 times"), "{error}");
        assert!(!error.contains("clock"), "it holds a password");
        assert!(office(&format!("{SETTINGS}{SETTINGS}"), "h", "u", "p").is_err());
    }
}
