use super::*;
use fhir::FhirVersion;

#[test]
fn every_expression_compiles() {
    let mut all = Vec::new();
    for version in FhirVersion::ALL {
        for it in Definitions::of(version).resources() {
            for (code, fault) in Registry::of(version).faults(it.name) {
                all.push(format!("{version} {}.{code}: {fault}", it.name));
            }
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn diagnostic() {
    use crate::program::Compiler;
    use std::collections::BTreeMap;
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for version in FhirVersion::ALL {
        let definitions = Definitions::of(version);
        for it in definitions.resources() {
            let c = Compiler::new(definitions, it);
            for p in Registry::of(version).parameters(it.name) {
                let Some(e) = Corrections::of(version).expression(p.definition) else {
                    continue;
                };
                for term in c.expression(e).unwrap() {
                    for place in &term.places {
                        if p.definition.search_type.name() == "composite" {
                            continue;
                        }
                        let ok = place
                            .kind(version)
                            .is_some_and(|k| k.datatype.is_accepted_by(p.definition.search_type));
                        all.entry(format!(
                            "{} {} {}",
                            p.definition.search_type.name(),
                            place.type_name,
                            ok
                        ))
                        .or_default()
                        .push(format!("{version} {}.{}", it.name, p.definition.code));
                    }
                }
            }
        }
    }
    for (k, v) in all {
        println!("{k}: {} {:?}", v.len(), &v[..v.len().min(6)]);
    }
}
