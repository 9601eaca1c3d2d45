//! Going through trees: `children`, `descendants`, and the parts of values that are no nodes.

use std::borrow::Cow;

use super::super::item::{Collection, Item, TypeInfo};
use super::Outcome;
use super::call::Call;
use crate::fhirpath::Quantity;

pub(super) fn children<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    children_of(call, &input)
}

fn children_of<'d>(call: &Call<'_, 'd>, input: &[Item<'d>]) -> Outcome<'d> {
    let mut found = Vec::new();
    for item in input {
        let before = found.len();
        if let Item::Node(node) = item {
            node.children(&mut |child| found.push(Item::Node(child)));
        }
        call.evaluator.step(found.len() - before + 1, call.span)?;
    }
    Ok(found)
}

/// Level by level, as repeated `children()` has it; nothing is left out for being equal.
pub(super) fn descendants<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let mut found = Vec::new();
    let mut level = children_of(call, &input)?;
    while !level.is_empty() {
        let next = children_of(call, &level)?;
        found.append(&mut level);
        found = call.evaluator.counted(found, call.span)?;
        level = next;
    }
    Ok(found)
}

/// An element of a value that is no node.
pub(super) fn part<'d>(item: &Item<'d>, name: &str) -> Option<Item<'d>> {
    match item {
        Item::Quantity(quantity) => quantity_part(quantity, name),
        Item::Type(info) => type_part(info, name),
        _ => None,
    }
}

fn quantity_part<'d>(quantity: &Quantity, name: &str) -> Option<Item<'d>> {
    match name {
        "value" => Some(Item::Decimal(quantity.value)),
        "unit" => Some(Item::string(quantity.unit.text().to_owned())),
        _ => None,
    }
}

fn type_part<'d>(info: &TypeInfo, name: &str) -> Option<Item<'d>> {
    match name {
        "namespace" => Some(Item::string(info.namespace)),
        "name" => Some(Item::String(Cow::Owned(info.name.clone().into_owned()))),
        "baseType" => info.base.clone().map(Item::string),
        _ => None,
    }
}
