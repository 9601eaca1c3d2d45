//! `is`, `as`, `ofType` and `type()` (<https://hl7.org/fhirpath/N1/#types>).

use std::borrow::Cow;

use super::super::AsOperator;
use super::super::ast::TypeOperator;
use super::super::fault::Span;
use super::super::item::{Collection, Item, TypeInfo};
use super::super::types::{NamedType, SystemType, TypeSpecifier};
use super::call::Call;
use super::{Evaluator, Outcome, single};

pub(super) fn test<'d>(
    evaluator: &Evaluator<'d>,
    operator: TypeOperator,
    input: Collection<'d>,
    specifier: &TypeSpecifier,
    span: Span,
) -> Outcome<'d> {
    let filters = operator == TypeOperator::OfType
        || (operator == TypeOperator::As
            && evaluator.environment.as_operator == AsOperator::EachItem);
    if filters {
        evaluator.step(input.len(), span)?;
        return Ok(input
            .into_iter()
            .filter(|it| is_of(it, &specifier.named))
            .collect());
    }
    let item = single(input, "what is tested for its type", span)?;
    Ok(match (operator, item) {
        (_, None) => Vec::new(),
        (TypeOperator::Is, Some(item)) => vec![Item::Boolean(is_of(&item, &specifier.named))],
        (_, Some(item)) => {
            let matches = is_of(&item, &specifier.named);
            if matches { vec![item] } else { Vec::new() }
        }
    })
}

fn is_of(item: &Item<'_>, named: &NamedType) -> bool {
    match item {
        Item::Node(node) => node.is_of_named(named),
        other => match named {
            NamedType::System(SystemType::Any) => true,
            NamedType::System(system) => other.system_type() == Some(*system),
            _ => false,
        },
    }
}

pub(super) fn type_of<'d>(_: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    Ok(input.iter().filter_map(info).map(Item::Type).collect())
}

fn info(item: &Item<'_>) -> Option<TypeInfo> {
    let Item::Node(node) = item else {
        return Some(system_info(item.system_type()?));
    };
    match node.typing() {
        Some(typing) => Some(TypeInfo {
            namespace: "FHIR",
            name: Cow::Borrowed(typing.definition.name),
            base: typing.definition.base.map(|base| format!("FHIR.{base}")),
        }),
        None => item.value()?.system_type().map(system_info),
    }
}

fn system_info(system: SystemType) -> TypeInfo {
    TypeInfo {
        namespace: "System",
        name: Cow::Borrowed(system.name()),
        base: Some("System.Any".to_owned()),
    }
}
