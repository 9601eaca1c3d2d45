//! Codes by the library's maps, and ids.

use sha2::{Digest, Sha256};

use super::argument;
use super::text::string;
use crate::error::{ConvertError, ErrorKind, Result};
use crate::render::Renderer;
use crate::value::{TextBuilder, TextKind, Value};

/// What the library's map of that name says of a code: a property of it, of `__default__`, or, for
/// `code` and `display`, the code itself.
pub(super) fn get_property<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let text = |value| string(renderer, value).as_str();
    let (code, map) = (text(value), text(argument(arguments, 0)));
    let property = arguments.get(1).map_or("code", |it| text(*it));
    if code.is_empty() || map.is_empty() {
        return Ok(Value::Null);
    }
    Ok(match renderer.library.mapped(map, code, property) {
        Some(found) => Value::plain(found),
        None if matches!(property, "code" | "display") => value,
        None => Value::Null,
    })
}

/// `type_input`, with `_base` if there is one.
pub(super) fn generate_id_input<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let segment = string(renderer, value);
    if segment.as_str().trim().is_empty() {
        return Ok(Value::Null);
    }
    let resource_type = string(renderer, argument(arguments, 0));
    let base = string(renderer, argument(arguments, 2));
    let is_required = argument(arguments, 1).is_true();
    if resource_type.as_str().trim().is_empty() || (is_required && base.as_str().is_empty()) {
        let what = "an id needs a resource type, and this one another id as its base";
        return Err(ConvertError::new(ErrorKind::IdInput, what));
    }
    let mut builder = TextBuilder::default();
    builder.push_text(resource_type);
    builder.push(TextKind::Markup, "_");
    builder.push_text(crate::render::trimmed(segment, renderer.arena));
    if !argument(arguments, 2).is_null() {
        builder.push(TextKind::Markup, "_");
        builder.push_text(base);
    }
    super::text::finished(renderer, &builder)
}

/// The first 16 bytes as .NET prints a `Guid`: its first three groups are numbers with their least
/// byte first.
pub(super) fn guid(hash: &[u8]) -> String {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut uuid = String::with_capacity(36);
    for (at, place) in ORDER.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            uuid.push('-');
        }
        for half in [hash[place] >> 4, hash[place] & 15] {
            uuid.push(char::from(DIGITS[usize::from(half)]));
        }
    }
    uuid
}

/// The SHA-256 of the text as a [`guid`].
pub(super) fn generate_uuid<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let text = string(renderer, value).as_str();
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    renderer.meter.steps(text.len() / 64)?;
    let uuid = guid(&Sha256::digest(text.as_bytes()));
    Ok(Value::plain(renderer.arena.alloc_str(&uuid)))
}
