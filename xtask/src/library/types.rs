//! The rows of the guide's tables of data types and messages, which are mapped by hand: what became
//! of each, `case` where a test asserts it, or why it is not taken as it stands.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::csv;

/// A table: its name and its rows of trimmed cells.
type Table = (String, Vec<Vec<String>>);

/// The tables of a folder, by name: `CX[Identifier]`, `ADT_A01`.
fn tables(folder: &Path) -> Result<Vec<Table>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().and_then(|it| it.to_str()).unwrap_or("");
        let Some((_, name)) = name.split_once("FHIR R4_ ") else {
            continue;
        };
        let name = name.split(" - ").next().unwrap_or(name).to_owned();
        let rows = csv::read(&fs::read_to_string(&path)?);
        let rows = rows.into_iter().skip(2).map(|row| {
            let cells = row
                .into_iter()
                .map(|it| it.split_whitespace().collect::<Vec<_>>().join(" "));
            cells.collect()
        });
        found.push((name, rows.collect()));
    }
    found.sort();
    Ok(found)
}

/// Which cells of a table are listed, by the names of their columns.
struct Listing {
    columns: &'static [(&'static str, usize)],
    /// The column that must say something, and what its rows are otherwise.
    target: usize,
    without: &'static str,
}

const TYPES: Listing = Listing {
    columns: &[
        ("part", 1),
        ("type", 3),
        ("attribute", 9),
        ("condition", 6),
        ("mapping", 14),
        ("vocabulary", 15),
        ("assignment", 16),
    ],
    target: 9,
    without: "the guide names no element",
};

const MESSAGES: Listing = Listing {
    columns: &[
        ("place", 1),
        ("segment", 2),
        ("target", 9),
        ("condition", 6),
        ("map", 10),
        ("references", 11),
    ],
    target: 9,
    without: "the guide names no resource",
};

/// The rows of the tables of data types.
pub(super) fn types(folder: &Path, deviations: &Path) -> Result<String> {
    TYPES.list("map", folder, deviations)
}

/// The rows of the tables of messages.
pub(super) fn messages(folder: &Path, deviations: &Path) -> Result<String> {
    MESSAGES.list("message", folder, deviations)
}

impl Listing {
    fn list(&self, of: &str, folder: &Path, deviations: &Path) -> Result<String> {
        let deviations = Deviations::read(deviations)?;
        let names: Vec<&str> = self.columns.iter().map(|it| it.0).collect();
        let mut listed = format!("{of}\t{}\tresult\n", names.join("\t"));
        for (name, rows) in tables(folder)? {
            for row in rows {
                let cell = |at: usize| row.get(at).map_or("", String::as_str);
                let cells = self.columns.iter().map(|it| cell(it.1));
                let cells: Vec<&str> = [name.as_str()].into_iter().chain(cells).collect();
                if cells[1].is_empty() && cell(self.target).is_empty() {
                    continue;
                }
                let result = match cell(self.target) {
                    "" => self.without,
                    _ => deviations.why(&cells).unwrap_or("case"),
                };
                listed.push_str(&cells.join("\t"));
                listed.push('\t');
                listed.push_str(result);
                listed.push('\n');
            }
        }
        Ok(listed)
    }
}

/// Lines of the first cells of rows, `*` for any, and why those are not taken as they stand.
struct Deviations {
    rows: Vec<Vec<String>>,
}

impl Deviations {
    fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let mut lines = text.lines();
        let columns = lines.next().unwrap_or_default().split('\t').count();
        let mut rows = Vec::new();
        for line in lines.filter(|it| !it.is_empty()) {
            let row: Vec<String> = line.split('\t').map(str::to_owned).collect();
            ensure!(
                row.len() == columns,
                "a deviation has {columns} cells: {line}"
            );
            rows.push(row);
        }
        Ok(Self { rows })
    }

    fn why(&self, cells: &[&str]) -> Option<&str> {
        let fits = |row: &&Vec<String>| {
            let patterns = row[..row.len() - 1].iter();
            patterns
                .zip(cells)
                .all(|(pattern, cell)| pattern == "*" || pattern == cell)
        };
        self.rows
            .iter()
            .find(fits)
            .and_then(|it| it.last().map(String::as_str))
    }
}
