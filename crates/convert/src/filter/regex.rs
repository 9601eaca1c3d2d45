//! Regular expressions in .NET's flavour, run by `fancy-regex`: look-around and back-references
//! work, going back is limited, so no pattern has exponential cost.
//!
//! Translated: `$` and `\Z` before a last line break, `{` that is no repetition, brackets and `&&`
//! inside classes, `[a-z-[aeiou]]`, `(?'name'…)`, escapes of letters that need none. Not there:
//! balancing groups, right-to-left matching, `RegexOptions` other than by `(?imsx)`.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use fancy_regex::{Captures, Regex, RegexBuilder};

use super::rendering;
use crate::error::Result;

/// Greatest length of a pattern.
const PATTERN_BYTES_MAX: usize = 4096;
/// Greatest size of a compiled pattern.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// The patterns that a conversion has used, compiled.
#[derive(Default)]
pub(crate) struct Regexes<'a> {
    compiled: HashMap<&'a str, Rc<Regex>>,
}

impl<'a> Regexes<'a> {
    /// The compiled pattern.
    pub(crate) fn get(&mut self, pattern: &'a str, backtracks_max: usize) -> Result<Rc<Regex>> {
        if let Some(found) = self.compiled.get(pattern) {
            return Ok(Rc::clone(found));
        }
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(rendering("a regular expression is too long"));
        }
        let regex = RegexBuilder::new(&translated(pattern))
            .backtrack_limit(backtracks_max)
            .delegate_size_limit(COMPILED_BYTES_MAX)
            .delegate_dfa_size_limit(COMPILED_BYTES_MAX)
            .build()
            .map_err(|_| rendering("a regular expression is not well formed"))?;
        let regex = Rc::new(regex);
        self.compiled.insert(pattern, Rc::clone(&regex));
        Ok(regex)
    }
}

/// A pattern of .NET in the words of `fancy-regex`.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\\' => escape(rest, &mut out),
            '[' => class(rest, &mut out),
            '{' if repetition(rest).is_none() => {
                out.push_str("\\{");
                1
            }
            '$' => {
                out.push_str("(?=\\n?\\z)");
                1
            }
            '(' if rest.starts_with("(?'") => {
                let name = rest[3..].split('\'').next().unwrap_or_default();
                out.extend(["(?<", name, ">"]);
                (name.len() + 4).min(rest.len())
            }
            other => {
                out.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    // A pattern without an end needs no look-ahead: the quicker engine can have it.
    out
}

/// The length of `{n}`, `{n,}` or `{n,m}`.
fn repetition(text: &str) -> Option<usize> {
    let (inner, _) = text.strip_prefix('{')?.split_once('}')?;
    let (least, most) = inner.split_once(',').unwrap_or((inner, "0"));
    let is_number = |it: &str| it.bytes().all(|c| c.is_ascii_digit());
    (!least.is_empty() && is_number(least) && is_number(most)).then_some(inner.len() + 2)
}

/// An escape: those of characters that are no syntax there may be none here.
fn escape(text: &str, out: &mut String) -> usize {
    let Some(c) = text[1..].chars().next() else {
        out.push_str("\\\\");
        return 1;
    };
    let length = 1 + c.len_utf8();
    match c {
        'Z' => out.push_str("(?=\\n?\\z)"),
        'e' => out.push_str("\\x1B"),
        '<' | '>' | '\'' | '"' | '/' | ' ' | '_' | '=' | ':' | ',' | ';' | '!' | '@' | '%' => {
            out.push(c);
        }
        _ => out.push_str(&text[..length]),
    }
    length
}

/// A class; a bracket inside is a bracket, not a class of its own.
fn class(text: &str, out: &mut String) -> usize {
    out.push('[');
    let mut at = 1;
    let mut is_first = true;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        at += c.len_utf8();
        match c {
            '^' if is_first && at == 2 => {
                out.push('^');
                continue;
            }
            ']' if !is_first => {
                out.push(']');
                return at;
            }
            '-' if rest.starts_with("-[") && !is_first => {
                out.push_str("--");
                at += class(&rest[1..], out);
            }
            '\\' => at += escape_in_class(rest, out) - 1,
            '[' | '&' | '~' | ']' => {
                out.push('\\');
                out.push(c);
            }
            other => out.push(other),
        }
        is_first = false;
    }
    at
}

fn escape_in_class(text: &str, out: &mut String) -> usize {
    let Some(c) = text[1..].chars().next() else {
        out.push_str("\\\\");
        return 1;
    };
    match c {
        'b' => out.push_str("\\x08"),
        '<' | '>' | '\'' | '"' | '/' | ' ' | '_' | '=' | ':' | ',' | ';' | '!' | '@' | '%' => {
            out.push(c);
        }
        _ => {
            out.push('\\');
            out.push(c);
        }
    }
    1 + c.len_utf8()
}

/// What a replacement says: text, and groups by number or name.
pub(super) enum Piece<'p> {
    Text(&'p str),
    Group(&'p str),
    /// What stands before or after the match.
    Before,
    After,
}

/// Reads a replacement: `$1`, `${name}`, `$&`, `$$`, `` $` ``, `$'`.
pub(super) fn replacement<'p>(text: &'p str, regex: &Regex) -> Vec<Piece<'p>> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find('$') {
        pieces.push(Piece::Text(&rest[..at]));
        let after = &rest[at + 1..];
        let (piece, taken) = substitution(after, regex).unwrap_or((Piece::Text("$"), 0));
        pieces.push(piece);
        rest = &after[taken..];
    }
    pieces.push(Piece::Text(rest));
    pieces
}

fn substitution<'p>(after: &'p str, regex: &Regex) -> Option<(Piece<'p>, usize)> {
    let first = after.chars().next()?;
    match first {
        '$' => Some((Piece::Text("$"), 1)),
        '&' => Some((Piece::Group("0"), 1)),
        '`' => Some((Piece::Before, 1)),
        '\'' => Some((Piece::After, 1)),
        '{' => {
            let (name, _) = after[1..].split_once('}')?;
            has_group(regex, name).then_some((Piece::Group(name), name.len() + 2))
        }
        '0'..='9' => {
            let all = after
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(after.len());
            let mut lengths = (1..=all).rev();
            let length = lengths.find(|it| has_group(regex, &after[..*it]))?;
            Some((Piece::Group(&after[..length]), length))
        }
        _ => None,
    }
}

fn has_group(regex: &Regex, name: &str) -> bool {
    match name.parse::<usize>() {
        Ok(number) => number < regex.captures_len(),
        Err(_) => regex.capture_names().flatten().any(|it| it == name),
    }
}

/// The place that a group has here whose number .NET counts: groups with names come last there.
fn place_of(regex: &Regex, number: usize) -> usize {
    let names: Vec<Option<&str>> = regex.capture_names().collect();
    let named = |wanted: bool| {
        let places = names.iter().enumerate();
        places.filter(move |(_, it)| it.is_some() == wanted)
    };
    let mut order = named(false).chain(named(true));
    order.nth(number).map_or(number, |(at, _)| at)
}

/// The place of a group in the text.
pub(super) fn group(
    regex: &Regex,
    captures: &Captures<'_, str>,
    name: &str,
) -> Option<Range<usize>> {
    let found = match name.parse() {
        Ok(number) => captures.get(place_of(regex, number)),
        Err(_) => captures.name(name),
    };
    found.map(|it| it.range())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_net_are_translated() {
        for (pattern, text, expected) in [
            (r"tel:\s*", "tel: 1", Some("tel: ")),
            ("[0123456789.]+", "a1.2b", Some("1.2")),
            ("[a-z]+$", "12ab\n", Some("ab")),
            ("[[a]+", "x[a]", Some("[a")),
            ("[a-z-[aeiou]]+", "aebcd", Some("bcd")),
            (r"(?<=\()\d+(?=\))", "a(12)", Some("12")),
            (r"(?'x'a)\k<x>", "baa", Some("aa")),
            ("a{,2}", "a{,2}", Some("a{,2}")),
            (r#"\<\"\/"#, r#"<"/"#, Some(r#"<"/"#)),
            ("[]a]+", "]a", Some("]a")),
        ] {
            let arena = Regexes::default().get(pattern, 1000).map(|regex| {
                let found = regex.find(text).ok().flatten();
                found.map(|it| it.as_str().to_owned())
            });
            assert_eq!(arena, Ok(expected.map(str::to_owned)), "{pattern}");
        }
    }

    #[test]
    fn no_pattern_has_exponential_cost() {
        let regex = Regexes::default().get(r"^(?:(a)|aa|\1)+b", 10_000).unwrap();
        assert!(regex.is_match(&"a".repeat(50)).is_err());
    }
}
