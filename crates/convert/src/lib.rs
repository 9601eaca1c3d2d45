//! Conversion of HL7 v2, C-CDA, JSON and STU3 into FHIR, and of FHIR into HL7 v2, with libraries of
//! Liquid templates in the dialect of DotLiquid 2.0 with the tags and filters that
//! Microsoft's FHIR-Converter adds.
//!
//! Pure: no files, clock or randomness; a library comes as names and texts ([`Sources`]), the time
//! and the limits of a conversion as [`Settings`]. Everything a conversion makes lives in an arena
//! of its own and goes with it; a [`Library`] is immutable and shared.
//!
//! Values keep the mark of where they are from (plain data, escaped data, markup of a template), so
//! that no value of the input can add a field to the JSON that a template writes.

mod budget;
mod characters;
mod data;
mod error;
mod filter;
mod generated;
pub mod hl7v2;
mod json;
mod library;
mod ours;
pub mod own;
mod process;
mod render;
pub mod source;
mod template;
mod unread;
mod value;

pub use budget::Budgets;
pub use characters::{charset_of, text_of};
pub use error::{ConvertError, ErrorKind, Place};
pub use filter::names as filter_names;
pub use filter::strict::reference as strict_filters;
pub use library::{Finding, Level, Library, Processor};
pub use ours::{hl7v2_library, hl7v2_sources, root_of};
pub use process::{IdStrategy, Output, Settings};
pub use source::{SourceError, SourceLimits, Sources};
pub use template::Mode;
pub use unread::Unread;
