//! How many of everything there are: in the tables, and counted from the official packages by
//! another parser and without the generator.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use fhir::FhirVersion::{self, R4, Stu3};
use fhir::definitions::{BindingStrength, Compartment, Definitions};
use serde_json::Value;

#[derive(Debug, PartialEq)]
struct Counts {
    types: usize,
    resources: usize,
    elements: usize,
    /// Codes of all required value sets that can be enumerated.
    codes: usize,
    search_parameters: usize,
    with_expression: usize,
    components: usize,
    compartment_members: usize,
    compartment_parameters: usize,
    operations: usize,
    operation_parameters: usize,
}

fn expected(version: FhirVersion) -> Counts {
    match version {
        Stu3 => Counts {
            types: 172,
            resources: 117,
            elements: 5521,
            codes: 1480,
            search_parameters: 1245,
            with_expression: 1215,
            components: 25,
            compartment_members: 212,
            compartment_parameters: 299,
            operations: 37,
            operation_parameters: 243,
        },
        R4 => Counts {
            types: 209,
            resources: 146,
            elements: 7446,
            codes: 2247,
            search_parameters: 1400,
            with_expression: 1384,
            components: 96,
            compartment_members: 214,
            compartment_parameters: 302,
            operations: 47,
            operation_parameters: 278,
        },
    }
}

#[test]
fn tables_are_complete() {
    for version in FhirVersion::ALL {
        assert_eq!(
            of_tables(Definitions::of(version)),
            expected(version),
            "{version}"
        );
    }
}

#[test]
fn packages_have_as_many() {
    for version in FhirVersion::ALL {
        let suite = format!("definitions counts {version}");
        match super::official_folder(version) {
            None => println!("isthmus-skipped: {suite}: the definitions are not there"),
            Some(folder) => {
                assert_eq!(of_package(&folder), expected(version), "{version}");
                println!("isthmus-suite: {suite}: 11 cases");
            }
        }
    }
}

fn of_tables(definitions: &'static Definitions) -> Counts {
    let elements: Vec<_> = definitions
        .types()
        .iter()
        .flat_map(|it| super::elements_of(definitions, it))
        .collect();
    let bindings = elements.iter().filter_map(|it| it.binding.as_ref());
    let required = bindings.filter(|it| it.strength == BindingStrength::Required);
    let value_sets: BTreeMap<_, _> = required.map(|it| (it.value_set, it.codes)).collect();
    let parameters = definitions.search_parameters();
    let members = || {
        definitions
            .compartments()
            .iter()
            .flat_map(Compartment::members)
    };
    let operations = definitions.operations();
    Counts {
        types: definitions.types().len(),
        resources: definitions.resources().count(),
        elements: elements.len(),
        codes: value_sets
            .values()
            .map(|codes| codes.map_or(0, <[_]>::len))
            .sum(),
        search_parameters: parameters.len(),
        with_expression: parameters
            .iter()
            .filter(|it| it.expression.is_some())
            .count(),
        components: parameters.iter().map(|it| it.components.len()).sum(),
        compartment_members: members().count(),
        compartment_parameters: members().map(|(_, parameters)| parameters.len()).sum(),
        operations: operations.len(),
        operation_parameters: operations.iter().map(|it| it.parameters.len()).sum(),
    }
}

/// The resources of a folder whose file names begin so.
pub(super) fn read(folder: &Path, resource_type: &str) -> Vec<Value> {
    let prefix = format!("{resource_type}-");
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|it| it.expect("an entry"));
    let named = entries.filter(|it| it.file_name().to_string_lossy().starts_with(&prefix));
    let texts = named.map(|it| fs::read_to_string(it.path()).expect("a text"));
    let parsed = texts.map(|it| serde_json::from_str(it.trim_start_matches('\u{feff}')));
    parsed.map(|it| it.expect("JSON")).collect()
}

/// The definitions of types: what is neither a profile nor a logical model.
pub(super) fn types(folder: &Path) -> Vec<Value> {
    let mut types = read(folder, "StructureDefinition");
    types.retain(|it| it["derivation"] != "constraint" && it["kind"] != "logical");
    types
}

pub(super) fn array<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn of_package(folder: &Path) -> Counts {
    let core = folder.join("core");
    let types = types(&core);
    let is_concrete = |it: &&Value| it["kind"] == "resource" && it["abstract"] == false;
    let primitives = types
        .iter()
        .filter(|it| it["kind"] == "primitive-type")
        .count();
    let elements: Vec<_> = types
        .iter()
        .flat_map(|it| array(&it["snapshot"], "element"))
        .collect();
    let parameters = read(&core, "SearchParameter");
    let mut compartments = read(&core, "CompartmentDefinition");
    compartments.retain(|it| it["id"] != "example");
    let resources: Vec<_> = compartments
        .iter()
        .flat_map(|it| array(it, "resource"))
        .collect();
    let linked = resources.iter().map(|it| array(it, "param").len());
    let operations = read(&core, "OperationDefinition");
    Counts {
        types: types.len(),
        resources: types.iter().filter(is_concrete).count(),
        // Neither the roots nor the values of primitives are elements of a shape.
        elements: elements.len() - types.len() - primitives,
        codes: codes(&elements, &folder.join("expansions")),
        search_parameters: parameters.len(),
        with_expression: parameters
            .iter()
            .filter(|it| it["expression"].is_string())
            .count(),
        components: parameters
            .iter()
            .map(|it| array(it, "component").len())
            .sum(),
        compartment_members: linked.clone().filter(|it| *it > 0).count(),
        compartment_parameters: linked.sum(),
        operations: operations.len(),
        operation_parameters: operations
            .iter()
            .map(|it| parameters_below(it, "parameter"))
            .sum(),
    }
}

fn parameters_below(value: &Value, key: &str) -> usize {
    array(value, key)
        .iter()
        .map(|it| 1 + parameters_below(it, "part"))
        .sum()
}

/// The codes of the required value sets whose expansion is whole.
fn codes(elements: &[&Value], expansions: &Path) -> usize {
    let required = elements
        .iter()
        .filter(|it| it["binding"]["strength"] == "required");
    let urls: BTreeSet<_> = required.map(|it| value_set(&it["binding"])).collect();
    let expansions = read(expansions, "ValueSet");
    let wanted = expansions
        .iter()
        .filter(|it| urls.contains(it["url"].as_str().unwrap_or("")));
    let whole = wanted.filter(|it| array(&it["expansion"], "extension").is_empty());
    whole.map(|it| codes_below(&it["expansion"])).sum()
}

fn codes_below(value: &Value) -> usize {
    let is_code = |it: &Value| usize::from(it["code"].is_string() && it["abstract"] != true);
    array(value, "contains")
        .iter()
        .map(|it| is_code(it) + codes_below(it))
        .sum()
}

/// The URL of a binding's value set in the form of either version, without the version.
pub(super) fn value_set(binding: &Value) -> &str {
    let forms = [
        &binding["valueSet"],
        &binding["valueSetUri"],
        &binding["valueSetReference"]["reference"],
    ];
    let url = forms.into_iter().find_map(Value::as_str).unwrap_or("");
    url.split('|').next().unwrap_or("")
}
