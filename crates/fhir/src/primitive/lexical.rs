//! The forms of primitives other than dates and times, over bytes of UTF-8.

use super::Dialect;

/// The longest string in characters (<https://hl7.org/fhir/R4/datatypes.html#string>).
pub(super) const STRING_CHARS_MAX: usize = 1024 * 1024;

/// Control characters are refused in both versions: XML cannot carry them.
pub(super) fn is_text(text: &[u8]) -> bool {
    text.iter()
        .all(|byte| *byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r'))
        && (text.len() <= STRING_CHARS_MAX || characters(text) <= STRING_CHARS_MAX)
}

fn characters(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

/// The regular expressions are `\S*`, which knows ASCII white space only.
pub(super) fn is_uri(text: &[u8]) -> bool {
    text.iter().all(|byte| *byte > b' ')
}

pub(super) fn is_code(text: &[u8]) -> bool {
    let mut after_space = true;
    for byte in text {
        let space = *byte == b' ';
        if *byte < b' ' || (space && after_space) {
            return false;
        }
        after_space = space;
    }
    !after_space
}

pub(super) fn is_id(text: &[u8]) -> bool {
    str::from_utf8(text).is_ok_and(crate::id::is_id)
}

pub(super) fn is_integer(text: &[u8], min: i64) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = digits.iter().all(u8::is_ascii_digit)
        && (1..=10).contains(&digits.len())
        && (digits[0] != b'0' || text == b"0");
    canonical
        && str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse::<i64>().ok())
            .is_some_and(|number| (min..=i64::from(i32::MAX)).contains(&number))
}

pub(super) fn is_decimal(text: &[u8], dialect: &Dialect) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, rest) = split_digits(text);
    if whole.is_empty() || (whole.len() > 1 && whole[0] == b'0') {
        return false;
    }
    let (fraction, rest) = match rest.strip_prefix(b".") {
        Some(rest) => split_digits(rest),
        None => (&b"0"[..], rest),
    };
    !fraction.is_empty() && (rest.is_empty() || (dialect.exponents && is_exponent(rest)))
}

fn is_exponent(text: &[u8]) -> bool {
    let Some((b'e' | b'E', rest)) = text.split_first() else {
        return false;
    };
    let digits = match rest.split_first() {
        Some((b'+' | b'-', digits)) => digits,
        _ => rest,
    };
    !digits.is_empty() && split_digits(digits).1.is_empty()
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    text.split_at(digits.count())
}

/// White space may stand anywhere, since lines of base64 are often folded.
pub(super) fn is_base64(text: &[u8]) -> bool {
    let (mut symbols, mut padding) = (0_usize, 0_usize);
    for byte in text {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => symbols += 1,
            b'=' => padding += 1,
            b' ' | b'\t' | b'\n' | b'\r' => {}
            _ => return false,
        }
    }
    symbols > 0 && padding <= 2 && (symbols + padding).is_multiple_of(4)
}

/// STU3's expression forgets arcs that are 0; R4 mended it and its form is used for both.
pub(super) fn is_oid(text: &[u8]) -> bool {
    let Some(arcs) = text.strip_prefix(b"urn:oid:") else {
        return false;
    };
    let mut arcs = arcs.split(|byte| *byte == b'.');
    let root = arcs
        .next()
        .is_some_and(|arc| matches!(arc, b"0" | b"1" | b"2"));
    let mut count = 0;
    let rest = arcs.all(|arc| {
        count += 1;
        matches!(arc, [b'0'] | [b'1'..=b'9', ..]) && arc.iter().all(u8::is_ascii_digit)
    });
    root && rest && count > 0
}

pub(super) fn is_uuid(text: &[u8]) -> bool {
    text.strip_prefix(b"urn:uuid:").is_some_and(|uuid| {
        uuid.len() == 36
            && uuid.iter().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => *byte == b'-',
                _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            })
    })
}
