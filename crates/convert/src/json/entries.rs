//! What a strict library leaves to the engine: resources made whole, and the `fullUrl` and `request` of
//! entries of a batch or transaction.

use std::collections::HashMap;
use std::fmt::Write;

use super::{complete, write};
use crate::error::Result;
use crate::filter::strict::hashed_id;
use crate::library::Library;
use crate::process::{IdStrategy, Settings};
use crate::value::{Arena, Map, MapBuilder, Value};

/// The bundle with a request for every entry that has a resource and none.
pub(crate) fn finish<'a>(
    root: Value<'a>,
    library: &Library,
    settings: &Settings<'_>,
    arena: &'a Arena,
) -> Result<Value<'a>> {
    let Some(map) = root.as_map() else {
        return Ok(root);
    };
    let is_processed = map
        .get("type")
        .and_then(|it| it.as_text())
        .is_some_and(|it| matches!(it, "transaction" | "batch"));
    let Some(Value::List(entries)) = map.get("entry").filter(|_| is_processed) else {
        return Ok(root);
    };
    let known = match settings.ids {
        IdStrategy::Conditional => Identifiers::of(entries),
        IdStrategy::Hash | IdStrategy::Salted(_) => Identifiers::default(),
    };
    let mut finished = Vec::with_capacity(entries.len());
    for it in entries {
        finished.push(entry(*it, &known, library, settings, arena)?);
    }
    let entries = finished;
    let entries = Value::List(arena.alloc_slice_copy(&entries));
    let mut changed = MapBuilder::default();
    for (name, value) in map.members() {
        changed.set(name, if *name == "entry" { entries } else { *value });
    }
    Ok(Value::Map(changed.finish(arena)))
}

/// The first identifiers of the resources of a bundle, by type, each with how many have it.
#[derive(Default)]
struct Identifiers<'a>(HashMap<(&'a str, String), usize>);

impl<'a> Identifiers<'a> {
    fn of(entries: &[Value<'a>]) -> Self {
        let mut counts = HashMap::new();
        for resource in entries.iter().filter_map(resource_of) {
            if let Some((kind, identifier)) = kind_of(resource).zip(identifier(resource)) {
                *counts.entry((kind, identifier)).or_insert(0) += 1;
            }
        }
        Self(counts)
    }

    /// The identifier that a resource is looked for by: one that several of the bundle have tells
    /// none of them.
    fn telling(&self, kind: &'a str, resource: &Map<'a>) -> Option<String> {
        let key = (kind, identifier(resource)?);
        (self.0.get(&key) == Some(&1)).then_some(key.1)
    }
}

fn resource_of<'a>(entry: &Value<'a>) -> Option<&'a Map<'a>> {
    entry.as_map()?.get("resource")?.as_map()
}

fn kind_of<'a>(resource: &Map<'a>) -> Option<&'a str> {
    resource.get("resourceType")?.as_text()
}

fn entry<'a>(
    entry: Value<'a>,
    known: &Identifiers<'a>,
    library: &Library,
    settings: &Settings<'_>,
    arena: &'a Arena,
) -> Result<Value<'a>> {
    let has_request = |map: &Map<'_>| map.get("request").is_some();
    if entry.as_map().is_none_or(has_request) {
        return Ok(entry);
    }
    let (Some(resource), Some(kind)) = (resource_of(&entry), resource_of(&entry).and_then(kind_of))
    else {
        return Ok(entry);
    };
    let id = match resource.get("id").and_then(|it| it.as_text()) {
        Some(id) => id,
        None => arena.alloc_str(&content_id(resource, kind, settings)),
    };
    let identifier = known.telling(kind, resource);
    // The server chooses the id of what it looks for.
    let shown = identifier.is_none().then_some(id);
    let resource = complete::resource(resource, kind, shown, library, settings, arena)?;
    let url = match &identifier {
        Some(identifier) => format!("{kind}?identifier={identifier}"),
        None => format!("{kind}/{id}"),
    };
    let mut request = MapBuilder::default();
    request.set("method", Value::plain("PUT"));
    request.set("url", Value::plain(arena.alloc_str(&url)));
    let mut changed = MapBuilder::default();
    let full_url = format!("urn:uuid:{id}");
    changed.set("fullUrl", Value::plain(arena.alloc_str(&full_url)));
    changed.set("resource", Value::Map(resource));
    changed.set("request", Value::Map(request.finish(arena)));
    Ok(Value::Map(changed.finish(arena)))
}

/// An id for a resource whose template found no key: the same for the same content.
fn content_id(resource: &Map<'_>, kind: &str, settings: &Settings<'_>) -> String {
    let mut content = String::new();
    for (name, value) in resource.members() {
        content.push_str(name);
        content.push_str(&write::to_string(*value));
    }
    hashed_id(settings.ids, kind, [content.as_str()])
}

/// The first identifier with a system and a value, as it is searched: a value alone (the number of a
/// bed) would find what others call the same.
fn identifier(resource: &Map<'_>) -> Option<String> {
    let Some(Value::List(identifiers)) = resource.get("identifier") else {
        return None;
    };
    identifiers.iter().find_map(|it| {
        let part = |name: &str| it.as_map().and_then(|it| it.get(name)?.as_text());
        let (system, value) = (part("system")?, part("value")?);
        let mut token = String::new();
        encode(system, &mut token);
        token.push('|');
        encode(value, &mut token);
        Some(token)
    })
}

/// Percent-encoded, and what divides values of a search escaped.
fn encode(text: &str, into: &mut String) {
    for c in text.chars() {
        if matches!(c, ',' | '|' | '$' | '\\') {
            into.push_str("%5C");
        }
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | ':' | '/') {
            into.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            write!(into, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
}
