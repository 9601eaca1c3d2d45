//! Filters of the strict dialect that see the input as a bundle of resources.

use super::argument;
use crate::error::Result;
use crate::render::Renderer;
use crate::value::{Value, compare};

/// The elements of a list, or the one that it is.
fn each<'v, 'a>(value: &'v Value<'a>) -> &'v [Value<'a>] {
    match value {
        Value::List(items) => items,
        Value::Null => &[],
        _ => std::slice::from_ref(value),
    }
}

fn list<'a>(
    renderer: &Renderer<'a>,
    found: impl IntoIterator<Item = Value<'a>>,
) -> Result<Value<'a>> {
    let found: Vec<Value<'a>> = found.into_iter().collect();
    renderer.meter.steps(found.len())?;
    Ok(Value::List(renderer.arena.alloc_slice_copy(&found)))
}

/// The resources of a type, in the order of the bundle.
pub(super) fn resources<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let bundle = renderer.bundle();
    renderer.meter.steps(bundle.len() / 16)?;
    let found = bundle.of_type(value.as_text().unwrap_or_default());
    list(renderer, found.map(Value::Map))
}

/// The resource that a reference leads to; of a list of references those that are there.
pub(super) fn resolve<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let inside = argument(arguments, 0).as_map();
    let bundle = renderer.bundle();
    let found = |it: &Value<'a>| bundle.find(*it, inside).map(Value::Map);
    match value {
        Value::List(items) => {
            let found: Vec<Value<'a>> = items.iter().filter_map(found).collect();
            list(renderer, found)
        }
        one => Ok(found(&one).unwrap_or(Value::Null)),
    }
}

/// The resources that have a reference to that one, or none, in that member.
pub(super) fn referring<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let name = argument(arguments, 0).as_text().unwrap_or_default();
    let wanted = argument(arguments, 1).as_map();
    let items = each(&value);
    renderer.meter.steps(items.len())?;
    let bundle = renderer.bundle();
    let refers = |item: &&Value<'a>| {
        let Some(map) = item.as_map() else {
            return false;
        };
        let member = map.get(name).unwrap_or(Value::Null);
        let mut targets = each(&member).iter();
        match wanted {
            Some(wanted) => targets.any(|it| {
                bundle
                    .find(*it, Some(map))
                    .is_some_and(|it| std::ptr::eq(it, wanted))
            }),
            None => targets.all(|it| bundle.find(*it, Some(map)).is_none()),
        }
    };
    let found: Vec<Value<'a>> = items.iter().filter(refers).copied().collect();
    list(renderer, found)
}

/// The elements that are not in the other list.
pub(super) fn except<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let (items, without) = (each(&value), argument(arguments, 0));
    let without = each(&without);
    renderer
        .meter
        .steps(items.len().saturating_mul(without.len()) / 16)?;
    let kept = items
        .iter()
        .filter(|item| !without.iter().any(|it| compare::equal(**item, *it)));
    list(renderer, kept.copied().collect::<Vec<_>>())
}
