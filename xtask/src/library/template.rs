//! A map of a segment as a template: the resource with what the rows say, then the resources that it
//! refers to. Empty values are left away by the engine, so most rows need no condition; of several
//! rows for one element the last with a value counts.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::attribute;
use super::codes::{self, Maps};
use super::condition;
use super::row::Row;
use super::tree::{Item, Leaf, Member, Nested, Object, Piece, Value};

/// What a map became.
pub(super) struct Written {
    pub(super) text: String,
    /// A line for each of its rows.
    pub(super) rows: Vec<String>,
}

/// Elements that say to whom a resource belongs: resource, element, whether it is a list, and the
/// parameter with the type that it refers to.
const CONTEXT: &[(&str, &str, bool, &str, &str)] = &[
    ("Account", "subject", true, "patient", "Patient"),
    ("AllergyIntolerance", "patient", false, "patient", "Patient"),
    (
        "AllergyIntolerance",
        "encounter",
        false,
        "encounter",
        "Encounter",
    ),
    ("Basic", "subject", false, "patient", "Patient"),
    ("CareTeam", "subject", false, "patient", "Patient"),
    ("CareTeam", "encounter", false, "encounter", "Encounter"),
    ("Condition", "subject", false, "patient", "Patient"),
    ("Condition", "encounter", false, "encounter", "Encounter"),
    ("Coverage", "beneficiary", false, "patient", "Patient"),
    ("DiagnosticReport", "subject", false, "patient", "Patient"),
    (
        "DiagnosticReport",
        "encounter",
        false,
        "encounter",
        "Encounter",
    ),
    (
        "DiagnosticReport",
        "basedOn",
        true,
        "order",
        "ServiceRequest",
    ),
    ("DocumentReference", "subject", false, "patient", "Patient"),
    ("Encounter", "subject", false, "patient", "Patient"),
    ("EpisodeOfCare", "patient", false, "patient", "Patient"),
    ("Immunization", "patient", false, "patient", "Patient"),
    ("Immunization", "encounter", false, "encounter", "Encounter"),
    (
        "MedicationAdministration",
        "subject",
        false,
        "patient",
        "Patient",
    ),
    (
        "MedicationAdministration",
        "context",
        false,
        "encounter",
        "Encounter",
    ),
    ("MedicationRequest", "subject", false, "patient", "Patient"),
    (
        "MedicationRequest",
        "encounter",
        false,
        "encounter",
        "Encounter",
    ),
    ("Observation", "subject", false, "patient", "Patient"),
    ("Observation", "encounter", false, "encounter", "Encounter"),
    ("Observation", "basedOn", true, "order", "ServiceRequest"),
    ("Procedure", "subject", false, "patient", "Patient"),
    ("Procedure", "encounter", false, "encounter", "Encounter"),
    ("RelatedPerson", "patient", false, "patient", "Patient"),
    ("ServiceRequest", "subject", false, "patient", "Patient"),
    (
        "ServiceRequest",
        "encounter",
        false,
        "encounter",
        "Encounter",
    ),
    ("Specimen", "subject", false, "patient", "Patient"),
];

/// What stands in elements that FHIR demands inside of others, by their paths; those of resources are
/// in the library's `defaults.json`.
const INNER_DEFAULTS: &[(&str, &str)] = &[
    ("Appointment.participant.status", "\"accepted\""),
    ("MessageHeader.destination.endpoint", "\"urn:id:unknown\""),
    ("MessageHeader.source.endpoint", "\"urn:id:unknown\""),
    ("Provenance.entity.role", "\"source\""),
];

/// Types whose values stand bare in JSON.
const BARE: &[&str] = &[
    "boolean",
    "decimal",
    "integer",
    "positiveInt",
    "unsignedInt",
];

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

/// Puts a row into the tree; why not, otherwise.
fn put(
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
fn partial_name(mapping: &str) -> String {
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

/// The loop that a template is in: the field, and the variable of its repeats.
#[derive(Clone, Default)]
struct Place {
    looped: Option<usize>,
    guarded: BTreeSet<usize>,
    /// What holds here.
    condition: Option<String>,
}

impl Place {
    /// A path or condition with the repeat in place of the field.
    fn path(&self, text: &str) -> String {
        let Some(field) = self.looped else {
            return text.to_owned();
        };
        let wanted = format!("s.{field}");
        let (mut made, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once(&wanted) {
            made.push_str(before);
            let goes_on = after.starts_with(|c: char| c.is_ascii_digit());
            // How often it repeats is asked of the field.
            let is_count = after.starts_with(".size");
            made.push_str(if goes_on || is_count { &wanted } else { "r" });
            rest = after;
        }
        made + rest
    }
}

fn render(map: &str, resource: &str, object: &Object, out: &mut String) {
    let mut line = |text: &str| writeln!(out, "{text}").expect("writing to a string cannot fail");
    line(&format!(
        "{{% comment %}}{map}, from the guide's table by `cargo xtask library`.{{% endcomment -%}}"
    ));
    line("{% parameters s, id, patient?, encounter?, order? -%}");
    line(&format!(
        "{{\"resource\": {{\"resourceType\": \"{resource}\", \"id\": \"{{{{ id }}}}\","
    ));
    for (_, member, is_list, parameter, kind) in CONTEXT.iter().filter(|it| it.0 == resource) {
        let reference =
            format!("{{\"reference\": \"{{{{ {parameter} | reference: '{kind}' }}}}\"}}");
        let value = if *is_list {
            format!("[{reference}]")
        } else {
            reference
        };
        line(&format!("  \"{member}\": {value},"));
    }
    members(object, &Place::default(), 1, out);
    out.push_str("}},\n");
    nested_of(object, &Place::default(), out);
}

fn push(into: &mut String, text: &str) {
    into.push_str(text);
}

fn indent(depth: usize, out: &mut String) {
    out.push_str(&"  ".repeat(depth));
}

fn members(object: &Object, place: &Place, depth: usize, out: &mut String) {
    for leaf in &object.partials {
        indent(depth, out);
        out.push_str(&conditional(leaf, place, &value_text(leaf, place, "")));
        out.push('\n');
    }
    for member in &object.members {
        self::member(member, place, depth, out);
    }
}

fn conditional(leaf: &Leaf, place: &Place, text: &str) -> String {
    match &leaf.condition {
        Some(condition) if place.condition.as_ref() != Some(condition) => {
            format!("{{% if {} %}}{text}{{% endif %}}", place.path(condition))
        }
        _ => text.to_owned(),
    }
}

/// What a leaf writes; of primitives with the quotes that their type needs.
fn value_text(leaf: &Leaf, place: &Place, type_name: &str) -> String {
    let quote = if type_name.is_empty() || BARE.contains(&type_name) {
        ""
    } else {
        "\""
    };
    let path = place.path(&format!("s.{}", leaf.field));
    let text = match &leaf.value {
        Value::Constant(text) => text.clone(),
        Value::Primitive(expression) => format!("{{{{ {} }}}}", place.path(expression)),
        Value::Joined(pieces) => {
            let pieces = pieces.iter().map(|it| match it {
                Piece::Text(text) => text.clone(),
                Piece::Path(path) => format!("{{{{ {} }}}}", place.path(path)),
            });
            pieces.collect()
        }
        Value::Partial { name, vocabulary } => {
            let map = vocabulary
                .as_ref()
                .map_or_else(String::new, |it| format!(", map: '{it}'"));
            format!("{{% include '{name}', v: {path}{map} %}}")
        }
    };
    format!("{quote}{text}{quote}")
}

fn member(member: &Member, place: &Place, depth: usize, out: &mut String) {
    if member.is_primitive {
        return primitive(member, place, depth, out);
    }
    let name = &member.name;
    if member.is_list {
        indent(depth, out);
        writeln!(out, "\"{name}\": [").expect("writing to a string cannot fail");
    }
    for item in member.items.values().filter(|it| has_value(member, it)) {
        indent(depth + usize::from(member.is_list), out);
        let head = if member.is_list {
            String::new()
        } else {
            format!("\"{name}\": ")
        };
        around(item, member.is_list, place, out, |place, out| {
            out.push_str(&head);
            out.push_str("{\n");
            self::item(item, place, depth + 2, out);
            indent(depth + 1, out);
            out.push_str("},");
        });
        out.push('\n');
    }
    if member.is_list {
        indent(depth, out);
        out.push_str("],\n");
    }
}

/// An extension without a value says nothing.
fn has_value(member: &Member, item: &Item) -> bool {
    let says = |inner: &Member| match inner.name.as_str() {
        "url" => false,
        "extension" => inner.items.values().any(|it| has_value(inner, it)),
        _ => true,
    };
    member.name != "extension"
        || !item.object.partials.is_empty()
        || item.object.members.iter().any(says)
}

/// The value of an extension, if it is a primitive of which it is known only when it is made.
fn extension_value(item: &Item) -> Option<&Leaf> {
    let members = &item.object.members;
    let is_extension = members.iter().any(|it| it.name == "url");
    let mut values = members.iter().filter(|it| it.name.starts_with("value"));
    let value = values.next().filter(|it| is_extension && it.is_primitive)?;
    let leaf = value.items.values().next()?.values.first()?;
    matches!(leaf.value, Value::Primitive(_)).then_some(leaf)
}

/// An item inside the loop and the conditions that it needs.
fn around(
    item: &Item,
    is_list: bool,
    place: &Place,
    out: &mut String,
    body: impl FnOnce(&Place, &mut String),
) {
    let mut inner = place.clone();
    let fields = item.fields();
    let (mut head, mut tail) = (String::new(), String::new());
    // Constants stand in every repeat, whichever field they are said of.
    let leaves = item.leaves();
    let is_constant = |it: &&&Leaf| matches!(it.value, Value::Constant(_));
    let varying: BTreeSet<usize> = leaves
        .iter()
        .filter(|it| !is_constant(it))
        .map(|it| it.field)
        .collect();
    let of = if varying.is_empty() {
        &fields
    } else {
        &varying
    };
    let only = of.first().copied().filter(|_| of.len() == 1);
    let repeats = leaves.iter().any(|it| it.repeats && Some(it.field) == only);
    if let Some(field) = only.filter(|_| is_list && repeats && place.looped.is_none()) {
        push(&mut head, &format!("{{% for r in s.{field} %}}"));
        tail.insert_str(0, "{% endfor %}");
        inner.looped = Some(field);
    }
    let condition = item
        .condition()
        .filter(|it| place.condition.as_ref() != Some(it));
    if let Some(condition) = condition {
        push(&mut head, &format!("{{% if {} %}}", inner.path(&condition)));
        tail.insert_str(0, "{% endif %}");
        inner.condition = Some(condition);
    }
    if let Some(Leaf {
        value: Value::Primitive(expression),
        ..
    }) = extension_value(item)
    {
        let expression = inner.path(expression);
        push(
            &mut head,
            &format!("{{% assign value = {expression} %}}{{% if value %}}"),
        );
        tail.insert_str(0, "{% endif %}");
        inner.guarded.clone_from(&fields);
    }
    let has_constants = item.has_constants() || !inner_defaults(item).is_empty();
    if has_constants && fields != inner.guarded && inner.condition.is_none() {
        let valued: Vec<String> = fields
            .iter()
            .map(|it| inner.path(&format!("s.{it}")))
            .collect();
        push(&mut head, &format!("{{% if {} %}}", valued.join(" or ")));
        tail.insert_str(0, "{% endif %}");
        inner.guarded = fields;
    }
    out.push_str(&head);
    body(&inner, out);
    out.push_str(&tail);
}

fn item(item: &Item, place: &Place, depth: usize, out: &mut String) {
    if let Some(nested) = &item.nested {
        indent(depth, out);
        let id = id(nested, place);
        let resource = &nested.resource;
        writeln!(
            out,
            "{id}\"reference\": \"{{{{ nested | reference: '{resource}' }}}}\","
        )
        .expect("writing to a string cannot fail");
    }
    for (path, json) in inner_defaults(item) {
        let name = path.rsplit('.').next().unwrap_or(path);
        indent(depth, out);
        writeln!(out, "\"{name}\": {json},").expect("writing to a string cannot fail");
    }
    members(&item.object, place, depth, out);
}

fn inner_defaults(item: &Item) -> Vec<&'static (&'static str, &'static str)> {
    let required: Vec<&str> = item.object.required().collect();
    INNER_DEFAULTS
        .iter()
        .filter(|it| required.contains(&it.0))
        .collect()
}

/// People and places are known by a part of what is said of them, see the folder `Id`.
fn has_id_by_hand(leaf: &Leaf) -> bool {
    const BY_HAND: &[&str] = &["XCN_Practitioner", "CNN_Practitioner", "PL_Location"];
    let Value::Partial { name, .. } = &leaf.value else {
        return false;
    };
    BY_HAND.iter().any(|it| name == &format!("Resource/{it}"))
}

/// Gives `nested` the id of a resource that is referred to.
fn id(nested: &Nested, place: &Place) -> String {
    let resource = &nested.resource;
    let whole = nested.object.partials.first();
    if let Some(leaf) = whole.filter(|it| has_id_by_hand(it)) {
        let path = place.path(&format!("s.{}", leaf.field));
        return format!(
            "{{% capture nested %}}{{% include 'Id/{resource}', v: {path} %}}{{% endcapture %}}"
        );
    }
    let fields = match whole {
        Some(leaf) => BTreeSet::from([leaf.field]),
        None => nested.object.fields(),
    };
    let keys: Vec<String> = fields
        .iter()
        .take(8)
        .map(|it| place.path(&format!("s.{it}")))
        .collect();
    format!(
        "{{% assign nested = '{resource}' | id: {} %}}",
        keys.join(", ")
    )
}

fn primitive(member: &Member, place: &Place, depth: usize, out: &mut String) {
    let name = &member.name;
    let mut line = |text: String| {
        indent(depth, out);
        out.push_str(&text);
        out.push('\n');
    };
    if member.is_list {
        line(format!("\"{name}\": ["));
        for item in member.items.values() {
            let mut text = String::new();
            around(item, true, place, &mut text, |place, text| {
                for leaf in &item.values {
                    let value = format!("{},", value_text(leaf, place, member.type_name));
                    text.push_str(&conditional(leaf, place, &value));
                }
            });
            line(text);
        }
        line("],".to_owned());
        return;
    }
    for item in member.items.values() {
        for leaf in &item.values {
            let value = value_text(leaf, place, member.type_name);
            let text = format!("\"{name}\": {value},");
            let is_constant = matches!(leaf.value, Value::Constant(_));
            let path = place.path(&format!("s.{}", leaf.field));
            let is_guarded = place.guarded.contains(&leaf.field)
                || place.condition.is_some()
                || leaf.condition.is_some();
            line(if is_constant && !is_guarded {
                format!("{{% if {path} %}}{text}{{% endif %}}")
            } else {
                conditional(leaf, place, &text)
            });
        }
        if !item.object.members.is_empty() {
            let mut text = String::new();
            around(item, false, place, &mut text, |place, text| {
                push(text, &format!("\"_{name}\": {{\n"));
                members(&item.object, place, depth + 1, text);
                text.push_str("},");
            });
            line(text);
        }
    }
}

/// The resources that an object refers to, as entries.
fn nested_of(object: &Object, place: &Place, out: &mut String) {
    for member in &object.members {
        for item in member.items.values() {
            let mut text = String::new();
            around(item, member.is_list, place, &mut text, |place, text| {
                if let Some(nested) = &item.nested {
                    entry(nested, place, text);
                }
                nested_of(&item.object, place, text);
            });
            if text.contains("\"resource\"") || text.contains("'Resource/") {
                out.push_str(&text);
                out.push('\n');
            }
        }
    }
}

fn entry(nested: &Nested, place: &Place, out: &mut String) {
    let resource = &nested.resource;
    out.push_str(&id(nested, place));
    out.push_str("{% if nested %}");
    let mut is_whole = !nested.object.partials.is_empty() && nested.object.members.is_empty();
    for leaf in &nested.object.partials {
        match &leaf.value {
            Value::Partial { name, .. } if name.starts_with("Resource/") => {
                let path = place.path(&format!("s.{}", leaf.field));
                let text = format!("{{% include '{name}', v: {path}, id: nested %}}");
                out.push_str(&conditional(leaf, place, &text));
            }
            _ => is_whole = false,
        }
    }
    if !is_whole {
        push(
            out,
            &format!(
                "{{\"resource\": {{\"resourceType\": \"{resource}\", \"id\": \"{{{{ nested }}}}\",\n"
            ),
        );
        let others = nested.object.partials.iter().filter(
            |it| !matches!(&it.value, Value::Partial { name, .. } if name.starts_with("Resource/")),
        );
        for leaf in others {
            out.push_str(&conditional(leaf, place, &value_text(leaf, place, "")));
        }
        for member in &nested.object.members {
            self::member(member, place, 2, out);
        }
        out.push_str("}},");
    }
    out.push_str("{% endif %}");
    nested_of(&nested.object, place, out);
}
