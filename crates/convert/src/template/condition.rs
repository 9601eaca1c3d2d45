//! Conditions: comparisons joined by `and` and `or`, which bind to the right without precedence.
//! Parentheses are trimmed, they do not group.

use super::expression::{self, Operand};
use super::fragment;
use super::names::Names;

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
    Than(Operator, Operand),
    /// Whether it equals any of these.
    OneOf(Vec<Operand>),
}

/// `and`, `or`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    And,
    Or,
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

/// The names of all operators.
pub(super) fn operator_names() -> impl Iterator<Item = &'static str> {
    OPERATORS.iter().map(|(it, _)| *it)
}

/// Reads a condition; the error says what is wrong with it.
pub(crate) fn parse(markup: &str, names: &mut Names) -> Result<Condition, String> {
    let mut joins = Vec::new();
    let mut clauses = vec![Vec::new()];
    let mut rest = markup;
    while !rest.trim_start().is_empty() {
        let mut fragment = fragment::take(&mut rest);
        if fragment.is_empty() {
            // A comma, a bar or a lone quote: DotLiquid takes it along and then ignores it.
            fragment::take_run(&mut rest, |c| !c.is_whitespace());
            continue;
        }
        if !fragment.starts_with(['"', '\'']) {
            fragment = trim_parentheses(fragment);
        }
        match fragment {
            "and" => joins.push(Join::And),
            "or" => joins.push(Join::Or),
            "" => continue,
            _ => {
                clauses[joins.len()].push(fragment);
                continue;
            }
        }
        clauses.push(Vec::new());
    }
    chained(&clauses, &joins, names)
}

fn trim_parentheses(fragment: &str) -> &str {
    let is_range = fragment.starts_with('(') && fragment.contains("..");
    if is_range {
        fragment
    } else {
        fragment.trim_start_matches('(').trim_end_matches(')')
    }
}

fn chained(clauses: &[Vec<&str>], joins: &[Join], names: &mut Names) -> Result<Condition, String> {
    let mut condition: Option<Condition> = None;
    for (at, clause) in clauses.iter().enumerate().rev() {
        let this = Condition::Is(comparison(clause, names)?);
        condition = Some(match condition {
            None => this,
            Some(rest) => match joins[at] {
                Join::And => Condition::And(Box::new((this, rest))),
                Join::Or => Condition::Or(Box::new((this, rest))),
            },
        });
    }
    condition.ok_or_else(|| "a condition is missing".to_owned())
}

fn comparison(clause: &[&str], names: &mut Names) -> Result<Comparison, String> {
    let Some((left, rest)) = clause.split_first() else {
        return Err("a condition is missing".to_owned());
    };
    let right = match rest {
        [] => Right::True,
        [operator, rest @ ..] => right_side(operator, rest, names)?,
    };
    Ok(Comparison {
        left: expression::operand(left, names),
        right,
    })
}

/// The right side may stand directly behind an operator of signs.
fn right_side(fragment: &str, rest: &[&str], names: &mut Names) -> Result<Right, String> {
    let is_operator = |c: char| c.is_ascii_alphabetic() || matches!(c, '=' | '!' | '<' | '>' | '_');
    let end = fragment.find(|c| !is_operator(c)).unwrap_or(fragment.len());
    let (name, attached) = fragment.split_at(end);
    let Some(operator) = operator_of(name) else {
        let name = if name.is_empty() { fragment } else { name };
        let nearest = fhir::suggest::nearest(name, operator_names());
        let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
        return Err(format!("`{name}` is no operator{hint}"));
    };
    let right = if attached.is_empty() {
        rest.first().copied().unwrap_or_default()
    } else {
        attached
    };
    Ok(Right::Than(operator, expression::operand(right, names)))
}
