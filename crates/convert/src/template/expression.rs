//! Expressions: literals, paths into the data, and chains of filters.
//!
//! A path is whatever a scan for `[…]` and runs of word characters and `-` finds, so
//! `{{OBX.5.1.Value}}`, `TQ.[3].Value` and `PID:` all resolve.

use fhir::Decimal;

use super::fragment;
use super::names::{NameId, Names};
use crate::filter::{self, Filter};

/// What stands for a value.
pub(crate) enum Operand {
    Null,
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(Box<str>),
    /// `empty`, `blank`
    Empty,
    /// `(1..n)`
    Range(Box<(Operand, Operand)>),
    Path(Path),
}

/// A variable and the way into it.
pub(crate) struct Path {
    pub(crate) root: Root,
    pub(crate) parts: Vec<Part>,
}

/// Where a path begins.
pub(crate) enum Root {
    Name(NameId),
    /// `[…]`, a name that is computed.
    Computed(Box<Operand>),
}

/// A step of a path.
pub(crate) enum Part {
    /// A name, and the number that it may be.
    Name(Box<str>, Option<usize>),
    /// `[…]`
    Index(Operand),
}

/// A value and the filters it goes through.
pub(crate) struct Chain {
    pub(crate) operand: Operand,
    pub(crate) filters: Vec<Call>,
}

/// A filter with its arguments.
pub(crate) struct Call {
    pub(crate) name: Box<str>,
    /// None if there is no filter of that name: its input passes through.
    pub(crate) filter: Option<&'static Filter>,
    pub(crate) arguments: Vec<Operand>,
}

/// Reads a value with filters.
pub(crate) fn chain(markup: &str, names: &mut Names) -> Chain {
    let mut rest = markup;
    let operand = operand(fragment::take_assigned(&mut rest), names);
    let mut parts = fragment::split(rest, '|').into_iter();
    parts.next();
    let filters = parts.filter_map(|part| call(part, names)).collect();
    Chain { operand, filters }
}

fn call(text: &str, names: &mut Names) -> Option<Call> {
    let start = text.find(fragment::is_word)?;
    let mut rest = &text[start..];
    let name = fragment::take_run(&mut rest, fragment::is_word);
    let arguments = fragment::arguments(rest);
    Some(Call {
        name: name.into(),
        filter: filter::find(name),
        arguments: arguments.iter().map(|it| operand(it, names)).collect(),
    })
}

/// Reads one fragment.
pub(crate) fn operand(text: &str, names: &mut Names) -> Operand {
    let text = text.trim();
    range(text, names).unwrap_or_else(|| single(text, names))
}

/// Reads one that is no range.
fn single(text: &str, names: &mut Names) -> Operand {
    match text {
        "" | "null" | "nil" => return Operand::Null,
        "true" => return Operand::Bool(true),
        "false" => return Operand::Bool(false),
        "empty" | "blank" => return Operand::Empty,
        _ => {}
    }
    for quote in ['\'', '"'] {
        let inner = text
            .strip_prefix(quote)
            .and_then(|it| it.strip_suffix(quote));
        if let Some(inner) = inner {
            return Operand::Text(inner.into());
        }
    }
    number(text).unwrap_or_else(|| Operand::Path(path(text, names)))
}

fn number(text: &str) -> Option<Operand> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if digits.bytes().all(|it| it.is_ascii_digit()) {
        return text.parse().ok().map(Operand::Int);
    }
    let is_number = digits.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    is_number.then(|| text.parse().ok().map(Operand::Decimal))?
}

/// A range, whose ends are none.
fn range(text: &str, names: &mut Names) -> Option<Operand> {
    let inner = text.strip_prefix('(')?.strip_suffix(')')?;
    let (from, to) = inner.rsplit_once("..")?;
    Some(Operand::Range(Box::new((
        single(from.trim(), names),
        single(to.trim(), names),
    ))))
}

/// Reads a path; one without any part is the name of nothing.
pub(crate) fn path(text: &str, names: &mut Names) -> Path {
    let mut parts = parts(text).into_iter();
    let root = match parts.next() {
        Some(Piece::Bracketed(inner)) => Root::Computed(Box::new(operand(inner, names))),
        Some(Piece::Name(name)) => Root::Name(names.number(name)),
        None => Root::Name(names.number("")),
    };
    let parts = parts.map(|piece| match piece {
        Piece::Bracketed(inner) => Part::Index(operand(inner, names)),
        Piece::Name(name) => Part::Name(name.into(), name.parse().ok()),
    });
    Path {
        root,
        parts: parts.collect(),
    }
}

enum Piece<'t> {
    Bracketed(&'t str),
    Name(&'t str),
}

fn parts(text: &str) -> Vec<Piece<'_>> {
    let is_in_name = |c: char| fragment::is_word(c) || c == '-';
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(c) = rest.chars().next() {
        let bracketed = rest.strip_prefix('[').and_then(|it| it.split_once(']'));
        if let Some((inner, after)) = bracketed.filter(|(inner, _)| !inner.is_empty()) {
            found.push(Piece::Bracketed(inner));
            rest = after;
        } else if is_in_name(c) {
            let end = rest.find(|c| !is_in_name(c)).unwrap_or(rest.len());
            let end = end + usize::from(rest[end..].starts_with('?'));
            found.push(Piece::Name(&rest[..end]));
            rest = &rest[end..];
        } else {
            rest = &rest[c.len_utf8()..];
        }
    }
    found
}
