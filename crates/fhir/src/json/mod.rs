//! JSON text and the tape over it: the one representation of a resource.
//!
//! Parsing checks the text once (RFC 8259, UTF-8, named limits, duplicate names) and records where
//! every value begins and ends. Numbers stay slices of the text, so decimals keep their digits;
//! members keep their order. Changing a document means splicing its text. What a member *means* is
//! not known here: that is [`crate::definitions`]' and [`crate::element`]'s.

mod compare;
mod parse;
mod scan;
#[cfg(test)]
mod tests;
mod write;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;

pub use compare::same_content;
pub(crate) use write::write_minified;
pub use write::{Splice, minify, pretty, splice, write_string};

/// What [`Document::parse`] accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Greatest length of the text in bytes; never more than 4 GiB - 1, which the tape can address.
    pub bytes_max: usize,
    /// Greatest nesting of objects and arrays.
    pub depth_max: usize,
    /// Greatest number of values; the tape takes 16 bytes for each, and as much for its name.
    pub values_max: usize,
    /// Greatest length of a number in characters.
    pub number_chars_max: usize,
    /// Greatest magnitude of a number's exponent, so that nobody who expands it runs out of memory.
    pub exponent_max: u32,
}

impl Limits {
    /// 64 MiB, 128 levels, four million values, numbers of 256 characters with exponents to 400.
    ///
    /// The official examples nest 20 levels, and a Synthea bundle has one value in 25 bytes.
    pub const DEFAULT: Self = Self {
        bytes_max: 64 << 20,
        depth_max: 128,
        values_max: 4_000_000,
        number_chars_max: 256,
        exponent_max: 400,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why a text is not a document: where and what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line}, column {column}")]
pub struct JsonError {
    /// What is wrong; quotes at most the name of a member, never a value.
    pub what: String,
    /// How to mend it, where that is not obvious.
    pub remedy: Option<&'static str>,
    /// Byte offset, not counting a byte-order mark.
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

/// JSON text, checked, with the position of every value.
#[derive(Clone)]
pub struct Document {
    text: Bytes,
    nodes: Vec<Node>,
}

/// A value or a member's name. A member is two nodes: its name, then its value.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// Where its text begins.
    start: u32,
    /// Where its text ends.
    end: u32,
    /// The node after it and everything inside it.
    next: u32,
    kind: Kind,
    /// Whether it is a string with escapes.
    escaped: bool,
}

/// A value inside a document; a cheap handle.
#[derive(Clone, Copy)]
pub struct Value<'d> {
    document: &'d Document,
    at: u32,
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

impl<'d> Member<'d> {
    /// Its name as written, quotes included.
    pub fn raw_name(&self) -> &'d str {
        self.value.document.slice(self.name_span.clone())
    }
}

impl Document {
    /// Parses and checks; a leading byte-order mark is skipped.
    ///
    /// Needs time in proportion to the text, and memory in proportion to its values, never to its
    /// nesting; a hostile text is refused where it first breaks a rule or a limit.
    pub fn parse(text: Bytes, limits: &Limits) -> Result<Self, JsonError> {
        let text = match text.strip_prefix(b"\xEF\xBB\xBF") {
            Some(rest) => text.slice_ref(rest),
            None => text,
        };
        let nodes = parse::tape(&text, limits)?;
        Ok(Self { text, nodes })
    }

    /// The text, without a byte-order mark.
    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// The text again, as text.
    pub fn as_str(&self) -> &str {
        self.slice(0..self.text.len())
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        Value {
            document: self,
            at: 0,
        }
    }

    /// How many bytes it holds in memory: the text, and the tape with its spare room.
    pub fn memory(&self) -> usize {
        self.text.len() + self.nodes.capacity() * size_of::<Node>()
    }

    fn slice(&self, span: Range<usize>) -> &str {
        std::str::from_utf8(&self.text[span]).expect("parsing checked that the text is UTF-8")
    }
}

/// Says how large it is, never what is in it: a resource is somebody's.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[document of {} bytes]", self.text.len())
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{:?} at {:?}]", self.kind(), self.span())
    }
}

impl fmt::Debug for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[`{}` at {:?}]", self.name, self.name_span)
    }
}

impl<'d> Value<'d> {
    /// What it is.
    pub fn kind(self) -> Kind {
        self.node().kind
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// Whether nothing is inside it: of an array no item, of an object no member.
    pub fn is_childless(self) -> bool {
        self.node().next == self.at + 1
    }

    /// The document it is in.
    pub fn document(self) -> &'d Document {
        self.document
    }

    /// Its place in the document's text, quotes and brackets included.
    pub fn span(self) -> Range<usize> {
        let node = self.node();
        node.start as usize..node.end as usize
    }

    /// The text of its span.
    pub fn raw(self) -> &'d str {
        self.document.slice(self.span())
    }

    /// A string's content, unescaped.
    pub fn as_str(self) -> Option<Cow<'d, str>> {
        (self.kind() == Kind::String).then(|| self.unescaped())
    }

    /// Whether it is this string; quicker than to compare [`Value::as_str`].
    pub fn is_str(self, text: &str) -> bool {
        self.kind() == Kind::String && self.reads(text)
    }

    /// A number's text.
    pub fn as_number(self) -> Option<&'d str> {
        (self.kind() == Kind::Number).then(|| self.raw())
    }

    /// A boolean.
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == Kind::Boolean).then(|| self.bytes() == b"true")
    }

    /// The member of that name.
    pub fn get(self, name: &str) -> Option<Value<'d>> {
        self.entries()
            .find(|(key, _)| key.reads(name))
            .map(|(_, value)| value)
    }

    /// An object's members in order (nothing for other kinds).
    pub fn members(self) -> Members<'d> {
        Members(self.inside(Kind::Object))
    }

    /// An array's items in order (nothing for other kinds).
    pub fn items(self) -> Items<'d> {
        Items(self.inside(Kind::Array))
    }

    /// The member whose name is that one with `_` before it.
    pub(crate) fn sibling(self, name: &str) -> Option<Value<'d>> {
        let is_it = |key: Value<'d>| key.unescaped().strip_prefix('_') == Some(name);
        let mut entries = self.entries().filter(|(key, _)| key.may_be_sibling());
        entries.find(|(key, _)| is_it(*key)).map(|(_, value)| value)
    }

    /// Whether some member's name may begin with `_`.
    pub(crate) fn has_siblings(self) -> bool {
        self.entries().any(|(key, _)| key.may_be_sibling())
    }

    fn may_be_sibling(self) -> bool {
        matches!(self.bytes().get(1), Some(b'_' | b'\\'))
    }

    /// An object's names and values; both are values of the tape.
    fn entries(self) -> impl Iterator<Item = (Value<'d>, Value<'d>)> + Clone {
        let mut nodes = self.inside(Kind::Object);
        std::iter::from_fn(move || Some((nodes.next()?, nodes.next()?)))
    }

    fn inside(self, kind: Kind) -> Siblings<'d> {
        let node = self.node();
        let holds = node.kind == kind;
        Siblings {
            document: self.document,
            at: self.at + 1,
            end: if holds { node.next } else { self.at + 1 },
        }
    }

    fn node(self) -> &'d Node {
        &self.document.nodes[self.at as usize]
    }

    fn bytes(self) -> &'d [u8] {
        &self.document.text[self.span()]
    }

    /// A string's text between its quotes, escapes as written.
    fn within_quotes(self) -> Range<usize> {
        let node = self.node();
        node.start as usize + 1..node.end as usize - 1
    }

    fn reads(self, text: &str) -> bool {
        if self.node().escaped {
            return self.unescaped() == text;
        }
        self.document.text[self.within_quotes()] == *text.as_bytes()
    }

    fn unescaped(self) -> Cow<'d, str> {
        let written = self.document.slice(self.within_quotes());
        if self.node().escaped {
            Cow::Owned(write::unescape(written))
        } else {
            Cow::Borrowed(written)
        }
    }
}

/// An object's members in order.
#[derive(Clone)]
pub struct Members<'d>(Siblings<'d>);

impl<'d> Iterator for Members<'d> {
    type Item = Member<'d>;

    fn next(&mut self) -> Option<Member<'d>> {
        let (key, value) = (self.0.next()?, self.0.next()?);
        Some(Member {
            name: key.unescaped(),
            name_span: key.span(),
            value,
        })
    }
}

/// An array's items in order.
#[derive(Clone)]
pub struct Items<'d>(Siblings<'d>);

impl<'d> Iterator for Items<'d> {
    type Item = Value<'d>;

    fn next(&mut self) -> Option<Value<'d>> {
        self.0.next()
    }
}

/// The nodes directly inside a container.
#[derive(Clone)]
struct Siblings<'d> {
    document: &'d Document,
    at: u32,
    end: u32,
}

impl<'d> Iterator for Siblings<'d> {
    type Item = Value<'d>;

    fn next(&mut self) -> Option<Value<'d>> {
        if self.at >= self.end {
            return None;
        }
        let value = Value {
            document: self.document,
            at: self.at,
        };
        self.at = value.node().next;
        Some(value)
    }
}
