//! Lists as they are printed: a table for people, JSON for programs, CSV for spreadsheets.

use commonscloud_cluster::command::Failure;
use csv::{Terminator, WriterBuilder};
use serde::Serialize;

use super::words::plain;
use crate::status::aligned;

/// In which form a list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Form {
    /// For people.
    #[default]
    Table,
    /// One JSON document, for programs.
    Json,
    /// RFC 4180, for spreadsheets.
    Csv,
}

/// One line of a list.
pub(super) trait Listed: Serialize {
    /// The names of its columns.
    const COLUMNS: &'static [&'static str];
    /// How many of them, from the first on, a table for people has.
    const IN_TABLE: usize;

    /// What stands in the columns; empty for what is not known or does not hold.
    fn cells(&self) -> Vec<String>;
}

/// A list in this form.
///
/// # Errors
/// When it cannot be written so.
pub(super) fn shown<L: Listed>(list: &[L], form: Form) -> Result<String, Failure> {
    match form {
        Form::Table => Ok(table(list).trim_end().to_owned()),
        Form::Json => Ok(serde_json::to_string_pretty(list)?),
        Form::Csv => Ok(separated(list)?.trim_end_matches("\r\n").to_owned()),
    }
}

fn table<L: Listed>(list: &[L]) -> String {
    let titles = L::COLUMNS.iter().take(L::IN_TABLE).map(|title| title.to_uppercase()).collect();
    let row = |line: &L| {
        let cells = line.cells().into_iter().take(L::IN_TABLE);
        cells.map(|cell| if cell.is_empty() { "-".to_owned() } else { plain(&cell) }).collect()
    };
    let rows: Vec<Vec<String>> = std::iter::once(titles).chain(list.iter().map(row)).collect();
    aligned(&rows)
}

fn separated<L: Listed>(list: &[L]) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(&mut bytes);
    writer.write_record(L::COLUMNS)?;
    for line in list {
        writer.write_record(line.cells().iter().map(|cell| neutral(cell)))?;
    }
    writer.flush()?;
    drop(writer);
    Ok(String::from_utf8(bytes)?)
}

/// With what a cell begins that a spreadsheet computes.
const COMPUTED: &[char] = &['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// Whether a spreadsheet would compute a cell, or a mark of ours stands before what it would.
fn is_computed(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(COMPUTED)
}

/// A cell that a spreadsheet shows and does not compute.
pub(super) fn neutral(cell: &str) -> String {
    if is_computed(cell) { format!("'{cell}") } else { cell.to_owned() }
}

/// A cell as it was before [`neutral`].
pub(super) fn original(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|_| is_computed(cell)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Line {
        name: &'static str,
        note: &'static str,
    }

    impl Listed for Line {
        const COLUMNS: &'static [&'static str] = &["name", "note"];
        const IN_TABLE: usize = 1;

        fn cells(&self) -> Vec<String> {
            vec![self.name.to_owned(), self.note.to_owned()]
        }
    }

    #[test]
    fn a_spreadsheet_computes_nothing_of_what_people_wrote() {
        for (cell, written) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("+34 600", "'+34 600"),
            ("-1", "'-1"),
            ("@anna", "'@anna"),
            ("＝1", "'＝1"),
            ("'=1", "''=1"),
            ("d'Anna", "d'Anna"),
            ("'t Hart", "'t Hart"),
            ("", ""),
        ] {
            assert_eq!(neutral(cell), written);
            assert_eq!(original(written), cell);
        }
    }

    #[test]
    fn quotes_commas_and_lines_stay_in_their_cells() {
        let list = [Line { name: "Anna \"la\" Puig, i més", note: "a\nb" }, Line { name: "=1", note: "" }];
        let text = shown(&list, Form::Csv).unwrap();
        assert_eq!(text, "name,note\r\n\"Anna \"\"la\"\" Puig, i més\",\"a\nb\"\r\n'=1,");
        assert_eq!(shown(&list[1..], Form::Table).unwrap(), "NAME\n=1");
        let json = shown(&list[1..], Form::Json).unwrap();
        assert!(json.contains("\"=1\"") && json.contains("\"note\""), "{json}");
        assert_eq!(shown::<Line>(&[], Form::Json).unwrap(), "[]");
        assert_eq!(shown::<Line>(&[], Form::Csv).unwrap(), "name,note");
    }
}
