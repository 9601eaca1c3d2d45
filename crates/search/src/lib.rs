//! FHIR search: from query text to a plan that every provider executes alike, and from a resource
//! to its index entries.
//!
//! Pure: no async, files, clock. The modules [`entry`] and [`plan`] speak in numbers only and are
//! all that a store provider may use of this crate.

pub mod entry;
pub mod plan;
