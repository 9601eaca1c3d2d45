//! Bare words between the brackets of lenient JSON: numbers, `true`, `false`, `null`. Microsoft's
//! tokenizer drops characters that it does not know; so do we, unless that would change a number.

use crate::value::{Arena, Value};

/// What a bare word is.
pub(super) enum Word<'a> {
    /// Nothing that is known.
    Nothing,
    One(Value<'a>),
    /// Several values without a comma, or a number that would change.
    Fault,
}

/// Reads a bare word.
pub(super) fn word<'a>(text: &str, arena: &'a Arena) -> Word<'a> {
    match text {
        "true" => return Word::One(Value::Bool(true)),
        "false" => return Word::One(Value::Bool(false)),
        "null" => return Word::One(Value::Null),
        _ => {}
    }
    let number = number_length(text);
    if number == text.len() {
        return Value::number(text, arena).map_or(Word::Fault, Word::One);
    }
    let has_digits = |text: &str| text.bytes().any(|it| it.is_ascii_digit());
    if !has_digits(text) {
        return Word::Nothing;
    }
    let unit = &text[number..];
    if number > 0 && !has_digits(unit) && unit.starts_with(char::is_alphabetic) {
        return Value::number(&text[..number], arena).map_or(Word::Fault, Word::One);
    }
    Word::Fault
}

/// The length of the number (RFC 8259 §6) that the text begins with; 0 if there is none.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|it| it.is_ascii_digit()).count()
    };
    let start = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(start);
    if whole == 0 || (whole > 1 && bytes[start] == b'0') {
        return 0;
    }
    let mut end = start + whole;
    if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        end += if exponent > 0 { 1 + sign + exponent } else { 0 };
    }
    end
}
