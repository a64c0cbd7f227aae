use test_case::test_case;

use super::*;

const CONFIG: &str = "<?php\n$CONFIG = array (\n  'instanceid' => 'oc1',\n  'passwordsalt' => 'salt',\n  'secret' => \
    'hunter2',\n  'trusted_domains' => \n  array (\n    0 => 'localhost',\n  ),\n  'datadirectory' => '/srv/l\\'hort/',\n  \
    'dbtype' => 'pgsql',\n  'version' => '33.0.8.1',\n  'dbtableprefix' => 'oc_',\n  'dbpassword' => 'd',\n  \
    'skeletondirectory' => '/srv/skeleton',\n  'installed' => true,\n);\n";
const SQL: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict x\n\nSET transaction_timeout = 0;\nCREATE TABLE \
    public.oc_appconfig (\n    appid character varying(32)\n);\nCREATE TABLE public.oc_filecache (\n);\nCREATE TABLE \
    public.oc_storages (\n);\nCOPY public.oc_appconfig (appid, configkey, configvalue, type, lazy) FROM \
    stdin;\ncore\tencryption_enabled\tno\t2\t1\ncore\tx\tALTER TABLE x OWNER TO y\t2\t0\n\\.\nCOPY public.oc_filecache \
    (fileid, path, encrypted) FROM stdin;\n1\tfiles\t0\n\\.\nCOPY public.oc_storages (numeric_id, id) FROM \
    stdin;\n1\thome::anna\n2\tlocal::/srv/l'hort/\n\\.\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict x\n\n";

/// A folder of a Nextcloud.
fn office() -> tempfile::TempDir {
    let at = tempfile::tempdir().unwrap();
    for folder in ["config", "files/data/files/anna/files"] {
        std::fs::create_dir_all(at.path().join(folder)).unwrap();
    }
    for (file, text) in [
        (SETTINGS, CONFIG),
        (DUMP, SQL),
        ("files/data/files/.ncdata", "# x\n"),
        ("files/data/files/anna/files/acta.txt", "acta"),
    ] {
        std::fs::write(at.path().join(file), text).unwrap();
    }
    at
}

/// Why a folder in which one file is another is not taken.
fn refusal(file: &str, text: &str) -> String {
    let at = office();
    std::fs::write(at.path().join(file), text).unwrap();
    read(at.path()).unwrap_err()
}

#[test]
fn a_nextcloud_is_its_files_its_dump_and_what_both_are_known_by() {
    let at = office();
    let brought = read(at.path()).unwrap();
    assert_eq!((brought.template.as_str(), brought.application.as_str()), ("office", "33.0.8"));
    let trees: Vec<_> = brought.trees.iter().map(|tree| (tree.volume.as_str(), tree.bytes)).collect();
    assert_eq!(trees, [("data", 8), ("app", 0)]);
    assert!(matches!(brought.trees[1].from, TreeFrom::LastBackup) && brought.state.is_none());
    let nextcloud = brought.nextcloud.as_ref().unwrap();
    let expected = [("instanceid", "oc1"), ("passwordsalt", "salt"), ("secret", "hunter2"), ("version", "33.0.8.1")];
    assert_eq!(nextcloud.identity, expected.map(|(key, value)| (key, value.to_owned())));
    assert_eq!(nextcloud.left, ["skeletondirectory"]);
    assert!(!format!("{brought:?}").contains("hunter2"), "it is a secret");
    let Some(Content::Postgres { correction, .. }) = &brought.dump else { panic!("{:?}", brought.dump) };
    let expected = "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\nUPDATE public.oc_storages \
        SET id = 'local::/data/files/' WHERE id IN ('local::/srv/l''hort/', md5('local::/srv/l''hort/'));";
    assert_eq!(correction, expected);
}

#[test]
fn a_fingerprint_that_clients_know_comes_along() {
    let at = office();
    let config = CONFIG.replace("  'installed'", "  'data-fingerprint' => 'f',\n  'installed'");
    std::fs::write(at.path().join(SETTINGS), config).unwrap();
    let nextcloud = read(at.path()).unwrap().nextcloud.unwrap();
    assert_eq!(nextcloud.identity.last(), Some(&("data-fingerprint", "f".to_owned())));
    assert!(nextcloud.told().iter().any(|line| line.ends_with("not come along: skeletondirectory")));
}

#[test_case("'pgsql'", "'mysql'", "db:convert-type"; "a database of MySQL")]
#[test_case("'pgsql'", "'sqlite3'", "db:convert-type"; "a database of SQLite")]
#[test_case("'oc_'", "'nc_'", "\"nc_\""; "another prefix")]
#[test_case("'oc_'", "''", "no prefix"; "no prefix")]
#[test_case("'33.0.8.1'", "'33'", "34.0.1.2 is expected"; "half a version")]
#[test_case("'33.0.8.1'", "'33.0.8.x'", "34.0.1.2 is expected"; "a version that is none")]
#[test_case("  'secret' => 'hunter2',\n", "", "no secret"; "without its secret")]
#[test_case("'salt'", "''", "no passwordsalt"; "an empty salt")]
#[test_case("'oc1'", "array ()", "no instanceid"; "a list for a text")]
#[test_case("  'datadirectory'", "  'x'", "no datadirectory"; "nobody knows where its data was")]
#[test_case("  'installed'", "  'objectstore' => array (),\n  'installed'", "objectstore"; "object storage")]
#[test_case("'hunter2'", "\"hunter2\"", "line 5"; "PHP that is not read")]
fn settings_that_the_package_cannot_take_are_refused(from: &str, to: &str, told: &str) {
    let why = refusal(SETTINGS, &CONFIG.replacen(from, to, 1));
    assert!(why.contains(told) && why.contains("moving-in.md") && !why.contains("hunter2"), "{why}");
}

#[test_case("", "", "no dump of PostgreSQL"; "nothing")]
#[test_case("PGDMP", "", "pg_dump's own format"; "the custom format")]
#[test_case("-- MariaDB dump 10.19", "", "db:convert-type"; "a dump of MariaDB")]
#[test_case("--\n-- PostgreSQL database cluster dump\n", SQL, "pg_dumpall"; "all databases")]
#[test_case("-- PostgreSQL database dump\nCREATE ROLE anna;\n", SQL, "roles"; "roles")]
#[test_case("-- PostgreSQL database dump\n\\connect x\n", SQL, "databases"; "another database")]
#[test_case("-- PostgreSQL database dump\nALTER TABLE public.x OWNER TO anna;\n", SQL, "--no-owner"; "of another role")]
#[test_case("-- PostgreSQL database dump\nGRANT ALL ON TABLE x TO anna;\n", SQL, "--no-privileges"; "rights")]
#[test_case("-- PostgreSQL database dump\nCOMMENT ON EXTENSION x IS 'y';\n", SQL, "--no-comments"; "comments")]
#[test_case("-- PostgreSQL database dump\nINSERT INTO public.x VALUES (1);\n", SQL, "--inserts"; "rows as statements")]
#[test_case("-- PostgreSQL database dump\n\\! reboot\n", SQL, "commands of psql"; "a command")]
#[test_case("-- PostgreSQL database dump\n  \\! reboot\n", SQL, "commands of psql"; "a command behind spaces")]
#[test_case("-- PostgreSQL database dump\nCOMMIT;\n", SQL, "all is loaded or nothing"; "an end of the transaction")]
#[test_case("-- PostgreSQL database dump\nCOPY public.x (y) FROM stdin;\n\\.\r\n", SQL, "Windows"; "an end of rows that psql alone sees")]
#[test_case(SQL, "DROP TABLE x;\n", "does not end"; "more behind its end")]
fn a_dump_that_the_package_cannot_take_is_refused(begin: &str, end: &str, told: &str) {
    let why = refusal(DUMP, &format!("{begin}{end}"));
    assert!(why.contains(told), "{why}");
}

#[test_case("encryption_enabled\tno", "encryption_enabled\tyes", "decrypt-all"; "encryption")]
#[test_case("1\tfiles\t0", "1\tfiles\t1", "decrypt-all"; "a file that is encrypted")]
#[test_case("local::/srv/l'hort/", "object::store:amazon::x", "object storage"; "object storage")]
#[test_case("TABLE public.oc_storages", "TABLE public.nc_storages", "no table public.oc_storages"; "another prefix")]
#[test_case("COPY public.oc_filecache (fileid, path, encrypted) FROM stdin;\n1\tfiles\t0\n\\.\n", "", "no rows of public.oc_filecache"; "tables without rows")]
#[test_case("dump complete", "dump", "cut off"; "half a dump")]
#[test_case("2\tlocal::/srv/l'hort/\n\\.\n", "", "cut off"; "half a table")]
fn what_is_in_a_dump_is_looked_at(from: &str, to: &str, told: &str) {
    let why = refusal(DUMP, &SQL.replacen(from, to, 1));
    assert!(why.contains(told), "{why}");
}

#[test]
fn a_line_that_is_very_long_is_read_to_its_end() {
    let long = format!("core\tx\t{}\t2\t0\ncore\tx\tALTER", "x".repeat(1 << 20));
    let at = office();
    std::fs::write(at.path().join(DUMP), SQL.replacen("core\tx\tALTER", &long, 1)).unwrap();
    assert!(read(at.path()).is_ok());
}

#[test_case(SETTINGS; "settings")]
#[test_case(DUMP; "the dump")]
#[test_case(DATA; "the data directory")]
#[test_case("files/data/files/.ncdata"; "what the data directory is known by")]
fn what_is_missing_is_named(missing: &str) {
    let at = office();
    let path = at.path().join(missing);
    if path.is_dir() {
        std::fs::remove_dir_all(path).unwrap();
    } else {
        std::fs::remove_file(path).unwrap();
    }
    let why = read(at.path()).unwrap_err();
    assert!(why.contains(missing.trim_end_matches("/.ncdata")), "{why}");
}

#[test_case(SETTINGS, "is a link"; "settings")]
#[test_case("config", "no file"; "the folder of settings")]
#[test_case(DATA, "no folder"; "the data directory")]
#[test_case("files/data/files/anna", "is a link"; "a person's folder")]
#[test_case("files/data/files/anna/files/acta.txt", "is a link"; "a file")]
fn links_are_not_followed(path: &str, told: &str) {
    let (at, elsewhere) = (office(), tempfile::tempdir().unwrap());
    let (path, moved) = (at.path().join(path), elsewhere.path().join("moved"));
    std::fs::rename(&path, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &path).unwrap();
    let why = read(at.path()).unwrap_err();
    assert!(why.contains(told), "{why}");
}

#[test]
fn settings_are_short_and_texts() {
    let huge = format!("{CONFIG}{}", "\n".repeat(1 << 20));
    assert!(refusal(SETTINGS, &huge).contains("longer than"));
    let at = office();
    std::fs::write(at.path().join(SETTINGS), b"<?php\n\xff").unwrap();
    assert!(read(at.path()).unwrap_err().contains("UTF-8"));
}

#[test]
fn beside_the_data_directory_nothing_is_brought() {
    let at = office();
    let other = at.path().join("files/data/.installing");
    std::fs::write(&other, "x").unwrap();
    let why = read(at.path()).unwrap_err();
    assert!(why.contains("files/data/.installing") && why.contains("nothing is brought"), "{why}");
    std::fs::remove_file(&other).unwrap();
    std::fs::create_dir(&other).unwrap();
    assert!(read(at.path()).unwrap_err().contains(".installing"), "a folder is a mark as well");
    std::fs::rename(&other, at.path().join("files/data/lost+found")).unwrap();
    assert!(read(at.path()).is_ok());
}

#[test]
fn what_people_wrote_does_nothing_to_a_terminal() {
    let at = office();
    std::fs::write(at.path().join(SETTINGS), CONFIG.replace("skeletondirectory", "\u{1b}[2Jx")).unwrap();
    let nextcloud = read(at.path()).unwrap().nextcloud.unwrap();
    assert!(!nextcloud.told().iter().any(|line| line.contains(char::is_control)));
    assert!(!refusal(SETTINGS, &CONFIG.replace("'pgsql'", "'\u{1b}[2J'")).contains(char::is_control));
    std::os::unix::fs::symlink("/", at.path().join("files/data/files/\u{1b}[2J")).unwrap();
    let why = read(at.path()).unwrap_err();
    assert!(why.contains("is a link") && !why.contains(char::is_control), "{why}");
}

#[test]
fn nextcloud_itself_is_not_brought() {
    let at = office();
    std::fs::create_dir(at.path().join("files/app")).unwrap();
    assert!(read(at.path()).unwrap_err().contains("the volume data alone"));
}

#[test_case("34.0.1", "34.0.1", true; "the same")]
#[test_case("34.0.0", "34.0.1", true; "an earlier patch")]
#[test_case("34.0.2", "34.0.1", false; "a later patch")]
#[test_case("33.9.9", "34.0.1", true; "the major version before")]
#[test_case("32.0.9", "34.0.1", false; "two before")]
#[test_case("35.0.0", "34.0.1", false; "the one behind")]
#[test_case("34.0.2", "34", true; "a package that names the beginning alone")]
#[test_case("x", "34", false; "no version")]
fn nextcloud_goes_up_by_one_major_version(own: &str, package: &str, expected: bool) {
    assert_eq!(is_upgradable(own, package), expected);
}
