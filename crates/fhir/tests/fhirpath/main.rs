//! FHIRPath: the official tests, those of fhirpath.js, search parameters, hostile expressions.

#[cfg(test)]
#[path = "../fhir/data.rs"]
mod data;
#[cfg(test)]
mod hostile;
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
