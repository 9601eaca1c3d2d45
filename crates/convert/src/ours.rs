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
    let (code, event) = (header.code, header.event);
    let by_event = format!("{code}_{event}");
    let roots = library.roots();
    let mut names = [&by_event, &header.structure].into_iter();
    if let Some(found) = names.find(|it| roots.contains(&it.as_str())) {
        return Ok(found.clone());
    }
    let what = match (code.is_empty(), event.is_empty()) {
        (true, _) => "MSH-9.1 names no type of message; MSH-9 is written as `ADT^A01`".to_owned(),
        (false, true) => "MSH-9.2 names no event; MSH-9 is written as `ADT^A01`".to_owned(),
        (false, false) => {
            let capitals = by_event.to_ascii_uppercase();
            let hint = match roots.iter().find(|it| **it == capitals) {
                Some(root) => format!("; did you mean `{root}`?"),
                None => String::new(),
            };
            format!("the library has no root template for messages of the type in MSH-9{hint}")
        }
    };
    Err(ConvertError::new(ErrorKind::RootNotFound, what))
}
