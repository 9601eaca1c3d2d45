//! For every parameter there is a resource from which a value comes.

use std::collections::BTreeSet;

use fhir::definitions::Definitions;
use fhir::{FhirVersion, json::Document};
use search::entry::EntryValue;
use search::registry::{Facets, Registry, Slot};

#[test]
fn every_parameter_has_a_value() {
    for version in FhirVersion::ALL {
        let suite = format!("extraction coverage {version}");
        let Some(examples) = crate::given::examples(&suite, version) else {
            continue;
        };
        let mut seen = BTreeSet::new();
        for example in examples {
            see(version, &crate::data::parse(example), &mut seen);
        }
        for line in made(version).lines() {
            see(version, &crate::data::parse(line.to_owned()), &mut seen);
        }
        let (missing, count) = unseen(version, &seen);
        println!("isthmus-suite: {suite}: {count} cases");
        assert!(missing.is_empty(), "{}", missing.join("\n"));
    }
}

/// Resources made for parameters that no example has a value for.
pub(crate) fn made(version: FhirVersion) -> &'static str {
    match version {
        FhirVersion::Stu3 => include_str!("../cases/coverage/stu3.ndjson"),
        FhirVersion::R4 => include_str!("../cases/coverage/r4.ndjson"),
    }
}

type Seen = BTreeSet<(String, Slot)>;

fn see(version: FhirVersion, document: &Document, seen: &mut Seen) {
    let resource_type = crate::given::text(document.root(), "resourceType").unwrap();
    for entry in crate::given::extracted(version, document.root()).entries {
        if entry.value != EntryValue::Valueless {
            seen.insert((resource_type.clone(), entry.parameter));
        }
    }
}

fn unseen(version: FhirVersion, seen: &Seen) -> (Vec<String>, usize) {
    let (mut missing, mut count) = (Vec::new(), 0);
    for it in Definitions::of(version).resources() {
        for parameter in Registry::of(version).parameters(it.name) {
            if is_of_every_resource(parameter.definition.base) {
                continue;
            }
            for slot in slots(&parameter.facets) {
                count += 1;
                if !seen.contains(&(it.name.to_owned(), slot)) {
                    missing.push(format!(
                        "{} {} {}",
                        it.name, parameter.definition.code, slot.0
                    ));
                }
            }
        }
    }
    (missing, count)
}

fn is_of_every_resource(base: &[&str]) -> bool {
    base.iter()
        .any(|it| matches!(*it, "Resource" | "DomainResource"))
}

/// The slots that hold what the parameter is first of all searched by.
fn slots(facets: &Facets) -> Vec<Slot> {
    match facets {
        Facets::Id | Facets::Updated | Facets::Elsewhere => Vec::new(),
        Facets::String(slot)
        | Facets::Uri(slot)
        | Facets::Date(slot)
        | Facets::Number(slot)
        | Facets::Place(slot)
        | Facets::Words(slot) => vec![*slot],
        Facets::Token(slots) => vec![slots.code],
        Facets::Reference { literal, .. } => vec![*literal],
        Facets::Quantity(slots) => vec![slots.canonical],
        Facets::Composite(components) => {
            components.iter().flat_map(|it| slots(&it.facets)).collect()
        }
    }
}
