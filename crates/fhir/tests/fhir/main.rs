//! The integration tests of `fhir`, one module per concept.

#[cfg(test)]
mod data;
mod definitions;
#[cfg(test)]
mod examples_roundtrip;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod json;
#[cfg(test)]
mod mend;
#[cfg(test)]
mod mutator;
#[cfg(test)]
mod terminology;
#[cfg(test)]
mod ucum;
mod validation;
#[cfg(test)]
mod xml;
