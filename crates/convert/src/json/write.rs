//! Values as JSON text, compact, as Newtonsoft's `Formatting.None` writes it.

use std::fmt::Write;

use super::escape;
use crate::value::{Text, TextKind, Value, print};

/// Greatest nesting that is written; deeper values become null. Input and output are bounded
/// far below.
const DEPTH_MAX: usize = 600;

/// The value as JSON.
pub(crate) fn to_string(value: Value<'_>) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

/// Appends the value as JSON.
pub(crate) fn write(value: Value<'_>, into: &mut String) {
    write_at(value, DEPTH_MAX, into);
}

fn write_at(value: Value<'_>, depth: usize, into: &mut String) {
    if depth == 0 {
        into.push_str("null");
        return;
    }
    match value {
        Value::Null | Value::Empty => into.push_str("null"),
        // Not all that Newtonsoft would write of it, but as distinct.
        Value::Hl7(element) => {
            into.push_str("{\"Value\":");
            text_value(element.text(), into);
            into.push('}');
        }
        Value::Bool(truth) => into.push_str(if truth { "true" } else { "false" }),
        Value::Int(_) | Value::Decimal(_) | Value::Double(_) => print::write_number(value, into),
        Value::Text(text) => text_value(text, into),
        Value::List(items) => {
            for (at, item) in items.iter().enumerate() {
                into.push(if at == 0 { '[' } else { ',' });
                write_at(*item, depth - 1, into);
            }
            into.push_str(if items.is_empty() { "[]" } else { "]" });
        }
        Value::Map(map) => members(map.members(), depth - 1, into),
        Value::Pair(pair) => members(std::slice::from_ref(pair), depth - 1, into),
    }
}

/// What is escaped already is not escaped again.
fn text_value(text: Text<'_>, into: &mut String) {
    let is_escaped =
        |(kind, piece): (TextKind, &str)| kind == TextKind::Escaped && piece.contains('\\');
    if !text.pieces().any(is_escaped) {
        return string(text.as_str(), into);
    }
    let mut plain = String::new();
    for (kind, piece) in text.pieces() {
        match kind {
            TextKind::Escaped => escape::unescape(piece, &mut plain),
            _ => plain.push_str(piece),
        }
    }
    string(&plain, into);
}

fn members(members: &[(&str, Value<'_>)], depth: usize, into: &mut String) {
    into.push('{');
    for (at, (name, value)) in members.iter().enumerate() {
        if at > 0 {
            into.push(',');
        }
        string(name, into);
        into.push(':');
        write_at(*value, depth, into);
    }
    into.push('}');
}

/// Appends a JSON string.
pub(crate) fn string(text: &str, into: &mut String) {
    into.push('"');
    let mut start = 0;
    let escaped = |byte: u8| byte < 0x20 || matches!(byte, b'"' | b'\\');
    for (at, byte) in text.bytes().enumerate().filter(|(_, byte)| escaped(*byte)) {
        into.push_str(&text[start..at]);
        start = at + 1;
        match byte {
            b'"' => into.push_str("\\\""),
            b'\\' => into.push_str("\\\\"),
            b'\n' => into.push_str("\\n"),
            b'\r' => into.push_str("\\r"),
            b'\t' => into.push_str("\\t"),
            8 => into.push_str("\\b"),
            12 => into.push_str("\\f"),
            other => write!(into, "\\u{other:04x}").expect("writing to a string cannot fail"),
        }
    }
    into.push_str(&text[start..]);
    into.push('"');
}
