//! What a Nextcloud's `config.php` says. It is PHP and never run: what Nextcloud itself writes is read, all else is
//! refused.

use std::collections::BTreeMap;

/// Nothing of the file is shown: it holds passwords.
const OTHER: &str =
    "it is nothing that Nextcloud itself writes; `occ maintenance:mode --on` has it write the file anew";

/// Settings by their keys.
pub(super) struct Settings(BTreeMap<String, Value>);

enum Value {
    Text(String),
    /// A number, `true`, `false` or `null`.
    Word,
    /// Values of its own, which nobody asks for.
    List,
}

impl Settings {
    /// Reads all of a file.
    ///
    /// # Errors
    /// When it holds anything but values, with the line.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text };
        reader.settings().map_err(|why| {
            let read = &text[..text.len() - reader.rest.len()];
            format!("line {}: {why}", read.matches('\n').count() + 1)
        })
    }

    /// A string that is not empty.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key) {
            Some(Value::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// Whether there is such a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// All keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

enum Token {
    Text(String),
    Word,
    Arrow,
    Open,
    Close,
    Comma,
    End,
}

const SIGNS: [(&str, Token); 8] = [
    ("=>", Token::Arrow),
    ("array (", Token::Open),
    ("array(", Token::Open),
    ("[", Token::Open),
    (")", Token::Close),
    ("]", Token::Close),
    (",", Token::Comma),
    (";", Token::End),
];

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn settings(&mut self) -> Result<Settings, String> {
        for word in ["<?php", "$CONFIG", "="] {
            self.rest = self.rest.trim_start();
            self.rest = self.rest.strip_prefix(word).ok_or(OTHER)?;
        }
        self.expected(&Token::Open)?;
        let mut settings = BTreeMap::new();
        loop {
            let key = match self.token()? {
                Token::Text(key) => key,
                Token::Close => break,
                _ => return Err(OTHER.to_owned()),
            };
            self.expected(&Token::Arrow)?;
            let value = self.value()?;
            if settings.contains_key(&key) {
                return Err(format!("{key:?} is there twice"));
            }
            settings.insert(key, value);
            match self.token()? {
                Token::Comma => {}
                Token::Close => break,
                _ => return Err(OTHER.to_owned()),
            }
        }
        self.expected(&Token::End)?;
        self.rest = self.rest.trim_start();
        match self.rest.trim_end() {
            "" | "?>" => Ok(Settings(settings)),
            _ => Err(OTHER.to_owned()),
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        match self.token()? {
            Token::Text(text) => Ok(Value::Text(text)),
            Token::Word => Ok(Value::Word),
            Token::Open => self.list(),
            _ => Err(OTHER.to_owned()),
        }
    }

    /// Goes to the end of a list, lists in it included.
    fn list(&mut self) -> Result<Value, String> {
        let mut open = 1_usize;
        while open > 0 {
            match self.token()? {
                Token::Open => open += 1,
                Token::Close => open -= 1,
                Token::End => return Err(OTHER.to_owned()),
                _ => {}
            }
        }
        Ok(Value::List)
    }

    fn expected(&mut self, token: &Token) -> Result<(), String> {
        let is_it = std::mem::discriminant(&self.token()?) == std::mem::discriminant(token);
        if is_it { Ok(()) } else { Err(OTHER.to_owned()) }
    }

    fn token(&mut self) -> Result<Token, String> {
        self.rest = self.rest.trim_start();
        if let Some(rest) = self.rest.strip_prefix('\'') {
            return self.text(rest);
        }
        for (sign, token) in SIGNS {
            if let Some(rest) = self.rest.strip_prefix(sign) {
                self.rest = rest;
                return Ok(token);
            }
        }
        let is_of_word = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '.' | '+' | '-' | '_');
        let end = self.rest.find(|sign| !is_of_word(sign)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let is_number = word.ends_with(|sign: char| sign.is_ascii_digit()) && word.parse::<f64>().is_ok();
        if !is_number && !["true", "false", "null"].contains(&word.to_ascii_lowercase().as_str()) {
            return Err(OTHER.to_owned());
        }
        self.rest = rest;
        Ok(Token::Word)
    }

    /// A string of PHP in single quotes, behind the first of them.
    fn text(&mut self, from: &'t str) -> Result<Token, String> {
        let (mut text, mut signs) = (String::new(), from.char_indices());
        while let Some((at, sign)) = signs.next() {
            match sign {
                '\'' => {
                    self.rest = &from[at + 1..];
                    return Ok(Token::Text(text));
                }
                // Before anything else a backslash is one.
                '\\' if from[at + 1..].starts_with(['\\', '\'']) => text.extend(signs.next().map(|(_, sign)| sign)),
                _ => text.push(sign),
            }
        }
        Err("a string has no end".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    /// As `var_export` writes it.
    const WRITTEN: &str = "<?php\n$CONFIG = array (\n  'instanceid' => 'oc1',\n  'trusted_domains' => \n  array (\n    0 => \
        'localhost',\n    1 => 'núvol.example.org',\n  ),\n  'passwordsalt' => 'o\\'clock\\\\ \\n',\n  'loglevel' => \
        -1,\n  'apps_paths' => \n  array (\n    0 => \n    array (\n      'path' => '/a',\n      'writable' => \
        false,\n    ),\n  ),\n  'empty' => '',\n  'two' => 'li\nnes',\n  'x' => NULL,\n  'maintenance' => true,\n);\n";

    /// What is read, or why not.
    fn refusal(text: &str) -> String {
        Settings::read(text).err().unwrap_or_default()
    }

    #[test]
    fn what_nextcloud_writes_is_read() {
        let settings = Settings::read(WRITTEN).unwrap();
        assert_eq!(settings.text("instanceid"), Some("oc1"));
        assert_eq!(settings.text("passwordsalt"), Some("o'clock\\ \\n"), "PHP knows two escapes here");
        assert_eq!(settings.text("two"), Some("li\nnes"));
        assert!(settings.has("empty") && settings.text("empty").is_none());
        assert!(settings.has("trusted_domains") && settings.text("trusted_domains").is_none());
        assert!(!settings.has("path"), "of a list nothing is kept");
        assert_eq!(settings.keys().count(), 9);
    }

    #[test_case("<?php $CONFIG=['a'=>'b','c'=>['d',['e'=>1.5]]]; ?>\n"; "short lists")]
    #[test_case("<?php\n$CONFIG = array(\n);\n"; "nothing")]
    fn what_people_write_like_it_is_read(text: &str) {
        assert_eq!(refusal(text), "");
    }

    #[test_case("", "line 1"; "an empty file")]
    #[test_case("\u{feff}<?php\n$CONFIG = array ();", "line 1"; "a byte order mark")]
    #[test_case("<?php\n$CONFIG = array (\n  'a' => \"b\",\n);", "line 3"; "double quotes")]
    #[test_case("<?php\n$CONFIG = array (\n  'a' => <<<X\nb\nX,\n);", "line 3"; "a heredoc")]
    #[test_case("<?php\n$CONFIG = array (\n  'a' => '' . \"\\0\" . '',\n);", "line 3"; "strings that are joined")]
    #[test_case("<?php\n$CONFIG = array (\n  'a' => getenv('A'),\n);", "line 3"; "a function")]
    #[test_case("<?php\n$CONFIG = array (\n  'a' => PHP_INT_MAX,\n);", "line 3"; "a constant")]
    #[test_case("<?php\n// a comment\n$CONFIG = array ();", "line 2"; "a comment")]
    #[test_case("<?php\n$CONFIG = array (\n  0 => 'b',\n);", "line 3"; "a key that is a number")]
    #[test_case("<?php\n$CONFIG = array (\n  'a' => array (\n  'b',\n", "line 5"; "half a file")]
    #[test_case("<?php\n$CONFIG = array (\n  'a' => 'b", "no end"; "half a string")]
    #[test_case("<?php\n$CONFIG = array (\n  'a' => 'b',\n  'a' => 'c',\n);", "twice"; "a key that is there twice")]
    #[test_case("<?php\n$CONFIG = array (\n);\nsystem('x');", "line 4"; "more than settings")]
    fn all_else_is_refused_with_its_line(text: &str, told: &str) {
        let why = refusal(text);
        assert!(why.contains(told), "{why}");
    }

    #[test]
    fn no_value_is_told() {
        let why = refusal("<?php\n$CONFIG = array (\n  'secret' => 'hunter2' . 'hunter3',\n);");
        assert!(why.contains("maintenance:mode") && !why.contains("hunter"), "{why}");
    }
}
