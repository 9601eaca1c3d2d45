//! Microsoft's filters of lists, objects and JSON.

use super::{argument, rendering};
use crate::data;
use crate::error::Result;
use crate::json::{path, write};
use crate::render::{Renderer, Sink, markup};
use crate::template::Mode;
use crate::value::{Value, print};

/// The value as JSON text, which may stand in the output as it is.
pub(super) fn to_json_string<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let text = write::to_string(value);
    renderer.meter.text(text.len())?;
    Ok(markup(renderer.arena.alloc_str(&text)))
}

/// A list as it is; null as no element, anything else as one.
pub(super) fn to_array<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    Ok(match value {
        Value::List(_) => value,
        Value::Null => Value::List(&[]),
        one => Value::List(renderer.arena.alloc_slice_copy(&[one])),
    })
}

/// The input, or the argument if it is null, false or empty; for DotLiquid white space is empty.
pub(super) fn default<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let is_blank = value.as_text().is_some_and(|it| it.trim().is_empty());
    let is_missing =
        !value.is_true() || value.is_empty() || (is_blank && renderer.mode == Mode::Compatible);
    Ok(if is_missing {
        argument(arguments, 0)
    } else {
        value
    })
}

/// Renders a template for every element; as the last filter of an output it does not come here.
pub(super) fn batch_render<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let mut captured = Sink::text();
    let (template, variable) = (argument(arguments, 0), argument(arguments, 1));
    renderer.batch(value, template, variable, &mut captured)?;
    let text = captured.captured(renderer.arena);
    renderer.meter.text(text.as_str().len())?;
    Ok(Value::Text(text))
}

/// What is at a JSONPath.
pub(super) fn get_object<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let path = print::text(argument(arguments, 0), renderer.arena).as_str();
    let found = path::first(value, path).map_err(rendering)?;
    Ok(found.unwrap_or(Value::Null))
}

/// What is at a JSONPath of a text that is JSON.
pub(super) fn evaluate<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let Value::Text(text) = value else {
        return get_object(renderer, value, arguments);
    };
    let read = data::json::read(text.as_str(), renderer.meter.budgets(), renderer.arena);
    let value = read.map_err(|_| rendering("`evaluate` takes JSON"))?;
    get_object(renderer, value, arguments)
}
