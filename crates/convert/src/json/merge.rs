//! What is done to the finished output: entries of one resource become one, as Newtonsoft's
//! `JObject.Merge` does it with arrays as unions; and the changes of `mergeDiff`.

use std::collections::HashMap;

use super::write;
use crate::error::{ConvertError, Result};
use crate::value::{Arena, Map, MapBuilder, Value, compare};

/// Merges the entries of a bundle by resourceType, version and id; an entry without a resource type
/// is known by its whole text.
pub(crate) fn entries<'a>(root: Value<'a>, arena: &'a Arena, depth: usize) -> Result<Value<'a>> {
    let (Some(map), Some(Value::List(entries))) =
        (root.as_map(), root.as_map().and_then(|it| it.get("entry")))
    else {
        return Ok(root);
    };
    let mut merged: Vec<Value<'a>> = Vec::with_capacity(entries.len());
    let mut places = HashMap::new();
    for entry in entries {
        match places.entry(key(*entry)) {
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(merged.len());
                merged.push(*entry);
            }
            std::collections::hash_map::Entry::Occupied(occupied) => {
                let place = &mut merged[*occupied.get()];
                *place = merge(*place, *entry, arena, depth)?;
            }
        }
    }
    let merged = Value::List(arena.alloc_slice_copy(&merged));
    Ok(with(map, "entry", merged, arena))
}

fn with<'a>(map: &'a Map<'a>, name: &'a str, value: Value<'a>, arena: &'a Arena) -> Value<'a> {
    let mut changed = MapBuilder::default();
    for (key, old) in map.members() {
        changed.set(key, if *key == name { value } else { *old });
    }
    Value::Map(changed.finish(arena))
}

fn key(entry: Value<'_>) -> String {
    let resource = entry.as_map().and_then(|it| it.get("resource"));
    let text = |value: Option<Value<'_>>| value.map(write::to_string).unwrap_or_default();
    let of = |name: &str| {
        resource
            .and_then(|it| it.as_map())
            .and_then(|it| it.get(name))
    };
    match of("resourceType") {
        Some(resource_type) => {
            let version = of("meta").and_then(|it| it.as_map()?.get("versionId"));
            let (version, id) = (text(version), text(of("id")));
            format!("{}/{version}/{id}", write::to_string(resource_type))
        }
        None => write::to_string(entry),
    }
}

/// The first value with the second over it: objects deeply, arrays as a union, null never.
fn merge<'a>(
    one: Value<'a>,
    other: Value<'a>,
    arena: &'a Arena,
    depth: usize,
) -> Result<Value<'a>> {
    if depth == 0 {
        return Err(ConvertError::limit("depth_max", depth));
    }
    match (one, other) {
        (Value::Map(one), Value::Map(other)) => {
            let mut merged = MapBuilder::default();
            for (name, value) in one.members() {
                merged.set(name, *value);
            }
            for (name, value) in other.members() {
                let value = match merged.get(name) {
                    Some(before) => merge(before, *value, arena, depth - 1)?,
                    None => *value,
                };
                merged.set(name, value);
            }
            Ok(Value::Map(merged.finish(arena)))
        }
        (Value::List(one), Value::List(other)) => Ok(union(one, other, arena)),
        (before, Value::Null) => Ok(before),
        (_, after) => Ok(after),
    }
}

/// The items of both, those of the second that the first does not have. The texts of large lists
/// are compared, so that hostile output cannot make this quadratic.
fn union<'a>(one: &'a [Value<'a>], other: &'a [Value<'a>], arena: &'a Arena) -> Value<'a> {
    const COMPARED_MAX: usize = 4096;
    let mut items = one.to_vec();
    if one.len() * other.len() <= COMPARED_MAX {
        for item in other {
            if !items.iter().any(|it| compare::same(*it, *item)) {
                items.push(*item);
            }
        }
    } else {
        let mut seen: std::collections::HashSet<String> =
            one.iter().map(|it| write::to_string(*it)).collect();
        items.extend(
            other
                .iter()
                .filter(|it| seen.insert(write::to_string(**it))),
        );
    }
    Value::List(arena.alloc_slice_copy(&items))
}

/// A `mergeDiff`: the members of the second over those of the first; a null becomes an empty
/// text; a key `foo[x]` replaces the first member whose name begins with `foo`.
pub(crate) fn diff<'a>(subject: &'a Map<'a>, diff: &'a Map<'a>, arena: &'a Arena) -> Value<'a> {
    let mut merged = MapBuilder::default();
    for (name, value) in subject.members() {
        merged.set(name, *value);
    }
    for (name, value) in diff.members() {
        let value = if value.is_null() {
            Value::BLANK
        } else {
            *value
        };
        match name.strip_suffix("[x]") {
            Some(prefix) => {
                let mut members = merged.members().iter();
                let found = members.find(|it| it.0.starts_with(prefix)).map(|it| it.0);
                if let Some(found) = found {
                    merged.set(found, value);
                }
            }
            None => merged.set(name, value),
        }
    }
    Value::Map(merged.finish(arena))
}
