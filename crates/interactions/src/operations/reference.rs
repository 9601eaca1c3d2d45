//! What the registry offers, as a page for people: `docs/operations.md`.

use std::fmt::Write as _;

use fhir::FhirVersion;
use fhir::definitions::{OperationParameter, ParameterUse};

use super::{Effect, OPERATIONS, urls};

/// The page.
pub fn reference() -> String {
    let mut page = String::from(
        "# Operations\n\nMade from the registry (`crates/interactions/src/operations.rs`); a test \
         compares them. An operation that changes nothing is called by GET with all its parameters \
         in the URL, or by POST with a `Parameters`; where it takes one resource, that may be the \
         body, with the other parameters in the URL. In bundles likewise.\n",
    );
    for operation in OPERATIONS {
        let versions = FhirVersion::ALL.into_iter();
        let mut offered = versions.filter_map(|it| Some((it, operation.facts(it)?)));
        let Some((_, facts)) = offered.next() else {
            continue;
        };
        let by = match operation.effect {
            Effect::Reads => "GET and POST",
            Effect::Changes => "POST",
        };
        let _ = write!(
            page,
            "\n## `${}`\n\n{}\n\n{} to {}.\n\n| parameter | use | number | type |\n|---|---|---|---|\n",
            facts.code,
            operation.documentation,
            by,
            urls(facts).join(", "),
        );
        for parameter in &facts.parameters {
            page.push_str(&row(parameter));
        }
    }
    page
}

fn row(parameter: &OperationParameter) -> String {
    let usage = match parameter.parameter_use {
        ParameterUse::In => "in",
        ParameterUse::Out => "out",
    };
    let max = parameter.max.map_or("*".to_owned(), |it| it.to_string());
    let type_name = parameter.type_name.unwrap_or("parts");
    let (name, min) = (parameter.name, parameter.min);
    format!("| `{name}` | {usage} | {min}..{max} | {type_name} |\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_EXPECT=1` writes the page.
    #[test]
    fn the_page_is_that_of_the_registry() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
        let made = reference();
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(path, &made).expect("the page is written");
        }
        let page = std::fs::read_to_string(path).expect("there is a page");
        assert!(page == made, "docs/operations.md is stale: UPDATE_EXPECT=1");
    }
}
