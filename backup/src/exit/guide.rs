//! What tells people how to go on with a package, in English and Catalan.

use jiff::tz::TimeZone;

use super::layout::{Engine, ExitFileKind, ExitManifest, ExitService};

/// The pieces of one language.
struct Language {
    name: &'static str,
    package: &'static str,
    sealed: &'static str,
    service: &'static str,
    secrets: &'static str,
    files: &'static str,
    postgresql: &'static str,
    mariadb: &'static str,
    /// By template.
    applications: &'static [(&'static str, &'static str)],
    other: &'static str,
}

macro_rules! language {
    ($name:literal, $folder:literal) => {
        Language {
            name: $name,
            package: include_str!(concat!("guide/", $folder, "/package.md")),
            sealed: include_str!(concat!("guide/", $folder, "/sealed.md")),
            service: include_str!(concat!("guide/", $folder, "/service.md")),
            secrets: include_str!(concat!("guide/", $folder, "/secrets.md")),
            files: include_str!(concat!("guide/", $folder, "/files.md")),
            postgresql: include_str!(concat!("guide/", $folder, "/postgresql.md")),
            mariadb: include_str!(concat!("guide/", $folder, "/mariadb.md")),
            applications: &[
                ("office", include_str!(concat!("guide/", $folder, "/office.md"))),
                ("agora", include_str!(concat!("guide/", $folder, "/agora.md"))),
                ("projects", include_str!(concat!("guide/", $folder, "/projects.md"))),
                ("mediawiki", include_str!(concat!("guide/", $folder, "/mediawiki.md"))),
                ("radicale", include_str!(concat!("guide/", $folder, "/radicale.md"))),
            ],
            other: include_str!(concat!("guide/", $folder, "/other.md")),
        }
    };
}

const LANGUAGES: [Language; 2] = [language!("README.md", "en"), language!("LLEGIU-ME.md", "ca")];

/// What templates call their applications, where people know them by another name.
const NAMES: &[(&str, &str)] = &[
    ("office", "Nextcloud"),
    ("agora", "Discourse"),
    ("projects", "Phorge"),
    ("mediawiki", "MediaWiki"),
    ("radicale", "Radicale"),
];

/// The files, by name.
pub fn texts(manifest: &ExitManifest) -> Vec<(&'static str, String)> {
    LANGUAGES.iter().map(|language| (language.name, text(language, manifest))).collect()
}

fn text(language: &Language, manifest: &ExitManifest) -> String {
    let rows: String = manifest.services.iter().map(row).collect();
    let mut text = language.package.replace("{services}", &rows);
    if !manifest.recipients.is_empty() {
        text += &language.sealed.replace("{recipients}", &format!("`{}`", manifest.recipients.join("`, `")));
    }
    text = text.replace("{entity}", &manifest.entity.name);
    text + &manifest.services.iter().map(|service| of_service(language, service)).collect::<String>()
}

fn row(service: &ExitService) -> String {
    let taken = service.taken_at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string();
    format!("| `{}` | {} {} | {taken} |\n", service.instance.name, application(service), version(service))
}

fn of_service(language: &Language, service: &ExitService) -> String {
    let has = |kind| service.files.iter().any(|file| file.kind == kind);
    let mut text = language.service.to_owned();
    if has(ExitFileKind::Secrets) {
        text += language.secrets;
    }
    if has(ExitFileKind::Files) {
        text += language.files;
    }
    text += match service.engine {
        Some(Engine::PostgreSQL) => language.postgresql,
        Some(Engine::MariaDB) => language.mariadb,
        None => "",
    };
    let template = service.versions.template.as_str();
    let own = language.applications.iter().find(|(name, _)| *name == template);
    text += own.map_or(language.other, |(_, text)| text);
    // A name of a service may have what SQL would have to quote.
    let database = service.instance.name.replace('-', "_");
    text.replace("{service}", &service.instance.name)
        .replace("{database}", &database)
        .replace("{application}", application(service))
        .replace("{version}", version(service))
}

fn application(service: &ExitService) -> &str {
    let template = service.versions.template.as_str();
    NAMES.iter().find(|(name, _)| *name == template).map_or(template, |(_, name)| name)
}

fn version(service: &ExitService) -> &str {
    &service.versions.application
}

#[cfg(test)]
mod tests {
    use super::super::layout::tests::manifest;
    use super::*;

    fn both(template: &str, engine: Option<Engine>, recipients: &[&str]) -> Vec<String> {
        let mut manifest = manifest(&[("wiki/dump.sql", "aa")]);
        manifest.recipients = recipients.iter().map(|text| (*text).to_owned()).collect();
        let service = &mut manifest.services[0];
        service.instance.name = "a-wiki".to_owned();
        service.versions.template = template.to_owned();
        service.versions.application = "1.39".to_owned();
        service.engine = engine;
        texts(&manifest).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn both_languages_tell_the_same_of_every_template() {
        for template in ["office", "agora", "projects", "mediawiki", "radicale", "another"] {
            for engine in [None, Some(Engine::PostgreSQL), Some(Engine::MariaDB)] {
                let texts = both(template, engine, &[]);
                for text in &texts {
                    assert!(!text.contains("{service}") && !text.contains("{entity}"), "{text}");
                    assert!(text.contains("sha256sum --check SHA256SUMS") && text.contains("1.39"), "{text}");
                    assert_eq!(text.contains("createdb --owner=a_wiki"), engine == Some(Engine::PostgreSQL), "{text}");
                }
                let blocks = |text: &String| text.matches("```sh").count();
                assert_eq!(blocks(&texts[0]), blocks(&texts[1]), "{template}");
            }
        }
    }

    #[test]
    fn who_opens_it_is_told_where_it_is_sealed() {
        for text in both("radicale", None, &["age1abc"]) {
            assert!(text.contains("`age1abc`") && text.contains("age --decrypt"), "{text}");
        }
        assert!(!both("radicale", None, &[])[0].contains("age --decrypt"));
    }
}
