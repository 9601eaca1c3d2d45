//! From names to numbers: a name without one matches nothing, and the rest stays as it is.

use std::collections::HashMap;
use std::hash::Hash;

use fhir::FhirVersion;
use search::compile::{Answers, Built, Names, Numbers, Visibility};
use search::entry::{
    Entry, EntryValue, Magnitude, ParameterNumber, Space, SystemNumber, TypeNumber, UnitNumber,
};
use search::name::{ByName, ResourceName};
use search::plan::{Filter, Plan, SortBy};
use search::query::Handling;
use search::registry::Slot;

use crate::cases::{Searched, build, parse};

fn plan(scope: &str, text: &str) -> Plan<ByName> {
    let version = FhirVersion::R4;
    let searched = Searched::parse(version, scope).unwrap();
    let query = parse(version, &searched.types, text, Handling::Strict).unwrap();
    let everything = Visibility::everything();
    match build(version, &searched, &query, &everything, &Answers::default()) {
        Ok(Built::Plan(plan)) => plan,
        other => panic!("{text}: {other:?}"),
    }
}

fn numbered<N: Copy + Eq + Hash>(
    names: &std::collections::BTreeSet<&str>,
    number: fn(u32) -> N,
    left_out: &str,
) -> HashMap<Box<str>, N> {
    let numbers = names.iter().zip(1..).filter(|it| !it.0.contains(left_out));
    numbers
        .map(|(name, it)| ((*name).into(), number(it)))
        .collect()
}

/// Numbers for all names but those with that text in them.
fn numbers(names: &Names<'_>, left_out: &str) -> Numbers {
    Numbers {
        types: numbered(&names.types, TypeNumber, left_out),
        parameters: numbered(&names.parameters, ParameterNumber, left_out),
        systems: numbered(&names.systems, SystemNumber, left_out),
        units: numbered(&names.units, UnitNumber, left_out),
    }
}

const QUERY: &str = "subject:Patient.identifier=http://s|1&_has:AuditEvent:entity:type=x\
    &component-code-value-quantity=http://c|a$5|http://unitsofmeasure.org|mg\
    &value-quantity=5||mg&date=gt2020&_id=1,2&_partition=1/2&_lastUpdated=gt2020\
    &code:not=a,b&_sort=-date,_id,_lastUpdated";

#[test]
fn every_name_of_a_plan_is_collected_and_replaced() {
    let plan = plan("Observation", QUERY);
    let mut names = Names::default();
    names.of_plan(&plan);
    assert_eq!(
        names.types.iter().copied().collect::<Vec<_>>(),
        ["AuditEvent", "Observation", "Patient"]
    );
    assert_eq!(
        names.systems.iter().copied().collect::<Vec<_>>(),
        ["http://c", "http://s"]
    );
    assert_eq!(names.units.iter().copied().collect::<Vec<_>>(), ["g", "mg"]);
    assert_eq!(names.parameters.len(), 12);
    let compiled = numbers(&names, "\0").plan(&plan);
    let [part] = &compiled.parts[..] else {
        panic!("one type is searched");
    };
    assert!(!format!("{:?}", part.filter).contains("Any([])"));
    assert!(matches!(
        part.sort[..],
        [SortBy::Entry(_), SortBy::Id, SortBy::Updated]
    ));
    assert_eq!(compiled.order, plan.order);
}

#[test]
fn a_name_without_number_matches_nothing() {
    for (left_out, text, expected) in [
        ("Patient", "subject=Patient/1", Filter::NOTHING),
        ("http://s", "identifier=http://s|1", Filter::NOTHING),
        ("http://s", "identifier=http://s|", Filter::NOTHING),
        ("mg", "value-quantity=5||mg", Filter::NOTHING),
        ("date", "date=2020", Filter::NOTHING),
        (
            "AuditEvent",
            "_has:AuditEvent:entity:type=x",
            Filter::NOTHING,
        ),
        (
            "http://s",
            "component-code-value-quantity=http://s|1$5",
            Filter::NOTHING,
        ),
        ("code", "code:not=x", Filter::NOTHING.negated()),
        ("code", "code:missing=true", Filter::NOTHING.negated()),
    ] {
        let plan = plan("Observation", text);
        let mut names = Names::default();
        names.of_plan(&plan);
        let compiled = numbers(&names, left_out).plan(&plan);
        assert!(compiled.parts[0].filter == expected, "{text}: {compiled:?}");
    }
    let plan = plan("Observation,Patient", "_id=1&_sort=birthdate");
    let mut names = Names::default();
    names.of_plan(&plan);
    assert_eq!(numbers(&names, "Patient").plan(&plan).parts.len(), 1);
    let unsorted = numbers(&names, "birthDate").plan(&plan);
    assert!(unsorted.parts.iter().all(|it| it.sort == [SortBy::Nothing]));
}

#[test]
fn an_entry_without_a_number_is_none() {
    let entry = |value| Entry::<ByName> {
        parameter: Slot("slot"),
        group: 3,
        value,
    };
    let token = |system: Option<&str>| EntryValue::Token {
        system: system.map(Into::into),
        code: "c".into(),
    };
    let number = |unit: Option<&str>| EntryValue::Number {
        unit: unit.map(Into::into),
        low: Magnitude::least(),
        high: Magnitude::greatest(),
    };
    let reference = EntryValue::Reference(ResourceName {
        kind: "Patient",
        id: "1".into(),
    });
    for (value, needs) in [
        (token(Some("system")), "system"),
        (token(None), "\0"),
        (number(Some("unit")), "unit"),
        (number(None), "\0"),
        (reference, "Patient"),
        (EntryValue::Uri("u".into()), "\0"),
        (EntryValue::Valueless, "\0"),
    ] {
        let entry = entry(value);
        let mut names = Names::default();
        names.of_entry(&entry);
        let all = numbers(&names, "\0").entry(Space(1), &entry);
        assert!(all.is_some_and(|it| it.group == 3));
        let without = numbers(&names, needs).entry(Space(1), &entry);
        assert_eq!(without.is_none(), needs != "\0");
        assert!(numbers(&names, "slot").entry(Space(1), &entry).is_none());
    }
}
