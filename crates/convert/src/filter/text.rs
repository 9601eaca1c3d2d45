//! Filters that make a text of a text. Marks stay with their pieces.

use std::fmt::Write;

use super::{argument, rendering};
use crate::error::Result;
use crate::render::{Renderer, byte_at, utf16_length, whole};
use crate::template::Mode;
use crate::value::{Text, TextBuilder, TextKind, Value, print};

/// The input as text; null stays null.
pub(super) fn input<'a>(renderer: &Renderer<'a>, value: Value<'a>) -> Option<Text<'a>> {
    match value {
        Value::Null => None,
        other => Some(string(renderer, other)),
    }
}

/// What a filter of texts sees of a value: .NET's own text of booleans, all digits of a number.
pub(super) fn string<'a>(renderer: &Renderer<'a>, value: Value<'a>) -> Text<'a> {
    match (renderer.mode, value) {
        (Mode::Compatible, Value::Bool(true)) => Text::Markup("True"),
        (Mode::Compatible, Value::Bool(false)) => Text::Markup("False"),
        (_, other) => print::exact(other, renderer.arena),
    }
}

/// The finished text; it counts as output.
pub(super) fn finished<'a>(renderer: &Renderer<'a>, text: &TextBuilder) -> Result<Value<'a>> {
    renderer.meter.text(text.len())?;
    Ok(Value::Text(text.finish(renderer.arena)))
}

/// Every piece changed on its own.
fn mapped<'a>(
    renderer: &Renderer<'a>,
    value: Value<'a>,
    change: impl Fn(&str) -> String,
) -> Result<Value<'a>> {
    let Some(text) = input(renderer, value) else {
        return Ok(Value::Null);
    };
    let mut builder = TextBuilder::default();
    for (kind, piece) in text.pieces() {
        builder.push(kind, &change(piece));
    }
    finished(renderer, &builder)
}

fn joined<'a>(renderer: &Renderer<'a>, one: Value<'a>, other: Value<'a>) -> Result<Value<'a>> {
    let mut builder = TextBuilder::default();
    builder.push_text(string(renderer, one));
    builder.push_text(string(renderer, other));
    finished(renderer, &builder)
}

pub(super) fn append<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    joined(renderer, value, argument(arguments, 0))
}

pub(super) fn prepend<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    joined(renderer, argument(arguments, 0), value)
}

pub(super) fn upcase<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    mapped(renderer, value, str::to_uppercase)
}

pub(super) fn downcase<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    mapped(renderer, value, str::to_lowercase)
}

/// Every word begins with a capital.
pub(super) fn capitalize<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    mapped(renderer, value, |text| {
        let mut begins = true;
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            if begins {
                out.extend(c.to_uppercase());
            } else {
                out.push(c);
            }
            begins = !(c.is_alphanumeric() || c == '_');
        }
        out
    })
}

/// `&`, `<`, `>`, `"` and `'` as HTML writes them; .NET has numbers for Latin letters too, and for
/// what takes two of its characters.
fn html(mode: Mode, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{a0}'..='\u{ff}' | '\u{10000}'.. if mode == Mode::Compatible => {
                write!(out, "&#{};", u32::from(c)).expect("writing to a string cannot fail");
            }
            other => out.push(other),
        }
    }
    out
}

pub(super) fn escape<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    mapped(renderer, value, |text| html(renderer.mode, text))
}

/// As `escape`, but what is escaped already stays as it is.
pub(super) fn escape_once<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    const ENTITIES: [(&str, &str); 5] = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    mapped(renderer, value, |text| {
        let mut plain = text.to_owned();
        for (entity, c) in ENTITIES {
            plain = plain.replace(entity, c);
        }
        html(renderer.mode, &plain)
    })
}

fn stripped<'a>(renderer: &Renderer<'a>, value: Value<'a>, left: bool, right: bool) -> Value<'a> {
    let Some(text) = input(renderer, value) else {
        return Value::Null;
    };
    let whole = text.as_str();
    let start = if left {
        whole.len() - whole.trim_start().len()
    } else {
        0
    };
    let end = if right {
        whole.trim_end().len()
    } else {
        whole.len()
    };
    Value::Text(text.cut(start.min(end)..end, renderer.arena))
}

pub(super) fn strip<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    Ok(stripped(renderer, value, true, true))
}

pub(super) fn lstrip<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    Ok(stripped(renderer, value, true, false))
}

pub(super) fn rstrip<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    Ok(stripped(renderer, value, false, true))
}

/// Tags are taken out, comments and scripts with what is in them.
pub(super) fn strip_html<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    const WHOLE: [(&str, &str); 3] = [
        ("<script", "</script>"),
        ("<!--", "-->"),
        ("<style", "</style>"),
    ];
    mapped(renderer, value, |text| {
        let (mut out, mut rest) = (String::new(), text);
        while let Some(at) = rest.find('<') {
            out.push_str(&rest[..at]);
            let here = &rest[at..];
            let end = WHOLE
                .iter()
                .find(|it| here.starts_with(it.0))
                .map_or(">", |it| it.1);
            let Some(length) = here.find(end) else {
                out.push_str(here);
                return out;
            };
            rest = &here[length + end.len()..];
        }
        out + rest
    })
}

pub(super) fn strip_newlines<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    mapped(renderer, value, |text| {
        text.replace("\r\n", "\n").replace('\n', "")
    })
}

pub(super) fn newline_to_br<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    mapped(renderer, value, |text| {
        let lines = text.replace('\n', "<br />\n");
        lines.replace("\r<br />", "<br />\r")
    })
}

/// The dots that stand for what was cut off.
fn dots<'a>(renderer: &Renderer<'a>, arguments: &[Value<'a>]) -> Text<'a> {
    match arguments.get(1) {
        Some(dots) => string(renderer, *dots),
        None => Text::of(TextKind::Markup, "..."),
    }
}

pub(super) fn truncate<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let Some(text) = input(renderer, value) else {
        return Ok(Value::Null);
    };
    let length = arguments.first().map_or(50, |it| whole(*it));
    let length = usize::try_from(length).map_err(|_| rendering("a length is below zero"))?;
    let units = |text: Text<'a>| usize::try_from(utf16_length(text.as_str())).unwrap_or(0);
    if units(text) <= length {
        return Ok(value);
    }
    let dots = dots(renderer, arguments);
    let end = byte_at(text.as_str(), length.saturating_sub(units(dots)));
    let mut builder = TextBuilder::default();
    builder.push_part(text, 0..end);
    builder.push_text(dots);
    finished(renderer, &builder)
}

pub(super) fn truncate_words<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let Some(text) = input(renderer, value) else {
        return Ok(Value::Null);
    };
    let count = arguments.first().map_or(15, |it| whole(*it)).max(1);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let spaces = text.as_str().match_indices(' ');
    let Some((end, _)) = spaces.into_iter().nth(count - 1) else {
        return Ok(value);
    };
    let mut builder = TextBuilder::default();
    builder.push_part(text, 0..end);
    builder.push_text(dots(renderer, arguments));
    finished(renderer, &builder)
}
