//! The pages of `docs/`: each link leads somewhere, and each service has its manual in both languages.

#![allow(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use commonscloud_operator::template::builtin;

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Every page: those of the source's own folder, and all below `docs`, `images`, `templates` and
/// `charts`.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let mut folders = vec![source("docs"), source("images"), source("templates"), source("charts")];
    let top = fs::read_dir(source("")).unwrap().map(|entry| entry.unwrap().path());
    pages.extend(top.filter(|path| is_page(path)));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if is_page(&path) {
                pages.push(path);
            }
        }
    }
    pages
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "md")
}

/// The page's text without its fenced blocks, in which nothing is a link or a heading.
fn prose(page: &Path) -> String {
    let mut fenced = false;
    let text = fs::read_to_string(page).unwrap();
    let kept = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    kept.map(|line| format!("{line}\n")).collect()
}

/// Where the links of a page lead, those to the web left out.
fn links(prose: &str) -> Vec<&str> {
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.starts_with("https://")).collect()
}

/// The anchors of a page, as GitHub and Codeberg make them of headings.
fn anchors(page: &Path) -> Vec<String> {
    let prose = prose(page);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

fn leads_nowhere(page: &Path, target: &str) -> bool {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let there = if file.is_empty() { page.to_owned() } else { page.parent().unwrap().join(file) };
    !there.exists() || (!anchor.is_empty() && !anchors(&there).iter().any(|known| known == anchor))
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        for target in links(&prose(&page)) {
            if leads_nowhere(&page, target) {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn each_service_has_a_manual_in_catalan_and_english_that_answers_the_same_questions() {
    const QUESTIONS: [(&str, [&str; 8]); 2] = [
        (
            "ca",
            [
                "## L'adreça",
                "## La primera vegada",
                "## Qui hi pot entrar",
                "## Com està de plena",
                "## Més espai, o menys",
                "## Endur-vos-ho tot",
                "## Si ho deixeu",
                "## A qui preguntar",
            ],
        ),
        (
            "en",
            [
                "## The address",
                "## The first time",
                "## Who may enter",
                "## How full it is",
                "## More space, or less",
                "## Taking everything out",
                "## If you stop",
                "## Whom to ask",
            ],
        ),
    ];
    let index = fs::read_to_string(source("docs/manuals/README.md")).unwrap();
    let mut wrong = Vec::new();
    // The identity provider is the platform's own: no entity has it.
    for package in builtin().into_iter().filter(|package| package.metadata.name.as_deref() != Some("keycloak")) {
        let service = package.metadata.name.unwrap();
        for (language, questions) in &QUESTIONS {
            let file = format!("{language}/{service}.md");
            let page = fs::read_to_string(source(&format!("docs/manuals/{file}"))).unwrap_or_default();
            let asked: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
            if asked != questions {
                wrong.push(format!("docs/manuals/{file} answers {asked:?}, not {questions:?}"));
            }
            let title = format!("# {}\n", package.spec.title[*language]);
            if !page.starts_with(&title) {
                wrong.push(format!("docs/manuals/{file} does not begin with {title:?}"));
            }
            if !index.contains(&format!("({file})")) {
                wrong.push(format!("docs/manuals/README.md does not name {file}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
