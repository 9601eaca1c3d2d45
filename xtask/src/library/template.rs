//! A map of a segment as a template: the resource with what the rows say, then the resources that it
//! refers to. Empty values are left away by the engine, so most rows need no condition; of several
//! rows for one element the last with a value counts.

mod context;
mod nested;
mod place;
mod text;
mod value;

use super::codes::Maps;
use super::row::Row;
use super::tree::Object;
use text::render;
use value::{partial_name, put};

/// What a map became.
pub(super) struct Written {
    pub(super) text: String,
    /// A line for each of its rows.
    pub(super) rows: Vec<String>,
}

/// The file of a map: `PID[Patient]` is `PID_Patient`.
pub(super) fn file(map: &str) -> String {
    partial_name(map)
}

/// The template of a map, and what became of its rows.
pub(super) fn write(map: &str, rows: Vec<Row>, partials: &[String], maps: &Maps) -> Written {
    let (segment, resource) = map.split_once('[').unwrap_or((map, ""));
    let resource = resource.split(['-', ']']).next().unwrap_or(resource);
    let mut object = Object::resource(resource);
    let mut listed = Vec::new();
    for row in rows {
        let result = match &mut object {
            Some(object) => put(object, &row, segment, partials, maps),
            None => Err(format!("R4 has no resource `{resource}`")),
        };
        let result = result.err().unwrap_or_else(|| "mapped".to_owned());
        let Row {
            field,
            name,
            data_type,
            repeats,
            attribute,
            condition,
            vocabulary,
            ..
        } = &row;
        let repeats = if *repeats { "*" } else { "" };
        listed.push(
            [
                map, field, name, data_type, repeats, attribute, condition, vocabulary, &result,
            ]
            .join("\t"),
        );
    }
    let mut text = String::new();
    // Of what nothing is mapped there is no template.
    let is_empty = |it: &&mut Object| it.leaves().is_empty();
    if let Some(object) = object.as_mut().filter(|it| !is_empty(it)) {
        object.join();
        render(map, resource, object, &mut text);
    }
    Written { text, rows: listed }
}
