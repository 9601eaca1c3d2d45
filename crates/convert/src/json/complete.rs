//! A resource made whole: members that must be there and that nothing gave a value, and extensions
//! that came to nothing.

use crate::data;
use crate::error::Result;
use crate::library::{DefaultMember, Library};
use crate::process::Settings;
use crate::value::{Arena, Map, MapBuilder, Value};

/// The resource with this id, or none.
pub(super) fn resource<'a>(
    resource: &'a Map<'a>,
    kind: &str,
    id: Option<&'a str>,
    library: &Library,
    settings: &Settings<'_>,
    arena: &'a Arena,
) -> Result<&'a Map<'a>> {
    let resource = without_hollow(resource, arena);
    let mut kept = MapBuilder::default();
    if let Some(id) = id {
        kept.set("resourceType", Value::plain(arena.alloc_str(kind)));
        kept.set("id", Value::plain(id));
    }
    let defaults = library.defaults(kind);
    let inside = defaults.map_or(&[][..], |it| &it.inside);
    for (name, value) in resource.members().iter().filter(|it| it.0 != "id") {
        let value = match inside.iter().find(|it| it.0 == *name) {
            Some((_, defaults)) => with_defaults_inside(*value, defaults, settings, arena)?,
            None => *value,
        };
        kept.set(name, value);
    }
    if let Some(defaults) = defaults {
        add_defaults(&defaults.own, &mut kept, settings, arena)?;
    }
    Ok(kept.finish(arena))
}

/// A list whose elements must have members.
fn with_defaults_inside<'a>(
    value: Value<'a>,
    defaults: &[DefaultMember],
    settings: &Settings<'_>,
    arena: &'a Arena,
) -> Result<Value<'a>> {
    let Value::List(items) = value else {
        return Ok(value);
    };
    let mut completed = Vec::with_capacity(items.len());
    for item in items {
        let mut kept = MapBuilder::default();
        let Value::Map(element) = item else {
            return Ok(value);
        };
        for (name, value) in element.members() {
            kept.set(name, *value);
        }
        add_defaults(defaults, &mut kept, settings, arena)?;
        completed.push(Value::Map(kept.finish(arena)));
    }
    Ok(Value::List(arena.alloc_slice_copy(&completed)))
}

fn add_defaults<'a>(
    defaults: &[DefaultMember],
    to: &mut MapBuilder<'a>,
    settings: &Settings<'_>,
    arena: &'a Arena,
) -> Result<()> {
    for (names, json) in defaults {
        let is_missing = names.split('|').all(|it| to.get(it).is_none());
        if let (true, Some(name)) = (is_missing, names.split('|').next()) {
            let value = data::json::read(arena.alloc_str(json), &settings.budgets, arena)?;
            to.set(arena.alloc_str(name), value);
        }
    }
    Ok(())
}

/// The object without extensions that have neither a value nor extensions (FHIR R4 §2.4, ext-1).
fn without_hollow<'a>(map: &'a Map<'a>, arena: &'a Arena) -> &'a Map<'a> {
    if !map.members().iter().any(|it| has_hollow(it.1)) {
        return map;
    }
    let mut kept = MapBuilder::default();
    for (name, value) in map.members() {
        if let Some(value) = full(*value, arena) {
            kept.set(name, value);
        }
    }
    kept.finish(arena)
}

fn is_hollow(map: &Map<'_>) -> bool {
    matches!(map.members(), [("url", _)])
}

fn has_hollow(value: Value<'_>) -> bool {
    match value {
        Value::Map(map) => is_hollow(map) || map.members().iter().any(|it| has_hollow(it.1)),
        Value::List(items) => items.iter().any(|it| has_hollow(*it)),
        _ => false,
    }
}

/// The value without what is hollow; nothing if nothing is left.
fn full<'a>(value: Value<'a>, arena: &'a Arena) -> Option<Value<'a>> {
    match value {
        Value::Map(map) if is_hollow(map) => None,
        Value::Map(map) => {
            let kept = without_hollow(map, arena);
            let is_left = kept.len() > 0 && !is_hollow(kept);
            is_left.then_some(Value::Map(kept))
        }
        Value::List(items) if has_hollow(value) => {
            let kept: Vec<Value<'a>> = items.iter().filter_map(|it| full(*it, arena)).collect();
            (!kept.is_empty()).then(|| Value::List(arena.alloc_slice_copy(&kept)))
        }
        other => Some(other),
    }
}
