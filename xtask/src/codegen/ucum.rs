//! The units and prefixes of UCUM, from `ucum-essence.xml`.
//!
//! No package of FHIR has that file, so its tables are made only where a folder has it; otherwise
//! they stay as they are. Names, print symbols and what the units measure are left out.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use fhir::definitions::table::SOURCE;
use fhir::ucum::{PREFIXES, UNITS};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use sha2::{Digest, Sha256};

use super::input::hex;
use super::provenance;
use super::sheet::{Sheet, Written};

/// Where a folder of unpacked data has the file.
const ESSENCE: &str = "11-fhir-patch-graphql/ucum/ucum-essence.xml";

/// Its SHA-256.
const SHA256: &str = "3e4ba7b0ce2c7f83c9a6afe36c07d8cd8cfd7c0d22b6a2a790d4fec4efa89624";

/// What the file says of the tangents contradicts its own text (`100tan(1 rad)`) and UCUM §45:
/// of a slope of 100 %, 45 deg, the function gives the arc tangent in radians.
const CORRECTIONS: [(&str, &str); 2] = [("tanTimes100", "rad"), ("100tan", "rad")];

/// Makes the tables of units if `folder` has their source.
pub(super) fn write(root: &Path, folder: Option<&Path>) -> Result<()> {
    let path = folder.map(|it| it.join(ESSENCE)).filter(|it| it.is_file());
    let Some(path) = path else {
        println!("UCUM: kept, since {ESSENCE} is not there");
        return Ok(());
    };
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let found = hex(&Sha256::digest(&text));
    ensure!(
        found == SHA256,
        "{}: its SHA-256 is {found}",
        path.display()
    );
    let mut files = tables(&text)?;
    files.push(source(&files)?);
    let target = root.join("crates/fhir/data/ucum");
    fs::create_dir_all(&target)?;
    for file in files {
        fs::write(target.join(file.file), &file.text)?;
        println!("UCUM {}: {} rows", file.file, file.rows);
    }
    Ok(())
}

/// What the licence of UCUM (<https://ucum.org/license>) asks to be said.
const NOTICE: &str = "UCUM is published by the Regenstrief Institute under the UCUM licence, free \
    of charge for use in\nproducts: This product includes all or a portion of the UCUM table, UCUM \
    codes, and UCUM definitions\nor is derived from it, subject to a license from Regenstrief \
    Institute, Inc. and The UCUM Organization.\nYour use of the UCUM table, UCUM codes, UCUM \
    definitions also is subject to this license, a copy of\nwhich is available at \
    <http://unitsofmeasure.org>. The UCUM table and UCUM codes are copyright\n© Regenstrief \
    Institute, Inc. and the Unified Codes for Units of Measures (UCUM) Organization. All\nrights \
    reserved. They are provided \"as is\", without warranty.\n";

/// A unit or prefix while its elements are being read.
#[derive(Default)]
struct Row {
    code: String,
    kind: &'static str,
    metric: &'static str,
    value: String,
    unit: String,
    function: String,
}

impl Row {
    fn begin(element: &BytesStart<'_>) -> Result<Self> {
        let is = |name| Ok::<_, anyhow::Error>(attribute(element, name)? == "yes");
        let kind = match element.name().as_ref() {
            "base-unit" => "base",
            _ if is("isArbitrary")? => "arbitrary",
            _ if is("isSpecial")? => "special",
            _ => "",
        };
        // Base units all take prefixes; the file does not say so.
        let metric = if kind == "base" || is("isMetric")? {
            "metric"
        } else {
            ""
        };
        Ok(Self {
            code: attribute(element, "Code")?,
            kind,
            metric,
            ..Self::default()
        })
    }

    /// What a `value` or the `function` in it says; the latter comes second and counts.
    fn define(&mut self, element: &BytesStart<'_>) -> Result<()> {
        self.value = attribute(element, "value")?;
        self.unit = attribute(element, "Unit")?;
        self.function = attribute(element, "name")?;
        let correction = CORRECTIONS
            .iter()
            .find(|(function, _)| *function == self.function);
        if let Some((_, unit)) = correction {
            (*unit).clone_into(&mut self.unit);
        }
        // Arbitrary units are commensurable with nothing, whatever number the file gives them.
        if self.kind == "arbitrary" && self.unit == "1" {
            self.value.clear();
            self.unit.clear();
        }
        Ok(())
    }
}

fn tables(text: &str) -> Result<Vec<Written>> {
    let (mut units, mut prefixes) = (Sheet::new(UNITS), Sheet::new(PREFIXES));
    let mut reader = Reader::from_str(text);
    let mut row = Row::default();
    loop {
        match reader.read_event()? {
            Event::Start(it) | Event::Empty(it) => match it.name().as_ref() {
                "prefix" | "base-unit" | "unit" => row = Row::begin(&it)?,
                "value" | "function" => row.define(&it)?,
                _ => {}
            },
            Event::End(it) => match it.name().as_ref() {
                "prefix" => prefixes.row([&row.code, &row.value])?,
                "base-unit" | "unit" => units.row([
                    &row.code,
                    row.kind,
                    row.metric,
                    &row.value,
                    &row.unit,
                    &row.function,
                ])?,
                _ => {}
            },
            Event::Eof => return Ok(vec![units.finish(), prefixes.finish()]),
            _ => {}
        }
    }
}

/// The value of an attribute, or nothing.
fn attribute(element: &BytesStart<'_>, name: &str) -> Result<String> {
    let found = element.try_get_attribute(name)?;
    let value = found.map(|it| it.normalized_value(XmlVersion::Implicit1_0));
    Ok(value.transpose()?.unwrap_or_default().into_owned())
}

fn source(tables: &[Written]) -> Result<Written> {
    let mut text = format!(
        "# Units of measure\n\nTables of facts taken from the table of the Unified Code for Units \
         of Measure,\n`ucum-essence.xml` 2.0.1 (2015-11-13) as\nFHIR/fhir-test-cases has it in commit 2dee8a0f8fa0, by \
         `cargo xtask codegen`;\nnever edited by hand.\n\n| file | SHA-256 |\n|---|---|\n| \
         ucum-essence.xml | `{SHA256}` |\n\n{NOTICE}"
    );
    provenance::list(&mut text, tables)?;
    Ok(Written {
        file: SOURCE,
        text,
        rows: 0,
    })
}
