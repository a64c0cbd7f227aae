use test_case::test_case;

use super::*;

const WIKI: &str = "-- MariaDB dump 10.19  Distrib 10.11.14-MariaDB\nCREATE TABLE `page` (\n  `page_id` int\n);\n\
    INSERT INTO `page` VALUES (1,'USE `x`');\n-- Dump completed on 2026-11-30  1:02:03\n";

/// A folder of a MediaWiki.
fn wiki(dump: &str) -> tempfile::TempDir {
    let at = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(at.path().join("files/data/images/a/ab")).unwrap();
    std::fs::write(at.path().join("files/data/images/a/ab/Acta.txt"), "acta").unwrap();
    std::fs::write(at.path().join(VERSION), "MediaWiki version: 1.39.13 LTS (built: 22:51)\nPHP version: 8.2\n")
        .unwrap();
    std::fs::write(at.path().join(DUMP), dump).unwrap();
    at
}

#[test]
fn a_wiki_is_its_dump_its_images_and_its_version() {
    let at = wiki(WIKI);
    let brought = read(at.path(), "mediawiki").unwrap();
    assert_eq!(brought.application, "1.39.13");
    assert_eq!((brought.trees.len(), brought.trees[0].volume.as_str(), brought.trees[0].bytes), (1, "data", 4));
    assert!(brought.dump.is_some() && brought.state.is_none() && brought.revisions.is_none());
    assert_eq!(brought.fingerprint, read(at.path(), "mediawiki").unwrap().fingerprint, "the same goes on");
    std::fs::write(at.path().join("files/data/images/Altra.txt"), "x").unwrap();
    assert_ne!(brought.fingerprint, read(at.path(), "mediawiki").unwrap().fingerprint);
}

#[test_case("SQLite format 3", "no dump of mariadb-dump"; "a database of SQLite")]
#[test_case("-- PostgreSQL database dump\n-- Dump completed", "no dump of mariadb-dump"; "a dump of PostgreSQL")]
#[test_case("", "no dump of mariadb-dump"; "nothing")]
#[test_case(WIKI.split_at(WIKI.len() - 50).0, "cut off"; "half a dump")]
#[test_case(&WIKI.replacen("CREATE TABLE", "USE `wiki`;\nCREATE TABLE", 1), "without --databases"; "with a database's name")]
#[test_case(&WIKI.replace("CREATE TABLE `page`", "CREATE TABLE `mw_revision` (\n);\nCREATE TABLE `mw_page`"), "mw_"; "with a prefix")]
#[test_case(&WIKI.replace("CREATE TABLE `page`", "CREATE TABLE `wp_posts`"), "no table page"; "of something else")]
fn a_dump_that_the_package_cannot_take_is_refused(dump: &str, told: &str) {
    let error = read(wiki(dump).path(), "mediawiki").unwrap_err();
    assert!(error.contains(told) && error.contains("moving-in.md"), "{error}");
}

#[test]
fn what_is_missing_is_named() {
    for missing in [VERSION, DUMP, "files/data/images"] {
        let at = wiki(WIKI);
        let path = at.path().join(missing);
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
        let error = read(at.path(), "mediawiki").unwrap_err();
        assert!(error.contains(missing), "{error}");
    }
}

#[test]
fn calendars_have_no_database() {
    let at = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(at.path().join("files/data/collections/collection-root/anna")).unwrap();
    std::fs::write(at.path().join(VERSION), "3.1.8\n").unwrap();
    let brought = read(at.path(), "radicale").unwrap();
    assert!(brought.application == "3.1.8" && brought.dump.is_none());
    std::fs::write(at.path().join(DUMP), WIKI).unwrap();
    assert!(read(at.path(), "radicale").unwrap_err().contains("no database"));
}

#[test]
fn what_has_no_layout_is_refused_with_the_reason() {
    let at = wiki(WIKI);
    assert!(read(at.path(), "office").unwrap_err().contains("config/config.php"), "it is no Nextcloud's");
    assert!(read(at.path(), "agora").unwrap_err().contains("no plain layout"));
}

#[test]
fn a_link_is_no_volume() {
    let at = wiki(WIKI);
    std::os::unix::fs::symlink("/etc", at.path().join("files/app")).unwrap();
    assert!(read(at.path(), "mediawiki").unwrap_err().contains("\"app\" is no folder"));
}

#[test_case(DUMP, |from, to| std::os::unix::fs::symlink(from, to).unwrap(), "is a link"; "a link to the dump")]
#[test_case(DUMP, |from, to| std::fs::hard_link(from, to).unwrap(), "hard link"; "a hard link to the dump")]
#[test_case(DUMP, |_, to| std::fs::create_dir(to).unwrap(), "no file"; "a folder for the dump")]
#[test_case(VERSION, |from, to| std::os::unix::fs::symlink(from, to).unwrap(), "is a link"; "a link to the version")]
fn what_is_read_is_the_file_itself(name: &str, put: fn(&Path, &Path), told: &str) {
    let at = wiki(WIKI);
    let (here, elsewhere) = (at.path().join(name), at.path().join("files/data/images/elsewhere"));
    std::fs::rename(&here, &elsewhere).unwrap();
    put(&elsewhere, &here);
    let error = read(at.path(), "mediawiki").unwrap_err();
    assert!(error.contains(&*here.to_string_lossy()) && error.contains(told), "{error}");
}

#[test]
fn a_name_of_a_volume_does_nothing_to_a_terminal_or_a_tag() {
    for name in ["a\n\u{1b}[2J", "a,run:x", "Data"] {
        let at = wiki(WIKI);
        std::fs::create_dir(at.path().join("files").join(name)).unwrap();
        let error = read(at.path(), "mediawiki").unwrap_err();
        assert!(error.contains("no name of a volume") && !error.contains(char::is_control), "{error:?}");
    }
}

#[test]
fn a_line_as_long_as_anybody_likes_takes_no_memory() {
    let mut dump = BufReader::new(io::repeat(b'x').take(64 << 20).chain(&b"\n-- Dump completed"[..]));
    let mut line = Vec::new();
    assert!(next_line(&mut dump, BEGINNING, &mut line).unwrap());
    assert!(line.len() == BEGINNING && line.capacity() < 1 << 20, "{}", line.capacity());
    assert!(next_line(&mut dump, BEGINNING, &mut line).unwrap() && line == b"-- Dump completed");
    assert!(!next_line(&mut dump, BEGINNING, &mut line).unwrap());
}

#[test]
fn a_wrong_folder_is_told_as_one() {
    let at = tempfile::tempdir().unwrap();
    let error = read(at.path(), "mediawiki").unwrap_err();
    assert!(error.contains("version.txt") && error.contains("no exit package"), "{error}");
    assert!(read(at.path(), "office").unwrap_err().contains("no exit package"));
}

#[test_case("files/data/images"; "the last folder")]
#[test_case("files/data"; "one above")]
#[test_case("files"; "the first")]
fn what_a_link_leads_to_is_not_left_behind_unseen(path: &str) {
    let (at, elsewhere) = (wiki(WIKI), tempfile::tempdir().unwrap());
    let (path, moved) = (at.path().join(path), elsewhere.path().join("moved"));
    std::fs::rename(&path, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &path).unwrap();
    let error = read(at.path(), "mediawiki").unwrap_err();
    assert!(error.contains(&format!("{}: it is no folder", path.display())), "{error}");
}

#[test_case("MediaWiki version: 1.39.13 LTS", "1.39.13"; "of MediaWiki")]
#[test_case("3.1.8\n", "3.1.8"; "of Radicale")]
#[test_case("v3.", "3"; "one number")]
fn a_version_is_the_first_number(text: &str, expected: &str) {
    assert_eq!(version(text.as_bytes()).unwrap(), expected);
    assert_eq!(version(b"none"), None);
}
