//! The rules as tables: every text below `cases/terminology` holds cases and what they yield.
//!
//! A line of `members.txt` is the `compose` of a value set, or a URL; one of `subsumption.txt` is a
//! direction, a system and a code. The lines indented below it are its outcome in both versions, or
//! with `STU3` or `R4` before it in one; a case with a version before it is one of that version. `~`
//! stands for `http://example.org/`; `definitions.json` holds what is stored. `UPDATE_EXPECT=1`
//! writes outcomes anew; lines with `#` are kept.

use std::collections::BTreeSet;
use std::path::Path;

use expect_test::expect_file;
use fhir::FhirVersion;
use fhir::terminology::{CodeSet, Codes, Coding, Content, Limits, Terminology, TerminologyError};
use serde_json::Value;

use super::{give, known, lines, told};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/terminology");
const BASE: &str = "http://example.org/";
/// The value set that a case composes.
const ASKED: &str = "http://example.org/asked";

/// What is stored, and all codes of it.
fn stored() -> (Content, Vec<(String, String)>) {
    let text = std::fs::read_to_string(Path::new(FOLDER).join("definitions.json")).expect("a text");
    let definitions: Vec<Value> = serde_json::from_str(&text.replace('~', BASE)).expect("an array");
    let mut content = Content::closed();
    let mut codes = Vec::new();
    for definition in definitions {
        give(&mut content, &definition.to_string()).expect("a definition");
        let system = definition["url"].as_str().expect("a URL").to_owned();
        let mut open = vec![definition];
        while let Some(holder) = open.pop() {
            for concept in holder["concept"].as_array().into_iter().flatten() {
                let code = concept["code"].as_str().expect("a code").to_owned();
                codes.push((system.clone(), code));
                open.push(concept.clone());
            }
        }
    }
    (content, codes)
}

fn members(version: FhirVersion, case: &str) -> Vec<String> {
    let (mut content, codes) = stored();
    let asked = if case.starts_with('{') {
        let text = format!(r#"{{"resourceType":"ValueSet","url":"{ASKED}","compose":{case}}}"#);
        if let Err(error) = give(&mut content, &text) {
            return vec![told(&error)];
        }
        ASKED
    } else {
        case
    };
    let terminology = Terminology::new(version, &content, Limits::DEFAULT);
    let found = terminology.members(asked).map(known);
    check_single_codes(&terminology, asked, &codes, &found);
    outcome(&found)
}

/// Asking for single codes yields what the members say.
fn check_single_codes(
    terminology: &Terminology<'_>,
    asked: &str,
    stored: &[(String, String)],
    members: &Result<CodeSet, TerminologyError>,
) {
    let listed = members.iter().flat_map(CodeSet::systems);
    let listed = listed.flat_map(|(system, codes)| match codes {
        Codes::Listed(codes) | Codes::AllExcept(codes) => codes
            .iter()
            .map(|it| (system.to_owned(), it.to_string()))
            .collect::<Vec<_>>(),
    });
    let mut codes: BTreeSet<(String, String)> = listed.chain(stored.iter().cloned()).collect();
    let systems: BTreeSet<String> = codes.iter().map(|(system, _)| system.clone()).collect();
    codes.extend(systems.into_iter().map(|it| (it, "no code".to_owned())));
    for (system, code) in &codes {
        let with = |system| {
            terminology
                .has_any(asked, &[Coding { system, code }])
                .map(known)
        };
        let (coding, plain) = (with(Some(system.as_str())), with(None));
        match members {
            Ok(members) => {
                assert_eq!(
                    coding,
                    Ok(members.contains(system, code)),
                    "{asked} {system} {code}"
                );
                assert_eq!(plain, Ok(members.contains_code(code)), "{asked} {code}");
            }
            Err(error) => {
                for found in [coding, plain] {
                    let agrees = found.as_ref().map_or_else(|it| it == error, |_| true);
                    assert!(agrees, "{asked} {system} {code}: {found:?}");
                }
            }
        }
    }
}

fn subsumption(version: FhirVersion, case: &str) -> Vec<String> {
    let (content, _) = stored();
    let terminology = Terminology::new(version, &content, Limits::DEFAULT);
    let words: Vec<&str> = case.split(' ').collect();
    let found = match words[..] {
        ["below", system, code] => terminology.below(system, code),
        ["above", system, code] => terminology.above(system, code),
        _ => panic!("`{case}` is no case"),
    };
    outcome(&found.map(known))
}

fn outcome(found: &Result<CodeSet, TerminologyError>) -> Vec<String> {
    match found {
        Ok(set) if set.is_empty() => vec!["nothing".to_owned()],
        Ok(set) => lines(set),
        Err(error) => vec![told(error)],
    }
}

/// Runs a table and compares its outcomes; returns how many cases it has.
fn run(table: &str, of: fn(FhirVersion, &str) -> Vec<String>) -> usize {
    let path = Path::new(FOLDER).join(table);
    let text = std::fs::read_to_string(&path).expect("a table of cases");
    let mut written = String::new();
    let mut count = 0;
    for line in text.lines().filter(|it| !it.starts_with(' ')) {
        written.push_str(line);
        written.push('\n');
        if !line.starts_with('#') {
            written.push_str(&outcomes(line, of).replace(BASE, "~"));
            count += 1;
        }
    }
    expect_file![path].assert_eq(&written);
    count
}

fn outcomes(line: &str, of: fn(FhirVersion, &str) -> Vec<String>) -> String {
    let case = line.replace('~', BASE);
    let print = |prefix: &str, lines: Vec<String>| -> String {
        let lines = lines.iter().map(|it| format!("    {prefix}{it}\n"));
        lines.collect::<Vec<_>>().concat()
    };
    for (word, version) in [("STU3 ", FhirVersion::Stu3), ("R4 ", FhirVersion::R4)] {
        if let Some(case) = case.strip_prefix(word) {
            return print("", of(version, case));
        }
    }
    let (stu3, r4) = (of(FhirVersion::Stu3, &case), of(FhirVersion::R4, &case));
    if stu3 == r4 {
        return print("", r4);
    }
    print("STU3 ", stu3) + &print("R4 ", r4)
}

#[test]
fn members_of_value_sets() {
    assert!(run("members.txt", members) >= 90);
}

#[test]
fn subsumption_of_concepts() {
    assert!(run("subsumption.txt", subsumption) >= 20);
}
