//! The official tests of FHIRPath and those of fhirpath.js.

#[cfg(test)]
#[path = "../fhir/data.rs"]
mod data;
#[cfg(test)]
mod js;
#[cfg(test)]
mod known;
#[cfg(test)]
mod official;
#[cfg(test)]
mod parameters;
#[cfg(test)]
mod yaml;
