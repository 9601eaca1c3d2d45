//! Code systems of the standard that are grammars: their codes can be checked, never listed
//! (<https://hl7.org/fhir/R4/terminologies-systems.html>).

use super::filter::Filter;
use crate::ucum::Unit;
use crate::validate::grammar;

const UCUM: &str = "http://unitsofmeasure.org";

/// The systems, and the name that `open-value-sets.tsv` has for the grammar of their codes.
const SYSTEMS: [(&str, &str); 3] = [
    (UCUM, "ucum"),
    ("urn:ietf:bcp:13", "media-type"),
    ("urn:ietf:bcp:47", "language-tag"),
];

/// Whether a code keeps to the grammar of its system; true for systems without one.
pub(super) fn fits(system: &str, code: &str) -> bool {
    let found = SYSTEMS.iter().find(|(it, _)| *it == system);
    found.is_none_or(|(_, name)| grammar::fits(name, code))
}

/// The system whose codes follow the grammar of that name.
pub(super) fn system_of(name: &str) -> Option<&'static str> {
    let found = SYSTEMS.iter().find(|(_, it)| *it == name);
    found.map(|(system, _)| *system)
}

/// Whether a filter chooses a code of a system that is a grammar; `None` where that cannot be told.
/// UCUM has one filter, units that can be converted to each other
/// (<https://hl7.org/fhir/R4/ucum.html#filters>).
pub(super) fn chooses(system: &str, filter: &Filter, code: &str) -> Option<bool> {
    if system != UCUM {
        return None;
    }
    let wanted = Unit::read(filter.value_of("canonical", "=")?)?;
    Some(Unit::read(code).is_some_and(|it| it.comparable(&wanted)))
}
