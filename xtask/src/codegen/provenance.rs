//! `SOURCE.md` beside the tables: what they were made from, by what, and their checksums.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;
use fhir::FhirVersion;
use fhir::definitions::table::{FINGERPRINT, SOURCE};
use sha2::{Digest, Sha256};

use super::input::{hex, packages};
use super::sheet::Written;

/// Writes the file that says where `tables` are from; it is the same wherever they were made.
pub(super) fn source(version: FhirVersion, tables: &[Written], root: &Path) -> Result<Written> {
    let mut text = format!(
        "# Definitions of FHIR {version}\n\nTables of facts taken from the official packages of \
         FHIR {} by `cargo xtask codegen`;\nnever edited by hand. The packages are published by \
         HL7 under CC0-1.0.\n\n| package | SHA-256 of the archive |\n|---|---|\n",
        version.number()
    );
    for package in packages(version) {
        writeln!(
            text,
            "| {}@{} | `{}` |",
            package.name, package.version, package.sha256
        )?;
    }
    list(&mut text, tables)?;
    writeln!(text, "\nGenerator: `{}`", generator(root)?)?;
    Ok(Written {
        file: SOURCE,
        text,
        rows: 0,
    })
}

/// Appends the tables with their checksums, and that of all together.
pub(super) fn list(text: &mut String, tables: &[Written]) -> Result<()> {
    text.push_str("\n| table | rows | SHA-256 |\n|---|---|---|\n");
    let mut fingerprint = Sha256::new();
    for table in tables {
        let digest = hex(&Sha256::digest(&table.text));
        writeln!(text, "| {} | {} | `{digest}` |", table.file, table.rows)?;
        fingerprint.update(format!("{digest}  {}\n", table.file));
    }
    writeln!(
        text,
        "\nThe fingerprint is the SHA-256 of what `sha256sum` prints of these tables."
    )?;
    writeln!(text, "\n{FINGERPRINT}`{}`", hex(&fingerprint.finalize()))?;
    Ok(())
}

/// The SHA-256 of the generator's sources: its files by name, then the format that it writes.
fn generator(root: &Path) -> Result<String> {
    let folder = root.join("xtask/src/codegen");
    let mut paths: Vec<_> = fs::read_dir(folder)?
        .map(|it| it.map(|it| it.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    paths.push(root.join("crates/fhir/src/definitions/table.rs"));
    let mut hash = Sha256::new();
    for path in paths {
        hash.update(fs::read(path)?);
    }
    Ok(hex(&hash.finalize()))
}
