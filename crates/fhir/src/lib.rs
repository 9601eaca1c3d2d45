//! FHIR content as values: versions, definitions, the generic tree of a resource, JSON and XML,
//! structural validation and what a client can be told about a fault.
//!
//! Pure: no async, files, sockets, clock or randomness. STU3 3.0.2 and R4 4.0.1 are two rows of
//! tables ([`Definitions`]), never two code paths; there is no generated struct per resource type.
//!
//! A resource is its JSON text plus a tape of positions ([`json::Document`]); changing a resource
//! means splicing its text ([`json::Splice`]). XML is translated to and from that text with the
//! definitions ([`xml`]).

pub mod decimal;
pub mod definitions;
pub mod element;
pub mod fhirpath;
pub mod id;
pub mod instant;
pub mod issue;
pub mod json;
pub mod mend;
pub mod narrative;
pub mod outcome;
pub mod primitive;
pub mod reference;
pub mod resource;
pub mod suggest;
pub mod terminology;
pub mod ucum;
pub mod validate;
mod version;
pub mod xml;

pub use decimal::{Decimal, DecimalError};
pub use definitions::Definitions;
pub use id::{ResourceId, VersionId};
pub use instant::Instant;
pub use issue::{Fault, Issue, Severity};
pub use version::FhirVersion;
