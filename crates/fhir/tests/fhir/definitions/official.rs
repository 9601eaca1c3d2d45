//! Every fact of every element and search parameter, compared with the official package.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fhir::FhirVersion;
use fhir::definitions::{Definitions, ElementDefinition, SearchParameter};
use serde_json::Value;

use super::counts::{array, read, types, value_set};

#[test]
fn every_element_and_parameter() {
    for version in FhirVersion::ALL {
        let suite = format!("definitions facts {version}");
        match super::official_folder(version) {
            None => println!("isthmus-skipped: {suite}: the definitions are not there"),
            Some(folder) => {
                let definitions = Definitions::of(version);
                let core = folder.join("core");
                let cases =
                    check_elements(definitions, &core) + check_parameters(definitions, &core);
                println!("isthmus-suite: {suite}: {cases} cases");
            }
        }
    }
}

fn check_elements(definitions: &'static Definitions, core: &Path) -> usize {
    let all = definitions
        .types()
        .iter()
        .flat_map(|it| super::elements_of(definitions, it));
    let by_path: BTreeMap<_, _> = all.map(|it| (it.path, it)).collect();
    let types = types(core);
    let official = types
        .iter()
        .flat_map(|it| array(&it["snapshot"], "element"));
    let known = official.filter_map(|it| Some((it, *by_path.get(it["path"].as_str()?)?)));
    known
        .map(|(official, element)| check_element(official, element))
        .count()
}

fn check_element(official: &Value, element: &ElementDefinition) {
    let path = element.path;
    let is = |key: &str| official[key] == true;
    assert_eq!(
        Some(u64::from(element.min)),
        official["min"].as_u64(),
        "{path}"
    );
    let max = element.max.map_or("*".to_owned(), |max| max.to_string());
    assert_eq!(max, official["max"], "{path}");
    assert_eq!(
        (element.is_summary, element.is_modifier),
        (is("isSummary"), is("isModifier")),
        "{path}"
    );
    let reference = official["contentReference"]
        .as_str()
        .map(|it| it.trim_start_matches('#'));
    assert_eq!(element.content_reference, reference, "{path}");
    if reference.is_none() {
        check_types(official, element);
    }
    let url = value_set(&official["binding"]);
    let binding = element.binding.as_ref();
    assert_eq!(binding.map_or("", |it| it.value_set), url, "{path}");
    let strength = binding.map(|it| format!("{:?}", it.strength).to_lowercase());
    let official = official["binding"]["strength"]
        .as_str()
        .filter(|_| !url.is_empty());
    assert_eq!(strength.as_deref(), official, "{path}");
}

/// Types and targets as sets of pairs, which is how both versions can be compared.
fn check_types(official: &Value, element: &ElementDefinition) {
    let mut expected = BTreeSet::new();
    for item in array(official, "type") {
        let code = item["code"].as_str().unwrap_or("").to_owned();
        let is_path_type = code.starts_with("http://hl7.org/fhirpath/System.");
        let code = if is_path_type {
            element.types[0].name.to_owned()
        } else {
            code
        };
        let targets = match &item["targetProfile"] {
            Value::String(one) => vec![one.as_str()],
            many => many
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect(),
        };
        let names = targets.iter().map(|it| it.rsplit('/').next().unwrap_or(""));
        let names: Vec<_> = names.filter(|it| *it != "Resource").collect();
        if names.is_empty() {
            expected.insert((code, ""));
        } else {
            expected.extend(names.into_iter().map(|name| (code.clone(), name)));
        }
    }
    let mut found = BTreeSet::new();
    for it in element.types {
        let targets = if it.targets.is_empty() {
            &[""]
        } else {
            it.targets
        };
        found.extend(targets.iter().map(|target| (it.name.to_owned(), *target)));
    }
    assert_eq!(found, expected, "{}", element.path);
}

fn check_parameters(definitions: &Definitions, core: &Path) -> usize {
    let by_key: BTreeMap<_, _> = definitions
        .search_parameters()
        .iter()
        .map(|it| ((it.url, it.id), it))
        .collect();
    let official = read(core, "SearchParameter");
    for official in &official {
        let text = |key: &str| official[key].as_str().unwrap_or("");
        let parameter = by_key
            .get(&(text("url"), text("id")))
            .expect("it is in the table");
        check_parameter(official, parameter);
    }
    official.len()
}

fn check_parameter(official: &Value, parameter: &SearchParameter) {
    let url = parameter.url;
    let texts = |key: &str| {
        array(official, key)
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
    };
    assert_eq!(official["code"], parameter.code, "{url}");
    assert_eq!(official["name"], parameter.name, "{url}");
    assert_eq!(official["type"], parameter.search_type.name(), "{url}");
    assert_eq!(
        official["expression"].as_str(),
        parameter.expression,
        "{url}"
    );
    assert_eq!(texts("base"), parameter.base, "{url}");
    assert_eq!(texts("target"), parameter.targets, "{url}");
    assert_eq!(texts("comparator"), parameter.comparators, "{url}");
    assert_eq!(texts("modifier"), parameter.modifiers, "{url}");
    let expressions = array(official, "component")
        .iter()
        .map(|it| it["expression"].as_str());
    let found = parameter.components.iter().map(|it| Some(it.expression));
    assert!(expressions.eq(found), "{url}");
}
