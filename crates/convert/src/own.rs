//! The libraries that come with the program, by name (`templates/`).

use crate::generated;
use crate::source::Sources;

/// A library: its name, and its files with their texts.
type Own = (&'static str, &'static [(&'static str, &'static str)]);

const LIBRARIES: &[Own] = include!(concat!(env!("OUT_DIR"), "/own.rs"));

fn all() -> impl Iterator<Item = Own> {
    LIBRARIES
        .iter()
        .copied()
        .chain([("hl7v2", generated::HL7V2)])
}

/// Their names.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().map(|it| it.0)
}

/// The files of the one of that name.
pub fn sources(name: &str) -> Option<Sources> {
    let (_, files) = all().find(|it| it.0 == name)?;
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    Some(Sources {
        files: files.collect(),
    })
}
