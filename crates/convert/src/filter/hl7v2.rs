//! Microsoft's filters of HL7 v2 messages: segments by name and by place.

use super::{argument, rendering};
use crate::data::hl7v2::{Hl7, Message, Segment, part};
use crate::error::Result;
use crate::render::{Renderer, whole};
use crate::value::{MapBuilder, Value};

fn message(value: Value<'_>) -> Result<&Message<'_>> {
    match value {
        Value::Hl7(Hl7::Message(message)) => Ok(message),
        _ => Err(rendering("this filter takes `hl7v2Data`")),
    }
}

fn names<'a>(arguments: &[Value<'a>]) -> Vec<&'a str> {
    let text = argument(arguments, 0).as_text().unwrap_or_default();
    text.split('|').collect()
}

fn segment<'a>(segment: &'a Segment<'a>) -> Value<'a> {
    Value::Hl7(Hl7::Segment(segment))
}

/// A map of the first segment of each name.
pub(super) fn get_first_segments<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let message = message(value)?;
    let mut map = MapBuilder::default();
    for name in names(arguments) {
        renderer.meter.steps(message.segments.len() / 16)?;
        if let Some(found) = message.segments.iter().find(|it| it.name == name) {
            map.set(name, segment(found));
        }
    }
    Ok(Value::Map(map.finish(renderer.arena)))
}

/// A map of all segments of each name.
pub(super) fn get_segment_lists<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let message = message(value)?;
    let mut map = MapBuilder::default();
    for name in names(arguments) {
        renderer.meter.steps(message.segments.len() / 16)?;
        let of_name = message.segments.iter().filter(|it| it.name == name);
        let found: Vec<Value<'a>> = of_name.map(|it| segment(it)).collect();
        if !found.is_empty() {
            map.set(name, Value::List(renderer.arena.alloc_slice_copy(&found)));
        }
    }
    Ok(Value::Map(map.finish(renderer.arena)))
}

/// The first contiguous run of such segments after a parent, whatever stands between.
pub(super) fn get_related_segment_list<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let message = message(value)?;
    let name = argument(arguments, 1).as_text().unwrap_or_default();
    let mut map = MapBuilder::default();
    renderer.meter.steps(message.segments.len() / 16)?;
    if let Value::Hl7(parent @ Hl7::Segment(_)) = argument(arguments, 0) {
        let all = message.segments.iter().copied();
        let after = all.skip_while(|it| !Hl7::Segment(it).is(parent)).skip(1);
        let run = after
            .skip_while(|it| it.name != name)
            .take_while(|it| it.name == name);
        let found: Vec<Value<'a>> = run.map(segment).collect();
        if !found.is_empty() {
            map.set(name, Value::List(renderer.arena.alloc_slice_copy(&found)));
        }
    }
    Ok(Value::Map(map.finish(renderer.arena)))
}

/// The nearest parent before the n-th child.
pub(super) fn get_parent_segment<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let message = message(value)?;
    let child = argument(arguments, 0).as_text().unwrap_or_default();
    let parent = argument(arguments, 2).as_text().unwrap_or_default();
    let nth = usize::try_from(whole(argument(arguments, 1))).unwrap_or(usize::MAX);
    renderer.meter.steps(message.segments.len() / 16)?;
    let children = message.segments.iter().enumerate();
    let mut children = children.filter(|(_, it)| it.name == child);
    let mut map = MapBuilder::default();
    if let Some((at, _)) = children.nth(nth)
        && let Some(found) = message.segments[..=at]
            .iter()
            .rev()
            .find(|it| it.name == parent)
    {
        map.set(parent, segment(found));
    }
    Ok(Value::Map(map.finish(renderer.arena)))
}

pub(super) fn has_segments<'a>(
    _: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let message = message(value)?;
    let has = |name: &&str| message.segments.iter().any(|it| it.name == *name);
    Ok(Value::Bool(names(arguments).iter().all(has)))
}

/// The message in parts, each beginning with one of these segments; what precedes the first of
/// them is a part too, even if it is empty.
pub(super) fn split_data_by_segments<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let message = message(value)?;
    let names = names(arguments);
    let begins = |it: &&Segment<'_>| names.contains(&it.name);
    if !message.segments.iter().any(begins) {
        return Ok(Value::List(renderer.arena.alloc_slice_copy(&[value])));
    }
    let mut parts = vec![Vec::new()];
    for segment in message.segments {
        if begins(segment) {
            parts.push(Vec::new());
        }
        if let Some(last) = parts.last_mut() {
            last.push(*segment);
        }
    }
    renderer.meter.steps(parts.len())?;
    let of =
        |segments: &Vec<_>| Value::Hl7(Hl7::Message(part(message.text, segments, renderer.arena)));
    let parts: Vec<Value<'a>> = parts.iter().map(of).collect();
    Ok(Value::List(renderer.arena.alloc_slice_copy(&parts)))
}
