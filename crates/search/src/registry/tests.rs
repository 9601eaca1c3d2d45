//! What the registry promises, on all parameters of both versions.

use std::collections::{BTreeMap, BTreeSet};

use fhir::definitions::{SearchType, TypeDefinition};
use fhir::fhirpath::FhirPath;

use super::*;
use crate::program::Compiler;

fn types() -> impl Iterator<Item = (FhirVersion, &'static TypeDefinition)> {
    let of = |version| {
        Definitions::of(version)
            .resources()
            .map(move |it| (version, it))
    };
    FhirVersion::ALL.into_iter().flat_map(of)
}

#[test]
fn every_expression_compiles() {
    let mut faults = Vec::new();
    for (version, it) in types() {
        for (code, fault) in Registry::of(version).faults(it.name) {
            faults.push(format!("{version} {}.{code}: {fault}", it.name));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Every parameter of the standard is served for each of its types, or stands in the table of
/// those that cannot be indexed, or is shown as an example.
#[test]
fn every_parameter_is_served_or_has_a_reason() {
    for version in FhirVersion::ALL {
        let registry = Registry::of(version);
        let (mut indexed, mut reasons) = (0, 0);
        for parameter in Definitions::of(version).search_parameters() {
            let is_served = parameter
                .base
                .iter()
                .all(|base| is_served(registry, base, parameter));
            match registry.not_indexed(parameter.url) {
                Some(_) => reasons += 1,
                None if parameter.is_example => {}
                None => {
                    assert!(is_served && !parameter.base.is_empty(), "{}", parameter.url);
                    indexed += 1;
                }
            }
        }
        let expected = match version {
            FhirVersion::Stu3 => (1229, 13),
            FhirVersion::R4 => (1386, 11),
        };
        assert_eq!((indexed, reasons), expected, "{version}");
    }
}

fn is_served(registry: &Registry, base: &str, parameter: &SearchParameter) -> bool {
    let of_base = match base {
        "Resource" | "DomainResource" => "Patient",
        other => other,
    };
    let served = registry.named(of_base, parameter.code);
    served.is_some_and(|it| it.definition.url == parameter.url)
}

/// What lies outside of the resource: answered by other means.
#[test]
fn only_these_are_elsewhere() {
    let mut elsewhere = BTreeSet::new();
    for (version, it) in types() {
        for parameter in Registry::of(version).parameters(it.name) {
            if matches!(parameter.facets, Facets::Elsewhere) {
                elsewhere.insert(format!("{version} {}", parameter.definition.id));
            }
        }
    }
    let expected = [
        "R4 Resource-query",
        "R4 filter",
        "STU3 Location-near-distance",
        "STU3 Resource-query",
    ];
    assert_eq!(elsewhere.into_iter().collect::<Vec<_>>(), expected);
}

/// A choice may lead to types from which a parameter takes no values; there are no others.
#[test]
fn only_these_types_are_left_aside() {
    let mut left: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (version, it) in types() {
        let compiler = Compiler::new(Definitions::of(version), it);
        for parameter in Registry::of(version).parameters(it.name) {
            let definition = parameter.definition;
            let expression = Registry::of(version).expression(definition);
            let is_place = matches!(parameter.facets, Facets::Place(_) | Facets::Elsewhere);
            let is_composite = definition.search_type == SearchType::Composite;
            let Some(expression) = expression.filter(|_| !is_place && !is_composite) else {
                continue;
            };
            let terms = compiler.expression(expression).unwrap();
            for place in terms.iter().flat_map(|it| &it.places) {
                let kind = place.kind(version);
                let accepts = kind.map(|it| it.datatype.is_accepted_by(definition.search_type));
                if accepts != Some(true) {
                    let name = format!("{version} {}.{}", it.name, definition.code);
                    left.entry(name).or_default().insert(place.type_name);
                }
            }
        }
    }
    let left: Vec<_> = left
        .iter()
        .map(|(name, types)| format!("{name} {types:?}"))
        .collect();
    let expected = [
        r#"R4 CarePlan.activity-date {"string"}"#,
        r#"R4 Consent.source-reference {"Attachment"}"#,
        r#"R4 Immunization.date {"string"}"#,
        r#"R4 Procedure.date {"Age", "Range", "string"}"#,
        r#"STU3 CarePlan.activity-date {"string"}"#,
        r#"STU3 Consent.source {"Attachment", "Identifier"}"#,
        r#"STU3 Group.value {"Quantity", "Range"}"#,
    ];
    assert_eq!(left, expected);
}

/// No correction without need: what it mends exists, and would not compile or is named in a reason
/// that says more.
#[test]
fn corrections_belong_to_parameters() {
    for version in FhirVersion::ALL {
        let definitions = Definitions::of(version);
        for (url, component) in Corrections::of(version).rows() {
            let parameter = definitions.search_parameter_at(url);
            let place = component.parse::<usize>().unwrap_or_default();
            let is_there = parameter.is_some_and(|it| place <= it.components.len());
            assert!(is_there, "{version} {url} {component}");
        }
    }
}

#[test]
fn every_expression_is_of_the_language() {
    for version in FhirVersion::ALL {
        let registry = Registry::of(version);
        for parameter in Definitions::of(version).search_parameters() {
            if registry.not_indexed(parameter.url).is_none() && !parameter.is_example {
                let expression = registry.expression(parameter);
                assert!(expression.is_none_or(|it| FhirPath::compile(it, Some(version)).is_ok()));
            }
        }
    }
}

#[test]
fn slots_say_how_and_from_where() {
    let registry = Registry::of(FhirVersion::R4);
    let facets =
        |resource_type, code| format!("{:?}", registry.named(resource_type, code).unwrap().facets);
    assert_eq!(
        facets("Observation", "code"),
        r#"Token(TokenSlots { code: Slot("token Observation.code"), text: Slot("token-text Observation.code"), of_type: None })"#
    );
    assert_eq!(facets("Patient", "phonetic"), facets("Patient", "name"));
    assert_eq!(
        facets("Condition", "abatement-string"),
        r#"String(Slot("string Condition.abatement.ofType(string)"))"#
    );
    let composite = facets("Observation", "code-value-concept");
    assert!(
        composite.contains(r#"Slot("token Observation.code")"#),
        "{composite}"
    );
}

/// The parameters of the compartment of patients are references whose targets are looked at.
#[test]
fn every_parameter_of_the_patient_compartment_is_a_lane() {
    for version in FhirVersion::ALL {
        let patient = Definitions::of(version).compartment("Patient").unwrap();
        for (resource_type, codes) in patient.members() {
            let index = Registry::of(version).index(resource_type).unwrap();
            // STU3 has four chains here (`target.subject` …), which say nothing of the resource itself.
            for code in codes.iter().filter(|it| !it.contains(['.', '{'])) {
                let named = Registry::of(version).named(resource_type, code);
                let slot = named.and_then(|it| match it.facets {
                    Facets::Reference { literal, .. } => Some(literal),
                    _ => None,
                });
                let place = index.slots.binary_search(&slot.unwrap()).unwrap();
                assert!(index.lanes[place], "{version} {resource_type} {code}");
            }
        }
    }
}
