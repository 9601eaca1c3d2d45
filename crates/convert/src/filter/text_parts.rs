//! Filters that look for parts of a text: `replace`, `split`, `slice`, `match` and their like.

use super::regex::{self, Piece};
use super::text::{finished, input, string};
use super::{argument, rendering};
use crate::error::Result;
use crate::render::{Renderer, byte_at, utf16_length, whole};
use crate::template::Mode;
use crate::value::{Text, TextBuilder, Value};

/// The text of an argument; an error if it is null.
fn wanted<'a>(renderer: &Renderer<'a>, arguments: &[Value<'a>], what: &str) -> Result<Text<'a>> {
    match argument(arguments, 0) {
        Value::Null => Err(rendering(format!("the argument of `{what}` is null"))),
        other => Ok(string(renderer, other)),
    }
}

/// Which of several a filter is about.
#[derive(Clone, Copy, PartialEq)]
enum Which {
    All,
    First,
}

impl Which {
    fn times(self) -> usize {
        match self {
            Self::All => usize::MAX,
            Self::First => 1,
        }
    }
}

/// Replaces what a regular expression finds, all of it or, by a text as it stands, the first.
fn replaced<'a>(
    renderer: &mut Renderer<'a>,
    text: Text<'a>,
    pattern: &'a str,
    by: Text<'a>,
    which: Which,
) -> Result<Value<'a>> {
    let backtracks = renderer.meter.budgets().regex_backtracks_max;
    let regex = renderer.regexes.get(pattern, backtracks)?;
    let whole = text.as_str();
    let pieces = regex::replacement(by.as_str(), &regex);
    let is_plain = which == Which::First || !by.as_str().contains('$');
    let (mut builder, mut end) = (TextBuilder::default(), 0);
    for found in regex.captures_iter(whole).take(which.times()) {
        renderer.meter.step()?;
        let found = found.map_err(|_| rendering("a regular expression takes too many steps"))?;
        let Some(range) = found.get(0).map(|it| it.range()) else {
            continue;
        };
        builder.push_part(text, end..range.start);
        end = range.end;
        if is_plain {
            builder.push_text(by);
            continue;
        }
        for piece in &pieces {
            let part = match piece {
                Piece::Text(part) => {
                    for (kind, _) in by.pieces().take(1) {
                        builder.push(kind, part);
                    }
                    continue;
                }
                Piece::Group(name) => regex::group(&regex, &found, name),
                Piece::Before => Some(0..range.start),
                Piece::After => Some(range.end..whole.len()),
            };
            builder.push_part(text, part.unwrap_or(0..0));
        }
        renderer.meter.text(builder.len() / 64)?;
    }
    builder.push_part(text, end..whole.len());
    finished(renderer, &builder)
}

pub(super) fn replace<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    replace_those(renderer, value, arguments, Which::All)
}

pub(super) fn replace_first<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    replace_those(renderer, value, arguments, Which::First)
}

fn replace_those<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
    which: Which,
) -> Result<Value<'a>> {
    let Some(text) = input(renderer, value) else {
        return Ok(Value::Null);
    };
    let pattern = string(renderer, argument(arguments, 0)).as_str();
    if text.as_str().is_empty() || pattern.is_empty() {
        return Ok(value);
    }
    let by = string(renderer, argument(arguments, 1));
    replaced(renderer, text, pattern, by, which)
}

pub(super) fn remove<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    remove_those(renderer, value, arguments, Which::All)
}

pub(super) fn remove_first<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    remove_those(renderer, value, arguments, Which::First)
}

/// What is removed is a text, not a regular expression.
fn remove_those<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
    which: Which,
) -> Result<Value<'a>> {
    let Some(text) = input(renderer, value).filter(|it| !it.as_str().trim().is_empty()) else {
        return Ok(value);
    };
    let part = wanted(renderer, arguments, "remove")?.as_str();
    let (mut builder, mut end) = (TextBuilder::default(), 0);
    if !part.is_empty() {
        for (at, found) in text.as_str().match_indices(part).take(which.times()) {
            builder.push_part(text, end..at);
            end = at + found.len();
        }
    }
    builder.push_part(text, end..text.as_str().len());
    finished(renderer, &builder)
}

/// Empty parts are dropped; what is nothing but white space DotLiquid does not divide.
pub(super) fn split<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let is_divided =
        |it: &Text<'a>| renderer.mode == Mode::Strict || !it.as_str().trim().is_empty();
    let Some(text) = input(renderer, value).filter(is_divided) else {
        return Ok(Value::List(renderer.arena.alloc_slice_copy(&[value])));
    };
    let separator = string(renderer, argument(arguments, 0)).as_str();
    let mut parts = Vec::new();
    if separator.is_empty() {
        parts.push(value);
    } else {
        let mut start = 0;
        let ends = text.as_str().match_indices(separator).map(|it| it.0);
        for end in ends.chain([text.as_str().len()]) {
            if end > start {
                parts.push(Value::Text(text.cut(start..end, renderer.arena)));
            }
            start = end + separator.len();
        }
    }
    renderer.meter.steps(parts.len())?;
    Ok(Value::List(renderer.arena.alloc_slice_copy(&parts)))
}

/// A part by start and length, counted in UTF-16 units; below zero from the end. Beyond the end is
/// nothing.
pub(super) fn slice<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let start = whole(argument(arguments, 0));
    let length = arguments.get(1).map_or(1, |it| whole(*it));
    if let Value::List(items) = value {
        let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let (from, to) = bounds(start, length, count);
        return Ok(Value::List(&items[from..to]));
    }
    let Some(text) = input(renderer, value) else {
        return Ok(Value::Null);
    };
    if start > utf16_length(text.as_str()) {
        return Ok(Value::Null);
    }
    let (from, to) = bounds(start, length, utf16_length(text.as_str()));
    let range = byte_at(text.as_str(), from)..byte_at(text.as_str(), to);
    Ok(Value::Text(text.cut(range, renderer.arena)))
}

fn bounds(start: i64, length: i64, count: i64) -> (usize, usize) {
    let start = if start < 0 {
        start.saturating_add(count)
    } else {
        start
    };
    let end = start.saturating_add(length).clamp(0, count);
    let start = start.clamp(0, end);
    let size = |it: i64| usize::try_from(it).unwrap_or(0);
    (size(start), size(end))
}

pub(super) fn char_at<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let Some(text) = input(renderer, value) else {
        return Ok(Value::Null);
    };
    let at = whole(argument(arguments, 0));
    if at < 0 || at >= utf16_length(text.as_str()) {
        return Err(rendering(format!("`char_at: {at}` is out of range")));
    }
    let at = usize::try_from(at).unwrap_or(0);
    let range = byte_at(text.as_str(), at)..byte_at(text.as_str(), at + 1);
    Ok(Value::Text(text.cut(range, renderer.arena)))
}

pub(super) fn contains<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let part = string(renderer, argument(arguments, 0));
    let contains = match value {
        Value::Text(text) => text.as_str().contains(part.as_str()),
        other => crate::render::contains(other, argument(arguments, 0)),
    };
    Ok(Value::Bool(contains))
}

/// The first match of a regular expression; an empty text if there is none.
pub(super) fn matched<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let pattern = wanted(renderer, arguments, "match")?.as_str();
    let Some(text) = input(renderer, value) else {
        return Ok(Value::BLANK);
    };
    let backtracks = renderer.meter.budgets().regex_backtracks_max;
    let regex = renderer.regexes.get(pattern, backtracks)?;
    let found = regex
        .find(text.as_str())
        .map_err(|_| rendering("a regular expression takes too many steps"))?;
    Ok(found.map_or(Value::BLANK, |it| {
        Value::Text(text.cut(it.range(), renderer.arena))
    }))
}
