//! The tags of a page, as far as links and forms need them.

/// A tag that begins an element, or ends one.
#[derive(Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its name in small letters; of one that ends an element with `/` in front.
    pub name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// The value of an attribute; empty where it has none.
    pub fn get(&self, attribute: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == attribute).map(|(_, value)| value.as_str())
    }
}

/// All tags of a page; comments and what stands in scripts and styles are none.
pub fn tags(page: &str) -> Vec<Tag> {
    let (mut rest, mut tags) = (page, Vec::new());
    while let Some(begin) = rest.find('<') {
        rest = rest.get(begin + 1..).unwrap_or_default();
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = after(comment, "-->");
            continue;
        }
        let (tag, behind) = tag(rest);
        rest = behind;
        for raw in ["script", "style"] {
            if tag.name == raw {
                rest = after(rest, &format!("</{raw}"));
            }
        }
        tags.push(tag);
    }
    tags
}

/// The words of a page, without its tags.
pub fn words(page: &str) -> String {
    let (mut rest, mut words) = (page, String::new());
    while let Some((before, behind)) = rest.split_once('<') {
        words.push_str(before);
        words.push(' ');
        if let Some(comment) = behind.strip_prefix("!--") {
            rest = after(comment, "-->");
            continue;
        }
        let (tag, behind) = tag(behind);
        rest = match tag.name.as_str() {
            "script" => after(behind, "</script>"),
            "style" => after(behind, "</style>"),
            _ => behind,
        };
    }
    words.push_str(rest);
    unescaped(&words).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands behind an end, which may be written in capitals.
fn after<'p>(page: &'p str, end: &str) -> &'p str {
    let at = page.to_ascii_lowercase().find(end);
    at.and_then(|at| page.get(at + end.len()..)).unwrap_or_default()
}

/// The tag behind a `<`, and what stands behind it.
fn tag(page: &str) -> (Tag, &str) {
    let is_end = |c: char| c.is_whitespace() || c == '>';
    let (name, mut rest) = page.split_at(page.find(is_end).unwrap_or(page.len()));
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            break;
        }
        if let Some(behind) = rest.strip_prefix('>') {
            rest = behind;
            break;
        }
        let (attribute, behind) = attribute(rest);
        attributes.push(attribute);
        rest = behind;
    }
    (Tag { name: name.trim_end_matches('/').to_ascii_lowercase(), attributes }, rest)
}

/// The attribute that stands first, and what stands behind it.
fn attribute(page: &str) -> ((String, String), &str) {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/');
    // One letter at least, or a tag that is no tag would never end.
    let length = page.chars().next().map_or(0, char::len_utf8);
    let end = page.get(length..).and_then(|rest| rest.find(is_end)).map_or(page.len(), |end| length + end);
    let (name, behind) = page.split_at(end);
    let name = name.to_ascii_lowercase();
    let Some(value) = behind.trim_start().strip_prefix('=').map(str::trim_start) else {
        return ((name, String::new()), behind);
    };
    for quote in ['"', '\''] {
        if let Some(quoted) = value.strip_prefix(quote) {
            let (value, behind) = quoted.split_once(quote).unwrap_or((quoted, ""));
            return ((name, unescaped(value)), behind);
        }
    }
    let end = value.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(value.len());
    let (value, behind) = value.split_at(end);
    ((name, unescaped(value)), behind)
}

/// What is meant by `&amp;` and the like.
fn unescaped(text: &str) -> String {
    let (mut rest, mut plain) = (text, String::new());
    while let Some((before, behind)) = rest.split_once('&') {
        plain.push_str(before);
        let meant = behind.split_once(';').and_then(|(name, behind)| Some((character(name)?, behind)));
        if let Some((meant, behind)) = meant {
            plain.push(meant);
            rest = behind;
        } else {
            plain.push('&');
            rest = behind;
        }
    }
    plain + rest
}

fn character(name: &str) -> Option<char> {
    let number = name.strip_prefix('#');
    match (name, number.and_then(|number| number.strip_prefix(['x', 'X'])), number) {
        ("amp", ..) => Some('&'),
        ("lt", ..) => Some('<'),
        ("gt", ..) => Some('>'),
        ("quot", ..) => Some('"'),
        ("apos", ..) => Some('\''),
        ("nbsp", ..) => Some(' '),
        (_, Some(hexadecimal), _) => u32::from_str_radix(hexadecimal, 16).ok().and_then(char::from_u32),
        (_, None, Some(number)) => number.parse().ok().and_then(char::from_u32),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_with_their_attributes_and_scripts_are_not() {
        let page = r#"<!-- <form id="no"> --><script>if (1 < 2) { "<form id='no'>" }</script>
            <FORM id=yes action="/a?b=1&amp;c=2" onsubmit="x > y"
              novalidate><input name='q' value='a"b' disabled/><br/></form>1 < 2"#;
        let found = tags(page);
        let names: Vec<&str> = found.iter().map(|tag| tag.name.as_str()).collect();
        assert_eq!(names[..5], ["script", "form", "input", "br", "/form"], "{found:?}");
        assert_eq!(found[1].get("id"), Some("yes"));
        assert_eq!(found[1].get("action"), Some("/a?b=1&c=2"));
        assert_eq!(found[1].get("novalidate"), Some(""));
        assert_eq!((found[2].get("value"), found[2].get("disabled")), (Some("a\"b"), Some("")));
    }

    #[test]
    fn words_are_what_a_person_reads() {
        let page = "<!-- <p>no</p> --><p>Sense&nbsp;acc&#233;s: l&#x27;Hort &amp; <b>Wiki</b></p><style>p { }</style><SCRIPT>no()</SCRIPT> A &oacute; & B";
        assert_eq!(words(page), "Sense accés: l'Hort & Wiki A &oacute; & B");
    }
}
