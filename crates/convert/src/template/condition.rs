//! Conditions: comparisons joined by `and` and `or`, which bind to the right without precedence.
//! Parentheses are trimmed, they do not group.

use super::expression::{self, Operand};
use super::fragment;
use super::names::Names;

/// Greatest number of comparisons in one condition, DotLiquid's.
const CLAUSES_MAX: usize = 500;

/// What holds or does not.
pub(crate) enum Condition {
    Is(Comparison),
    Not(Box<Condition>),
    And(Box<(Condition, Condition)>),
    Or(Box<(Condition, Condition)>),
}

/// A value and what it is compared with.
pub(crate) struct Comparison {
    pub(crate) left: Operand,
    pub(crate) right: Right,
}

/// What a value is compared with.
pub(crate) enum Right {
    /// Nothing: whether the left side is true.
    True,
    /// Something that is no operator and means nothing, as [`Right::True`]: what to say of it.
    Ignored(Box<str>),
    Than(Operator, Operand),
    /// Whether it equals any of these.
    OneOf(Vec<Operand>),
    /// An operator that does not exist: what to say when the condition is looked at.
    Unknown(Box<str>),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
    Contains,
    StartsWith,
    EndsWith,
    HasKey,
    HasValue,
}

/// Every operator by its names; case makes no difference.
const OPERATORS: &[(&str, Operator)] = &[
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<>", Operator::NotEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("contains", Operator::Contains),
    ("startsWith", Operator::StartsWith),
    ("endsWith", Operator::EndsWith),
    ("hasKey", Operator::HasKey),
    ("hasValue", Operator::HasValue),
    ("starts_with", Operator::StartsWith),
    ("ends_with", Operator::EndsWith),
    ("has_key", Operator::HasKey),
    ("has_value", Operator::HasValue),
];

/// The operator of that name.
pub(super) fn operator_of(name: &str) -> Option<Operator> {
    let found = OPERATORS
        .iter()
        .find(|(it, _)| it.eq_ignore_ascii_case(name));
    found.map(|(_, operator)| *operator)
}

/// Reads a condition; the error says what is wrong with it.
pub(crate) fn parse(markup: &str, names: &mut Names) -> Result<Condition, String> {
    let missing = || "a condition is missing".to_owned();
    let pieces = pieces(markup);
    if pieces.len() > 2 * CLAUSES_MAX {
        return Err(format!("more than {CLAUSES_MAX} conditions in one"));
    }
    let mut pieces = pieces.into_iter().rev();
    let last = pieces.next().ok_or_else(missing)?;
    let mut condition = Condition::Is(comparison(last, names)?);
    while let Some(join) = pieces.next() {
        let clause = pieces.next().ok_or_else(missing)?;
        let this = Condition::Is(comparison(clause, names)?);
        condition = match join {
            "and" => Condition::And(Box::new((this, condition))),
            "or" => Condition::Or(Box::new((this, condition))),
            _ => this,
        };
    }
    Ok(condition)
}

/// The clauses, and the `and` and `or` between them.
fn pieces(markup: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), markup.trim());
    while !rest.is_empty() {
        let end = join(rest).unwrap_or_else(|| clause_end(rest));
        let (piece, after) = rest.split_at(end);
        found.push(piece.trim_end());
        rest = after.trim_start();
    }
    found
}

/// The length of an `and` or `or` that stands here as a word.
fn join(text: &str) -> Option<usize> {
    let end = text.find(|c| !fragment::is_word(c)).unwrap_or(text.len());
    matches!(&text[..end], "and" | "or").then_some(end)
}

fn clause_end(text: &str) -> usize {
    let mut rest = text;
    loop {
        if fragment::take(&mut rest).is_empty() {
            // A comma, a bar or a lone quote goes with what stands behind it.
            fragment::take_run(&mut rest, |c| !c.is_whitespace());
        }
        rest = rest.trim_start();
        if rest.is_empty() || join(rest).is_some() {
            return text.len() - rest.len();
        }
    }
}

/// A fragment, an operator and a fragment; whatever follows, or stands there instead, is ignored.
fn comparison(clause: &str, names: &mut Names) -> Result<Comparison, String> {
    let mut rest = clause;
    let left = loop {
        let fragment = fragment::take(&mut rest);
        match trim_parentheses(fragment) {
            "" if !fragment.is_empty() => {}
            "" => {
                let mut skipped = rest.chars();
                if skipped.next().is_none() {
                    return Err("a condition is missing".to_owned());
                }
                rest = skipped.as_str();
            }
            left => break left,
        }
    };
    let is_operator = |c: char| c.is_ascii_alphabetic() || matches!(c, '=' | '!' | '<' | '>' | '_');
    let operator = fragment::take_run(&mut rest, is_operator);
    let left = expression::operand(left, names);
    let behind = rest;
    let right = trim_parentheses(fragment::take(&mut rest));
    let right = match operator_of(operator) {
        _ if operator.is_empty() => ignored(behind),
        Some(operator) => Right::Than(operator, expression::operand(right, names)),
        None => Right::Unknown(unknown(operator).into()),
    };
    Ok(Comparison { left, right })
}

fn ignored(behind: &str) -> Right {
    match behind.trim().trim_start_matches(')') {
        "" => Right::True,
        behind => Right::Ignored(format!("no operator, so it is ignored: `{behind}`").into()),
    }
}

fn trim_parentheses(fragment: &str) -> &str {
    let is_range = fragment.starts_with('(') && fragment.contains("..");
    if is_range || fragment.starts_with(['"', '\'']) {
        fragment
    } else {
        fragment.trim_start_matches('(').trim_end_matches(')')
    }
}

/// What to say of an operator that does not exist.
pub(super) fn unknown(operator: &str) -> String {
    let names = OPERATORS.iter().map(|(it, _)| *it);
    let nearest = fhir::suggest::nearest(operator, names);
    let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
    format!("`{operator}` is no operator{hint}")
}
