//! Strings (<https://hl7.org/fhirpath/N1/#string-manipulation>). Places count characters.

use super::super::item::{Collection, Item, Scalar};
use super::call::Call;
use super::{Operation, Outcome, check_limit, count_item, single};

/// `&`: empty counts as the empty string.
pub(super) fn concatenate<'d>(
    operation: Operation<'_, 'd>,
    left: Collection<'d>,
    right: Collection<'d>,
) -> Outcome<'d> {
    let left = single(left, "the left operand", operation.operand_spans.0)?;
    let right = single(right, "the right operand", operation.operand_spans.1)?;
    let text = |item: &Option<Item<'d>>| match item.as_ref().map(Item::scalar) {
        None | Some(Scalar::Absent) => Some(String::new()),
        Some(Scalar::Value(Item::String(text))) => Some(text.into_owned()),
        _ => None,
    };
    let Some((one, other)) = text(&left).zip(text(&right)) else {
        let empty = || Item::string("");
        return Err(operation.undefined(&left.unwrap_or_else(empty), &right.unwrap_or_else(empty)));
    };
    let length = one.len() + other.len();
    operation.evaluator.check_length(length, operation.span)?;
    Ok(vec![Item::string(one + &other)])
}

/// A function of the input string and one string.
pub(super) fn with_text<'d>(
    call: &Call<'_, 'd>,
    input: Collection<'d>,
    function: fn(&str, &str) -> Item<'static>,
) -> Outcome<'d> {
    let (input, argument) = (call.text(input)?, call.string(0)?);
    Ok(input
        .zip(argument)
        .map(|(input, it)| function(&input, &it))
        .into_iter()
        .collect())
}

/// A function of the input string alone.
pub(super) fn mapped<'d>(
    call: &Call<'_, 'd>,
    input: Collection<'d>,
    function: fn(&str) -> String,
) -> Outcome<'d> {
    match call.text(input)? {
        None => Ok(Vec::new()),
        Some(text) => {
            call.evaluator.check_length(text.len(), call.span)?;
            call.made(function(&text))
        }
    }
}

pub(super) fn index_of(text: &str, wanted: &str) -> Item<'static> {
    place(text, text.find(wanted))
}

pub(super) fn last_index_of(text: &str, wanted: &str) -> Item<'static> {
    place(text, text.rfind(wanted))
}

fn place(text: &str, byte: Option<usize>) -> Item<'static> {
    byte.map_or(Item::Integer(-1), |it| {
        count_item(text[..it].chars().count())
    })
}

pub(super) fn substring<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let Some(text) = call.text(input)? else {
        return Ok(Vec::new());
    };
    let Some(start) = call.integer(0)? else {
        return Ok(Vec::new());
    };
    let length = call
        .integer(1)?
        .map(|it| usize::try_from(it.max(0)).unwrap_or(usize::MAX));
    call.evaluator.check_length(text.len(), call.span)?;
    let Some(start) = usize::try_from(start)
        .ok()
        .filter(|it| *it < text.chars().count())
    else {
        return Ok(Vec::new());
    };
    let taken = text.chars().skip(start).take(length.unwrap_or(usize::MAX));
    Ok(vec![Item::string(taken.collect::<String>())])
}

pub(super) fn replace<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let (text, pattern, with) = (call.text(input)?, call.string(0)?, call.string(1)?);
    let Some(((text, pattern), with)) = text.zip(pattern).zip(with) else {
        return Ok(Vec::new());
    };
    let matches = if pattern.is_empty() {
        text.chars().count() + 1
    } else {
        text.matches(&*pattern).count()
    };
    let length = text
        .len()
        .saturating_add(matches.saturating_mul(with.len()));
    call.evaluator.check_length(length, call.span)?;
    call.made(text.replace(&*pattern, &with))
}

pub(super) fn length<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let text = call.text(input)?;
    Ok(text
        .map(|it| count_item(it.chars().count()))
        .into_iter()
        .collect())
}

pub(super) fn to_chars<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let Some(text) = call.text(input)? else {
        return Ok(Vec::new());
    };
    let limit = call.evaluator.environment.limits.items_max;
    check_limit("items_max", text.len(), limit, call.span)?;
    Ok(text
        .chars()
        .map(|it| Item::string(it.to_string()))
        .collect())
}

pub(super) fn split<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let (text, separator) = (call.text(input)?, call.string(0)?);
    let Some((text, separator)) = text.zip(separator) else {
        return Ok(Vec::new());
    };
    let limit = call.evaluator.environment.limits.items_max;
    check_limit(
        "items_max",
        text.len() / separator.len().max(1),
        limit,
        call.span,
    )?;
    if separator.is_empty() {
        return Ok(text
            .chars()
            .map(|it| Item::string(it.to_string()))
            .collect());
    }
    Ok(text
        .split(&*separator)
        .map(|it| Item::string(it.to_owned()))
        .collect())
}

pub(super) fn join<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    if input.is_empty() {
        return Ok(Vec::new());
    }
    let separator = call.string(0)?.unwrap_or_default();
    let mut joined = String::new();
    let mut is_first = true;
    for item in &input {
        let text = match item.scalar() {
            Scalar::Absent => continue,
            Scalar::Value(Item::String(text)) => text,
            _ => return Err(call.wrong_input(item, "of Strings")),
        };
        if !std::mem::take(&mut is_first) {
            joined.push_str(&separator);
        }
        joined.push_str(&text);
        let limit = call.evaluator.environment.limits.string_bytes_max;
        check_limit("string_bytes_max", joined.len(), limit, call.span)?;
    }
    Ok(vec![Item::string(joined)])
}
