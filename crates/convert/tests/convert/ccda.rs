//! The ten C-CDA roots of `python-fhir-converter` 0.3.0 on every C-CDA document of set 16. All
//! roots were changed by the package's authors and use two filters of their own, which pass their
//! input through here; so the output must be well formed, and differences are only counted.

use convert::Processor;
use serde_json::Value;

use super::data;

const SUITE: &str = "convert ccda";

#[test]
fn every_root_runs_on_every_document() {
    let (Some(library), Some(set)) = (data::pypi(SUITE, "ccda"), data::folder(SUITE, "16-ccda"))
    else {
        return;
    };
    let documents = data::files(&set).into_iter().filter_map(|file| {
        let text = std::fs::read_to_string(&file).ok()?;
        let is_document = text.contains("<ClinicalDocument") && text.contains("urn:hl7-org:v3");
        is_document.then_some((file, text))
    });
    let roots = library.roots();
    let (mut count, mut entries) = (0, 0);
    for (file, text) in documents {
        for root in &roots {
            let output = data::convert(&library, root, Processor::Ccda, &text);
            let output =
                output.unwrap_or_else(|error| panic!("{} {root}: {error}", file.display()));
            let json: Value = serde_json::from_str(&output.text).unwrap();
            // `Header` is meant to be included; alone it gives its first entry.
            let is_bundle = json["resourceType"] == "Bundle" || *root == "Header";
            assert!(is_bundle, "{} {root}", file.display());
            entries += json["entry"].as_array().map_or(0, Vec::len);
            count += 1;
        }
    }
    println!("isthmus-suite: {SUITE}: {count} conversions, {entries} entries");
}

#[test]
fn differences_from_the_expected_bundles_are_counted() {
    let (Some(library), Some(set)) = (data::pypi(SUITE, "ccda"), data::folder(SUITE, "16-ccda"))
    else {
        return;
    };
    let set = set.join("ms-fhir-converter");
    let types = |bundle: &Value| -> Vec<String> {
        let entries = bundle["entry"].as_array().into_iter().flatten();
        let mut types: Vec<String> = entries
            .map(|it| {
                it["resource"]["resourceType"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect();
        types.sort();
        types
    };
    let (mut same, mut different) = (0, 0);
    for file in data::files(&set.join("expected")) {
        let root = file
            .parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let name = name.replace("-expected.json", ".ccda");
        let Ok(input) = std::fs::read_to_string(set.join("samples").join(name)) else {
            continue;
        };
        let expected: Value =
            serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let output = data::convert(&library, root, Processor::Ccda, &input).unwrap();
        let actual: Value = serde_json::from_str(&output.text).unwrap();
        if types(&actual) == types(&expected) {
            same += 1;
        } else {
            different += 1;
        }
    }
    println!("isthmus-suite: convert ccda types: {same} alike, {different} different");
}
