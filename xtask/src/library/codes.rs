//! The maps of codes: `{"Mapping": {"AdministrativeSex": {"F": {"code": "female", …}}}}`, and the way
//! back for the library that writes HL7 v2.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::csv;

/// Codes of a map, in the order of the table.
pub(super) type Maps = BTreeMap<String, Map<String, Value>>;

/// The name of a map as templates write it: letters only.
pub(super) fn name(text: &str) -> String {
    let is_in_name = |c: &char| c.is_ascii_alphanumeric();
    text.chars().filter(is_in_name).collect()
}

/// A row of a table: a code of HL7 v2 and the code of FHIR that it is.
struct Row {
    map: String,
    code: String,
    /// The table of HL7 v2 that the code is of: `HL70001`.
    table: String,
    target: String,
    display: String,
    system: String,
}

/// Reads all tables; rows without a code of FHIR are left away.
fn rows(folder: &Path) -> Result<Vec<Row>> {
    let mut found = Vec::new();
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        paths.push(entry?.path());
    }
    paths.sort();
    for path in paths {
        let file = path.file_name().and_then(|it| it.to_str()).unwrap_or("");
        let Some((_, title)) = file.split_once("Concept Map_ ") else {
            continue;
        };
        let title = title.split(" - ").next().unwrap_or(title);
        for row in csv::read(&fs::read_to_string(&path)?).iter().skip(2) {
            let cell = |at: usize| row.get(at).map_or("", |it| it.trim()).to_owned();
            if !cell(0).is_empty() && !cell(6).is_empty() {
                found.push(Row {
                    map: name(title),
                    code: cell(0),
                    table: cell(2),
                    target: cell(6),
                    display: cell(8),
                    system: cell(9),
                });
            }
        }
    }
    Ok(found)
}

/// The maps into FHIR. What is written by hand goes over what the tables say.
pub(super) fn read(folder: &Path, by_hand: &Path) -> Result<Maps> {
    let mut maps = Maps::new();
    for row in rows(folder)? {
        let map = maps.entry(row.map).or_default();
        // The first of several rows is the one without further conditions.
        if map.contains_key(&row.code) {
            continue;
        }
        let mut properties = Map::new();
        let cells = [
            ("code", row.target),
            ("display", row.display),
            ("system", row.system),
        ];
        for (property, value) in cells {
            if !value.is_empty() {
                properties.insert(property.to_owned(), json!(value));
            }
        }
        map.insert(row.code, Value::Object(properties));
    }
    for (name, codes) in hand_written(by_hand)? {
        maps.entry(name).or_default().extend(codes);
    }
    Ok(maps)
}

fn hand_written(file: &Path) -> Result<Maps> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Ok(serde_json::from_str(&text)?)
}

/// The maps back: of several codes of HL7 v2 that become one of FHIR the first of the table stands,
/// unless another is named by hand. `from` is the system of FHIR's code, `table` that of HL7 v2's,
/// `codes` are all that become it, between bars.
pub(super) fn inverted(folder: &Path, into_fhir: &Maps, by_hand: &Path) -> Result<Maps> {
    let rows = rows(folder)?;
    let mut inverted = Maps::new();
    for (name, codes) in into_fhir {
        let map = inverted.entry(name.clone()).or_default();
        for (code, properties) in codes {
            let Some(target) = properties["code"].as_str() else {
                continue;
            };
            let row = rows.iter().find(|it| it.map == *name && it.code == *code);
            let entry = map.entry(target).or_insert_with(|| {
                let mut entry = Map::new();
                entry.insert("code".to_owned(), json!(code));
                let table = row.map_or("", |it| &it.table);
                let from = properties.get("system").and_then(Value::as_str);
                for (property, value) in [("table", table), ("from", from.unwrap_or_default())] {
                    if !value.is_empty() {
                        entry.insert(property.to_owned(), json!(value));
                    }
                }
                entry.insert("codes".to_owned(), json!("|"));
                Value::Object(entry)
            });
            let codes = entry["codes"].as_str().unwrap_or_default().to_owned();
            entry["codes"] = json!(format!("{codes}{code}|"));
        }
    }
    for (name, codes) in hand_written(by_hand)? {
        let map = inverted.entry(name).or_default();
        for (code, properties) in codes {
            let entry = map.entry(code).or_insert_with(|| json!({}));
            for (property, value) in properties.as_object().into_iter().flatten() {
                entry[property] = value.clone();
            }
        }
    }
    Ok(inverted)
}

/// Leaves the maps that some template of a library uses.
pub(super) fn used(mut maps: Maps, library: &Path) -> Result<Maps> {
    let mut texts = String::new();
    for folder in ["DataType", "Segment", "Group", "Message"] {
        for entry in fs::read_dir(library.join(folder))? {
            texts.push_str(&fs::read_to_string(entry?.path())?);
        }
    }
    maps.retain(|name, _| texts.contains(&format!("'{name}'")));
    Ok(maps)
}

/// The file of the library.
pub(super) fn write(maps: &Maps) -> Result<String> {
    let mut text = serde_json::to_string_pretty(&json!({ "Mapping": maps }))?;
    text.push('\n');
    Ok(text)
}
