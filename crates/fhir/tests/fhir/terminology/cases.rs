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

use super::tables::Tables;
use super::{give, known, lines, told};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/terminology");
const BASE: &str = "http://example.org/";
/// The value set that a case composes.
const ASKED: &str = "http://example.org/asked";

/// Sizes of pages in which code systems are tables: each row alone, some together, all in one.
const PAGES_BYTES: [usize; 3] = [1, 64, 1 << 15];

fn definitions() -> Vec<Value> {
    let text = std::fs::read_to_string(Path::new(FOLDER).join("definitions.json")).expect("a text");
    serde_json::from_str(&text.replace('~', BASE)).expect("an array")
}

/// What is stored, and all codes of it.
fn stored() -> (Content, Vec<(String, String)>) {
    let mut content = Content::closed();
    let mut codes = Vec::new();
    for definition in definitions() {
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

/// The same with the code systems as tables.
fn stored_as_tables(page_bytes: usize) -> Tables {
    let mut tables = Tables::new(Content::closed(), page_bytes);
    for definition in definitions() {
        let given = tables.give(&definition.to_string());
        given.expect("a definition");
    }
    tables
}

/// The value set that a case asks for, if it is not stored.
fn composed(case: &str) -> Option<String> {
    let is_composed = case.starts_with('{');
    is_composed.then(|| {
        // Beside `compose` a case may have extensions.
        let members = match case.strip_prefix("{\"extension\"") {
            Some(_) => case[1..case.len() - 1].to_owned(),
            None => format!(r#""compose":{case}"#),
        };
        format!(r#"{{"resourceType":"ValueSet","url":"{ASKED}",{members}}}"#)
    })
}

fn members(version: FhirVersion, case: &str) -> Vec<String> {
    let (mut content, codes) = stored();
    let asked = if let Some(text) = composed(case) {
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
    for page_bytes in PAGES_BYTES {
        check_tables(version, case, page_bytes, &codes, &found);
    }
    outcome(&found)
}

/// Code systems that are tables have the same members.
fn check_tables(
    version: FhirVersion,
    case: &str,
    page_bytes: usize,
    codes: &[(String, String)],
    members: &Result<CodeSet, TerminologyError>,
) {
    let mut tables = stored_as_tables(page_bytes);
    let text = composed(case);
    if let Some(text) = &text {
        tables.give(text).expect("a definition");
    }
    let asked = text.map_or(case, |_| ASKED);
    let limits = Limits::DEFAULT;
    let found = tables.answer(limits, |content| {
        Terminology::new(version, content, limits).members(asked)
    });
    assert_eq!(outcome(&found), outcome(members), "{case}");
    for (system, code) in codes {
        let coding = Coding {
            system: Some(system),
            code,
        };
        let found = tables.answer(limits, |content| {
            Terminology::new(version, content, limits).has_any(asked, &[coding])
        });
        match (members, found) {
            (Ok(members), found) => {
                assert_eq!(found, Ok(members.contains(system, code)), "{case} {code}");
            }
            (Err(error), Err(found)) => assert_eq!(&found, error, "{case} {code}"),
            (Err(_), Ok(_)) => {}
        }
    }
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
    let words: Vec<&str> = case.split(' ').collect();
    let of = |content: &Content| {
        let terminology = Terminology::new(version, content, Limits::DEFAULT);
        match words[..] {
            ["below", system, code] => terminology.below(system, code),
            ["above", system, code] => terminology.above(system, code),
            _ => panic!("`{case}` is no case"),
        }
    };
    let told = outcome(&of(&stored().0).map(known));
    for page_bytes in PAGES_BYTES {
        let found = stored_as_tables(page_bytes).answer(Limits::DEFAULT, of);
        assert_eq!(outcome(&found), told, "{case}");
    }
    told
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
