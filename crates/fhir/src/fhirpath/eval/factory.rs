//! The type factory `%factory` (<https://hl7.org/fhir/fhirpath.html#factory>).
//!
//! What it makes is JSON text, parsed and kept by the environment, so that it is a node as any
//! other. Values are checked as their types demand.

use std::fmt::Write as _;

use super::super::ast::{Expression, ExpressionKind};
use super::super::fault::EvaluationFault;
use super::super::item::{Collection, Item};
use super::super::moment::{DateTime, Time};
use super::super::node::Node;
use super::call::Call;
use super::{Failure, Outcome};
use crate::definitions::{Child, Definitions, TypeDefinition, TypeKind};
use crate::json::{Document, Kind, Limits, Value, write_string};
use crate::primitive::Primitive;

/// The definitions, if the call is one of `%factory`.
fn definitions<'d>(
    call: &Call<'_, 'd>,
    input: &[Item<'d>],
) -> Result<&'static Definitions, Failure> {
    match (input, call.evaluator.definitions) {
        ([Item::Factory], Some(definitions)) => Ok(definitions),
        ([other], Some(_)) => Err(call.wrong_input(other, "`%factory`")),
        _ => Err(call.fault(EvaluationFault::Unavailable("%factory"))),
    }
}

fn cannot(call: &Call<'_, '_>, type_name: &str) -> Failure {
    call.fault(EvaluationFault::Factory(type_name.to_owned()))
}

/// A document takes some hundred bytes, however small its text is.
const STEPS_PER_DOCUMENT: usize = 32;

/// Text that becomes a node of a type: its value and what stands beside it.
struct Draft {
    value: Option<String>,
    sibling: Option<String>,
}

fn node<'d>(
    call: &Call<'_, 'd>,
    (definitions, definition): (&'static Definitions, &'static TypeDefinition),
    draft: &Draft,
) -> Outcome<'d> {
    let mut json = "{\"value\":".to_owned();
    json.push_str(draft.value.as_deref().unwrap_or("null"));
    if let Some(sibling) = &draft.sibling {
        let _ = write!(json, ",\"_value\":{sibling}");
    }
    json.push('}');
    call.evaluator.check_length(json.len(), call.span)?;
    call.evaluator.step(STEPS_PER_DOCUMENT, call.span)?;
    let document = Document::parse(json.into(), &Limits::DEFAULT);
    let document = document.map_err(|_| cannot(call, definition.name))?;
    let root = call.evaluator.environment.keep(document).root();
    let value = root.get("value").filter(|it| !it.is_null());
    let made = Node::made(definitions, definition, (value, root.get("_value")));
    Ok(vec![Item::Node(made)])
}

/// A primitive: its value, or nothing, and its extensions.
pub(super) fn primitive<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let definitions = definitions(call, &input)?;
    let name = call.function.name;
    let definition = definitions
        .type_named(name)
        .ok_or_else(|| cannot(call, name))?;
    let value = match &call.argument(0)?[..] {
        [] => None,
        [item] => Some(primitive_json(definitions, name, item).ok_or_else(|| cannot(call, name))?),
        _ => return Err(cannot(call, name)),
    };
    let extensions = call.argument(1)?;
    let sibling = if extensions.is_empty() {
        None
    } else {
        let list = list_of(call, definitions, "Extension", &extensions)?;
        Some(format!("{{\"extension\":[{}]}}", list.join(",")))
    };
    node(call, (definitions, definition), &Draft { value, sibling })
}

/// A value as JSON, if it is one of the primitive type.
fn primitive_json(definitions: &Definitions, name: &str, item: &Item<'_>) -> Option<String> {
    let row = Primitive::named(name)?;
    let value = item.value()?;
    let text = value.to_text()?;
    let is_given_as_text = matches!(value, Item::String(_));
    let has_kind = match row.kind {
        Kind::Boolean => is_given_as_text || matches!(value, Item::Boolean(_)),
        Kind::Number => is_given_as_text || super::equality::number(&value).is_some(),
        _ => match name {
            "date" => is_given_as_text || matches!(value, Item::Date(_)),
            "dateTime" | "instant" => is_given_as_text || matches!(value, Item::DateTime(_)),
            "time" => is_given_as_text || matches!(value, Item::Time(_)),
            _ => is_given_as_text,
        },
    };
    // FHIRPath's own precisions and zones are allowed, and URIs may be relative, even empty.
    let is_valid = match name {
        "dateTime" => DateTime::parse(&text).is_some(),
        "time" => Time::parse(&text).is_some(),
        "uri" | "url" if text.is_empty() => true,
        _ => row.accepts(&text, definitions.version()),
    };
    (has_kind && is_valid).then(|| match row.kind {
        Kind::String => quoted(&text),
        _ => text.into_owned(),
    })
}

fn quoted(text: &str) -> String {
    let mut json = String::new();
    write_string(text, &mut json);
    json
}

/// Items as JSON, if they all are of the type.
fn list_of<'d>(
    call: &Call<'_, 'd>,
    definitions: &'static Definitions,
    type_name: &str,
    items: &[Item<'d>],
) -> Result<Vec<String>, Failure> {
    let one = |item: &Item<'d>| match item {
        Item::Node(node) if node.is_of(type_name) && !node.is_primitive() => {
            node.value().map(|it| it.raw().to_owned())
        }
        other => primitive_json(definitions, type_name, other),
    };
    items
        .iter()
        .map(|it| one(it).ok_or_else(|| cannot(call, type_name)))
        .collect()
}

/// A complex type: an argument for each element.
pub(super) fn complex<'d>(
    call: &Call<'_, 'd>,
    input: &[Item<'d>],
    elements: &[&str],
) -> Outcome<'d> {
    let definitions = definitions(call, input)?;
    let name = call.function.name;
    let definition = definitions
        .type_named(name)
        .ok_or_else(|| cannot(call, name))?;
    let mut members = Vec::new();
    for (place, element) in elements.iter().enumerate() {
        let items = call.argument(place)?;
        if items.is_empty() {
            continue;
        }
        let child = definitions.child(definition.shape, element);
        let child = child.ok_or_else(|| cannot(call, name))?;
        members.push(member(call, definitions, (element, &child), &items)?);
    }
    let value = Some(format!("{{{}}}", members.join(",")));
    node(
        call,
        (definitions, definition),
        &Draft {
            value,
            sibling: None,
        },
    )
}

fn member<'d>(
    call: &Call<'_, 'd>,
    definitions: &'static Definitions,
    (name, child): (&str, &Child),
    items: &[Item<'d>],
) -> Result<String, Failure> {
    let list = list_of(call, definitions, child.definition.name, items)?;
    let repeats = child.element.max != Some(1);
    match &list[..] {
        [one] if !repeats => Ok(format!("\"{name}\":{one}")),
        _ if repeats => Ok(format!("\"{name}\":[{}]", list.join(","))),
        _ => Err(cannot(call, child.definition.name)),
    }
}

/// The JSON of an extension with a value.
fn extension_json(
    call: &Call<'_, '_>,
    definitions: &'static Definitions,
    (url, value): (usize, usize),
) -> Result<String, Failure> {
    let url = call.string(url)?.ok_or_else(|| cannot(call, "Extension"))?;
    let mut json = format!("{{\"url\":{}", quoted(&url));
    match &call.argument(value)?[..] {
        [] => {}
        [item] => {
            let name = fhir_type(item).ok_or_else(|| cannot(call, "Extension"))?;
            let list = list_of(call, definitions, &name, std::slice::from_ref(item))?;
            let (first, rest) = name.split_at(1);
            let _ = write!(
                json,
                ",\"value{}{rest}\":{}",
                first.to_uppercase(),
                list.join(",")
            );
        }
        _ => return Err(cannot(call, "Extension")),
    }
    json.push('}');
    Ok(json)
}

/// The FHIR type that a value has in an extension.
fn fhir_type(item: &Item<'_>) -> Option<String> {
    Some(match item {
        Item::Node(node) => node.type_name()?.into_owned(),
        Item::Boolean(_) => "boolean".to_owned(),
        Item::String(_) => "string".to_owned(),
        Item::Integer(_) => "integer".to_owned(),
        Item::Decimal(_) => "decimal".to_owned(),
        Item::Date(_) => "date".to_owned(),
        Item::DateTime(_) => "dateTime".to_owned(),
        Item::Time(_) => "time".to_owned(),
        _ => return None,
    })
}

pub(super) fn extension<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let definitions = definitions(call, &input)?;
    let definition = definitions.type_named("Extension");
    let definition = definition.ok_or_else(|| cannot(call, "Extension"))?;
    let value = Some(extension_json(call, definitions, (0, 1))?);
    node(
        call,
        (definitions, definition),
        &Draft {
            value,
            sibling: None,
        },
    )
}

/// The argument is the name of a type, not an expression to evaluate.
pub(super) fn create<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let definitions = definitions(call, &input)?;
    let name = call
        .arguments
        .first()
        .and_then(type_name)
        .unwrap_or_default();
    let definition = definitions
        .type_named(name)
        .ok_or_else(|| cannot(call, name))?;
    let is_complex = definition.kind != TypeKind::Primitive;
    let draft = Draft {
        value: is_complex.then(|| "{}".to_owned()),
        sibling: None,
    };
    node(call, (definitions, definition), &draft)
}

fn type_name(expression: &Expression) -> Option<&str> {
    match &expression.kind {
        ExpressionKind::Member { name, .. } => Some(name),
        _ => None,
    }
}

/// The instance that the first argument gives.
fn instance<'d>(call: &Call<'_, 'd>) -> Result<(Node<'d>, &'static TypeDefinition), Failure> {
    match &call.argument(0)?[..] {
        [Item::Node(node)] => {
            let typing = node.typing().ok_or_else(|| cannot(call, "Element"))?;
            Ok((*node, typing.definition))
        }
        _ => Err(cannot(call, "Element")),
    }
}

/// The members of an object, one of them replaced.
fn replaced(object: Option<Value<'_>>, name: &str, with: &str) -> String {
    let mut members: Vec<String> = Vec::new();
    for member in object
        .into_iter()
        .flat_map(Value::members)
        .filter(|it| it.name != name)
    {
        members.push(format!("{}:{}", member.raw_name(), member.value.raw()));
    }
    members.push(format!("{}:{with}", quoted(name)));
    format!("{{{}}}", members.join(","))
}

/// The instance with a member replaced: of a primitive in what stands beside its value.
fn remade<'d>(
    call: &Call<'_, 'd>,
    definitions: &'static Definitions,
    (node_, definition): (Node<'d>, &'static TypeDefinition),
    (name, with): (&str, &str),
) -> Outcome<'d> {
    let raw = |it: Option<Value<'d>>| it.map(|it| it.raw().to_owned());
    let draft = if node_.is_primitive() {
        let sibling = Some(replaced(node_.sibling(), name, with));
        Draft {
            value: raw(node_.value()),
            sibling,
        }
    } else {
        Draft {
            value: Some(replaced(node_.value(), name, with)),
            sibling: None,
        }
    };
    node(call, (definitions, definition), &draft)
}

pub(super) fn with_extension<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let definitions = definitions(call, &input)?;
    let (node, definition) = instance(call)?;
    let holder = if node.is_primitive() {
        node.sibling()
    } else {
        node.value()
    };
    let known = holder
        .and_then(|it| it.get("extension"))
        .into_iter()
        .flat_map(Value::items);
    let mut list: Vec<String> = known.map(|it| it.raw().to_owned()).collect();
    list.push(extension_json(call, definitions, (1, 2))?);
    let with = format!("[{}]", list.join(","));
    remade(call, definitions, (node, definition), ("extension", &with))
}

pub(super) fn with_property<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let definitions = definitions(call, &input)?;
    let (node, definition) = instance(call)?;
    let name = call
        .string(1)?
        .ok_or_else(|| cannot(call, definition.name))?;
    let child = definitions.child(definition.shape, &name);
    let child = child.ok_or_else(|| cannot(call, definition.name))?;
    let items = call.argument(2)?;
    let written = member(call, definitions, (&name, &child), &items)?;
    let with = written.split_once(':').map_or("null", |(_, it)| it);
    remade(call, definitions, (node, definition), (&name, with))
}
