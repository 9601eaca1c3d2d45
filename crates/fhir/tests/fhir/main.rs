//! The integration tests of `fhir`, one module per concept.

#[cfg(test)]
mod data;
mod definitions;
#[cfg(test)]
mod examples_roundtrip;
mod validation;
