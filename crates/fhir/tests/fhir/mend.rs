//! Mending and lenient validation: what a client gets that asks for leniency.
//!
//! Every file below `cases/mend` holds cases, a resource per line. The lines indented below it are
//! the outcome in both versions, or with `STU3` or `R4` before it in one: the mended text, what was
//! mended, and what lenient validation finds in it. `UPDATE_EXPECT=1` writes outcomes anew; lines
//! with `#` are kept.

use std::collections::BTreeSet;
use std::path::Path;

use expect_test::{expect, expect_file};
use fhir::json::{Document, splice};
use fhir::mend::{MENDED_MAX, Mended, mend};
use fhir::validate::{Handling, ISSUES_MAX, Options, validate, validate_with};
use fhir::{Definitions, FhirVersion, Issue, Severity};

use crate::data;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/mend");
const CASES_MIN: usize = 60;

fn mended(version: FhirVersion, document: &Document) -> (Document, Mended) {
    let found = mend(document, Definitions::of(version));
    let text = splice(document.as_str(), found.splices.clone());
    (data::parse(text), found)
}

fn lenient(version: FhirVersion, document: &Document, issues_max: usize) -> Vec<Issue> {
    let options = Options {
        issues_max,
        ..Options::default()
    };
    let definitions = Definitions::of(version);
    validate_with(document.root(), "", definitions, options, Handling::Lenient)
}

fn line(issue: &Issue) -> String {
    let severity = format!("{:?}", issue.severity).to_lowercase();
    let remedy = issue.remedy.as_deref().unwrap_or_default();
    let place = issue.expression.join(", ");
    format!("{severity} {place}: {} ({remedy})", issue.what)
}

fn outcome(version: FhirVersion, case: &str) -> Vec<String> {
    let document = data::parse(case.to_owned());
    let (after, found) = mended(version, &document);
    let mut told = Vec::new();
    if !found.splices.is_empty() {
        told.push(format!("=> {}", after.as_str()));
    }
    told.extend(
        found
            .issues
            .iter()
            .map(|it| format!("mended: {}", line(it))),
    );
    told.extend(lenient(version, &after, ISSUES_MAX).iter().map(line));
    assert_eq!(
        mend(&after, Definitions::of(version)),
        Mended::default(),
        "{case}"
    );
    if told.is_empty() {
        told.push("valid".to_owned());
    }
    told
}

fn outcomes(case: &str) -> String {
    let [stu3, r4] = FhirVersion::ALL.map(|version| outcome(version, case));
    let print = |prefix: &str, lines: &[String]| {
        let indented = lines.iter().map(|line| format!("    {prefix}{line}\n"));
        indented.collect::<Vec<_>>().concat()
    };
    if stu3 == r4 {
        print("", &r4)
    } else {
        print("STU3 ", &stu3) + &print("R4 ", &r4)
    }
}

#[test]
fn every_rule_has_its_cases() {
    let mut cases = 0;
    for path in data::files(Path::new(FOLDER), "txt") {
        let table = std::fs::read_to_string(&path).unwrap();
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

/// Leniency only ever lowers severities: places, texts and their order are those of strictness.
#[test]
fn leniency_tells_all_that_strictness_tells() {
    for path in data::files(Path::new(FOLDER), "txt") {
        let table = std::fs::read_to_string(&path).unwrap();
        for case in table.lines().filter(|line| line.starts_with('{')) {
            for version in FhirVersion::ALL {
                let document = data::parse(case.to_owned());
                let strict = validate(&document, Definitions::of(version), Options::default());
                let mut lenient = lenient(version, &document, ISSUES_MAX);
                for issue in &mut lenient {
                    issue.severity = Severity::Error;
                }
                assert_eq!(strict, lenient, "{case}");
            }
        }
    }
}

/// What is not listed may hold an error, and then the line that counts it is one.
#[test]
fn errors_beyond_the_limit_are_errors() {
    let severities = |json: &str, issues_max| -> Vec<Severity> {
        let found = lenient(FhirVersion::R4, &data::parse(json.to_owned()), issues_max);
        found.iter().map(|it| it.severity).collect()
    };
    let soft = r#"{"resourceType":"Patient","birthDate":"2020-02-30","gender":"Male"}"#;
    assert_eq!(severities(soft, 1), [Severity::Warning; 2]);
    assert_eq!(severities(soft, 2), [Severity::Warning; 2]);
    let hard = r#"{"resourceType":"Patient","birthDate":"2020-02-30","gender":"Male","active":1}"#;
    assert_eq!(severities(hard, 1), [Severity::Warning, Severity::Error]);
}

#[test]
fn what_is_mended_is_limited() {
    let names = vec![r#"{"given":"a"}"#; MENDED_MAX + 1].join(",");
    let json = format!(r#"{{"resourceType":"Patient","name":[{names}]}}"#);
    let found = mend(&data::parse(json), Definitions::of(FhirVersion::R4));
    assert_eq!(found.splices.len(), 2 * MENDED_MAX);
    assert_eq!(found.issues.len(), ISSUES_MAX + 2);
    let beyond: Vec<_> = found.issues[ISSUES_MAX..].iter().map(line).collect();
    expect![[r#"
        warning : mended in the same way and not listed: 99900 (write an array where an element repeats, and only there)
        warning : the limit `mended_max` of 100000 members is reached (send the resource in parts, or write it as the standard has it)"#]].assert_eq(&beyond.join("\n"));
}

#[test]
fn what_nests_too_deeply_is_left() {
    let deep = r#"{"linkId":"1","type":"group","item":"#.repeat(5_000);
    let json = format!(
        r#"{{"resourceType":"Questionnaire","status":"draft","item":{deep}{{}}{}}}"#,
        "}".repeat(5_000)
    );
    let limits = fhir::json::Limits {
        depth_max: 100_000,
        ..fhir::json::Limits::DEFAULT
    };
    let document = Document::parse(json.into(), &limits).unwrap();
    let found = mend(&document, Definitions::of(FhirVersion::R4));
    assert_eq!(found.splices.len(), 2 * fhir::validate::ELEMENT_DEPTH_MAX);
}

/// The official examples have nothing to mend.
#[test]
fn examples_are_left_alone() {
    let sets = [
        (FhirVersion::Stu3, "04-fhir-stu3-examples"),
        (FhirVersion::R4, "03-fhir-r4-examples"),
    ];
    for (version, set) in sets {
        let suite = format!("mending {set}");
        let Some(folder) = data::folder(&suite, set) else {
            continue;
        };
        let files = data::files(&folder, "json");
        for file in &files {
            let found = mend(&data::parse(data::read(file)), Definitions::of(version));
            assert_eq!(found.splices.capacity(), 0, "{}", file.display());
            assert_eq!(found.issues.capacity(), 0, "{}", file.display());
        }
        println!("isthmus-suite: {suite}: {} cases", files.len());
    }
}

/// Of 94 files, as others' servers took them, leniency refuses those that hold several values in
/// the place of one: nobody knows which is meant.
#[test]
fn stu3_synthea_is_all_taken() {
    let (suite, version) = ("mending 06-synthea-stu3", FhirVersion::Stu3);
    let Some(folder) = data::folder(suite, "06-synthea-stu3") else {
        return;
    };
    let files = data::files(&folder, "json");
    let (mut changed, mut warned) = (0, 0);
    let mut refused = Vec::new();
    for file in &files {
        let (after, found) = mended(version, &data::parse(data::read(file)));
        changed += usize::from(!found.splices.is_empty());
        let issues = lenient(version, &after, ISSUES_MAX);
        let (errors, warnings): (Vec<_>, Vec<_>) =
            issues.iter().partition(|it| it.severity == Severity::Error);
        warned += usize::from(!warnings.is_empty());
        if !errors.is_empty() {
            let name = file.strip_prefix(&folder).unwrap().display();
            refused.push(format!("{name}: {}\n", kinds(&errors)));
        }
    }
    println!("isthmus-suite: {suite}: {} cases", files.len());
    expect![""].assert_eq(&refused.concat());
    expect!["67 mended, 13 with warnings"]
        .assert_eq(&format!("{changed} mended, {warned} with warnings"));
}

/// What is wrong, each fault once.
fn kinds(issues: &[&Issue]) -> String {
    let kinds: BTreeSet<&str> = issues.iter().map(|it| it.what.as_str()).collect();
    kinds.into_iter().collect::<Vec<_>>().join("; ")
}
