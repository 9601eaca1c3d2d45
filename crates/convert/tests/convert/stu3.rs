//! STU3 → R4 with the templates of `python-fhir-converter` 0.3.0, which are Microsoft's but for
//! three, against Microsoft's expected results (set 15).

use std::collections::BTreeSet;

use convert::{Level, Processor};
use fhir::Instant;
use serde_json::Value;

use super::data;

const SUITE: &str = "convert stu3";

/// Inputs whose result may differ, each with its reason; one that does not is a fault.
const KNOWN: &str = include_str!("../official/stu3-known.txt");

/// Instants of one moment are equal, whatever zone they are written in.
fn normalized(value: &Value) -> Value {
    match value {
        Value::String(text) => match Instant::parse(text) {
            Some(instant) => Value::String(instant.to_string()),
            None => value.clone(),
        },
        Value::Number(number) => match number.as_f64() {
            Some(double) => Value::String(format!("number {double}")),
            None => value.clone(),
        },
        Value::Array(items) => items.iter().map(normalized).collect(),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| (key.clone(), normalized(value)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

#[test]
fn all_templates_of_the_package_parse() {
    let (Some(stu3), Some(ccda)) = (data::pypi(SUITE, "stu3"), data::pypi(SUITE, "ccda")) else {
        return;
    };
    for (kind, library) in [("stu3", stu3), ("ccda", ccda)] {
        let findings = library.check();
        let errors = findings.iter().filter(|it| it.level == Level::Error);
        let errors: Vec<String> = errors.map(ToString::to_string).collect();
        println!(
            "isthmus-suite: convert {kind} templates: {} parsed, {} findings",
            library.template_count(),
            findings.len()
        );
        assert!(errors.is_empty(), "{}", errors.join("\n"));
    }
}

/// Where two values differ first.
fn difference(actual: &Value, expected: &Value, at: &str) -> Option<String> {
    match (actual, expected) {
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            names.into_iter().find_map(|name| {
                let at = format!("{at}.{name}");
                difference(&actual[name], &expected[name], &at)
            })
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let mut items = one.iter().zip(other).enumerate();
            items.find_map(|(n, (one, other))| difference(one, other, &format!("{at}[{n}]")))
        }
        _ if actual == expected => None,
        _ => Some(format!("{at}: {actual} instead of {expected}")),
    }
}

#[test]
fn inputs_become_what_is_expected() {
    let Some(library) = data::pypi(SUITE, "stu3") else {
        return;
    };
    let Some(set) = data::folder(SUITE, "15-hl7v2/ms-fhir-converter/stu3-to-r4") else {
        return;
    };
    let known: BTreeSet<&str> = KNOWN
        .lines()
        .filter_map(|it| it.split(':').next())
        .collect();
    let (mut equal, mut wrong) = (0, Vec::new());
    for file in data::files(&set.join("expected")) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let input = set.join("input").join(format!("{name}.json"));
        let Ok(input) = std::fs::read_to_string(input) else {
            continue;
        };
        let expected: Value =
            serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let actual = match data::convert(&library, name, Processor::Fhir, &input) {
            Ok(output) => normalized(&serde_json::from_str(&output.text).unwrap()),
            Err(error) => Value::String(error.to_string()),
        };
        let is_equal = actual == normalized(&expected);
        equal += usize::from(is_equal);
        if is_equal == known.contains(name) {
            let place = difference(&actual, &normalized(&expected), name);
            wrong.push(place.unwrap_or_else(|| format!("{name}: listed, but as expected")));
        }
    }
    println!(
        "isthmus-suite: {SUITE}: {equal} as expected, {} listed",
        known.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_input_converts() {
    let Some(library) = data::pypi(SUITE, "stu3") else {
        return;
    };
    let Some(set) = data::folder(SUITE, "15-hl7v2/ms-fhir-converter/stu3-to-r4/input") else {
        return;
    };
    let mut converted = 0;
    for file in data::files(&set) {
        let input = std::fs::read_to_string(&file).unwrap();
        let json: Value = serde_json::from_str(&input).unwrap();
        let root = json["resourceType"].as_str().unwrap();
        let output = data::convert(&library, root, Processor::Fhir, &input);
        let output = output.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let output: Value = serde_json::from_str(&output.text).unwrap();
        assert!(output["resourceType"].is_string(), "{}", file.display());
        converted += 1;
    }
    println!("isthmus-suite: convert stu3 inputs: {converted} converted");
}
