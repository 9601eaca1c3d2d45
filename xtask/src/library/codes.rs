//! The maps of codes: `{"Mapping": {"AdministrativeSex": {"F": {"code": "female", …}}}}`.

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

/// Reads all tables; rows without a code of FHIR are left away. What is written by hand goes over
/// what the tables say.
pub(super) fn read(folder: &Path, by_hand: &Path) -> Result<Maps> {
    let mut maps = Maps::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let file = path.file_name().and_then(|it| it.to_str()).unwrap_or("");
        let Some((_, title)) = file.split_once("Concept Map_ ") else {
            continue;
        };
        let title = title.split(" - ").next().unwrap_or(title);
        let map = maps.entry(name(title)).or_default();
        for row in csv::read(&fs::read_to_string(&path)?).iter().skip(2) {
            let cell = |at: usize| row.get(at).map_or("", |it| it.trim());
            let (code, target) = (cell(0), cell(6));
            // The first of several rows is the one without further conditions.
            if code.is_empty() || target.is_empty() || map.contains_key(code) {
                continue;
            }
            let mut properties = Map::new();
            for (property, value) in [("code", target), ("display", cell(8)), ("system", cell(9))] {
                if !value.is_empty() {
                    properties.insert(property.to_owned(), json!(value));
                }
            }
            map.insert(code.to_owned(), Value::Object(properties));
        }
    }
    maps.retain(|_, it| !it.is_empty());
    let by_hand: BTreeMap<String, Map<String, Value>> =
        serde_json::from_str(&fs::read_to_string(by_hand)?)?;
    for (name, codes) in by_hand {
        maps.entry(name).or_default().extend(codes);
    }
    Ok(maps)
}

/// The file of the library.
pub(super) fn write(maps: &Maps) -> Result<String> {
    let mut text = serde_json::to_string_pretty(&json!({ "Mapping": maps }))?;
    text.push('\n');
    Ok(text)
}
