//! What a row of the guide becomes in the tree: where its value stands, and what is written there.

use super::super::attribute;
use super::super::codes::{self, Maps};
use super::super::condition;
use super::super::row::Row;
use super::super::tree::{Leaf, Object, Piece, Value};

/// Puts a row into the tree; why not, otherwise.
pub(super) fn put(
    object: &mut Object,
    row: &Row,
    segment: &str,
    partials: &[String],
    maps: &Maps,
) -> Result<(), String> {
    if row.attribute.is_empty() {
        return Err("the guide names no element".to_owned());
    }
    if let Some(why) = &row.deviation {
        return Err(why.clone());
    }
    let mut steps = attribute::read(&row.attribute).ok_or("the element is described in prose")?;
    let field = row.number().ok_or("no field of the segment")?;
    let condition = match row.condition.as_str() {
        "" => None,
        text => Some(condition::translate(text, segment).ok_or("the condition is prose")?),
    };
    if object.end(&steps)?.type_name == "Reference" {
        refer(&mut steps, &row.mapping, partials);
    }
    let value = value(object, &steps, row, field, segment, partials, maps)?;
    object.put(
        &steps,
        Leaf {
            field,
            repeats: row.repeats,
            condition,
            value,
        },
    )
}

/// A map of a data type to a resource makes one, where the attribute says only that it is referred to.
fn refer(steps: &mut [attribute::Step], mapping: &str, partials: &[String]) {
    let wanted = format!("Resource/{}", partial_name(mapping));
    let is_there = partials.iter().any(|it| it.eq_ignore_ascii_case(&wanted));
    let resource = mapping.split_once('[').map_or("", |it| it.1);
    let resource = resource.split(['-', ']']).next().unwrap_or(resource);
    let Some(last) = steps.last_mut() else {
        return;
    };
    match &mut last.target {
        Some(target) => refer(&mut target.steps, mapping, partials),
        None if is_there => {
            let (first, rest) = resource.split_at(resource.len().min(1));
            last.target = Some(attribute::Target {
                resource: first.to_uppercase() + rest,
                steps: Vec::new(),
            });
        }
        None => {}
    }
}

/// The name of the partial of a data type's map: `CX[Identifier]` is `CX_Identifier`.
pub(super) fn partial_name(mapping: &str) -> String {
    mapping.replace('[', "_").replace([']', '-', ' ', '.'], "")
}

fn value(
    object: &Object,
    steps: &[attribute::Step],
    row: &Row,
    field: usize,
    segment: &str,
    partials: &[String],
    maps: &Maps,
) -> Result<Value, String> {
    let end = object.end(steps)?;
    // A constant beside an element that is none is said of another row.
    if !row.assignment.is_empty() && (end.is_primitive || !row.assignment.starts_with('"')) {
        return assigned(&row.assignment, &row.narrative, segment);
    }
    let vocabulary = Some(codes::name(&row.vocabulary)).filter(|it| maps.contains_key(it));
    let mapping = if row.mapping.is_empty() {
        format!("{}_{}", row.data_type, end.type_name)
    } else {
        partial_name(&row.mapping)
    };
    let named = |folder: &str| {
        let wanted = format!("{folder}/{mapping}");
        partials.iter().find(|it| it.eq_ignore_ascii_case(&wanted))
    };
    if end.demands_codes && vocabulary.is_none() {
        return Err("FHIR demands codes of its own, and the guide names no map".to_owned());
    }
    if end.type_name == "xhtml" {
        return Err("a narrative of one field says nothing".to_owned());
    }
    // The code of a message's type is its event.
    let part = if row.data_type == "MSG" { ".2" } else { "" };
    let path = format!("s.{field}{part}");
    if end.is_primitive {
        if let Some(map) = vocabulary {
            return Ok(Value::Primitive(format!("{path} | code_map: '{map}'")));
        }
        let writes_text = |it: &&String| {
            let target = it.rsplit('_').next().unwrap_or_default();
            target.starts_with(|c: char| c.is_ascii_lowercase())
        };
        let of_uri = || {
            let is_uri = row.data_type == "HD" && matches!(end.type_name, "uri" | "url");
            let found = || partials.iter().find(|it| *it == "DataType/HD_uri");
            is_uri.then(found)?
        };
        if let Some(partial) = named("DataType").filter(writes_text).or_else(of_uri) {
            return Ok(Value::Partial {
                name: partial.clone(),
                vocabulary: None,
            });
        }
        return Ok(Value::Primitive(format!(
            "{path} | as: '{}'",
            end.type_name
        )));
    }
    let partial = named("Resource")
        .filter(|_| end.is_resource)
        .or_else(|| named("DataType"));
    match partial {
        Some(partial) => Ok(Value::Partial {
            name: partial.clone(),
            vocabulary,
        }),
        None if row.mapping.is_empty() => Err("the guide names no map of the data type".to_owned()),
        None => Err(format!(
            "the library has no map `{}` of the data type",
            row.mapping
        )),
    }
}

/// A fixed text, or texts and paths with `+` between.
fn assigned(text: &str, narrative: &str, segment: &str) -> Result<Value, String> {
    let prose = || {
        format!(
            "the value is left to judgement: {}",
            text.replace('/', " ").trim()
        )
    };
    let unquoted = text.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    if let Some(constant) = unquoted.filter(|it| !it.contains('"')) {
        return Ok(Value::Constant(constant.trim().to_owned()));
    }
    if text.starts_with('/') || !text.contains('+') {
        return Err(prose());
    }
    if narrative.starts_with("If ") {
        return Err("the condition is prose".to_owned());
    }
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('"') {
            let (piece, after) = after.split_once('"').ok_or_else(prose)?;
            // `" "OBX-6"` in one table.
            pieces.push(Piece::Text(piece.to_owned()));
            rest = after.trim_start_matches(['+', ' ']);
            continue;
        }
        let end = rest.find(['+', '"']).unwrap_or(rest.len());
        let reference = rest[..end].trim();
        let path = condition::translate(reference, segment).ok_or_else(prose)?;
        pieces.push(Piece::Path(path));
        rest = rest[end..].trim_start_matches(['+', ' ']);
        if rest == "\"" {
            rest = "";
        }
    }
    Ok(Value::Joined(pieces))
}
