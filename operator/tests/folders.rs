//! No cycle between the folders of a crate: what a folder uses never uses it, not by way of others either.
//!
//! A *folder* is a module of a crate's root, with all that is below it: `cache/`, or `metrics.rs` with `metrics/`.
//! Tests may use what they like. What the compiler sees is read as text: `crate::` and `super::` paths, in
//! `use` lists and in code.

#![allow(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

/// What a folder uses: by folder, the folders that it uses, and for each of them the places, as `FILE:LINE`.
type Uses = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// A word or mark of Rust, with the line that it stands on. `::` is one mark.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Token<'a> {
    text: &'a str,
    line: usize,
}

/// A file without its tests.
struct Source<'a> {
    tokens: Vec<Token<'a>>,
    /// Names and `#[path]`s of the modules that only tests have.
    test_modules: BTreeSet<&'a str>,
}

fn source(text: &str) -> Source<'_> {
    let all = tokens(text);
    let mut source = Source { tokens: Vec::new(), test_modules: BTreeSet::new() };
    let mut at = 0;
    while at < all.len() {
        if starts(&all[at..], &["#", "[", "cfg", "(", "test", ")", "]"]) {
            let end = end_of_item(&all, at);
            source.test_modules.extend(declared(&all[at..end]));
            at = end;
        } else {
            source.tokens.push(all[at]);
            at += 1;
        }
    }
    source
}

fn starts(tokens: &[Token], texts: &[&str]) -> bool {
    tokens.len() >= texts.len() && tokens.iter().zip(texts).all(|(token, text)| token.text == *text)
}

/// Where the item that begins at `at` with its attributes is over: behind its `;`, its block, or before the `,` or
/// bracket that ends a field.
fn end_of_item(tokens: &[Token], mut at: usize) -> usize {
    let mut depth = 0_usize;
    let mut attribute = false;
    while at < tokens.len() {
        match tokens[at].text {
            "#" if depth == 0 => attribute = true,
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" if depth == 0 => return at,
            "}" | ")" | "]" => {
                depth -= 1;
                // A list of `use` ends with its `;`, a function's arguments and an attribute with what follows.
                let block = tokens[at].text == "}" && tokens.get(at + 1).is_none_or(|next| next.text != ";");
                if depth == 0 && block && !attribute {
                    return at + 1;
                }
                attribute &= depth > 0;
            }
            ";" | "," if depth == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

/// The module that an item declares in a file of its own: its name, and its `#[path]`.
fn declared<'a>(item: &[Token<'a>]) -> Vec<&'a str> {
    let Some(name) = item.windows(3).find(|three| three[0].text == "mod" && three[2].text == ";") else {
        return Vec::new();
    };
    let path = item.windows(3).find(|three| three[0].text == "path" && three[1].text == "=");
    path.map(|three| three[2].text.trim_matches('"')).into_iter().chain([name[1].text]).collect()
}

/// The words and marks of a text, without comments. A string is one token with its quotes.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(first) = text[at..].chars().next() {
        let length = length(&text[at..], first);
        let token = &text[at..at + length];
        let comment = token.starts_with("//") || token.starts_with("/*");
        if !comment && !first.is_whitespace() {
            tokens.push(Token { text: token, line });
        }
        line += token.matches('\n').count();
        at += length;
    }
    tokens
}

/// How many bytes the token, comment or white space at the start of `rest` has.
fn length(rest: &str, first: char) -> usize {
    let until = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until("*/", 2);
    }
    if rest.starts_with("::") {
        return 2;
    }
    let raw = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r').unwrap_or_default();
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    if raw[hashes..].starts_with('"') {
        return until(&format!("\"{}", "#".repeat(hashes)), rest.len() - raw.len() + hashes + 1);
    }
    match first {
        '"' => quoted(rest, '"'),
        // A lifetime has no second quote, where a character has it behind one character or an escape.
        '\'' if rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'') => quoted(rest, '\''),
        _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
        _ => first.len_utf8(),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// The names of the crate's root that a file uses, each with its line; `module` is the file's own path in the crate.
fn names_of_root<'a>(tokens: &[Token<'a>], module: &[String]) -> Vec<Token<'a>> {
    let mut found = Vec::new();
    // How deep in braces the code is, and at which depths modules in the file itself begin.
    let (mut depth, mut inner) = (0_usize, Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].text {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                inner.pop_if(|began| *began >= depth);
            }
            "mod" if tokens.get(at + 2).is_some_and(|next| next.text == "{") => inner.push(depth),
            "crate" if starts(&tokens[at + 1..], &["::"]) => found.extend(heads(&tokens[at + 2..])),
            "super" => {
                let supers = tokens[at..].chunks(2).take_while(|pair| starts(pair, &["super", "::"])).count();
                if supers == module.len() + inner.len() {
                    found.extend(heads(&tokens[at + 2 * supers..]));
                }
                at += (2 * supers).saturating_sub(1);
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The first names of what follows a `::`: one, or those of a list in braces, whatever lists its entries have.
fn heads<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let Some(first) = tokens.first().filter(|first| first.text == "{") else {
        return tokens.first().copied().into_iter().collect();
    };
    let mut depth = 0_usize;
    let mut heads = Vec::new();
    let mut before = *first;
    for token in tokens {
        if depth == 1 && matches!(before.text, "{" | ",") && token.text != "}" {
            heads.push(*token);
        }
        match token.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        before = *token;
    }
    heads
}

/// What the root file gives other names: `pub use fault::{Fault, RenderError}` makes both names of `fault`.
fn reexports(root: &str) -> BTreeMap<String, String> {
    let source = source(root);
    let mut known = BTreeMap::new();
    for at in 0..source.tokens.len() {
        if source.tokens[at].text != "use" {
            continue;
        }
        let item = &source.tokens[at + 1..end_of_item(&source.tokens, at)];
        let folder = item[0].text;
        for pair in item.windows(2).filter(|pair| matches!(pair[1].text, "," | "}" | ";") && pair[0].text != "}") {
            known.insert(pair[0].text.to_owned(), folder.to_owned());
        }
    }
    known
}

/// The files of a crate, as paths from its `src` with their texts, tests left out.
fn files(src: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![src.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.extend(entries.iter().filter(|path| path.is_dir()).cloned());
        for path in entries.iter().filter(|path| path.extension().is_some_and(|end| end == "rs")) {
            let name = path.strip_prefix(src).unwrap().to_str().unwrap().to_owned();
            files.push((name, fs::read_to_string(path).unwrap()));
        }
    }
    files.sort();
    files
}

/// What a file is in its crate: `cache/feed.rs` is `cache::feed`, `cache/mod.rs` is `cache`, the root file nothing.
fn module(file: &str) -> Vec<String> {
    let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

/// Files that only tests have, by name or because their module is declared so.
fn of_tests(files: &[(String, String)]) -> BTreeSet<String> {
    let mut of_tests = BTreeSet::new();
    for (file, text) in files {
        let name = file.rsplit('/').next().unwrap_or_default();
        if name == "tests.rs" || name.ends_with("_tests.rs") || file.split('/').any(|folder| folder == "tests") {
            of_tests.insert(file.clone());
        }
        let folder = file.rsplit_once('/').map(|(folder, _)| format!("{folder}/")).unwrap_or_default();
        let below = module(file).iter().map(|name| format!("{name}/")).collect::<String>();
        for named in source(text).test_modules {
            of_tests.extend([
                format!("{folder}{named}"),
                format!("{below}{named}.rs"),
                format!("{below}{named}/mod.rs"),
            ]);
        }
    }
    of_tests
}

/// Which folder uses which, of one crate's files.
fn uses(files: &[(String, String)]) -> Uses {
    let of_tests = of_tests(files);
    let rooted = |file: &str| matches!(file, "lib.rs" | "main.rs");
    let known: BTreeMap<_, _> =
        files.iter().filter(|(file, _)| rooted(file)).flat_map(|(_, text)| reexports(text)).collect();
    let folders: BTreeSet<String> = files.iter().filter_map(|(file, _)| module(file).first().cloned()).collect();
    let mut uses = Uses::new();
    for (file, text) in files.iter().filter(|(file, _)| !rooted(file) && !of_tests.contains(file)) {
        let module = module(file);
        for name in names_of_root(&source(text).tokens, &module) {
            let folder = folders.get(name.text).or_else(|| folders.get(known.get(name.text)?));
            if let Some(folder) = folder.filter(|folder| **folder != module[0]) {
                let places = uses.entry(module[0].clone()).or_default().entry(folder.clone()).or_default();
                places.push(format!("{file}:{}", name.line));
            }
        }
    }
    uses
}

/// The shortest cycle through each use that is part of one, each cycle once, from its first folder by name.
fn cycles(uses: &Uses) -> BTreeSet<Vec<String>> {
    let mut cycles = BTreeSet::new();
    for (from, used) in uses {
        for way in used.keys().filter_map(|to| way(uses, to, from)) {
            let first = way.iter().enumerate().min_by_key(|(_, folder)| *folder).map_or(0, |(at, _)| at);
            let mut cycle = way;
            cycle.rotate_left(first);
            cycles.insert(cycle);
        }
    }
    cycles
}

/// The shortest way by uses, both ends in it.
fn way(uses: &Uses, from: &str, to: &str) -> Option<Vec<String>> {
    let mut ways = VecDeque::from([vec![from.to_owned()]]);
    let mut seen = BTreeSet::from([from.to_owned()]);
    while let Some(way) = ways.pop_front() {
        let last = way.last()?;
        if last == to {
            return Some(way);
        }
        for next in uses.get(last).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(next.clone()) {
                ways.push_back([way.clone(), vec![next.clone()]].concat());
            }
        }
    }
    None
}

/// A cycle in words: each use of it, and where.
fn told(uses: &Uses, cycle: &[String]) -> String {
    let mut told = format!("cycle: {} -> {}\n", cycle.join(" -> "), cycle[0]);
    for (at, from) in cycle.iter().enumerate() {
        let to = &cycle[(at + 1) % cycle.len()];
        told.push_str(&format!("  {from} uses {to}: {}\n", uses[from][to].join(", ")));
    }
    told
}

#[test]
fn no_cycle_between_folders() {
    let mut wrong = String::new();
    for name in ["api", "package", "operator", "backup", "cluster", "cli", "e2e"] {
        let uses = uses(&files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src")));
        wrong.extend(cycles(&uses).iter().map(|cycle| format!("{name}: {}", told(&uses, cycle))));
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

fn found(files: &[(&str, &str)]) -> String {
    let files: Vec<_> = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
    let uses = uses(&files);
    cycles(&uses).iter().map(|cycle| told(&uses, cycle)).collect()
}

#[test]
fn a_cycle_is_found_in_nested_lists_and_by_way_of_others() {
    let cycle = found(&[
        ("a/mod.rs", "use std::fmt;\nuse crate::{\n    d::{E, f::{G, H}},\n    b::{self, I as J},\n};\n"),
        ("b.rs", "fn f(x: &'static str) -> bool {\n    let _ = ('\"', '\\'', x);\n    crate::c::g()\n}\n"),
        ("c/deep/x.rs", "use super::super::super::a::K;\n"),
        ("d.rs", ""),
    ]);
    assert_eq!(
        cycle,
        "cycle: a -> b -> c -> a\n  a uses b: a/mod.rs:4\n  b uses c: b.rs:3\n  c uses a: c/deep/x.rs:1\n"
    );
}

#[test]
fn a_name_that_the_root_gives_away_counts_as_its_folder() {
    let root = ("lib.rs", "mod a;\nmod b;\npub use b::inner::{Fault, RenderError};\n");
    let cycle = found(&[root, ("a.rs", "use crate::RenderError;"), ("b/inner.rs", "use crate::a;")]);
    assert_eq!(cycle, "cycle: a -> b -> a\n  a uses b: a.rs:1\n  b uses a: b/inner.rs:1\n");
}

#[test]
fn neither_tests_nor_comments_nor_strings_make_a_cycle() {
    let tests = "#[cfg(test)]\n#[path = \"odd.rs\"]\nmod cases;\n#[cfg(test)]\nmod fixtures;\n#[cfg(test)]\nuse crate::b::{X};\n\
                 #[cfg(test)]\nfn f(a: [u8; 2]) -> u8 {\n    crate::b::f(a)\n}\n#[cfg(test)]\nmod tests {\n    use crate::b::Y;\n}\n";
    let prose = "// crate::b::Z\n/* crate::b */ const S: &str = \"crate::b \\\" crate::b\";\nconst R: &str = r#\"\"crate::b\"#;\n";
    let above = "use super::own;\nmod inner {\n    use super::super::own;\n}\n";
    let text = format!("{tests}{prose}{above}");
    let files = [
        ("a/mod.rs", text.as_str()),
        ("a/odd.rs", "use crate::b;"),
        ("a/deep/x.rs", "use super::super::b::own;"),
        ("a/fixtures.rs", "use crate::b;"),
        ("a/more_tests.rs", "use crate::b;"),
        ("b.rs", "use crate::a;"),
    ];
    assert_eq!(found(&files), "");
    let unguarded = text.replacen("#[cfg(test)]\nmod tests", "mod tests", 1);
    assert!(found(&[("a/mod.rs", &unguarded), ("b.rs", "use crate::a;")]).starts_with("cycle: a -> b -> a"));
}
