//! `encode`, `decode`, `escape`, `unescape`.

use std::fmt::Write as _;

use super::super::fault::EvaluationFault;
use super::super::item::Collection;
use super::call::Call;
use super::{Failure, Outcome};

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(super) fn encode<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let (text, format) = (call.text(input)?, call.string(0)?);
    let Some((text, format)) = text.zip(format) else {
        return Ok(Vec::new());
    };
    call.evaluator.check_length(text.len() * 2, call.span)?;
    call.made(match &*format {
        "hex" => hexadecimal(&text),
        "base64" => base64(text.as_bytes(), STANDARD),
        "urlbase64" => base64(text.as_bytes(), URL),
        "ascii" => text
            .chars()
            .map(|it| if it.is_ascii() { it } else { '?' })
            .collect(),
        _ => return Err(unknown(call, "`hex`, `base64`, `urlbase64`, `ascii`")),
    })
}

fn unknown(call: &Call<'_, '_>, allowed: &'static str) -> Failure {
    call.fault(EvaluationFault::Argument {
        what: "unknown format",
        allowed,
    })
}

/// What is decoded to no text is empty; what is not encoded so is an error.
pub(super) fn decode<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let (text, format) = (call.text(input)?, call.string(0)?);
    let Some((text, format)) = text.zip(format) else {
        return Ok(Vec::new());
    };
    let (bytes, name) = match &*format {
        "hex" => (from_hexadecimal(&text), "hexadecimal"),
        "base64" => (from_base64(&text, STANDARD), "base64"),
        "urlbase64" => (from_base64(&text, URL), "base64 for URLs"),
        _ => return Err(unknown(call, "`hex`, `base64`, `urlbase64`")),
    };
    let bytes = bytes.ok_or_else(|| call.fault(EvaluationFault::Encoding(name)))?;
    match String::from_utf8(bytes) {
        Ok(decoded) => call.made(decoded),
        Err(_) => Ok(Vec::new()),
    }
}

fn base64(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut encoded = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let six = (bits >> (18 - 6 * place)) & 63;
            let is_padding = place > group.len();
            encoded.push(if is_padding {
                '='
            } else {
                char::from(alphabet[six as usize])
            });
        }
    }
    encoded
}

fn from_base64(text: &str, alphabet: &[u8; 64]) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if padding > 2 || !text.len().is_multiple_of(4) {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for digit in group {
            let six = alphabet.iter().position(|it| it == digit)?;
            bits = bits << 6 | u32::try_from(six).ok()?;
        }
        let missing = 4 - group.len();
        bits <<= 6 * missing;
        bytes.extend_from_slice(&bits.to_be_bytes()[1..4 - missing]);
    }
    Some(bytes)
}

fn hexadecimal(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        let _ = write!(encoded, "{byte:02x}");
    }
    encoded
}

fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |it: &u8| char::from(*it).to_digit(16);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::try_from(digit(&pair[0])? * 16 + digit(&pair[1])?).ok();
    pairs.map(byte).collect()
}

/// Characters of HTML and what stands for them.
const HTML: [(char, &str); 5] = [
    ('&', "&amp;"),
    ('<', "&lt;"),
    ('>', "&gt;"),
    ('"', "&quot;"),
    ('\'', "&#39;"),
];

/// Characters of JSON and what follows the backslash.
const JSON: [(char, char); 7] = [
    ('"', '"'),
    ('\\', '\\'),
    ('\n', 'n'),
    ('\r', 'r'),
    ('\t', 't'),
    ('\u{8}', 'b'),
    ('\u{c}', 'f'),
];

pub(super) fn escape<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let (text, target) = (call.text(input)?, call.string(0)?);
    let Some((text, target)) = text.zip(target) else {
        return Ok(Vec::new());
    };
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        let html = HTML.iter().find(|it| it.0 == character);
        let json = JSON.iter().find(|it| it.0 == character);
        match &*target {
            "html" => match html {
                Some((_, entity)) => escaped.push_str(entity),
                None => escaped.push(character),
            },
            "json" => match json {
                Some((_, letter)) => escaped.extend(['\\', *letter]),
                None if character < ' ' => {
                    let _ = write!(escaped, "\\u{:04x}", u32::from(character));
                }
                None => escaped.push(character),
            },
            _ => return Err(unknown(call, "`html`, `json`")),
        }
    }
    call.made(escaped)
}

pub(super) fn unescape<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let (text, target) = (call.text(input)?, call.string(0)?);
    let Some((text, target)) = text.zip(target) else {
        return Ok(Vec::new());
    };
    match &*target {
        "html" => call.made(without_entities(&text)),
        "json" => call.made(without_backslashes(&text)),
        _ => Err(unknown(call, "`html`, `json`")),
    }
}

/// What is no entity stays.
fn without_entities(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = rest.find(';').map_or(1, |it| it + 1);
        match quick_xml::escape::unescape_with(&rest[..length], |name| {
            quick_xml::escape::resolve_html5_entity(name)
        }) {
            Ok(character) if length > 1 => plain.push_str(&character),
            _ => plain.push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    plain.push_str(rest);
    plain
}

/// An escape that JSON does not have stays.
fn without_backslashes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let known = rest
            .chars()
            .next()
            .and_then(|it| JSON.iter().find(|row| row.1 == it));
        let unit = rest.strip_prefix('u').and_then(|it| it.get(..4));
        let unit = unit
            .and_then(|it| u32::from_str_radix(it, 16).ok())
            .and_then(char::from_u32);
        match (known, unit) {
            (Some((character, letter)), _) => {
                plain.push(*character);
                rest = &rest[letter.len_utf8()..];
            }
            (None, Some(character)) => {
                plain.push(character);
                rest = &rest[5..];
            }
            (None, None) if rest.starts_with('/') => {}
            (None, None) => plain.push('\\'),
        }
    }
    plain.push_str(rest);
    plain
}
