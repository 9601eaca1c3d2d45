//! Our own library of templates, which is part of the program, and the root that a message has in a
//! library.

use std::sync::LazyLock;

use crate::data::hl7v2;
use crate::error::{ConvertError, ErrorKind, Result};
use crate::generated;
use crate::library::Library;
use crate::source::Sources;

/// The files of our library for HL7 v2.
pub fn hl7v2_sources() -> Sources {
    let files = generated::HL7V2.iter();
    Sources {
        files: files
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect(),
    }
}

/// Our library for HL7 v2; read once, at first use.
pub fn hl7v2_library() -> &'static Library {
    static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::load(&hl7v2_sources()));
    &LIBRARY
}

/// The root template that a library has for a message: that of its event (`ADT_A08`), or else that of
/// its structure (`ADT_A01`).
pub fn root_of(message: &str, library: &Library) -> Result<String> {
    let header = hl7v2::header(message)?;
    let names = [header.event, header.structure];
    let roots = library.roots();
    let found = names.iter().find(|it| roots.contains(&it.as_str()));
    found.cloned().ok_or_else(|| {
        let what = "the library has no root template for messages of the type in MSH-9";
        ConvertError::new(ErrorKind::RootNotFound, what)
    })
}
