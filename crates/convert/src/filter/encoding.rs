//! Encodings: base64, gzip, SHA-1, URLs, and the escapes of JSON.

use std::fmt::Write as _;
use std::io::{Read, Write};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sha1::{Digest, Sha1};

use super::rendering;
use crate::error::{ConvertError, Result};
use crate::render::Renderer;
use crate::value::{TextBuilder, TextKind, Value, print};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding (RFC 4648 §4).
fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = [0, 1, 2].map(|at| u32::from(chunk.get(at).copied().unwrap_or(0)));
        let group = group[0] << 16 | group[1] << 8 | group[2];
        for at in 0..4_usize {
            let six = (group >> (18 - 6 * at)) & 63;
            let letter = ALPHABET[six as usize];
            text.push(if at <= chunk.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    text
}

/// The bytes of base64; white space in it is skipped.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut group, mut bits) = (Vec::with_capacity(text.len() / 4 * 3), 0_u32, 0);
    let letters = text.bytes().filter(|it| !it.is_ascii_whitespace());
    for letter in letters.take_while(|it| *it != b'=') {
        let six = ALPHABET.iter().position(|it| *it == letter)?;
        group = group << 6 | u32::try_from(six).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((group >> bits) & 255).ok()?);
        }
    }
    Some(bytes)
}

fn made<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    make: impl Fn(&str) -> Result<String>,
) -> Result<Value<'a>> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let text = make(print::text(value, renderer.arena).as_str())?;
    renderer.meter.text(text.len())?;
    Ok(Value::plain(renderer.arena.alloc_str(&text)))
}

pub(super) fn base64_encode<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    made(renderer, value, |text| Ok(to_base64(text.as_bytes())))
}

/// Bytes in hexadecimal digits, white space between them or not.
pub(super) fn hex_to_base64<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let text = print::text(value, renderer.arena).as_str();
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).and_then(|it| u8::try_from(it).ok()))
        .collect();
    let digits = digits.filter(|it| !it.is_empty() && it.len().is_multiple_of(2));
    let Some(digits) = digits else {
        return Ok(Value::Null);
    };
    let bytes: Vec<u8> = digits.chunks(2).map(|it| it[0] << 4 | it[1]).collect();
    made(renderer, value, |_| Ok(to_base64(&bytes)))
}

pub(super) fn base64_decode<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    made(renderer, value, |text| {
        let bytes = from_base64(text).ok_or_else(|| rendering("a text is not base64"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    })
}

pub(super) fn sha1_hash<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    made(renderer, value, |text| {
        let mut hex = String::with_capacity(40);
        for byte in Sha1::digest(text.as_bytes()) {
            write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
        }
        Ok(hex)
    })
}

pub(super) fn gzip<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let text = print::text(value, renderer.arena).as_str();
    if let Some((before, compressed)) = renderer.compressed
        && std::ptr::eq(before, text)
    {
        return Ok(compressed);
    }
    let compressed = made(renderer, value, |text| {
        // A third of the time of the usual level, and a sixth more bytes.
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let written = encoder.write_all(text.as_bytes());
        let bytes = written.and_then(|()| encoder.finish());
        Ok(to_base64(
            &bytes.map_err(|_| rendering("a text cannot be compressed"))?,
        ))
    })?;
    renderer.compressed = Some((text, compressed));
    Ok(compressed)
}

pub(super) fn gunzip_base64_string<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let max = renderer.meter.budgets().output_bytes_max;
    made(renderer, value, |text| {
        let bytes = from_base64(text).ok_or_else(|| rendering("a text is not base64"))?;
        let mut decoded = Vec::new();
        let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
        let read = GzDecoder::new(&bytes[..])
            .take(limit)
            .read_to_end(&mut decoded);
        read.map_err(|_| rendering("a text is not gzip"))?;
        if decoded.len() > max {
            return Err(ConvertError::limit("output_bytes_max", max));
        }
        Ok(String::from_utf8_lossy(&decoded).into_owned())
    })
}

/// As .NET's `WebUtility.UrlEncode`.
pub(super) fn url_encode<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    made(renderer, value, |text| {
        let mut out = String::with_capacity(text.len());
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z'
                | b'A'..=b'Z'
                | b'0'..=b'9'
                | b'-'
                | b'_'
                | b'.'
                | b'!'
                | b'*'
                | b'('
                | b')' => out.push(char::from(byte)),
                b' ' => out.push('+'),
                other => write!(out, "%{other:02X}").expect("writing to a string cannot fail"),
            }
        }
        Ok(out)
    })
}

pub(super) fn url_decode<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    made(renderer, value, |text| {
        let bytes = text.as_bytes();
        let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
        while at < bytes.len() {
            let hex = bytes
                .get(at + 1..at + 3)
                .and_then(|it| std::str::from_utf8(it).ok());
            let decoded = hex.and_then(|it| u8::from_str_radix(it, 16).ok());
            match (bytes[at], decoded) {
                (b'%', Some(byte)) => {
                    out.push(byte);
                    at += 2;
                }
                (b'+', _) => out.push(b' '),
                (other, _) => out.push(other),
            }
            at += 1;
        }
        Ok(String::from_utf8_lossy(&out).into_owned())
    })
}

/// Escapes `\` and `"`; what is escaped already stays as it is.
pub(super) fn escape_special_chars<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let mut builder = TextBuilder::default();
    for (kind, piece) in print::text(value, renderer.arena).pieces() {
        if kind == TextKind::Escaped {
            builder.push(kind, piece);
        } else {
            let escaped = piece.replace('\\', "\\\\").replace('"', "\\\"");
            builder.push(TextKind::Escaped, &escaped);
        }
    }
    super::text::finished(renderer, &builder)
}

/// Undoes the escapes of `\` and `"`; escaped data becomes plain.
pub(super) fn unescape_special_chars<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let mut builder = TextBuilder::default();
    for (kind, piece) in print::text(value, renderer.arena).pieces() {
        let kind = if kind == TextKind::Escaped {
            TextKind::Plain
        } else {
            kind
        };
        let mut unescaped = String::with_capacity(piece.len());
        let mut characters = piece.chars().peekable();
        while let Some(c) = characters.next() {
            match (c, characters.peek()) {
                ('\\', Some('\\' | '"')) => unescaped.extend(characters.next()),
                _ => unescaped.push(c),
            }
        }
        builder.push(kind, &unescaped);
    }
    super::text::finished(renderer, &builder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_goes_both_ways() {
        for (text, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(to_base64(text.as_bytes()), encoded);
            assert_eq!(from_base64(encoded).unwrap(), text.as_bytes());
        }
        assert_eq!(from_base64("Z*"), None);
    }
}
