//! Whether a dump of PostgreSQL is whole, of a Nextcloud whose files the package can serve, and loads into the database
//! of another role.

use std::collections::BTreeSet;
use std::io::{self, BufRead};

use commonscloud_backup::exit::Engine;

use crate::import::plain::next_line;

/// Of a line so much is looked at; of what people wrote some are very long.
const KEPT: usize = 64 << 10;
/// By so much of its beginning a dump is known.
const BEGINNING: usize = 4096;
const COMPLETE: &str = "-- PostgreSQL database dump complete";
const AGAIN: &str = "make it with pg_dump --no-owner --no-privileges --no-comments";
/// Where another database is Nextcloud's.
pub(super) const CONVERT: &str = "the package's database is PostgreSQL, and Nextcloud itself moves its own there: occ \
    db:convert-type --all-apps pgsql USER HOST DATABASE, where it is; then dump that one and copy config.php again";
/// What every Nextcloud has.
const TABLES: [&str; 3] = ["public.oc_appconfig", "public.oc_filecache", "public.oc_storages"];

/// Reads all of it.
///
/// # Errors
/// Why the package cannot take it, in words.
pub(super) fn check(mut dump: impl BufRead) -> Result<(), String> {
    let told = |error: io::Error| error.to_string();
    let beginning = dump.fill_buf().map_err(told)?;
    is_of_pg_dump(beginning.get(..BEGINNING).unwrap_or(beginning))?;
    let (mut seen, mut line) = (Seen::default(), Vec::new());
    while next_line(&mut dump, KEPT, &mut line).map_err(told)? {
        seen.line(&line)?;
    }
    seen.ended()
}

fn is_of_pg_dump(beginning: &[u8]) -> Result<(), String> {
    if beginning.starts_with(b"PGDMP") {
        return Err(format!("it is in pg_dump's own format, and SQL is taken: {AGAIN}, without --format"));
    }
    if String::from_utf8_lossy(beginning).contains("PostgreSQL database cluster dump") {
        return Err(format!("it is of all databases (pg_dumpall), and the one of Nextcloud is taken: {AGAIN}"));
    }
    match Engine::of(beginning) {
        Some(Engine::PostgreSQL) => Ok(()),
        Some(Engine::MariaDB) => Err(format!("it is a dump of MariaDB or MySQL; {CONVERT}")),
        None => Err(format!("it is no dump of PostgreSQL: {AGAIN}")),
    }
}

/// A column by which it is known that the package cannot serve the files.
struct Watched {
    table: &'static str,
    column: &'static str,
    /// Of a row, and its value in the column.
    refuses: fn(&[u8], &[u8]) -> bool,
    why: &'static str,
}

const ENCRYPTED: &str = "its files are encrypted on the server, and the package has no keys for them: occ \
    encryption:decrypt-all and occ encryption:disable, where it is";
static WATCHED: [Watched; 3] = [
    Watched {
        table: "public.oc_appconfig",
        column: "configvalue",
        refuses: |row, value| {
            let is_on = ["yes", "1", "true", "on"].iter().any(|on| value == on.as_bytes());
            is_on && fields(row).any(|field| field == b"encryption_enabled")
        },
        why: ENCRYPTED,
    },
    Watched {
        table: "public.oc_filecache",
        column: "encrypted",
        refuses: |_, value| value != b"0" && value != br"\N",
        why: ENCRYPTED,
    },
    Watched {
        table: "public.oc_storages",
        column: "id",
        refuses: |_, value| value.starts_with(b"object::"),
        why: super::OBJECTS,
    },
];

/// The values of a row, as COPY writes them.
fn fields(row: &[u8]) -> impl Iterator<Item = &[u8]> {
    row.split(|byte| *byte == b'\t')
}

/// What was read so far.
#[derive(Default)]
struct Seen {
    /// Of which table rows follow.
    rows: Option<Rows>,
    tables: BTreeSet<String>,
    /// The tables that rows came of, be it none.
    filled: BTreeSet<String>,
    is_complete: bool,
}

struct Rows {
    /// The column that is looked at, by its number.
    watched: Option<(usize, &'static Watched)>,
}

impl Seen {
    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        if let Some(rows) = &self.rows {
            if line == br"\." {
                self.rows = None;
                return Ok(());
            }
            // For psql rows end here, and what stands behind would not have been looked at.
            if line == b"\\.\r" {
                return Err(format!("its lines end as on Windows: {AGAIN}"));
            }
            return rows.row(line);
        }
        let text = String::from_utf8_lossy(line);
        if let Some(why) = refused(&text) {
            return Err(format!("{why}: {AGAIN}"));
        }
        self.rows = Rows::after(&text);
        let of = text.strip_prefix("COPY ").filter(|_| self.rows.is_some()).and_then(|rest| rest.split(' ').next());
        self.filled.extend(of.map(str::to_owned));
        let table = text.strip_prefix("CREATE TABLE ").and_then(|rest| rest.split(' ').next());
        self.tables.extend(table.map(str::to_owned));
        let is_end = text.is_empty() || text == "--" || text.starts_with("\\unrestrict ");
        self.is_complete = text == COMPLETE || (self.is_complete && is_end);
        Ok(())
    }

    fn ended(&self) -> Result<(), String> {
        if self.rows.is_some() || !self.is_complete {
            return Err(format!("it does not end with `{COMPLETE}`: it was cut off"));
        }
        if let Some(table) = TABLES.iter().find(|table| !self.tables.contains(**table)) {
            return Err(format!("it has no table {table}: no Nextcloud's, or not all of one"));
        }
        match TABLES.iter().find(|table| !self.filled.contains(**table)) {
            None => Ok(()),
            Some(table) => Err(format!("it has no rows of {table}, as with --schema-only: {AGAIN}")),
        }
    }
}

impl Rows {
    /// What follows a statement, where rows do.
    fn after(statement: &str) -> Option<Self> {
        let of = statement.strip_prefix("COPY ")?.strip_suffix(" FROM stdin;")?;
        let (table, columns) = of.split_once(" (").unwrap_or((of, ""));
        let mut columns = columns.trim_end_matches(')').split(", ");
        let watched = WATCHED.iter().find(|watched| watched.table == table);
        let column = watched.and_then(|watched| columns.position(|column| column == watched.column));
        Some(Self { watched: column.zip(watched) })
    }

    fn row(&self, row: &[u8]) -> Result<(), String> {
        let Some((column, watched)) = self.watched else { return Ok(()) };
        match fields(row).nth(column) {
            Some(value) if (watched.refuses)(row, value) => Err(watched.why.to_owned()),
            _ => Ok(()),
        }
    }
}

/// Why a statement does not do, where it does not.
fn refused(statement: &str) -> Option<&'static str> {
    let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| statement.starts_with(beginning));
    if begins(&["\\connect", "CREATE DATABASE", "CREATE ROLE", "CREATE USER", "ALTER ROLE", "ALTER DATABASE"]) {
        return Some("it makes databases or roles, and those of the package are there");
    }
    if begins(&["SET SESSION AUTHORIZATION"]) || (begins(&["ALTER "]) && statement.contains(" OWNER TO ")) {
        return Some("it gives tables to a role that the package's database does not have (OWNER TO)");
    }
    if begins(&["GRANT ", "REVOKE ", "ALTER DEFAULT PRIVILEGES"]) {
        return Some("it gives rights to roles that the package's database does not have");
    }
    if begins(&["COMMENT ON EXTENSION"]) {
        return Some("it has a comment on an extension, which only a superuser may make");
    }
    if begins(&["INSERT INTO "]) {
        return Some("it was made with --inserts, and rows of COPY are read");
    }
    if ["COMMIT;", "ROLLBACK;"].contains(&statement) {
        return Some(
            "it ends the transaction in which all is loaded or nothing, as with large objects, of which \
            Nextcloud has none (--no-blobs)",
        );
    }
    let is_other = statement.trim_start().starts_with('\\') && !begins(&["\\restrict ", "\\unrestrict "]);
    is_other.then_some("it has commands of psql that pg_dump does not write")
}
