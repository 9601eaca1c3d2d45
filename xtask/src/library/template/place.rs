//! Where in a template something is written: the loop and the conditions around it.

use std::collections::BTreeSet;

use super::super::tree::{Item, Leaf, Value};
use super::context::inner_defaults;

/// The loop that a template is in: the field, and the variable of its repeats.
#[derive(Clone, Default)]
pub(super) struct Place {
    pub(super) looped: Option<usize>,
    pub(super) guarded: BTreeSet<usize>,
    /// What holds here.
    pub(super) condition: Option<String>,
}

impl Place {
    /// A path or condition with the repeat in place of the field.
    pub(super) fn path(&self, text: &str) -> String {
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

pub(super) fn conditional(leaf: &Leaf, place: &Place, text: &str) -> String {
    match &leaf.condition {
        Some(condition) if place.condition.as_ref() != Some(condition) => {
            format!("{{% if {} %}}{text}{{% endif %}}", place.path(condition))
        }
        _ => text.to_owned(),
    }
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
pub(super) fn around(
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

/// Text made of parts, added.
pub(super) fn push(into: &mut String, text: &str) {
    into.push_str(text);
}
