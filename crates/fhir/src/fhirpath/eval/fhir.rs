//! The functions that FHIR adds (<https://hl7.org/fhir/R4/fhirpath.html#functions>).

use std::borrow::Cow;

use super::super::Coded;
use super::super::fault::EvaluationFault;
use super::super::item::{Collection, Item, Scalar};
use super::Outcome;
use super::call::{Call, truth};
use crate::json::Value;

pub(super) fn extension<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let Some(url) = call.string(0)? else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for item in &input {
        call.evaluator.step(1, call.span)?;
        let Item::Node(node) = item else { continue };
        node.child("extension", &mut |it| {
            let written = it.value().and_then(|it| it.get("url"));
            if written.is_some_and(|it| it.is_str(&url)) {
                found.push(Item::Node(it));
            }
        });
    }
    Ok(found)
}

/// The value of a single primitive that has one.
fn primitive_value<'d>(input: &[Item<'d>]) -> Option<Item<'d>> {
    let [item] = input else { return None };
    match (item, item.scalar()) {
        (Item::Node(node), Scalar::Value(value)) if node.is_primitive() => Some(value),
        (Item::Node(_), _) => None,
        (_, Scalar::Value(value)) => Some(value),
        _ => None,
    }
}

pub(super) fn has_value<'d>(_: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    truth(primitive_value(&input).is_some())
}

pub(super) fn get_value<'d>(_: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    Ok(primitive_value(&input).into_iter().collect())
}

/// A coding in a document.
struct Coding<'d> {
    system: Option<Cow<'d, str>>,
    code: Cow<'d, str>,
}

fn coding(value: Value<'_>) -> Option<Coding<'_>> {
    let code = value.get("code").and_then(Value::as_str)?;
    Some(Coding {
        system: value.get("system").and_then(Value::as_str),
        code,
    })
}

/// The codings of a `code`, `Coding` or `CodeableConcept`.
fn codings<'d>(item: &Item<'d>) -> Option<Vec<Coding<'d>>> {
    if let Item::Node(node) = item
        && !node.is_primitive()
    {
        let value = node.value()?;
        return match value.get("coding") {
            Some(list) => Some(list.items().filter_map(coding).collect()),
            None if node.is_of("CodeableConcept") => Some(Vec::new()),
            None => coding(value).map(|it| vec![it]),
        };
    }
    let Some(Item::String(code)) = item.value() else {
        return None;
    };
    Some(vec![Coding { system: None, code }])
}

pub(super) fn member_of<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let (item, value_set) = (call.single(input)?, call.string(0)?);
    let Some((item, value_set)) = item.zip(value_set) else {
        return Ok(Vec::new());
    };
    let Some(codings) = codings(&item) else {
        return Err(call.wrong_input(&item, "a code, Coding or CodeableConcept"));
    };
    let coded = |it| -> Coded<'_> {
        let Coding { system, code }: &Coding<'_> = it;
        Coded {
            system: system.as_deref(),
            code,
        }
    };
    let coded: Vec<Coded<'_>> = codings.iter().map(coded).collect();
    let answer = call
        .evaluator
        .environment
        .lookup()
        .member_of(&coded, &value_set);
    known(call, answer, "the value set", "looking up a value set")
}

fn known<'d>(
    call: &Call<'_, '_>,
    answer: Result<Option<bool>, super::super::LookupError>,
    subject: &'static str,
    what: &'static str,
) -> Outcome<'d> {
    match answer {
        Ok(Some(answer)) => truth(answer),
        Ok(None) => Err(call.fault(EvaluationFault::Unknown(subject))),
        Err(error) => Err(call.fault(EvaluationFault::Lookup {
            what,
            reason: error.0,
        })),
    }
}

const STRUCTURES: &str = "http://hl7.org/fhir/StructureDefinition/";

/// Types of the standard are decided here, profiles by the caller.
pub(super) fn conforms_to<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let (item, profile) = (call.single(input)?, call.string(0)?);
    let Some((item, profile)) = item.zip(profile) else {
        return Ok(Vec::new());
    };
    let Item::Node(node) = &item else {
        return Err(call.wrong_input(&item, "a node"));
    };
    let name = profile.strip_prefix(STRUCTURES);
    let definition = name.and_then(|it| call.evaluator.definitions?.type_named(it));
    if let Some(definition) = definition {
        return truth(node.is_of(definition.name));
    }
    let answer = call
        .evaluator
        .environment
        .lookup()
        .conforms_to(node, &profile);
    known(call, answer, "the profile", "looking up a profile")
}

pub(super) fn html_checks<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let Some(div) = call.text(input)? else {
        return Ok(Vec::new());
    };
    call.evaluator.step(div.len() / 16, call.span)?;
    truth(crate::narrative::check(&div).is_empty())
}

/// Functions that need profiles or terminology which nobody can give yet.
pub(super) fn unavailable<'d>(call: &Call<'_, 'd>, _: Collection<'d>) -> Outcome<'d> {
    Err(call.fault(EvaluationFault::Unavailable(call.function.name)))
}
