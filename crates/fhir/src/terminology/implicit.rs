//! Value sets that no resource defines because their URL says what they are
//! (<https://hl7.org/fhir/R4/snomedct.html#implicit>, <https://hl7.org/fhir/R4/loinc.html#implicit>,
//! `CodeSystem.valueSet`).

use super::canonical::Canonical;
use super::filter::Filter;
use super::grammar;
use super::standard::Standard;
use super::value_set::{Choice, ValueSet};
use crate::FhirVersion;
use crate::definitions::Definitions;

const SNOMED: &str = "http://snomed.info/sct";
const LOINC: &str = "http://loinc.org";

/// The value set that a URL describes, if it does. Answer lists of LOINC and reference sets of
/// SNOMED CT need content that is published apart from the concepts; they are not made up here.
pub(super) fn value_set(version: FhirVersion, url: &str) -> Option<ValueSet> {
    let whole = |system| ValueSet::of_system(url, Canonical::new(system, None), Choice::Whole);
    if url.strip_prefix(LOINC) == Some("/vs") {
        return Some(whole(LOINC));
    }
    if let Some(edition) = url.strip_prefix(SNOMED) {
        return snomed(url, edition);
    }
    let open = Definitions::of(version).open_value_set(url);
    let system = open.and_then(|it| grammar::system_of(it.grammar?));
    system
        .or_else(|| Standard::of(version).whole_system(url))
        .map(whole)
}

/// `[/edition[/version/date]]?fhir_vs[=isa/concept]`.
fn snomed(url: &str, rest: &str) -> Option<ValueSet> {
    let (edition, query) = rest.split_once("?fhir_vs")?;
    let choice = match query.split_once('/') {
        None if query.is_empty() => Choice::Whole,
        Some(("=isa", concept)) => {
            Choice::Filtered(vec![Filter::new("concept", "is-a", concept).ok()?])
        }
        _ => return None,
    };
    let edition = format!("{SNOMED}{edition}");
    let version = (edition != SNOMED).then_some(&*edition);
    Some(ValueSet::of_system(
        url,
        Canonical::new(SNOMED, version),
        choice,
    ))
}
