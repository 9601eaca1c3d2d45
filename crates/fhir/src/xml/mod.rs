//! FHIR XML to and from the JSON text that a resource is (<https://hl7.org/fhir/R4/xml.html>).
//!
//! Both directions are driven by the definitions: they say what repeats, what is an attribute and
//! what is a number. Nothing is lost in silence: an unknown element or attribute is a fault with
//! its location. The order of elements is not demanded when reading, and kept when writing.
//! No document type, no entities but XML's own five, comments and instructions are skipped.
//! Formats of values are not judged here: a `decimal` that is no number becomes a JSON string, at
//! which validation takes offence with the same location.

mod div;
mod names;
mod read;
mod tree;
mod write;

use crate::{Fault, Issue};

pub use read::read;
pub use write::{Layout, write};

/// The namespace of FHIR's elements.
pub const FHIR_NAMESPACE: &str = "http://hl7.org/fhir";
/// The namespace of narratives.
pub const XHTML_NAMESPACE: &str = "http://www.w3.org/1999/xhtml";
/// After so many faults reading stops.
pub const XML_FAULTS_MAX: usize = 20;
/// Greatest number of namespace declarations in force at one place.
pub const XML_NAMESPACES_MAX: usize = 16;

/// What is wrong with XML that was to be read, or with a document that was to be written as XML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct XmlFault {
    /// What is wrong; quotes at most the name of an element or attribute, never a value.
    pub what: String,
    /// How to mend it, where that is not obvious.
    pub remedy: Option<&'static str>,
    /// The FHIRPath location, as far as it is known.
    pub expression: Option<String>,
    /// Line and column in characters, from 1, of what is read.
    pub at: Option<(usize, usize)>,
    /// Whether a named limit was exceeded, and which.
    pub limit: Option<&'static str>,
}

impl XmlFault {
    fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: None,
            expression: None,
            at: None,
            limit: None,
        }
    }

    fn mend(self, remedy: &'static str) -> Self {
        Self {
            remedy: Some(remedy),
            ..self
        }
    }

    fn exceeded(limit: &'static str, max: usize, of: &str) -> Self {
        Self {
            limit: Some(limit),
            ..Self::new(format!("more than {max} {of} (`{limit}`)"))
        }
    }
}

impl From<&XmlFault> for Issue {
    fn from(fault: &XmlFault) -> Self {
        let kind = fault.limit.map_or(Fault::Structure, |_| Fault::TooLarge);
        let what = match fault.at {
            Some((line, column)) => format!("{} at line {line}, column {column}", fault.what),
            None => fault.what.clone(),
        };
        let mut issue = Self::error(kind, what);
        issue.expression.extend(fault.expression.clone());
        issue.remedy = fault.remedy.map(str::to_owned);
        issue
    }
}

/// Whether XML 1.0 can hold the text at all, escaped or not (§2.2).
fn is_xml_text(text: &str) -> bool {
    !text.contains(is_forbidden)
}

fn is_forbidden(character: char) -> bool {
    matches!(character, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}
