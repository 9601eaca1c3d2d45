//! What is hidden is woven around every condition on records of its type.

use expect_test::{Expect, expect};
use fhir::FhirVersion;
use search::compile::{Answers, Built, Visibility};
use search::entry::{RecordId, Row};
use search::plan::Filter;
use search::query::Handling;

use crate::cases::{Searched, build, parse};
use crate::printer::Printer;

/// Of patients `p`, of observations `o`, of groups none, of all only two rows.
fn visibility() -> Visibility {
    let id = |it: &str| Filter::Ids(vec![RecordId::from(it)]);
    Visibility::everything()
        .with("Patient", id("p"))
        .with("Observation", id("o"))
        .with("Group", Filter::NOTHING)
        .within(vec![Row(1), Row(2)])
}

fn check(scope: &str, text: &str, expected: &Expect) {
    let version = FhirVersion::R4;
    let searched = Searched::parse(version, scope).unwrap();
    let query = parse(version, &searched.types, text, Handling::Strict).unwrap();
    let built = build(
        version,
        &searched,
        &query,
        &visibility(),
        &Answers::default(),
    )
    .unwrap();
    let Built::Plan(plan) = built else {
        panic!("nothing is needed");
    };
    expected.assert_eq(&Printer::new(version).plan(&plan).join("\n"));
}

#[test]
fn hidden_resources_are_neither_matches_nor_ways_to_them() {
    check(
        "Patient",
        "",
        &expect!["Patient: (id in [p] and row in [1, 2])"],
    );
    check(
        "Patient",
        "name=x",
        &expect!["Patient: (name ~ x… and id in [p] and row in [1, 2])"],
    );
    check(
        "Observation",
        "subject.code=x",
        &expect![
            "Observation: ((subject -> Group((code = *|x and nothing and row in [1, 2])) or inside((subject/inside is there and #Group id is there and #Group code = *|x))) and id in [o] and row in [1, 2])"
        ],
    );
    check(
        "Observation",
        "subject:Patient.general-practitioner.name=x",
        &expect![
            "Observation: ((subject -> Patient(((general-practitioner -> Organization((name ~ x… and row in [1, 2])) | Practitioner((name ~ x… and row in [1, 2])) or inside((general-practitioner/inside is there and #Organization id is there and #Organization name ~ x…)) or inside((general-practitioner/inside is there and #Practitioner id is there and #Practitioner name ~ x…))) and id in [p] and row in [1, 2])) or inside((subject/inside is there and #Patient id is there and (#Patient general-practitioner -> Organization((name ~ x… and row in [1, 2])) | Practitioner((name ~ x… and row in [1, 2])) or #Patient general-practitioner/inside beside((#Organization id is there and #Organization name ~ x…)) or #Patient general-practitioner/inside beside((#Practitioner id is there and #Practitioner name ~ x…)))))) and id in [o] and row in [1, 2])"
        ],
    );
    check(
        "QuestionnaireResponse",
        "questionnaire.title=x&_id=a",
        &expect![
            "QuestionnaireResponse: ((questionnaire| -> |Questionnaire((title ~ x… and row in [1, 2])) or inside((questionnaire/inside is there and #Questionnaire id is there and #Questionnaire title ~ x…))) and id in [a] and row in [1, 2])"
        ],
    );
    check(
        "Patient",
        "_has:Observation:patient:code:not=x",
        &expect![
            "Patient: (<- Observation.patient((not code = *|x and id in [o] and row in [1, 2])) and id in [p] and row in [1, 2])"
        ],
    );
    check(
        "Patient",
        "_not-referenced=Observation:subject",
        &expect![
            "Patient: (not <- Observation.subject((id in [o] and row in [1, 2])) and id in [p] and row in [1, 2])"
        ],
    );
    check(
        "Patient/p/Observation",
        "code=x",
        &expect![
            "Observation: (code = *|x and (subject = Patient/p or performer = Patient/p) and id in [o] and row in [1, 2])"
        ],
    );
}

#[test]
fn whoever_sees_everything_has_nothing_around_it() {
    assert!(Visibility::everything().is_everything());
    assert!(!visibility().is_everything());
    let everything = Visibility::everything().around("Patient", Filter::EVERYTHING);
    assert!(everything == Filter::EVERYTHING);
}
