//! Search parameters and compartments.

use std::collections::BTreeMap;

use anyhow::Result;
use fhir::definitions::table::{COMPARTMENTS, SEARCH_COMPONENTS, SEARCH_PARAMETERS};
use serde_json::Value;

use super::input::{Input, items, text, texts};
use super::sheet::{Sheet, Written, list};

/// Makes the tables of search parameters and of the components of composite ones.
pub(super) fn parameters(input: &Input) -> Result<[Written; 2]> {
    let mut parameters = Sheet::new(SEARCH_PARAMETERS);
    let mut components = Sheet::new(SEARCH_COMPONENTS);
    let sorted: BTreeMap<(&str, &str), &Value> = input
        .all("SearchParameter")
        .map(|it| ((text(it, "url"), text(it, "id")), it))
        .collect();
    for parameter in sorted.values() {
        write_parameter(&mut parameters, parameter)?;
        for component in items(parameter, "component") {
            let definition = reference(&component["definition"]);
            components.row([
                text(parameter, "url"),
                definition,
                text(component, "expression"),
            ])?;
        }
    }
    Ok([parameters.finish(), components.finish()])
}

fn write_parameter(sheet: &mut Sheet<14>, parameter: &Value) -> Result<()> {
    let cell = |key: &str| list(texts(parameter, key));
    sheet.row([
        text(parameter, "url"),
        text(parameter, "id"),
        text(parameter, "code"),
        text(parameter, "name"),
        &cell("base")?,
        text(parameter, "type"),
        text(parameter, "expression"),
        &cell("target")?,
        &cell("comparator")?,
        &cell("modifier")?,
        &cell("chain")?,
        truth(parameter, "multipleOr"),
        text(parameter, "xpathUsage"),
        status(parameter),
    ])
}

/// The publication mixes a few examples of how to write a definition with the definitions.
pub(super) fn is_example(definition: &Value) -> bool {
    let id = text(definition, "id");
    id == "example" || id.starts_with("example-")
}

fn status(parameter: &Value) -> &'static str {
    if is_example(parameter) {
        "example"
    } else if parameter["experimental"].as_bool() == Some(true) {
        "experimental"
    } else {
        ""
    }
}

/// The truth at a key; empty where nothing is said.
pub(super) fn truth(value: &Value, key: &str) -> &'static str {
    match value[key].as_bool() {
        Some(true) => "true",
        Some(false) => "false",
        None => "",
    }
}

/// A canonical (R4) or the text of a Reference (STU3).
fn reference(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| text(value, "reference"))
}

/// Makes the table of compartments.
pub(super) fn compartments(input: &Input) -> Result<Written> {
    let mut sheet = Sheet::new(COMPARTMENTS);
    let definitions: BTreeMap<&str, &Value> = input
        .all("CompartmentDefinition")
        .filter(|it| !is_example(it))
        .map(|it| (text(it, "code"), it))
        .collect();
    for (compartment, definition) in definitions {
        let resources: BTreeMap<&str, Vec<&str>> = items(definition, "resource")
            .iter()
            .map(|it| (text(it, "code"), texts(it, "param")))
            .filter(|(_, parameters)| !parameters.is_empty())
            .collect();
        for (resource, parameters) in resources {
            sheet.row([compartment, resource, &list(parameters)?])?;
        }
    }
    Ok(sheet.finish())
}
