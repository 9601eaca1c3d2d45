//! Writing JSON text: strings, splices, and the same document with less or more white space.

use std::fmt::Write as _;
use std::ops::Range;

use super::scan::plain_until;
use super::{Document, Kind, Value};

/// One replacement in a text.
#[derive(Clone, PartialEq, Eq)]
pub struct Splice {
    /// What is replaced; empty to insert.
    pub span: Range<usize>,
    /// What stands there afterwards.
    pub with: String,
}

/// Says where, never what: the text may come from a resource.
impl std::fmt::Debug for Splice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{:?} becomes {} bytes]", self.span, self.with.len())
    }
}

/// The text with all splices applied; they must not overlap, any order. Insertions at one place
/// keep the order in which they are given.
///
/// # Panics
/// When two splices overlap, or one does not lie on characters of the text: a fault of the caller.
pub fn splice(text: &str, mut splices: Vec<Splice>) -> String {
    splices.sort_by_key(|it| (it.span.start, it.span.end));
    let added: usize = splices.iter().map(|it| it.with.len()).sum();
    let mut spliced = String::with_capacity(text.len() + added);
    let mut at = 0;
    for Splice { span, with } in splices {
        spliced.push_str(&text[at..span.start]);
        spliced.push_str(&with);
        at = span.end;
    }
    spliced.push_str(&text[at..]);
    spliced
}

/// Appends the text as a JSON string, quotes included.
pub fn write_string(text: &str, into: &mut String) {
    into.push('"');
    let mut at = 0;
    loop {
        let plain = plain_until(text.as_bytes(), at);
        into.push_str(&text[at..plain]);
        let Some(&byte) = text.as_bytes().get(plain) else {
            break;
        };
        match byte {
            b'"' => into.push_str("\\\""),
            b'\\' => into.push_str("\\\\"),
            b'\n' => into.push_str("\\n"),
            b'\r' => into.push_str("\\r"),
            b'\t' => into.push_str("\\t"),
            _ => write!(into, "\\u{byte:04x}").expect("writing to a String does not fail"),
        }
        at = plain + 1;
    }
    into.push('"');
}

/// The document without white space between tokens; strings and numbers stay as written.
pub fn minify(document: &Document) -> String {
    let text = document.as_str();
    let mut minified = String::with_capacity(text.len());
    write_minified(document.root(), &mut minified);
    minified
}

/// Appends the value without white space between tokens.
pub(crate) fn write_minified(value: Value<'_>, into: &mut String) {
    let raw = value.raw();
    let bytes = raw.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'"' => string_end(bytes, at),
            b' ' | b'\n' | b'\r' | b'\t' => {
                at += 1;
                continue;
            }
            _ => token_end(bytes, at),
        };
        into.push_str(&raw[at..end]);
        at = end;
    }
}

/// Where the string that begins at `at` ends, its closing quote included.
fn string_end(text: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    loop {
        at = plain_until(text, at);
        match text[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn token_end(text: &[u8], at: usize) -> usize {
    let ends = |byte: &u8| matches!(byte, b'"' | b' ' | b'\n' | b'\r' | b'\t');
    let rest = text[at..].iter().position(ends);
    rest.map_or(text.len(), |length| at + length)
}

/// The document with a line for each value, indented by two blanks; for people.
pub fn pretty(document: &Document) -> String {
    let mut printed = String::with_capacity(document.text().len() * 2);
    write_pretty(document.root(), 0, &mut printed);
    printed.push('\n');
    printed
}

/// Recursion is bounded by the depth that parsing allowed.
fn write_pretty(value: Value<'_>, depth: usize, into: &mut String) {
    let mut is_first = true;
    let mut line = |into: &mut String| {
        into.push_str(if is_first { "\n" } else { ",\n" });
        is_first = false;
        indent(depth + 1, into);
    };
    match value.kind() {
        Kind::Object => {
            into.push('{');
            for (name, value) in value.entries() {
                line(into);
                into.push_str(name.raw());
                into.push_str(": ");
                write_pretty(value, depth + 1, into);
            }
            close('}', is_first, depth, into);
        }
        Kind::Array => {
            into.push('[');
            for item in value.items() {
                line(into);
                write_pretty(item, depth + 1, into);
            }
            close(']', is_first, depth, into);
        }
        _ => into.push_str(value.raw()),
    }
}

fn close(bracket: char, is_empty: bool, depth: usize, into: &mut String) {
    if !is_empty {
        into.push('\n');
        indent(depth, into);
    }
    into.push(bracket);
}

fn indent(depth: usize, into: &mut String) {
    (0..depth).for_each(|_| into.push_str("  "));
}

/// The characters that the text between a string's quotes stands for; the parser has checked it.
pub(super) fn unescape(written: &str) -> String {
    let mut text = String::with_capacity(written.len());
    let mut rest = written;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let (character, length) = match escape.as_bytes()[0] {
            b'b' => ('\u{8}', 1),
            b'f' => ('\u{c}', 1),
            b'n' => ('\n', 1),
            b'r' => ('\r', 1),
            b't' => ('\t', 1),
            b'u' => unicode(escape),
            other => (char::from(other), 1),
        };
        text.push(character);
        rest = &escape[length..];
    }
    text.push_str(rest);
    text
}

/// The character of `uXXXX` or of the surrogate pair `uXXXX\uXXXX`, and how long that is.
fn unicode(escape: &str) -> (char, usize) {
    let unit = |at: usize| {
        let digits = escape.get(at..at + 4).unwrap_or_default();
        u32::from_str_radix(digits, 16).expect("parsing checked the digits")
    };
    let (code, length) = match unit(1) {
        high @ 0xD800..0xDC00 => (0x1_0000 + ((high - 0xD800) << 10) + unit(7) - 0xDC00, 11),
        code => (code, 5),
    };
    let character = char::from_u32(code).expect("parsing checked that surrogates are paired");
    (character, length)
}
