//! A table of people, as a spreadsheet saves it: read whole, or refused with the place of each fault.

use std::collections::BTreeMap;

use csv::{ReaderBuilder, StringRecord};

use super::cells::original;
use super::words;

/// What the column of names may be called.
const NAME: &[&str] = &["name", "displayname", "nom", "nombre"];
/// That of mail addresses.
const MAIL: &[&str] = &["mail", "email", "e-mail", "correu", "correo"];
/// That of who is to manage the collective.
const MANAGER: &[&str] = &["manager", "gestora", "gestor"];

/// Whom a line invites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Counted from 1, the header's.
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) mail: String,
    pub(super) is_manager: bool,
    /// The line that says the same before.
    pub(super) again: Option<usize>,
}

/// A table without faults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    /// Columns that say nothing to an invitation.
    pub(super) left_out: Vec<String>,
}

/// Where the columns are.
struct Columns {
    name: usize,
    mail: usize,
    manager: Option<usize>,
    count: usize,
    left_out: Vec<String>,
}

/// Reads a table with a header. Commas, semicolons or tabs stand between cells, as the header has them.
///
/// # Errors
/// With each fault, by line and column; then nothing of it counts.
pub(super) fn read(text: &str) -> Result<Table, Vec<String>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(separator(text));
    let mut reader = builder.from_reader(text.as_bytes());
    let mut columns = None;
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = record.map_err(|error| vec![error.to_string()])?;
        let line = line_of(text, &record);
        let Some(columns) = &columns else {
            columns = Some(header(&record, line)?);
            continue;
        };
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        match row(&record, line, columns) {
            Ok(row) => rows.push(row),
            Err(of_row) => faults.extend(of_row),
        }
    }
    let Some(columns) = columns else { return Err(vec![needs(1)]) };
    faults.extend(doubled(&mut rows));
    if rows.is_empty() && faults.is_empty() {
        faults.push("there is nobody in it: no line after the header".to_owned());
    }
    if faults.is_empty() { Ok(Table { rows, left_out: columns.left_out }) } else { Err(faults) }
}

fn needs(line: usize) -> String {
    format!("line {line}: a header with the columns name and mail is needed, and manager where there is one")
}

/// What stands between the cells of the header.
fn separator(text: &str) -> u8 {
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |separator: u8| header.bytes().filter(|byte| *byte == separator).count();
    // Of as many the last one is taken: the comma.
    [b'\t', b';', b','].into_iter().max_by_key(|separator| count(*separator)).unwrap_or(b',')
}

/// The line on which a record begins. The reader counts it from the end of the one before.
fn line_of(text: &str, record: &StringRecord) -> usize {
    let bytes = text.as_bytes();
    let start = record.position().and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or_default();
    let rest = bytes.get(start..).unwrap_or_default();
    let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    text.get(..start + blank).unwrap_or_default().matches('\n').count() + 1
}

fn header(record: &StringRecord, line: usize) -> Result<Columns, Vec<String>> {
    let titles: Vec<String> = record.iter().map(|title| title.trim().to_lowercase()).collect();
    let mut faults = Vec::new();
    let mut place = |names: &[&str]| {
        let mut places = (0..titles.len()).filter(|place| names.contains(&titles[*place].as_str()));
        let first = places.next();
        if let Some(second) = places.next() {
            faults.push(format!("line {line}: column {} is there twice", second + 1));
        }
        first
    };
    let (name, mail, manager) = (place(NAME), place(MAIL), place(MANAGER));
    if !faults.is_empty() {
        return Err(faults);
    }
    let (Some(name), Some(mail)) = (name, mail) else { return Err(vec![needs(line)]) };
    let is_read = |place: usize| place == name || place == mail || Some(place) == manager;
    let left_out = titles.iter().enumerate().filter(|(place, title)| !is_read(*place) && !title.is_empty());
    let left_out = left_out.map(|(_, title)| words::plain(title)).collect();
    Ok(Columns { name, mail, manager, count: titles.len(), left_out })
}

fn row(record: &StringRecord, line: usize, columns: &Columns) -> Result<Row, Vec<String>> {
    let mut faults = Vec::new();
    let more = record.iter().skip(columns.count).any(|cell| !cell.trim().is_empty());
    if more || record.len() <= columns.name.max(columns.mail) {
        faults.push(format!("line {line}: has {} cells, and the header {}", record.len(), columns.count));
        return Err(faults);
    }
    if record.iter().any(|cell| cell.contains(['\n', '\r'])) {
        faults.push(format!("line {line}: a cell goes over several lines: is a quote missing?"));
        return Err(faults);
    }
    let cell = |place: usize| original(record.get(place).unwrap_or_default().trim());
    let mut fault = |column: &str, place: usize, why: String| {
        faults.push(format!("line {line}, column {column}: {:?}: {why}", cell(place)));
    };
    let name = words::name(cell(columns.name)).map_err(|why| fault("name", columns.name, why));
    let mail = words::mail(cell(columns.mail)).map_err(|why| fault("mail", columns.mail, why));
    let manager =
        columns.manager.map_or(Ok(false), |place| yes(cell(place)).map_err(|why| fault("manager", place, why)));
    match (name, mail, manager) {
        (Ok(name), Ok(mail), Ok(is_manager)) => Ok(Row { line, name, mail, is_manager, again: None }),
        _ => Err(faults),
    }
}

/// Whether a cell says yes.
fn yes(cell: &str) -> Result<bool, String> {
    match cell.to_lowercase().as_str() {
        "" | "no" | "false" | "0" => Ok(false),
        "yes" | "true" | "1" | "x" | "sí" | "si" => Ok(true),
        _ => Err("allowed: yes, no, or nothing".to_owned()),
    }
}

/// Marks lines that say what another one says before; gives the faults of those that say something else of the same
/// mail address.
fn doubled(rows: &mut [Row]) -> Vec<String> {
    let mut first: BTreeMap<String, (usize, String, bool)> = BTreeMap::new();
    let mut faults = Vec::new();
    for row in rows {
        let told = (row.line, row.name.clone(), row.is_manager);
        let (line, name, is_manager) = first.entry(row.mail.to_lowercase()).or_insert(told);
        if *line == row.line {
            continue;
        }
        if *name == row.name && *is_manager == row.is_manager {
            row.again = Some(*line);
        } else {
            let (line, mail) = (*line, &row.mail);
            faults.push(format!(
                "line {}, column mail: {mail:?}: line {line} says something else of the same address",
                row.line
            ));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(text: &str) -> Vec<(usize, String, String, bool)> {
        let rows = read(text).unwrap().rows;
        rows.into_iter().map(|row| (row.line, row.name, row.mail, row.is_manager)).collect()
    }

    fn person(line: usize, name: &str, mail: &str) -> (usize, String, String, bool) {
        (line, name.to_owned(), mail.to_owned(), false)
    }

    #[test]
    fn a_table_is_read_as_spreadsheets_save_it() {
        let anna = person(2, "Puig, Anna \"la\"", "a@example.org");
        let pau = person(4, "Pau", "p@example.org");
        let comma = "name,mail\n\"Puig, Anna \"\"la\"\"\",a@example.org\n\nPau,p@example.org";
        assert_eq!(people(comma), [anna.clone(), pau.clone()]);
        let windows = format!("\u{feff}{}\r\n", comma.replace('\n', "\r\n"));
        assert_eq!(people(&windows), [anna, pau]);
        let semicolons = "Correu;Nom;Gestora\r\na@example.org;Anna;Sí\r\n;;\r\n";
        assert_eq!(people(semicolons), [(2, "Anna".to_owned(), "a@example.org".to_owned(), true)]);
        assert_eq!(people("mail\tname\na@example.org\t'=Anna\n"), [person(2, "=Anna", "a@example.org")]);
    }

    #[test]
    fn columns_that_say_nothing_are_named() {
        let table = read("id,name,mail,manger\nx,Anna,a@example.org,yes\n").unwrap();
        assert_eq!(table.left_out, ["id", "manger"]);
        assert!(!table.rows[0].is_manager);
    }

    #[test]
    fn each_fault_is_named_by_its_line_and_column() {
        let text = "name,mail,manager\r\nAnna,anna,\r\n\r\n,p@example.org,perhaps\r\nPau\r\nRosa,r@example.org,,x\r\nEva,e@example.org,\r\n";
        let faults = read(text).unwrap_err();
        let begins = [
            "line 2, column mail: \"anna\": allowed: one mail address",
            "line 4, column name: \"\": allowed: one line",
            "line 4, column manager: \"perhaps\": allowed: yes",
            "line 5: has 1 cells, and the header 3",
            "line 6: has 4 cells, and the header 3",
        ];
        assert_eq!(faults.len(), begins.len(), "{faults:#?}");
        for (fault, begin) in faults.iter().zip(begins) {
            assert!(fault.starts_with(begin), "{fault}");
        }
    }

    #[test]
    fn a_quote_that_is_missing_swallows_nobody() {
        let text = "name,mail,note\nAnna,a@example.org,\"tall\nPau,p@example.org,\n";
        assert!(read(text).unwrap_err()[0].contains("line 2: a cell goes over several lines"));
    }

    #[test]
    fn a_line_twice_is_one_invitation_and_a_contradiction_none() {
        let rows = read("name,mail\nAnna,a@example.org\nAnna,A@example.org\n").unwrap().rows;
        assert_eq!(rows.iter().map(|row| row.again).collect::<Vec<_>>(), [None, Some(2)]);
        let faults = read("name,mail\nAnna,a@example.org\nPau,a@example.org\n").unwrap_err();
        assert!(faults[0].starts_with("line 3, column mail: \"a@example.org\": line 2 says"), "{faults:?}");
    }

    #[test]
    fn a_table_without_its_columns_or_people_is_refused() {
        for text in ["", "Anna,a@example.org\n", "name\nAnna\n"] {
            assert!(read(text).unwrap_err()[0].contains("a header with the columns name and mail"), "{text:?}");
        }
        assert!(read("name,mail,email\nAnna,a@example.org,b\n").unwrap_err()[0].contains("column 3 is there twice"));
        assert!(read("name,mail\n\n").unwrap_err()[0].contains("nobody"));
    }
}
