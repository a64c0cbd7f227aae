//! Operations of the packages that are shipped: what they declare keeps to the rules, and their scripts, run as
//! their Jobs run them on folders of this machine with stand-ins for the programs of the images, end with an error
//! when they did half. On real databases: `cluster/tests/images/operations.rs`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::json;

use super::*;
use crate::engine::typed;
use crate::operation::{Run, RunOwner, file_places, operation_objects, operations_for};
use crate::security::pods;
use commonscloud_api::OperationKind;

/// The packages that are shipped, each with the revisions of it that were installed before it had operations, the
/// last one and that of commit 98b1c24.
fn shipped() -> [(ServiceTemplate, &'static [&'static str]); 6] {
    [
        (named("office"), &["office-23db678cef", "office-0c1bd91568"]),
        (named("agora"), &["agora-922c45e220", "agora-0f82027567"]),
        (named("projects"), &["projects-6d0b55cd7b", "projects-bc044d0c38"]),
        (example("mediawiki.yaml"), &["mediawiki-4c19f7171b", "mediawiki-1f9134ec70"]),
        (radicale(), &["radicale-bb2c9b9432", "radicale-f90116f4de"]),
        (named("keycloak"), &[]),
    ]
}

/// Those with a database.
pub(super) fn with_database() -> impl Iterator<Item = ServiceTemplate> {
    shipped().into_iter().map(|(template, _)| template).filter(|template| script(template, "dump").is_some())
}

pub(super) fn script(template: &ServiceTemplate, operation: &str) -> Option<String> {
    let file = template.spec.files.iter().find(|file| file.name == operation)?;
    Some(file.content.clone())
}

#[test]
fn every_package_can_be_backed_up_and_its_jobs_break_no_rule() {
    for (template, _) in shipped() {
        let package = compiled(&template);
        let source = package.operations().unwrap_or_else(|| panic!("{} has no operations", package.name()));
        let parameters = package.validate_parameters(&json!({})).unwrap();
        let plan = sample::plan(&package, &package.versions()[0], parameters, Surroundings::Full).unwrap();
        let objects = render(&plan).unwrap().objects;
        let has_files = !file_places(&plan, &objects, &source).unwrap().is_empty();
        assert!(has_files || !source.operations.dumped.is_empty(), "{}", package.name());
        let owner = RunOwner { kind: "ServiceBackup".into(), name: "sample-1".into(), uid: "u-1".into() };
        let run = Run { name: "sample-run".into(), owner, beside_pods: true, ..Run::default() };
        for (kind, _) in source.operations.all() {
            for object in operation_objects(&plan, &objects, &source, &[kind], &run).unwrap() {
                assert_eq!(typed::check(&object.kind, &object.value), [], "{} {kind}", package.name());
                assert_eq!(pods::problems(&plan, &object), [], "{} {kind}", package.name());
            }
        }
    }
}

#[test]
fn instances_of_before_are_backed_up_by_what_came_later() {
    for (template, before) in shipped() {
        let operations = template.spec.operations.clone().unwrap();
        assert_eq!(operations.compatible_revisions, before);
        let mut old = template.clone();
        old.spec.operations = None;
        old.spec.files.retain(|file| OperationKind::ALL.iter().all(|kind| kind.as_str() != file.name));
        // Their rendered objects are the same: a new revision restarts nothing.
        let objects = |template: &ServiceTemplate| {
            let package = compiled(template);
            let example = package.validate_parameters(&json!({})).unwrap();
            let mut plan = sample::plan(&package, &package.versions()[0], example, Surroundings::Full).unwrap();
            plan.revision = "REVISION".to_owned();
            render(&plan).unwrap().objects
        };
        assert_eq!(objects(&old), objects(&template), "{:?}", template.metadata.name);
        // As if what is here without operations had been installed once, and so stood in the list.
        let old = compiled(&old);
        let mut new = template.clone();
        new.spec.operations.as_mut().unwrap().compatible_revisions = vec![old.revision_name()];
        let new = compiled(&new);
        assert_eq!(operations_for(&old, [&new]).unwrap().revision(), new.revision_name());
    }
}

#[test]
fn packages_with_one_engine_have_one_text() {
    for operation in ["dump", "load", "verify"] {
        let texts = ["office", "agora", "keycloak"].map(|name| script(&named(name), operation).unwrap());
        assert!(texts.iter().all(|text| *text == texts[0]), "{operation}");
    }
}

/// A place for a script: its paths lead here, and programs are found here first.
pub(super) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["bin", "tmp", "data/images", "html/config"] {
            std::fs::create_dir_all(place.at(folder)).unwrap();
        }
        for secret in ["db/username", "db/password", "redis/password"] {
            place.write(&format!("secrets/{secret}"), "pa'ss \"w\\ord\" $x`");
        }
        place.program("pg_isready", "");
        place
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        std::fs::write(self.at(path), text).unwrap();
    }

    pub(super) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap_or_default()
    }

    /// A program of the image.
    pub(super) fn program(&self, name: &str, text: &str) {
        self.write(&format!("bin/{name}"), &format!("#!/bin/bash\n{text}\n"));
        std::fs::set_permissions(self.at(&format!("bin/{name}")), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs an operation as its Job does: its exit code, its output, and what it said.
    pub(super) fn run(&self, template: &ServiceTemplate, kind: OperationKind, input: &str) -> (i32, String, String) {
        let operation = template.spec.operations.as_ref().unwrap().get(kind).unwrap();
        let mut text = script(template, kind.as_str()).unwrap();
        // This folder may lie below /tmp.
        for folder in ["/tmp/", "/secrets/", "/data/"] {
            text = text.replace(folder, &format!("{}{folder}", self.folder.path().display()));
        }
        text = text.replace("/var/www/html", &self.at("html").display().to_string());
        self.write("input", input);
        let path = format!("{}:{}", self.at("bin").display(), std::env::var("PATH").unwrap());
        let output = Command::new(&operation.interpreter[0])
            .args(&operation.interpreter[1..])
            .arg(text)
            .env("PATH", path)
            .env("INSTANCE", "sample")
            .env("BEGUN", self.at("begun"))
            .stdin(Stdio::from(std::fs::File::open(self.at("input")).unwrap()))
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }
}

/// What a client of either engine is asked, answered as the engines do.
const CLIENT: &str = r#"
case "$*" in
*COUNT*|*count*) echo "${TABLES:-0}"; exit ;;
*'SELECT 1'*) echo 1; exit ;;
*schema_name*) echo phorge_user; exit ;;
*table_schema*) exit ;;
esac
cat >"$TOLD"
[ -z "$FAILS" ] || { echo "INSERT INTO people VALUES ('anna')" >&2; echo 'ERROR 1064: not like that' >&2; exit 1; }
grep -qx "SELECT 'whole';" "$TOLD" && echo whole
exit 0
"#;

const WHOLE: &str = "INSERT INTO people VALUES ('anna');\nSELECT 'whole';\n";

fn with_clients(settings: &str) -> Place {
    let place = Place::new();
    for client in ["mariadb", "psql"] {
        place.program(client, &format!("TOLD={}\n{settings}\n{CLIENT}", place.at("told").display()));
    }
    place
}

#[test]
fn a_dump_that_ends_half_way_is_an_error_and_not_taken_for_a_whole_one() {
    for template in with_database() {
        let name = template.metadata.name.clone().unwrap();
        for (ends, code) in [("exit 0", 0), ("exit 2", 2), ("kill -9 $$", 137)] {
            let place = with_clients("");
            for program in ["mariadb-dump", "pg_dump"] {
                let said = "echo '-- a dump'; echo '-- Table structure for table `page`'; echo '(1,''it\\''s'');'";
                place.program(program, &format!("{said}; {ends}"));
            }
            let (found, output, said) = place.run(&template, OperationKind::Dump, "");
            assert_eq!(found, code, "{name}: {said}");
            assert_eq!(output.ends_with("SELECT 'whole';\n"), code == 0, "{name}: {output}");
            assert!(output.contains("-- a dump\n-- Table structure for table `page`\n(1,"), "{name}: {output}");
            assert!(place.at("begun").exists(), "{name}: it says when people may write again");
        }
        // It never came to be of one moment.
        let place = with_clients("");
        for program in ["mariadb-dump", "pg_dump"] {
            place.program(program, "echo 'no server' >&2; exit 1");
        }
        let (code, output, _) = place.run(&template, OperationKind::Dump, "");
        assert!(code != 0 && !output.contains("whole"), "{name}: {output}");
        assert!(!place.at("begun").exists(), "{name}");
    }
}

#[test]
fn what_is_loaded_is_whole_and_into_nothing() {
    for template in with_database() {
        let name = template.metadata.name.clone().unwrap();
        let load = |settings: &str, input: &str| with_clients(settings).run(&template, OperationKind::Load, input);
        assert_eq!(load("", WHOLE), (0, String::new(), String::new()), "{name}");
        let (code, _, said) = load("", WHOLE.lines().next().unwrap());
        assert!(code == 1 && said.contains("the dump is cut off"), "{name}: {said}");
        let (code, _, said) = load("TABLES=3", WHOLE);
        assert!(code == 1 && said.contains("3 tables") && said.contains("nothing is overwritten"), "{name}: {said}");
        // The status shows it: why, and nothing of what people wrote.
        let (code, _, said) = load("FAILS=1", WHOLE);
        assert!(code == 1 && said.contains("1064: not like that") && !said.contains("anna"), "{name}: {said}");
    }
}

#[test]
fn a_state_that_ends_half_way_is_an_error() {
    for template in with_database() {
        let name = template.metadata.name.clone().unwrap();
        let place = Place::new();
        for client in ["mariadb", "psql"] {
            // The questions first; then some of the answers.
            place.program(client, "case \"$*\" in *--raw*) cat >/dev/null; echo 'SELECT 1;'; exit ;; *'SELECT 1'*) exit ;; esac\necho begun; printf 'page\\t1\\t1\\tabc\\n'; exit 2");
        }
        let (code, _, said) = place.run(&template, OperationKind::Verify, "");
        assert_eq!(code, 2, "{name}: {said}");
    }
}

/// As some networks do until the policy of a new pod is in force.
#[test]
fn a_network_that_refuses_at_first_is_waited_for() {
    let answers = "case \"$*\" in *--raw*) cat >/dev/null; echo 'SELECT 1;'; exit ;; *'SELECT 1'* | *engine*) exit ;;\n\
        *schema_name*) echo phorge_user; exit ;; *table_schema*) exit ;; esac\n\
        cat >/dev/null; echo begun; printf 'page\\t1\\t1\\tabc\\n'";
    for template in with_database() {
        for kind in [OperationKind::Dump, OperationKind::Verify] {
            let place = Place::new();
            let tries = place.at("tries").display().to_string();
            let refuses = format!("[ -e {tries}.2 ] || {{ [ ! -e {tries} ] || : >{tries}.2; : >{tries}; exit 1; }}");
            for program in ["mariadb", "psql", "pg_isready", "mariadb-dump", "pg_dump"] {
                place.program(program, &format!("{refuses}\n{answers}"));
            }
            place.program("sleep", "");
            let (code, output, said) = place.run(&template, kind, "");
            assert_eq!((code, said.as_str()), (0, ""), "{:?} {kind}: {output}", template.metadata.name);
            assert!(place.at("tries.2").exists());
        }
    }
}

#[test]
fn a_row_that_cannot_be_compared_is_an_error() {
    for template in with_database().filter(|template| script(template, "verify").unwrap().contains("mariadb")) {
        let place = Place::new();
        let answers =
            "case \"$*\" in *--raw*) cat >/dev/null; echo 'SELECT 1;'; exit ;; esac\ncat >/dev/null; echo begun";
        place.program("mariadb", &format!("{answers}; printf 'user\\t2\\t2\\tff\\npage\\t9\\t9\\tee\\n'"));
        let (code, output, said) = place.run(&template, OperationKind::Verify, "");
        assert_eq!((code, output.as_str()), (0, "table page 9 ee\ntable user 2 ff\n"), "{said}");
        place.program("mariadb", &format!("{answers}; printf 'page\\t9\\t8\\tee\\n'"));
        let (code, _, said) = place.run(&template, OperationKind::Verify, "");
        assert!(code != 0 && said.contains("1 rows of page cannot be hashed"), "{said}");
    }
}

#[test]
fn a_wiki_is_quiet_until_it_is_not_and_a_lock_of_somebody_else_stays() {
    let wiki = example("mediawiki.yaml");
    let place = Place::new();
    place.program("php", "cat >/dev/null");
    place.program("sleep", "");
    let lock = "data/images/lock_yBgMBwiR";
    let run = |kind| place.run(&wiki, kind, "");
    assert_eq!(run(OperationKind::Unquiesce).0, 0, "nothing was quiet");
    for _ in 0..2 {
        assert_eq!(run(OperationKind::Quiesce), (0, String::new(), String::new()));
        assert!(place.read(lock).contains("being backed up"), "{}", place.read(lock));
    }
    for _ in 0..2 {
        assert_eq!(run(OperationKind::Unquiesce), (0, String::new(), String::new()));
        assert!(!place.at(lock).exists());
    }
    place.write(lock, "We are moving house.\n");
    assert_eq!((run(OperationKind::Quiesce).0, run(OperationKind::Unquiesce).0), (0, 0));
    assert_eq!(place.read(lock), "We are moving house.\n");
    // Killed while it wrote.
    std::fs::remove_file(place.at(lock)).unwrap();
    place.write(&format!("{lock}.new"), "The wiki");
    assert_eq!(run(OperationKind::Unquiesce).0, 0);
    assert_eq!(std::fs::read_dir(place.at("data/images")).unwrap().count(), 0);
    // A database that does not answer: whoever asked for quiet is told that it is not there.
    place.program("php", "cat >/dev/null; exit 1");
    assert_eq!(run(OperationKind::Quiesce).0, 1);
}

#[test]
fn an_office_is_quiet_until_it_is_not_and_maintenance_of_before_stays() {
    let office = named("office");
    let place = Place::new();
    let (file, config) = ("html/config/commonscloud_backup.config.php", "html/config/config.php");
    // In the place of PHP: what it says of maintenance, or what it does about it.
    let php = "case \"$*\" in\n*ob_end_clean*echo*) grep -q MAINTENANCE \"${@: -1}\" && echo on || echo off ;;\n\
        *var_export*) sed -i s/MAINTENANCE/none/ \"${@: -1}\" ;;\nesac";
    place.program("php", php);
    place.program("sleep", "");
    let run = |kind| place.run(&office, kind, "").0;
    assert_eq!(run(OperationKind::Quiesce), 1, "there is no configuration");
    assert_eq!(run(OperationKind::Unquiesce), 0);
    place.write(config, "<?php // none");
    for _ in 0..2 {
        assert_eq!(run(OperationKind::Quiesce), 0);
        assert!(
            place.read(file).ends_with("before it: off.\n$CONFIG = [\"maintenance\" => true];\n"),
            "{}",
            place.read(file)
        );
    }
    // Nextcloud wrote its own configuration meanwhile.
    place.write(config, "<?php // MAINTENANCE");
    for _ in 0..2 {
        assert_eq!(run(OperationKind::Unquiesce), 0);
        assert!(!place.at(file).exists() && !place.read(config).contains("MAINTENANCE"), "{}", place.read(config));
    }
    place.write(config, "<?php // MAINTENANCE");
    assert_eq!((run(OperationKind::Quiesce), run(OperationKind::Unquiesce)), (0, 0));
    assert!(place.read(config).contains("MAINTENANCE") && !place.at(file).exists(), "it is not this one's to end");
    // What fails is not over: the next run ends it.
    place.write(config, "<?php // none");
    assert_eq!(run(OperationKind::Quiesce), 0);
    place.write(config, "<?php // MAINTENANCE");
    place.program("php", "exit 1");
    assert_eq!(run(OperationKind::Unquiesce), 1);
    place.program("php", php);
    assert_eq!(run(OperationKind::Unquiesce), 0);
    assert!(!place.read(config).contains("MAINTENANCE"));
}

#[test]
fn a_table_that_no_transaction_covers_is_refused() {
    for template in with_database().filter(|template| script(template, "verify").unwrap().contains("mariadb")) {
        let place = with_clients("case \"$*\" in *engine*) echo 'note (MyISAM)'; exit ;; esac");
        place.program("mariadb-dump", "echo '-- a dump'");
        let (code, output, said) = place.run(&template, OperationKind::Dump, "");
        assert!(code == 1 && said.contains("note (MyISAM) is not of InnoDB"), "{said}");
        assert!(output.is_empty() && !place.at("begun").exists(), "{output}");
        // The same of one that is to be loaded alone.
        let mut template = template;
        let load = template.spec.files.iter_mut().find(|file| file.name == "load").unwrap();
        load.content.insert_str(0, "TABLE=phorge_notes.note\n");
        let (code, _, said) = place.run(&template, OperationKind::Load, WHOLE);
        assert!(code == 1 && said.contains("is of note (MyISAM), and not of InnoDB: nothing was changed"), "{said}");
        assert!(!place.at("told").exists());
    }
}

/// As much of Redis as is asked for: a file for each key.
const REDIS: &str = r#"
[ "$REDISCLI_AUTH" = "pa'ss \"w\\ord\" \$x\`" ] || { echo NOAUTH; exit 0; }
shift 2
case $1 in
SET) [ -e "$KEYS/$2" ] || { echo "$3" >"$KEYS/$2"; echo OK; } ;;
EXISTS) if [ -e "$KEYS/$2" ]; then echo 1; else echo 0; fi ;;
EVAL) if [ "$(cat "$KEYS/$4" 2>/dev/null)" = "$5" ]; then rm "$KEYS/$4"; echo 1; else echo 0; fi ;;
esac
"#;

#[test]
fn an_agora_is_quiet_until_it_is_not_and_what_somebody_else_set_stays() {
    let agora = named("agora");
    let place = Place::new();
    std::fs::create_dir(place.at("keys")).unwrap();
    place.program("redis-cli", &format!("KEYS={}\n{REDIS}", place.at("keys").display()));
    place.program("sleep", "");
    let keys = || std::fs::read_dir(place.at("keys")).unwrap().count();
    let run = |kind| place.run(&agora, kind, "").0;
    assert_eq!((run(OperationKind::Unquiesce), keys()), (0, 0));
    // A network may refuse at first.
    let redis = place.read("bin/redis-cli");
    place.program("redis-cli", &format!("rm \"$0.no\" 2>/dev/null && exit 1\n{redis}"));
    place.write("bin/redis-cli.no", "");
    assert_eq!((run(OperationKind::Quiesce), keys(), place.at("bin/redis-cli.no").exists()), (0, 2, false));
    assert_eq!((run(OperationKind::Unquiesce), keys()), (0, 0));
    assert_eq!((run(OperationKind::Quiesce), run(OperationKind::Quiesce), keys()), (0, 0, 2));
    assert_eq!((run(OperationKind::Unquiesce), run(OperationKind::Unquiesce), keys()), (0, 0, 0));
    place.write("keys/default:readonly_mode:user", "1\n");
    assert_eq!((run(OperationKind::Quiesce), run(OperationKind::Unquiesce), keys()), (0, 0, 1));
    // An answer that is an error is none.
    place.write("secrets/redis/password", "wrong");
    assert_eq!((run(OperationKind::Quiesce), run(OperationKind::Unquiesce)), (1, 1));
}
