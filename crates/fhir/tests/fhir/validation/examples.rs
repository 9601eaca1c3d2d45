//! Every official example is valid, but for those that are known to break a rule.
//!
//! The known ones are listed below `tests/official`, a file name and a reason per line; a listed
//! example that is valid fails the test too. Of sets that are not official, the faults are pinned.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use fhir::json::{Document, Value};
use fhir::{FhirVersion, Issue};

use super::{issues, lines};
use crate::data;

const LISTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/official");
/// Files of the npm packages that are no resources.
const OTHER_FILES: [&str; 3] = ["package.json", "fhir.schema.json", ".index.json"];

/// The faults of each file of the set; nothing, said so, if it is not there.
fn faults(version: FhirVersion, set: &str) -> Option<BTreeMap<String, Vec<Issue>>> {
    let suite = format!("validation {set}");
    let folder = data::folder(&suite, set)?;
    let name_in_set = |file: &Path| {
        let name = file.strip_prefix(&folder).expect("a file of the set");
        name.to_string_lossy().into_owned()
    };
    let files = data::files(&folder, "json").into_iter();
    let named = files.map(|file| (name_in_set(&file), file));
    let resources = named.filter(|(name, _)| !OTHER_FILES.iter().any(|it| name.ends_with(it)));
    let validate = |(name, file): (String, PathBuf)| {
        let document = data::parse(data::read(&file));
        (name, issues(version, &document))
    };
    let faults: BTreeMap<_, _> = resources.map(validate).collect();
    println!("isthmus-suite: {suite}: {} cases", faults.len());
    Some(faults)
}

/// Valid but for the files that are listed.
fn check(version: FhirVersion, set: &str) {
    let list = fs::read_to_string(format!("{LISTS}/validation-{set}.txt")).expect("a list");
    let known: BTreeSet<&str> = list
        .lines()
        .map(|line| line.split_once(": ").expect("a file and a reason").0)
        .collect();
    let Some(faults) = faults(version, set) else {
        return;
    };
    let unlisted = faults
        .iter()
        .filter(|(file, found)| found.is_empty() == known.contains(file.as_str()));
    let told: Vec<_> = unlisted
        .map(|(file, found)| format!("{file}\n{}", lines(found)))
        .collect();
    let told = told.concat();
    assert!(
        told.is_empty(),
        "faults not listed, or listed files without fault:\n{told}"
    );
    let absent: Vec<_> = known
        .iter()
        .filter(|file| !faults.contains_key(**file))
        .collect();
    assert!(absent.is_empty(), "listed, but not there: {absent:?}");
}

#[test]
fn r4_examples() {
    check(FhirVersion::R4, "03-fhir-r4-examples");
}

#[test]
fn stu3_examples() {
    check(FhirVersion::Stu3, "04-fhir-stu3-examples");
}

#[test]
fn r4_definitions() {
    check(FhirVersion::R4, "01-fhir-r4-definitions");
}

#[test]
fn stu3_definitions() {
    check(FhirVersion::Stu3, "02-fhir-stu3-definitions");
}

/// In how many files of the set each fault occurs, indices left out.
fn check_tally(version: FhirVersion, set: &str, expected: &Expect) {
    let Some(faults) = faults(version, set) else {
        return;
    };
    let without_indices = |issue: &Issue| {
        let place: Vec<_> = issue.expression[0].split(['[', ']']).step_by(2).collect();
        format!("{}: {}", place.concat(), issue.what)
    };
    let mut tally = BTreeMap::<String, usize>::new();
    for found in faults.values() {
        for fault in found.iter().map(without_indices).collect::<BTreeSet<_>>() {
            *tally.entry(fault).or_default() += 1;
        }
    }
    let told: Vec<_> = tally
        .iter()
        .map(|(fault, files)| format!("{files} × {fault}\n"))
        .collect();
    expected.assert_eq(&told.concat());
}

#[test]
fn r4_synthea() {
    check_tally(FhirVersion::R4, "05-synthea-r4", &expect![[""]]);
}

/// The generator of that time wrote STU3 wrongly.
#[test]
fn stu3_synthea() {
    check_tally(
        FhirVersion::Stu3,
        "06-synthea-stu3",
        &expect![[r#"
        3 × Bundle.entry.resource.category: `category` repeats and must be an array
        34 × Bundle.entry.resource.code.coding: `coding` repeats and must be an array
        13 × Bundle.entry.resource.dispenseRequest.numberOfRepeatsAllowed: the value is not a valid `positiveInt`
        4 × Bundle.entry.resource.extension.value: `value` does not repeat, but is an array
        1 × Bundle.entry.resource.identifier: `identifier` repeats and must be an array
        25 × Bundle.entry.resource.reasonReference: `reasonReference` repeats and must be an array
    "#]],
    );
}

/// What another validator, which checks much more, finds no error in has none here either.
///
/// `document-manifest` is left out: its outcome is that of another file.
#[test]
fn what_the_reference_validator_accepts() {
    let suite = "validation 13-validator";
    let Some(folder) = data::folder(suite, "13-validator") else {
        return;
    };
    let mut cases = 0;
    for outcome in data::files(&folder.join("outcomes/java"), "json") {
        let name = outcome
            .file_name()
            .expect("a file has a name")
            .to_string_lossy()
            .into_owned();
        let Some((version, case)) = name.strip_suffix("-base.json").and_then(version_and_case)
        else {
            continue;
        };
        let file = folder.join(format!("{case}.json"));
        let is_accepted = !lists_an_error(&data::parse(data::read(&outcome)));
        if is_accepted && file.is_file() && case != "document-manifest" {
            let found = issues(version, &data::parse(data::read(&file)));
            assert!(found.is_empty(), "{name}\n{}", lines(&found));
            cases += 1;
        }
    }
    println!("isthmus-suite: {suite}: {cases} cases");
}

fn version_and_case(name: &str) -> Option<(FhirVersion, &str)> {
    let r4 = name.strip_prefix("R4.").map(|case| (FhirVersion::R4, case));
    r4.or_else(|| Some((FhirVersion::Stu3, name.strip_prefix("R3.")?)))
}

fn lists_an_error(outcome: &Document) -> bool {
    let issues = outcome
        .root()
        .get("issue")
        .into_iter()
        .flat_map(Value::items);
    let mut severities = issues.filter_map(|it| it.get("severity"));
    severities.any(|it| it.is_str("error") || it.is_str("fatal"))
}
