//! The text of a template: a resource with its members, from the tree.

use std::fmt::Write;

use super::super::tree::{Item, Leaf, Member, Object, Piece, Value};
use super::context::{CONTEXT, inner_defaults};
use super::nested;
use super::place::{Place, around, conditional, push};

/// Types whose values stand bare in JSON.
const BARE: &[&str] = &[
    "boolean",
    "decimal",
    "integer",
    "positiveInt",
    "unsignedInt",
];

pub(super) fn render(map: &str, resource: &str, object: &Object, out: &mut String) {
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
    nested::nested_of(object, &Place::default(), out);
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

/// What a leaf writes; of primitives with the quotes that their type needs.
pub(super) fn value_text(leaf: &Leaf, place: &Place, type_name: &str) -> String {
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

pub(super) fn member(member: &Member, place: &Place, depth: usize, out: &mut String) {
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

fn item(item: &Item, place: &Place, depth: usize, out: &mut String) {
    if let Some(nested) = &item.nested {
        indent(depth, out);
        let id = nested::id(nested, place);
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

fn indent(depth: usize, out: &mut String) {
    out.push_str(&"  ".repeat(depth));
}
