//! Microsoft's filters of C-CDA documents: sections by title and by template.

use super::argument;
use crate::error::Result;
use crate::render::Renderer;
use crate::value::{Map, MapBuilder, Value};

/// The sections of a document's structured body.
fn sections<'a>(value: Value<'a>) -> Vec<&'a Map<'a>> {
    let mut found = Some(value);
    for name in [
        "ClinicalDocument",
        "component",
        "structuredBody",
        "component",
    ] {
        found = found.and_then(|it| it.as_map()).and_then(|it| it.get(name));
    }
    let one = [found.unwrap_or(Value::Null)];
    let components = match found {
        Some(Value::List(items)) => items,
        _ => &one[..],
    };
    let section = |it: &Value<'a>| it.as_map()?.get("section")?.as_map();
    components.iter().filter_map(section).collect()
}

fn title<'a>(section: &Map<'a>) -> Option<&'a str> {
    match section.get("title")? {
        Value::Map(title) => title.get("_")?.as_text(),
        other => other.as_text(),
    }
}

fn has_template(section: &Map<'_>, id: &str) -> bool {
    let is_it = |it: &Value<'_>| {
        let root = it.as_map().and_then(|it| it.get("root"));
        root.and_then(|it| it.as_text()) == Some(id)
    };
    match section.get("templateId") {
        Some(Value::List(ids)) => ids.iter().any(is_it),
        Some(id) => is_it(&id),
        None => false,
    }
}

/// A map of what fits each of the names between bars; other characters of a name become `_`.
fn found<'a>(
    renderer: &Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
    fits: fn(&'a Map<'a>, &str) -> bool,
    take: fn(&Renderer<'a>, &[&'a Map<'a>]) -> Option<Value<'a>>,
) -> Result<Value<'a>> {
    let sections = sections(value);
    let names = argument(arguments, 0).as_text().unwrap_or_default();
    let mut map = MapBuilder::default();
    for name in names.split('|').filter(|it| !it.is_empty()) {
        renderer.meter.steps(sections.len())?;
        let fitting: Vec<&'a Map<'a>> = sections
            .iter()
            .copied()
            .filter(|it| fits(it, name))
            .collect();
        if let Some(value) = take(renderer, &fitting) {
            let key = name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            map.set(renderer.arena.alloc_str(&key), value);
        }
    }
    Ok(Value::Map(map.finish(renderer.arena)))
}

fn has_title(section: &Map<'_>, name: &str) -> bool {
    title(section).is_some_and(|it| it.to_lowercase().contains(&name.to_lowercase()))
}

fn first<'a>(_: &Renderer<'a>, found: &[&'a Map<'a>]) -> Option<Value<'a>> {
    found.first().map(|it| Value::Map(it))
}

fn all<'a>(renderer: &Renderer<'a>, found: &[&'a Map<'a>]) -> Option<Value<'a>> {
    let found: Vec<Value<'a>> = found.iter().map(|it| Value::Map(it)).collect();
    (!found.is_empty()).then(|| Value::List(renderer.arena.alloc_slice_copy(&found)))
}

pub(super) fn get_first_ccda_sections<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    found(
        renderer,
        value,
        arguments,
        |section, name| has_title(section, name),
        first,
    )
}

pub(super) fn get_ccda_section_lists<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    found(
        renderer,
        value,
        arguments,
        |section, name| has_title(section, name),
        all,
    )
}

pub(super) fn get_first_ccda_sections_by_template_id<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    found(
        renderer,
        value,
        arguments,
        |section, name| has_template(section, name),
        first,
    )
}
