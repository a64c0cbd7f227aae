//! What in the files of an application names the place where they were: Nextcloud's `config.php` has the database's
//! address and password. What other packages need comes from their environment.

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

    #[test]
    fn settings_of_another_shape_are_refused() {
        let error = office(&SETTINGS.replace("  'dbhost' => 'office-db',\n", ""), "h", "u", "p").unwrap_err();
        assert!(error.contains("dbhost is there 0 times"), "{error}");
        assert!(!error.contains("clock"), "it holds a password");
        assert!(office(&format!("{SETTINGS}{SETTINGS}"), "h", "u", "p").is_err());
    }
}
