//! FHIR search: from query text to a plan that every provider executes alike, and from a resource
//! to its index entries.
//!
//! Pure: no async, files, clock. The modules [`entry`] and [`plan`] speak in numbers only and are
//! all that a store provider may use of this crate. <https://hl7.org/fhir/R4/search.html>

pub mod compile;
mod corrections;
pub mod entry;
pub mod extract;
pub mod matching;
pub mod measure;
pub mod name;
pub mod plan;
pub mod program;
pub mod query;
pub mod reference;
pub mod registry;
pub mod text;
mod value;
pub mod yardstick;
