//! Operations and their parameters.

use std::collections::BTreeMap;

use anyhow::Result;
use fhir::definitions::table::{OPERATION_PARAMETERS, OPERATIONS};
use serde_json::Value;

use super::input::{Input, items, text, texts};
use super::search::{is_example, truth};
use super::sheet::{Sheet, Written, list};

/// Makes the tables of operations and of their parameters.
pub(super) fn tables(input: &Input) -> Result<[Written; 2]> {
    let mut operations = Sheet::new(OPERATIONS);
    let mut parameters = Sheet::new(OPERATION_PARAMETERS);
    let sorted: BTreeMap<&str, &Value> = input
        .all("OperationDefinition")
        .map(|it| (text(it, "url"), it))
        .collect();
    for (url, operation) in sorted {
        write_operation(&mut operations, operation)?;
        write_parameters(&mut parameters, url, "", items(operation, "parameter"))?;
    }
    Ok([operations.finish(), parameters.finish()])
}

fn write_operation(sheet: &mut Sheet<7>, operation: &Value) -> Result<()> {
    let levels = ["system", "type", "instance"];
    let offered = levels
        .into_iter()
        .filter(|it| operation[*it].as_bool() == Some(true));
    sheet.row([
        text(operation, "url"),
        text(operation, "name"),
        text(operation, "code"),
        &list(texts(operation, "resource"))?,
        &list(offered)?,
        truth(operation, "affectsState"),
        if is_example(operation) { "example" } else { "" },
    ])
}

/// Parts follow the parameter that they belong to.
fn write_parameters(
    sheet: &mut Sheet<7>,
    operation: &str,
    prefix: &str,
    parameters: &[Value],
) -> Result<()> {
    for parameter in parameters {
        let name = format!("{prefix}{}", text(parameter, "name"));
        sheet.row([
            operation,
            &name,
            text(parameter, "use"),
            &parameter["min"].to_string(),
            text(parameter, "max"),
            text(parameter, "type"),
            text(parameter, "searchType"),
        ])?;
        write_parameters(
            sheet,
            operation,
            &format!("{name}."),
            items(parameter, "part"),
        )?;
    }
    Ok(())
}
