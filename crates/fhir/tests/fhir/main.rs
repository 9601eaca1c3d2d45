//! The integration tests of `fhir`, one module per concept.

mod definitions;
mod validation;
