//! Items of FHIRPath as parts of a `Parameters`.

use std::borrow::Cow;

use fhir::definitions::TypeKind;
use fhir::fhirpath::{Item, Node, Quantity, Unit};
use fhir::json::write_string;
use fhir::primitive::Primitive;
use fhir::{Definitions, FhirVersion};

use super::super::arguments::capitalised;
use super::super::parameters::Parameters;

const UCUM: &str = "http://unitsofmeasure.org";

/// Writes an item as a part that is named by its type.
pub(super) fn write(version: FhirVersion, item: &Item<'_>, into: &mut Parameters) {
    let name = item.type_name();
    let members = match item {
        Item::Node(node) => of_node(version, node),
        other => of_system(version, other),
    };
    if let Some(members) = members {
        return into.members(&name, &members);
    }
    let mut part = Parameters::default();
    part.string("json", &item.to_json().unwrap_or_default());
    into.parts(&name, &part);
}

/// The members `valueX` and `_valueX`, or `resource`; `None` for what neither can hold.
fn of_node(version: FhirVersion, node: &Node<'_>) -> Option<String> {
    let definition = node.typing()?.definition;
    if definition.kind == TypeKind::Resource {
        return Some(format!("\"resource\":{}", node.value()?.raw()));
    }
    let member = value_member(version, definition.name)?;
    let own = node.value().map(|it| format!("\"{member}\":{}", it.raw()));
    let beside = node
        .sibling()
        .map(|it| format!("\"_{member}\":{}", it.raw()));
    let members: Vec<String> = own.into_iter().chain(beside).collect();
    Some(members.join(","))
}

/// The name of the `value[x]` of that type, if a parameter may have one.
fn value_member(version: FhirVersion, type_name: &str) -> Option<String> {
    let definitions = Definitions::of(version);
    let parameters = definitions.resource("Parameters")?;
    let parameter = definitions.child(parameters.shape, "parameter")?;
    let member = format!("value{}", capitalised(type_name));
    definitions
        .child(parameter.chosen.shape, &member)
        .map(|_| member)
}

fn of_system(version: FhirVersion, item: &Item<'_>) -> Option<String> {
    let type_name = match item {
        Item::Boolean(_) => "boolean",
        Item::String(_) => "string",
        Item::Integer(_) => "integer",
        Item::Decimal(_) => "decimal",
        Item::Date(_) => "date",
        Item::DateTime(_) => "dateTime",
        Item::Time(_) => "time",
        Item::Quantity(quantity) => return Some(of_quantity(quantity)),
        Item::Long(_) | Item::Node(_) | Item::Type(_) | Item::Factory => return None,
    };
    // A date and hour without minutes, or an empty text, is a value of FHIRPath but none of FHIR.
    let text: Cow<'_, str> = item.to_text()?;
    let is_value = Primitive::named(type_name).is_some_and(|it| it.accepts(&text, version));
    let member = value_member(version, type_name)?;
    is_value.then(|| item.to_json().map(|json| format!("\"{member}\":{json}")))?
}

fn of_quantity(Quantity { value, unit }: &Quantity) -> String {
    let mut json = format!("\"valueQuantity\":{{\"value\":{value},\"unit\":");
    match unit {
        Unit::Calendar(unit) => write_string(unit.name(), &mut json),
        Unit::Ucum(code) => {
            write_string(code, &mut json);
            json.push_str(",\"system\":");
            write_string(UCUM, &mut json);
            json.push_str(",\"code\":");
            write_string(code, &mut json);
        }
    }
    json.push('}');
    json
}
