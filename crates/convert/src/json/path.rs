//! JSONPath in Newtonsoft's dialect, as far as templates use it: `$.a.b`, `['a']`, `[0]`, `[*]`,
//! `.*`, `..a`, and filters `[?(@.a == 'b')]`. The first value found is the answer.

use crate::value::{Value, compare};

/// Greatest number of values that are looked at.
const VISITED_MAX: usize = 100_000;

#[derive(Debug, PartialEq)]
enum Step<'p> {
    Name(&'p str),
    Index(usize),
    Every,
    Below(Option<&'p str>),
    /// A member below `@`, and what it must equal; without that it must be there.
    Where(Vec<&'p str>, Option<(bool, &'p str)>),
}

/// The first value at that path; an error if the path is not well formed.
pub(crate) fn first<'a>(value: Value<'a>, path: &str) -> Result<Option<Value<'a>>, &'static str> {
    let steps = parse(path).ok_or("the path is not well formed")?;
    let mut found = vec![value];
    for step in &steps {
        let mut next = Vec::new();
        for value in found {
            apply(value, step, &mut next);
            if next.len() > VISITED_MAX {
                return Err("the path finds too many values");
            }
        }
        found = next;
    }
    Ok(found.first().copied())
}

fn apply<'a>(value: Value<'a>, step: &Step<'_>, into: &mut Vec<Value<'a>>) {
    match step {
        Step::Name(name) => into.extend(value.as_map().and_then(|it| it.get(name))),
        Step::Index(at) => {
            if let Value::List(items) = value {
                into.extend(items.get(*at).copied());
            }
        }
        Step::Every => into.extend(children(value)),
        Step::Below(name) => below(value, *name, into),
        Step::Where(path, wanted) => {
            let fits = |item: &Value<'a>| holds(*item, path, *wanted);
            into.extend(children(value).into_iter().filter(fits));
        }
    }
}

fn children(value: Value<'_>) -> Vec<Value<'_>> {
    match value {
        Value::List(items) => items.to_vec(),
        Value::Map(map) => map.members().iter().map(|it| it.1).collect(),
        _ => Vec::new(),
    }
}

fn below<'a>(value: Value<'a>, name: Option<&str>, into: &mut Vec<Value<'a>>) {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        if into.len() > VISITED_MAX {
            return;
        }
        match name {
            Some(name) => into.extend(value.as_map().and_then(|it| it.get(name))),
            None => into.push(value),
        }
        let mut inside = children(value);
        inside.reverse();
        open.extend(inside);
    }
}

fn holds(item: Value<'_>, path: &[&str], wanted: Option<(bool, &str)>) -> bool {
    let mut found = Some(item);
    for name in path {
        found = found.and_then(|it| it.as_map()).and_then(|it| it.get(name));
    }
    match (found, wanted) {
        (found, None) => found.is_some(),
        (Some(found), Some((equal, text))) => compare::equal(found, Value::plain(text)) == equal,
        (None, Some((equal, _))) => !equal,
    }
}

fn parse(path: &str) -> Option<Vec<Step<'_>>> {
    let mut rest = path.trim();
    rest = rest.strip_prefix('$').unwrap_or(rest);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("..") {
            let (name, after) = name(after);
            steps.push(Step::Below((name != "*").then_some(name)));
            rest = after;
        } else if let Some(inner) = rest.strip_prefix('[') {
            let (inner, after) = bracketed(inner)?;
            steps.push(bracket(inner)?);
            rest = after;
        } else {
            let (name, after) = name(rest.strip_prefix('.').unwrap_or(rest));
            if name.is_empty() {
                return None;
            }
            steps.push(if name == "*" {
                Step::Every
            } else {
                Step::Name(name)
            });
            rest = after;
        }
    }
    Some(steps)
}

fn name(text: &str) -> (&str, &str) {
    text.split_at(text.find(['.', '[']).unwrap_or(text.len()))
}

/// What stands before the `]` that is not quoted.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, ']') => return Some((&text[..at], &text[at + 1..])),
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

fn bracket(inner: &str) -> Option<Step<'_>> {
    let inner = inner.trim();
    if inner == "*" {
        return Some(Step::Every);
    }
    if let Some(filter) = inner.strip_prefix("?(").and_then(|it| it.strip_suffix(')')) {
        return filter_step(filter.trim());
    }
    match unquoted(inner) {
        Some(name) => Some(Step::Name(name)),
        None => inner.parse().ok().map(Step::Index),
    }
}

fn filter_step(filter: &str) -> Option<Step<'_>> {
    let comparison = [("==", true), ("!=", false)];
    let found = comparison
        .iter()
        .find_map(|(sign, equal)| filter.split_once(sign).map(|(a, b)| (a, *equal, b)));
    let (left, wanted) = match found {
        Some((left, equal, right)) => {
            let right = right.trim();
            (left, Some((equal, unquoted(right).unwrap_or(right))))
        }
        None => (filter, None),
    };
    let path = left.trim().strip_prefix("@.")?;
    Some(Step::Where(path.split('.').collect(), wanted))
}

fn unquoted(text: &str) -> Option<&str> {
    let of = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    of('\'').or_else(|| of('"'))
}
