//! A table being written: rows in memory, then text in the form that `fhir` reads.

use anyhow::{Result, ensure};
use fhir::definitions::table::{LIST, Table};

/// The text of one table.
pub(super) struct Sheet<const N: usize> {
    table: Table<N>,
    text: String,
    rows: usize,
}

impl<const N: usize> Sheet<N> {
    pub(super) fn new(table: Table<N>) -> Self {
        let text = table.header() + "\n";
        Self {
            table,
            text,
            rows: 0,
        }
    }

    /// Adds a row; a cell that the format cannot hold is a fault of the input.
    pub(super) fn row(&mut self, cells: [&str; N]) -> Result<()> {
        for (cell, column) in cells.iter().zip(self.table.columns) {
            let fits = !cell.contains(['\t', '\n', '\r']);
            ensure!(
                fits,
                "`{cell}` does not fit column `{column}` of {}",
                self.table.file
            );
        }
        self.text.push_str(&cells.join("\t"));
        self.text.push('\n');
        self.rows += 1;
        Ok(())
    }

    /// The file that the table belongs in, and its text.
    pub(super) fn finish(self) -> Written {
        Written {
            file: self.table.file,
            text: self.text,
            rows: self.rows,
        }
    }
}

/// A finished file.
pub(super) struct Written {
    pub(super) file: &'static str,
    pub(super) text: String,
    pub(super) rows: usize,
}

/// Joins the values of a cell.
pub(super) fn list<'v>(values: impl IntoIterator<Item = &'v str>) -> Result<String> {
    let mut cell = String::new();
    for value in values {
        ensure!(
            !value.contains(LIST),
            "`{value}` holds the separator of lists"
        );
        if !cell.is_empty() {
            cell.push(LIST);
        }
        cell.push_str(value);
    }
    Ok(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table<3> = Table {
        file: "test.tsv",
        columns: ["a", "b", "c"],
    };

    #[test]
    fn what_is_written_can_be_read() {
        let rows = [["x", "", "y z"], ["", "", ""], ["é", "1|2", ""]];
        let mut sheet = Sheet::new(TABLE);
        for row in rows {
            sheet.row(row).unwrap();
        }
        let written = sheet.finish();
        assert_eq!(written.rows, rows.len());
        assert!(TABLE.rows(&written.text).eq(rows));
    }

    #[test]
    fn cells_that_do_not_fit_are_refused() {
        for cell in ["a\tb", "a\nb", "a\r"] {
            assert!(Sheet::new(TABLE).row(["", cell, ""]).is_err());
        }
        assert!(list(["a|b"]).is_err());
        assert_eq!(list(["a", "b"]).unwrap(), "a|b");
    }
}
