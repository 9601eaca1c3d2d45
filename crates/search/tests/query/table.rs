//! Every cell of the tables of modifiers and comparators: answered, or refused.

use std::fmt::Write as _;
use std::path::Path;

use expect_test::expect_file;
use fhir::FhirVersion;
use search::query::{Handling, ParameterKind, rules};
use search::registry::{Facets, Registry};

use crate::cases::parse;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/tables");

/// A parameter of each kind, with a value that is right without a modifier; a comparator stands at
/// the `@`, where there is one, or at the beginning.
const SAMPLES: &[(ParameterKind, &str, &str, &str)] = &[
    (ParameterKind::Id, "Patient", "_id", "1"),
    (ParameterKind::Updated, "Patient", "_lastUpdated", "2020"),
    (ParameterKind::String, "Patient", "name", "x"),
    (ParameterKind::Token, "Patient", "identifier", "http://s|1"),
    (
        ParameterKind::Reference,
        "Encounter",
        "location",
        "Location/1",
    ),
    (ParameterKind::Uri, "ValueSet", "url", "http://a/b"),
    (ParameterKind::Date, "Patient", "birthdate", "2020"),
    (ParameterKind::Number, "RiskAssessment", "probability", "5"),
    (
        ParameterKind::Quantity,
        "Observation",
        "value-quantity",
        "5||mg",
    ),
    (ParameterKind::Place, "Location", "near", "1|2"),
    (ParameterKind::Words, "Patient", "_text", "x"),
    (
        ParameterKind::Composite,
        "Observation",
        "component-code-value-concept",
        "a$b",
    ),
    (
        ParameterKind::Composite,
        "Observation",
        "code-value-quantity",
        "a$@5||mg",
    ),
];

/// The comparators of the standard, none of them, and one that does not exist.
const COMPARATORS: &[&str] = &[
    "", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap", "xx",
];

/// Values that a modifier wants instead.
fn value(modifier: &str, sample: &str) -> String {
    match modifier {
        "missing" => "true".to_owned(),
        "of-type" => "http://s|a|1".to_owned(),
        "in" | "not-in" => "http://vs".to_owned(),
        _ => sample.to_owned(),
    }
}

fn is_answered(version: FhirVersion, kind: &'static str, name: &str, value: &str) -> bool {
    let text = format!("{name}={value}");
    parse(version, &[kind], &text, Handling::Strict).is_ok()
}

fn table(version: FhirVersion, rows: &[&str], is_answered: impl Fn(&str, usize) -> bool) -> String {
    let mut text = format!("{version}\n{:16}", "");
    for (kind, ..) in SAMPLES {
        write!(text, " {:9}", format!("{kind:?}")).unwrap();
    }
    for row in rows {
        write!(text, "\n{row:16}").unwrap();
        for place in 0..SAMPLES.len() {
            let cell = if is_answered(row, place) {
                "answer"
            } else {
                "error"
            };
            write!(text, " {cell:9}").unwrap();
        }
    }
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

fn sample(version: FhirVersion, place: usize) -> (&'static str, &'static str, String) {
    let (_, kind, code, value) = SAMPLES[place];
    let is_stu3 = version == FhirVersion::Stu3;
    (
        kind,
        code,
        if is_stu3 && code == "near" {
            value.replace('|', ":")
        } else {
            value.to_owned()
        },
    )
}

/// The value with a comparator, or without.
fn compared(prefix: &str, value: &str) -> String {
    match value.split_once('@') {
        Some((before, after)) => [before, prefix, after].concat(),
        None => [prefix, value].concat(),
    }
}

#[test]
fn every_modifier_goes_with_what_the_standard_says() {
    let mut rows: Vec<&str> = vec![""];
    rows.extend(rules().iter().map(|it| it.name));
    rows.extend(["Location", "Patient", "iterate", "exakt"]);
    let tables = FhirVersion::ALL.map(|version| {
        table(version, &rows, |modifier, place| {
            let (kind, code, text) = sample(version, place);
            let name = if modifier.is_empty() {
                code.to_owned()
            } else {
                format!("{code}:{modifier}")
            };
            is_answered(version, kind, &name, &compared("", &value(modifier, &text)))
        })
    });
    expect_file![Path::new(FOLDER).join("modifiers.txt")].assert_eq(&tables.join("\n"));
}

#[test]
fn every_comparator_goes_with_what_the_standard_says() {
    let tables = FhirVersion::ALL.map(|version| {
        table(version, COMPARATORS, |prefix, place| {
            let (kind, code, text) = sample(version, place);
            is_answered(version, kind, code, &compared(prefix, &text))
        })
    });
    expect_file![Path::new(FOLDER).join("comparators.txt")].assert_eq(&tables.join("\n"));
}

/// Every kind with every modifier and every comparator: what the standard demands of the two
/// together follows from what it demands of each.
///
/// Comparators belong to ordered values (<https://hl7.org/fhir/R4/search.html#prefix>); in a text,
/// a code or a URI the same letters are part of the value; a reference, a place and a truth have no
/// such form. A modifier with a value of its own form decides how that is read.
#[test]
fn modifiers_and_comparators_meet_as_the_standard_says() {
    let mut modifiers: Vec<&str> = vec![""];
    modifiers.extend(rules().iter().map(|it| it.name));
    modifiers.extend(["Location", "Patient", "iterate", "exakt"]);
    let mut cells = 0;
    for version in FhirVersion::ALL {
        for (place, (of, ..)) in SAMPLES.iter().enumerate() {
            let (kind, code, text) = sample(version, place);
            for modifier in &modifiers {
                let colon = if modifier.is_empty() { "" } else { ":" };
                let name = format!("{code}{colon}{modifier}");
                let value = value(modifier, &text);
                let goes = is_answered(version, kind, &name, &compared("", &value));
                for prefix in COMPARATORS {
                    let demanded = goes && is_read(*of, modifier, prefix, &value);
                    let value = compared(prefix, &value);
                    assert_eq!(
                        is_answered(version, kind, &name, &value),
                        demanded,
                        "{version} {kind}?{name}={value}"
                    );
                    cells += 1;
                }
            }
        }
    }
    assert_eq!(
        cells,
        2 * SAMPLES.len() * modifiers.len() * COMPARATORS.len()
    );
}

/// Whether a value with these letters before it can be read, where the modifier is right.
fn is_read(kind: ParameterKind, modifier: &str, prefix: &str, value: &str) -> bool {
    use ParameterKind as Kind;
    if prefix.is_empty() {
        return true;
    }
    match (kind, modifier) {
        (Kind::Reference, "identifier") => true,
        (_, "missing") | (Kind::Reference | Kind::Place, _) => false,
        (Kind::Updated | Kind::Date | Kind::Number | Kind::Quantity, _) => prefix != "xx",
        (Kind::Composite, _) => prefix != "xx" || !value.contains('@'),
        _ => true,
    }
}

/// A value that is right for each kind is understood for every parameter of every type.
#[test]
fn every_parameter_of_every_type_is_understood() {
    for version in FhirVersion::ALL {
        let mut count = 0;
        for resource in fhir::Definitions::of(version).resources() {
            for it in Registry::of(version).parameters(resource.name) {
                let Some(value) = right(version, &it.facets) else {
                    continue;
                };
                let text = format!("{}={value}", it.definition.code);
                let parsed = parse(version, &[resource.name], &text, Handling::Strict);
                assert!(
                    parsed.is_ok(),
                    "{version} {}?{text}: {parsed:?}",
                    resource.name
                );
                count += 1;
            }
        }
        assert!(count > 1_000, "{version}: {count}");
    }
}

fn right(version: FhirVersion, facets: &Facets) -> Option<String> {
    if let Facets::Composite(components) = facets {
        let parts = components.iter().map(|it| right(version, &it.facets));
        return parts.collect::<Option<Vec<_>>>().map(|it| it.join("$"));
    }
    let kind = ParameterKind::of(facets);
    let place = SAMPLES.iter().position(|it| it.0 == kind)?;
    let (_, _, value) = sample(version, place);
    Some(if kind == ParameterKind::Reference {
        "1".to_owned()
    } else {
        compared("", &value)
    })
}

/// References lead upwards where the table of hierarchies says so.
#[test]
fn hierarchies_have_their_parameters() {
    for version in FhirVersion::ALL {
        for (kind, code) in search::query::HIERARCHIES {
            let parameter = Registry::of(version).named(kind, code);
            let parameter = parameter.unwrap_or_else(|| panic!("{version} {kind} {code}"));
            assert!(
                parameter.definition.targets.contains(kind),
                "{version} {kind} {code}"
            );
        }
    }
}
