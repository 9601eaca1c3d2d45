//! Every parameter by which the standard puts a resource into a compartment can be searched so.

use fhir::{Definitions, FhirVersion};
use search::query::{Condition, Context, Handling, QueryLimits, Value, criterion};

use crate::cases::bases;

fn leads_to_a_reference(condition: &Condition) -> bool {
    match condition {
        Condition::Chain { condition, .. } => leads_to_a_reference(condition),
        Condition::Matches { any_of, .. } => matches!(any_of[..], [Value::Reference(_)]),
        _ => false,
    }
}

#[test]
fn every_way_into_a_compartment_is_understood() {
    let bases = bases();
    let mut count = 0;
    let mut refused = Vec::new();
    for version in FhirVersion::ALL {
        for compartment in Definitions::of(version).compartments() {
            for (resource_type, codes) in compartment.members() {
                let context = Context {
                    version,
                    types: &[resource_type],
                    bases: &bases,
                    handling: Handling::Strict,
                    limits: QueryLimits::default(),
                };
                let middle = format!("{}/1", compartment.name);
                for code in codes.iter().filter(|it| **it != "{def}") {
                    count += 1;
                    let place = format!("{version} {} {resource_type}.{code}", compartment.name);
                    match criterion(code, &middle, &context) {
                        Ok(it) if leads_to_a_reference(&it.condition) => {}
                        Ok(it) => refused.push(format!("{place}: {it:?}")),
                        Err(issue) => refused.push(format!("{place}: {}", issue.what)),
                    }
                }
            }
        }
    }
    assert!(count > 500, "only {count}");
    assert!(refused.is_empty(), "{refused:#?}");
}
