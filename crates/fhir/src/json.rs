//! JSON text and the tape over it: the one representation of a resource.
//!
//! Parsing checks the text once (RFC 8259, UTF-8, named limits, duplicate names) and records where
//! every value begins and ends. Numbers stay slices of the text, so decimals keep their digits;
//! members keep their order. Changing a document means splicing its text.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

/// What [`Document::parse`] accepts.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Greatest length of the text in bytes.
    pub bytes_max: usize,
    /// Greatest nesting of objects and arrays.
    pub depth_max: usize,
    /// Greatest number of values.
    pub values_max: usize,
}

/// JSON text, checked, with the position of every value.
pub struct Document {
    text: Bytes,
}

/// Why a text is not a document: where and what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line}, column {column}")]
pub struct JsonError {
    /// What is wrong; never quotes the text.
    pub what: String,
    /// How to mend it, where that is not obvious.
    pub remedy: Option<&'static str>,
    /// Byte offset.
    pub offset: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Whether a named limit was exceeded, and which.
    pub limit: Option<&'static str>,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number, as written.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// A value inside a document; a cheap handle.
#[derive(Clone, Copy)]
pub struct Value<'d> {
    document: &'d Document,
    at: u32,
}

impl Document {
    /// Parses and checks; a leading byte-order mark is skipped.
    pub fn parse(text: Bytes, limits: &Limits) -> Result<Self, JsonError> {
        let _ = (text, limits);
        unimplemented!("JSON")
    }

    /// The text, without a byte-order mark.
    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        Value {
            document: self,
            at: 0,
        }
    }
}

impl<'d> Value<'d> {
    /// What it is.
    pub fn kind(self) -> Kind {
        unimplemented!("JSON")
    }

    /// Its place in the document's text, quotes and brackets included.
    pub fn span(self) -> Range<usize> {
        unimplemented!("JSON")
    }

    /// The text of its span.
    pub fn raw(self) -> &'d str {
        unimplemented!("JSON")
    }

    /// A string's content, unescaped.
    pub fn as_str(self) -> Option<Cow<'d, str>> {
        unimplemented!("JSON")
    }

    /// A number's text.
    pub fn as_number(self) -> Option<&'d str> {
        unimplemented!("JSON")
    }

    /// A boolean.
    pub fn as_bool(self) -> Option<bool> {
        unimplemented!("JSON")
    }

    /// The member of that name.
    pub fn get(self, name: &str) -> Option<Value<'d>> {
        let _ = name;
        unimplemented!("JSON")
    }

    /// An object's members in order (nothing for other kinds).
    pub fn members(self) -> impl Iterator<Item = Member<'d>> {
        let _ = (self.document, self.at);
        std::iter::empty()
    }

    /// An array's items in order (nothing for other kinds).
    pub fn items(self) -> impl Iterator<Item = Value<'d>> {
        std::iter::empty()
    }
}

/// A member of an object.
#[derive(Clone)]
pub struct Member<'d> {
    /// Its name, unescaped.
    pub name: Cow<'d, str>,
    /// The span of the name, quotes included.
    pub name_span: Range<usize>,
    /// Its value.
    pub value: Value<'d>,
}

/// One replacement in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splice {
    /// What is replaced; empty to insert.
    pub span: Range<usize>,
    /// What stands there afterwards.
    pub with: String,
}

/// The text with all splices applied; they must not overlap, any order.
pub fn splice(text: &str, splices: Vec<Splice>) -> String {
    let _ = (text, splices);
    unimplemented!("JSON")
}

/// Appends the text as a JSON string, quotes included.
pub fn write_string(text: &str, into: &mut String) {
    let _ = (text, into);
    unimplemented!("JSON")
}
