//! Conditions: comparisons joined by `and` and `or`, which bind to the right without precedence.
//! Parentheses are trimmed, they do not group.

use super::expression::{self, Operand};
use super::fragment;
use super::names::Names;

/// A comparison, and how the rest of the condition hangs on it.
pub(crate) struct Condition {
    pub(crate) left: Operand,
    /// The operator and its right side; without one, whether the left side is true.
    pub(crate) right: Option<(Operator, Operand)>,
    pub(crate) rest: Option<(Join, Box<Condition>)>,
}

/// `and`, `or`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
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
        let mut this = comparison(clause, names)?;
        this.rest = condition.map(|rest| (joins[at], Box::new(rest)));
        condition = Some(this);
    }
    condition.ok_or_else(|| "a condition is missing".to_owned())
}

fn comparison(clause: &[&str], names: &mut Names) -> Result<Condition, String> {
    let Some((left, rest)) = clause.split_first() else {
        return Err("a condition is missing".to_owned());
    };
    let right = match rest {
        [] => None,
        [operator, rest @ ..] => Some(right_side(operator, rest, names)?),
    };
    Ok(Condition {
        left: expression::operand(left, names),
        right,
        rest: None,
    })
}

/// The right side may stand directly behind an operator of signs.
fn right_side(
    fragment: &str,
    rest: &[&str],
    names: &mut Names,
) -> Result<(Operator, Operand), String> {
    let is_operator = |c: char| c.is_ascii_alphabetic() || matches!(c, '=' | '!' | '<' | '>' | '_');
    let end = fragment.find(|c| !is_operator(c)).unwrap_or(fragment.len());
    let (name, attached) = fragment.split_at(end);
    let found = OPERATORS
        .iter()
        .find(|(it, _)| it.eq_ignore_ascii_case(name));
    let Some((_, operator)) = found else {
        let nearest = fhir::suggest::nearest(name, OPERATORS.iter().map(|(it, _)| *it));
        let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
        return Err(format!("`{name}` is no operator{hint}"));
    };
    let right = if attached.is_empty() {
        rest.first().copied().unwrap_or_default()
    } else {
        attached
    };
    Ok((*operator, expression::operand(right, names)))
}
