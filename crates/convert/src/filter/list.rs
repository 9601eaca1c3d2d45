//! Filters of lists.

use std::collections::HashSet;

use super::argument;
use crate::error::Result;
use crate::json::write;
use crate::render::{Renderer, utf16_length};
use crate::template::Mode;
use crate::value::{TextBuilder, Value, compare, print};

/// The elements of a list; one of anything else, none of null.
fn items<'a>(renderer: &Renderer<'a>, value: Value<'a>) -> &'a [Value<'a>] {
    match value {
        Value::List(items) => items,
        Value::Null => &[],
        other => renderer.arena.alloc_slice_copy(&[other]),
    }
}

fn list<'a>(renderer: &Renderer<'a>, items: &[Value<'a>]) -> Result<Value<'a>> {
    renderer.meter.steps(items.len())?;
    Ok(Value::List(renderer.arena.alloc_slice_copy(items)))
}

pub(super) fn size<'a>(
    _: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let count = |it: usize| i64::try_from(it).unwrap_or(i64::MAX);
    Ok(Value::Int(match value {
        Value::Text(text) => utf16_length(text.as_str()),
        Value::List(items) => count(items.len()),
        Value::Map(map) => count(map.members().len()),
        _ => 0,
    }))
}

pub(super) fn first<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let elements = value.elements(renderer.arena);
    Ok(elements
        .and_then(<[_]>::first)
        .copied()
        .unwrap_or(Value::Null))
}

pub(super) fn last<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let elements = value.elements(renderer.arena);
    Ok(elements
        .and_then(<[_]>::last)
        .copied()
        .unwrap_or(Value::Null))
}

/// Of a text the characters.
pub(super) fn join<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let Some(items) = value.elements(renderer.arena) else {
        return Ok(value);
    };
    let separator = arguments.first().map(|it| print::text(*it, renderer.arena));
    let mut builder = TextBuilder::default();
    for (at, item) in items.iter().enumerate() {
        renderer.meter.step()?;
        match separator {
            _ if at == 0 => {}
            Some(separator) => builder.push_text(separator),
            None => builder.push(crate::value::TextKind::Markup, " "),
        }
        builder.push_text(print::text(*item, renderer.arena));
    }
    super::text::finished(renderer, &builder)
}

fn property<'a>(item: Value<'a>, name: Option<&str>) -> Value<'a> {
    match name {
        Some(name) => {
            let found = item.as_map().and_then(|it| it.get(name));
            found.unwrap_or(Value::Null)
        }
        None => item,
    }
}

/// Case makes no difference; null comes first.
pub(super) fn sort<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let name = argument(arguments, 0).as_text();
    let mut sorted = items(renderer, value).to_vec();
    renderer.meter.steps(sorted.len())?;
    let key = |item: &Value<'a>| {
        let value = property(*item, name);
        let text = print::text(value, renderer.arena).as_str().to_lowercase();
        (!value.is_null(), text, compare::decimal(value))
    };
    sorted.sort_by_cached_key(|item| {
        let (is_there, text, number) = key(item);
        let is_text = matches!(property(*item, name), Value::Text(_));
        (is_there, number.filter(|_| !is_text), text)
    });
    list(renderer, &sorted)
}

pub(super) fn map<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let name = argument(arguments, 0).as_text();
    let mapped = items(renderer, value).iter().map(|it| match (it, name) {
        (Value::Hl7(element), Some(name)) if renderer.mode == Mode::Compatible => {
            match name.parse() {
                Ok(number) => Ok(element.index(number)),
                Err(_) => element.property(name, renderer.arena),
            }
        }
        _ => Ok(property(*it, name)),
    });
    list(renderer, &mapped.collect::<Result<Vec<_>>>()?)
}

pub(super) fn where_<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let name = argument(arguments, 0).as_text();
    let fits = |item: &&Value<'a>| match arguments.get(1) {
        Some(wanted) => compare::equal(property(**item, name), *wanted),
        None => property(**item, name).is_true(),
    };
    let found = items(renderer, value).iter().filter(fits).copied();
    list(renderer, &found.collect::<Vec<_>>())
}

pub(super) fn uniq<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let mut seen = HashSet::new();
    let items = items(renderer, value).iter();
    let kept = items
        .filter(|it| seen.insert(write::to_string(**it)))
        .copied();
    list(renderer, &kept.collect::<Vec<_>>())
}

pub(super) fn compact<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let kept = items(renderer, value)
        .iter()
        .filter(|it| !it.is_null())
        .copied();
    list(renderer, &kept.collect::<Vec<_>>())
}

pub(super) fn reverse<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let mut reversed = items(renderer, value).to_vec();
    reversed.reverse();
    list(renderer, &reversed)
}

pub(super) fn concat<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let (one, other) = (
        items(renderer, value),
        items(renderer, argument(arguments, 0)),
    );
    let bytes = (one.len() + other.len()) * size_of::<Value<'_>>();
    renderer.meter.room(bytes)?;
    let both = [one, other].concat();
    list(renderer, &both)
}

pub(super) fn sum<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let name = argument(arguments, 0).as_text();
    let numbers = items(renderer, value).iter().map(|it| property(*it, name));
    let numbers = numbers.filter_map(compare::decimal);
    let total = numbers
        .into_iter()
        .try_fold(fhir::Decimal::ZERO, fhir::Decimal::checked_add);
    let total = total.ok_or_else(|| super::rendering("a sum is too large"))?;
    Ok(match total.to_i64() {
        Some(whole) if total.scale() <= 0 => Value::Int(whole),
        _ => Value::Decimal(renderer.arena.alloc(total)),
    })
}
