//! Where in a template something stands, for messages.

use commonscloud_api::Manifest;

/// The line of the template that has the last of these texts that can be found, each searched for
/// from where the one before it was.
pub(crate) fn line_of(template: &str, texts: &[&str]) -> Option<usize> {
    let lines: Vec<&str> = template.lines().collect();
    let mut found = None;
    for text in texts.iter().filter(|text| !text.is_empty()) {
        let from = found.unwrap_or(0);
        match lines.iter().skip(from).position(|line| line.contains(text)) {
            Some(at) => found = Some(from + at),
            None => break,
        }
    }
    found.map(|line| line + 1)
}

/// The line of an object's field, for example `spec.template.spec.containers[app].image`; that of
/// the nearest field around it when the template does not have it.
pub(crate) fn line_of_field(manifest: &Manifest, kind: &str, declared: &str, field: &str) -> Option<usize> {
    let lines: Vec<&str> = manifest.template.lines().collect();
    let (start, end) = document(&lines, kind, declared)?;
    let mut at = lines.iter().take(end).skip(start).position(|line| has_key(line, "kind"))? + start;
    let mut from = start;
    for part in field.split(['.', '[', ']']).filter(|part| !part.is_empty() && part.parse::<usize>().is_err()) {
        let found = lines.iter().take(end).skip(from).position(|line| has_key(line, part) || has_name(line, part));
        if let Some(found) = found {
            from += found;
            at = from;
        }
    }
    Some(at + 1)
}

/// First line, and the one after the last, of the document that makes this object.
fn document(lines: &[&str], kind: &str, declared: &str) -> Option<(usize, usize)> {
    let mut documents = Vec::new();
    let mut start = 0;
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with("---") {
            documents.push((start, at));
            start = at + 1;
        }
    }
    documents.push((start, lines.len()));
    let of_kind = |(start, end): &&(usize, usize)| {
        lines.iter().take(*end).skip(*start).any(|line| line.trim() == format!("kind: {kind}"))
    };
    let named = |(start, end): &&(usize, usize)| {
        lines.iter().take(*end).skip(*start).any(|line| line.contains(&format!("-{declared}\"")))
    };
    documents.iter().filter(of_kind).find(named).or_else(|| documents.iter().find(of_kind)).copied()
}

/// Whether the line has `key:` as a whole word.
fn has_key(line: &str, key: &str) -> bool {
    let whole = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "-_/.$".contains(c));
    line.match_indices(&format!("{key}:")).any(|(at, _)| whole(at))
}

/// Whether the line names a list's entry.
fn has_name(line: &str, name: &str) -> bool {
    line.contains(&format!("name: {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_in_its_own_document_or_the_nearest_around_it() {
        let template = "kind: Service\nmetadata: {name: {{ i ~ \"-a\" }}}\nspec:\n  ports: []\n---\nkind: Service\nmetadata: {name: {{ i ~ \"-b\" }}}\nspec:\n  ports:\n    - name: web\n      port: 80\n";
        let manifest = Manifest { template: template.to_owned(), ..Manifest::default() };
        for (declared, field, line) in [
            ("a", "spec.ports", 4),
            ("b", "spec.ports[web].port", 11),
            ("b", "spec.ports[web].nodePort", 10),
            ("b", "status", 6),
            ("c", "spec", 3),
        ] {
            assert_eq!(line_of_field(&manifest, "Service", declared, field), Some(line), "{declared} {field}");
        }
        assert_eq!(line_of_field(&manifest, "Ingress", "a", "spec"), None);
    }
}
