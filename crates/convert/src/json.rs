//! JSON as templates write it, and as conversions give it: a lenient builder that takes text in
//! pieces, what is done to the result, and the text that comes out.

pub(crate) mod builder;
mod complete;
pub(crate) mod entries;
mod escape;
pub(crate) mod merge;
pub(crate) mod path;
mod scalar;
pub(crate) mod schema;
pub(crate) mod write;

pub(crate) use builder::{Builder, Leniency, Origin};
