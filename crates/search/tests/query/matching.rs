//! Conditions decided in memory on one resource, and the questions that are left.

use fhir::FhirVersion;
use fhir::json::{Document, Limits};
use search::compile::{Answers, Built, Visibility};
use search::entry::{RecordId, Row};
use search::extract::{ExtractLimits, Extracted, extract};
use search::matching::{Matching, Open, Subject};
use search::name::ByName;
use search::plan::{Filter, Plan, Total};
use search::query::Handling;

use crate::cases::{Searched, bases, build, parse};
use crate::printer::Printer;

const VERSION: FhirVersion = FhirVersion::R4;

const PATIENT: &str = r#"{"resourceType":"Patient","id":"p","active":true,
    "identifier":[{"system":"http://s","value":"1"}],
    "name":[{"family":"Löwe","given":["Ada"]}],"birthDate":"1980-02-03",
    "generalPractitioner":[{"reference":"Practitioner/d"},{"reference":"Organization/o"}]}"#;

const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o","status":"final",
    "code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},
    "subject":{"reference":"Patient/p"},
    "component":[
        {"code":{"coding":[{"code":"a"}]},"valueQuantity":{"value":120,"system":"http://unitsofmeasure.org","code":"mm[Hg]"}},
        {"code":{"coding":[{"code":"b"}]},"valueQuantity":{"value":80,"system":"http://unitsofmeasure.org","code":"mm[Hg]"}}]}"#;

const LOCATION: &str =
    r#"{"resourceType":"Location","id":"l","position":{"latitude":52.5,"longitude":13.4}}"#;

struct Given {
    kind: &'static str,
    id: String,
    extracted: Extracted,
}

fn given(text: &str) -> Given {
    let document = Document::parse(text.to_owned().into(), &Limits::DEFAULT).unwrap();
    let text = |name| {
        document
            .root()
            .get(name)
            .unwrap()
            .as_str()
            .unwrap()
            .into_owned()
    };
    let kind = fhir::Definitions::of(VERSION)
        .resource(&text("resourceType"))
        .unwrap()
        .name;
    let (id, limits) = (text("id"), ExtractLimits::DEFAULT);
    let extracted = extract(VERSION, &bases(), &limits, kind, &id, document.root()).unwrap();
    Given {
        kind,
        id,
        extracted,
    }
}

impl Given {
    fn subject(&self) -> Subject<'_> {
        Subject {
            kind: self.kind,
            id: Some(&self.id),
            row: Some(Row(7)),
            updated: Some(1_577_836_800_000_000),
            entries: &self.extracted.entries,
        }
    }
}

fn filter(kind: &str, query: &str) -> Filter<ByName> {
    let searched = Searched::parse(VERSION, kind).unwrap();
    let query = parse(VERSION, &searched.types, query, Handling::Strict).unwrap();
    let everything = Visibility::everything();
    let built = build(VERSION, &searched, &query, &everything, &Answers::default()).unwrap();
    let Built::Plan(mut plan) = built else {
        panic!("nothing is needed");
    };
    plan.parts.remove(0).filter
}

fn open(text: &str, query: &str) -> Open {
    let given = given(text);
    match given.subject().matches(&filter(given.kind, query)) {
        Matching::Open(open) => open,
        Matching::Decided(_) => panic!("{query} is decided"),
    }
}

fn printed(open: &Open) -> Vec<String> {
    let plan = |parts: &Vec<_>| Plan {
        space: search::entry::Space(1),
        parts: parts.clone(),
        order: Vec::new(),
        after: None,
        not_later_than: None,
        limit: 1,
        total: Total::None,
    };
    let printer = Printer::new(VERSION);
    let questions = open.questions().iter();
    questions
        .map(|it| printer.plan(&plan(it)).join("; "))
        .collect()
}

#[test]
fn what_the_resource_says_is_decided() {
    for (text, query, expected) in [
        (PATIENT, "", true),
        (PATIENT, "_id=p", true),
        (PATIENT, "_id=q", false),
        (PATIENT, "_lastUpdated=2020", true),
        (PATIENT, "_lastUpdated=gt2020", false),
        (PATIENT, "_partition=2/7", true),
        (PATIENT, "_partition=1/2", false),
        (PATIENT, "family=low", true),
        (PATIENT, "family:exact=low", false),
        (PATIENT, "family:exact=L%C3%B6we", true),
        (PATIENT, "name:contains=da", true),
        (PATIENT, "identifier=1", true),
        (PATIENT, "identifier=http://s%7C", true),
        (PATIENT, "identifier=%7C1", false),
        (PATIENT, "identifier:not=1", false),
        (PATIENT, "birthdate=1980-02", true),
        (PATIENT, "birthdate=gt1980-02-03", false),
        (PATIENT, "birthdate=ne1979", true),
        (PATIENT, "gender:missing=true", true),
        (PATIENT, "gender:missing=false", false),
        (PATIENT, "active=true&birthdate=lt1990,gt2000", true),
        (PATIENT, "active=true&birthdate=lt1970,gt2000", false),
        (PATIENT, "general-practitioner=Practitioner/d", true),
        (PATIENT, "general-practitioner=Practitioner/x", false),
        (OBSERVATION, "code=http://loinc.org%7C8480-6", true),
        (OBSERVATION, "component-value-quantity=gt100", true),
        (OBSERVATION, "component-value-quantity=gt200", false),
        (OBSERVATION, "component-code-value-quantity=a%24gt100", true),
        (
            OBSERVATION,
            "component-code-value-quantity=b%24gt100",
            false,
        ),
        (LOCATION, "near=52.5%7C13.41%7C1%7Ckm", true),
        (LOCATION, "near=52.5%7C13.42%7C1%7Ckm", false),
        // Nothing refers to a type that it does not refer to.
        (OBSERVATION, "subject:Group.code=x", false),
        // What decides is seen before what would have to be asked.
        (OBSERVATION, "subject:Patient.family=x&status=draft", false),
    ] {
        let given = given(text);
        let found = given.subject().matches(&filter(given.kind, query));
        let decided = match found {
            Matching::Decided(verdict) => Some(verdict),
            Matching::Open(_) => None,
        };
        assert_eq!(decided, Some(expected), "{query}");
    }
}

#[test]
fn rows_are_those_of_the_resource() {
    let given = given(PATIENT);
    for (rows, expected) in [(vec![Row(7)], true), (vec![Row(8)], false), (vec![], false)] {
        let found = given.subject().matches(&Filter::Rows(rows));
        assert!(found == Matching::Decided(expected));
    }
    let contained = Subject {
        id: None,
        row: None,
        updated: None,
        ..given.subject()
    };
    for filter in [
        Filter::Rows(vec![Row(7)]),
        Filter::Ids(vec![RecordId::from("p")]),
        filter("Patient", "_lastUpdated=gt2000"),
        filter("Patient", "_has:Observation:patient:code=x"),
    ] {
        assert!(contained.matches(&filter) == Matching::Decided(false));
    }
}

#[test]
fn what_other_records_say_is_asked() {
    let chain = open(OBSERVATION, "subject:Patient.family=x");
    assert_eq!(printed(&chain), ["Patient: (id in [p] and family ~ x…)"]);
    assert!(chain.decide(&[true]));
    assert!(!chain.decide(&[false]));

    let both = open(PATIENT, "general-practitioner.identifier=x");
    assert_eq!(
        printed(&both),
        [
            "Organization: (id in [o] and identifier = *|x); Practitioner: (id in [d] and identifier = *|x)"
        ]
    );

    let has = open(PATIENT, "_has:Observation:patient:code=x");
    assert_eq!(
        printed(&has),
        ["Observation: (patient = Patient/p and code = *|x)"]
    );
    assert!(has.decide(&[true]));

    let unreferenced = open(PATIENT, "_not-referenced=Observation:subject");
    assert!(!unreferenced.decide(&[true]));
    assert!(unreferenced.decide(&[false]));
}

#[test]
fn names_lead_on_too() {
    let response = r#"{"resourceType":"QuestionnaireResponse","id":"r","status":"completed",
        "questionnaire":"http://x/q|1"}"#;
    let chain = open(response, "questionnaire.title=x");
    assert_eq!(
        printed(&chain),
        ["Questionnaire: (own names = <http://x/q|1> and title ~ x…)"]
    );
    let questionnaire = r#"{"resourceType":"Questionnaire","id":"q","status":"active",
        "url":"http://x/q","version":"1"}"#;
    let has = open(
        questionnaire,
        "_has:QuestionnaireResponse:questionnaire:status=y",
    );
    assert_eq!(
        printed(&has),
        [
            "QuestionnaireResponse: ((questionnaire = Questionnaire/q or questionnaire/name = <http://x/q> or questionnaire/name = <http://x/q|1>) and status = *|y)"
        ]
    );
}

#[test]
fn answers_are_joined_as_conditions_are() {
    let query = "_has:Observation:patient:code=x&_has:Encounter:patient:status=y";
    let all = open(PATIENT, query);
    assert_eq!(all.questions().len(), 2);
    for (answers, expected) in [
        ([true, true], true),
        ([true, false], false),
        ([false, true], false),
    ] {
        assert_eq!(all.decide(&answers), expected);
    }
    let twice = filter("Patient", "_has:Observation:patient:code=x");
    let given = given(PATIENT);
    let either = Filter::Any(vec![twice.clone(), twice.negated()]);
    let Matching::Open(either) = given.subject().matches(&either) else {
        panic!("it is open");
    };
    assert_eq!(either.questions().len(), 1, "the same is asked once");
    assert!(either.decide(&[true]) && either.decide(&[false]));
}
