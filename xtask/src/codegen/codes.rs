//! The codes of value sets that must be kept to, from their official expansions.
//!
//! A value set without a closed expansion is listed with the reason, and with the grammar that
//! its codes can be checked with instead.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use fhir::definitions::table::{CODES, OPEN_VALUE_SETS};
use serde_json::Value;

use super::input::{Input, items, text};
use super::sheet::{Sheet, Written, list};
use super::types::extension;

/// What is known about value sets that nobody can enumerate: the end of the URL, the grammar of
/// the codes and why there is no list.
const OPEN: [(&str, &str, &str); 5] = [
    (
        "/mimetypes",
        "media-type",
        "BCP 13 is an open registry of media types",
    ),
    (
        "/bcp13.txt",
        "media-type",
        "BCP 13 is an open registry of media types",
    ),
    (
        "/ucum-units",
        "ucum",
        "UCUM builds units without end; the expansion holds common ones only",
    ),
    (
        "/all-languages",
        "language-tag",
        "BCP 47 combines subtags without end",
    ),
    (
        "/LL379-9",
        "",
        "a LOINC answer list that no package contains",
    ),
];

/// Makes the table of codes and that of open value sets.
pub(super) fn tables(input: &Input, required: &BTreeSet<String>) -> Result<[Written; 2]> {
    let expansions = input.expansions();
    let mut codes = Sheet::new(CODES);
    let mut open = Sheet::new(OPEN_VALUE_SETS);
    for url in required {
        let closed = expansions
            .get(url.as_str())
            .and_then(|it| closed_expansion(it));
        if let Some(contains) = closed {
            write_codes(&mut codes, url, contains)?;
        } else {
            let known = OPEN.iter().find(|(end, ..)| url.ends_with(end));
            let (_, grammar, reason) =
                known.with_context(|| format!("no codes and no reason for `{url}`"))?;
            open.row([url, grammar, reason])?;
        }
    }
    Ok([codes.finish(), open.finish()])
}

/// The content of an expansion that is complete.
pub(super) fn closed_expansion(value_set: &Value) -> Option<&[Value]> {
    let expansion = &value_set["expansion"];
    let is_cut = ["valueset-toocostly", "valueset-unclosed"]
        .iter()
        .any(|it| !extension(expansion, it).is_null());
    let contains = items(expansion, "contains");
    (!is_cut && !contains.is_empty()).then_some(contains)
}

pub(super) fn write_codes(sheet: &mut Sheet<3>, url: &str, contains: &[Value]) -> Result<()> {
    let mut systems: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    collect(contains, &mut systems);
    for (system, codes) in systems {
        sheet.row([url, system, &list(codes)?])?;
    }
    Ok(())
}

/// Abstract entries only group others and cannot be chosen.
fn collect<'v>(contains: &'v [Value], systems: &mut BTreeMap<&'v str, BTreeSet<&'v str>>) {
    for item in contains {
        let code = text(item, "code");
        if !code.is_empty() && item["abstract"].as_bool() != Some(true) {
            systems
                .entry(text(item, "system"))
                .or_default()
                .insert(code);
        }
        collect(items(item, "contains"), systems);
    }
}
