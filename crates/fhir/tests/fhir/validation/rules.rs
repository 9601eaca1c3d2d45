//! The rules as tables: every file below `cases/validation` holds cases and what they yield.
//!
//! A line is a case: a type and a body (`Patient { "active": true }`), or any JSON. The lines
//! indented below it are its outcome in both versions, or with `STU3` or `R4` before it in one.
//! `UPDATE_EXPECT=1` writes outcomes anew; lines with `#` are kept.

use std::path::PathBuf;

use expect_test::expect_file;
use fhir::FhirVersion;

use super::{issues, line, parse};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/validation");
const CASES_MIN: usize = 120;

/// The resource that a line stands for.
fn resource(case: &str) -> String {
    match case.split_once(" {") {
        Some((name, rest)) if name.bytes().all(|it| it.is_ascii_alphabetic()) => {
            let comma = if rest == "}" { "" } else { "," };
            format!("{{\"resourceType\":\"{name}\"{comma}{rest}")
        }
        _ => case.to_owned(),
    }
}

fn outcome(version: FhirVersion, case: &str) -> Vec<String> {
    let document = parse(&resource(case));
    issues(version, &document).iter().map(line).collect()
}

fn outcomes(case: &str) -> String {
    let [stu3, r4] = FhirVersion::ALL.map(|version| outcome(version, case));
    let print = |prefix: &str, lines: &[String]| {
        let valid = ["valid".to_owned()];
        let lines = if lines.is_empty() { &valid } else { lines };
        let indented: Vec<_> = lines
            .iter()
            .map(|line| format!("    {prefix}{line}\n"))
            .collect();
        indented.concat()
    };
    if stu3 == r4 {
        print("", &r4)
    } else {
        print("STU3 ", &stu3) + &print("R4 ", &r4)
    }
}

/// The tables: their paths and texts.
fn tables() -> Vec<(PathBuf, String)> {
    let folder = std::fs::read_dir(FOLDER).expect("the folder of cases");
    let paths = folder.map(|entry| entry.expect("an entry").path());
    let read = |path: PathBuf| {
        let table = std::fs::read_to_string(&path).expect("a table of cases");
        (path, table)
    };
    paths.map(read).collect()
}

/// The resources of all cases.
pub(super) fn resources() -> Vec<String> {
    let is_case = |line: &&str| !line.starts_with([' ', '#']);
    let tables = tables();
    let cases = tables
        .iter()
        .flat_map(|(_, table)| table.lines().filter(is_case));
    cases.map(resource).collect()
}

#[test]
fn every_rule_has_its_cases() {
    let mut cases = 0;
    for (path, table) in tables() {
        let mut written = String::new();
        for case in table.lines().filter(|line| !line.starts_with(' ')) {
            written += case;
            written.push('\n');
            if !case.starts_with('#') {
                cases += 1;
                written += &outcomes(case);
            }
        }
        expect_file![path].assert_eq(&written);
    }
    assert!(cases >= CASES_MIN, "only {cases} cases");
}
