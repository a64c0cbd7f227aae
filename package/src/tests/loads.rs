//! A dump is SQL and nothing else: what the clients of databases can be told beside it, no dump tells them, nor a name.

use commonscloud_api::OperationKind;

use super::operations::{Place, script, with_database};
use super::*;

/// As pg_dump writes it. A row may begin like a command: `\r` is how it writes one of the ends of a line.
const DUMP: &str = "BEGIN;\n--\n-- PostgreSQL database dump\n--\n\n\\restrict abc123\n\nCOPY public.t (a) FROM stdin;\n\
    \\restrict row\n\\.\n\\unrestrict abc12\n\n\\unrestrict abc123\n\nCOMMIT;\nSELECT 'whole';\n";

/// Keeps how it was called, and answers as the engines do.
const CLIENT: &str = r#"
printf '%s\n' "$*" >>"$SAID"
case "$*" in
*COUNT*|*count*) echo 0; exit ;;
*--raw*) cat >/dev/null; echo 'SELECT 1;'; exit ;;
*'SELECT 1'*) echo 1; exit ;;
esac
"#;

fn with_client(client: &str, reads: &str) -> Place {
    let place = Place::new();
    let [said, told] = ["said", "told"].map(|name| place.at(name).display().to_string());
    place.program(client, &format!("SAID={said}\nTOLD={told}\n{CLIENT}\n{reads}"));
    place
}

fn of(client: &str) -> Vec<ServiceTemplate> {
    let of_it: Vec<_> = with_database().filter(|of| script(of, "load").unwrap().contains(client)).collect();
    assert_eq!(of_it.len(), if client == "psql" { 3 } else { 2 }, "{client}");
    of_it
}

#[test]
fn psql_is_held_to_sql_by_a_word_that_no_dump_knows() {
    for template in of("psql") {
        let mut words = Vec::new();
        for _ in 0..2 {
            let place = with_client("psql", "cat >\"$TOLD\"; echo whole");
            assert_eq!(place.run(&template, OperationKind::Load, DUMP), (0, String::new(), String::new()));
            let told = place.read("told");
            let (first, rest) = told.split_once('\n').unwrap();
            let word = first.strip_prefix("\\restrict ").unwrap_or_else(|| panic!("{told}"));
            assert!(word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit()), "{word}");
            // Its own is left out, by which psql would refuse it; rows and what only looks like it are as they were.
            let left = DUMP.replacen("\\restrict abc123\n", "", 1).replacen("\\unrestrict abc123\n", "", 1);
            assert_eq!(rest, left);
            words.push(word.to_owned());
        }
        assert_ne!(words[0], words[1]);
    }
}

#[test]
fn a_psql_that_cannot_be_held_to_sql_loads_nothing_and_says_why() {
    for template in of("psql") {
        let place = with_client("psql", "cat >/dev/null; echo 'invalid command \\restrict' >&2; exit 3");
        let (code, _, said) = place.run(&template, OperationKind::Load, DUMP);
        assert!(code == 1 && said.contains("psql of this image has no \\restrict"), "{said}");
    }
}

#[test]
fn mariadb_takes_no_command_of_its_own_from_what_it_reads() {
    for template in of("mariadb") {
        for kind in [OperationKind::Load, OperationKind::Verify] {
            let answers = if kind == OperationKind::Load { "whole" } else { "begun\npage\t1\t1\tabc" };
            let place = with_client("mariadb", &format!("cat >/dev/null; echo '{answers}'"));
            let (code, _, said) = place.run(&template, kind, DUMP);
            assert_eq!(code, 0, "{kind}: {said}");
            let calls = place.read("said");
            for call in calls.lines().filter(|call| call.contains("--host")) {
                assert!(call.contains("--binary-mode --local-infile=0"), "{kind}: {call}");
            }
            assert!(calls.lines().count() > 2, "{kind}: {calls}");
        }
    }
}
