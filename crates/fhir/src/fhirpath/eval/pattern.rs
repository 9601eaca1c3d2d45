//! Regular expressions: `matches`, `matchesFull`, `replaceMatches`.
//!
//! They run in linear time; what needs more (look-around, back references) is refused by name. A
//! point also matches line breaks, as the standard says of single-line mode.

use std::rc::Rc;

use regex::{Captures, Regex, RegexBuilder};

use super::super::fault::EvaluationFault;
use super::super::item::Collection;
use super::call::{Call, truth};
use super::{Failure, Outcome, check_limit};

/// Matching goes through all states that a pattern can be in, byte by byte.
const STEPS_PER_BYTE: usize = 8;

/// The regular expression of the argument, with the flags of another; compiled once.
fn compiled(call: &Call<'_, '_>, pattern: &str, flags_place: usize) -> Result<Rc<Regex>, Failure> {
    let flags = call.string(flags_place)?.unwrap_or_default();
    if flags.contains(|it| !matches!(it, 'i' | 'm')) {
        let (what, allowed) = ("unknown flag", "`i` and `m`");
        return Err(call.fault(EvaluationFault::Argument { what, allowed }));
    }
    let key = (pattern.to_owned(), flags.clone().into_owned());
    if let Some(known) = call.evaluator.patterns.borrow().get(&key) {
        return Ok(Rc::clone(known));
    }
    call.evaluator.step(64 + pattern.len(), call.span)?;
    let limit = call.evaluator.environment.limits.pattern_bytes_max;
    let built = RegexBuilder::new(pattern)
        .dot_matches_new_line(true)
        .case_insensitive(flags.contains('i'))
        .multi_line(flags.contains('m'))
        .size_limit(limit)
        .build();
    let built = Rc::new(built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => call.fault(EvaluationFault::Limit {
            name: "pattern_bytes_max",
            limit: u64::try_from(limit).unwrap_or(u64::MAX),
        }),
        _ => call.fault(EvaluationFault::Pattern),
    })?);
    call.evaluator
        .patterns
        .borrow_mut()
        .insert(key, Rc::clone(&built));
    Ok(built)
}

pub(super) fn matches<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    test(call, input, str::to_owned)
}

pub(super) fn matches_full<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    test(call, input, |pattern| format!("^(?:{pattern})$"))
}

fn test<'d>(call: &Call<'_, 'd>, input: Collection<'d>, whole: fn(&str) -> String) -> Outcome<'d> {
    let (text, pattern) = (call.text(input)?, call.string(0)?);
    let Some((text, pattern)) = text.zip(pattern) else {
        return Ok(Vec::new());
    };
    let pattern = compiled(call, &whole(&pattern), 1)?;
    call.evaluator
        .step(text.len() * STEPS_PER_BYTE, call.span)?;
    truth(pattern.is_match(&text))
}

pub(super) fn replace_matches<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let (text, pattern, with) = (call.text(input)?, call.string(0)?, call.string(1)?);
    let Some(((text, pattern), with)) = text.zip(pattern).zip(with) else {
        return Ok(Vec::new());
    };
    if pattern.is_empty() {
        return call.made(text.into_owned());
    }
    let pattern = compiled(call, &pattern, 2)?;
    call.evaluator
        .step(text.len() * STEPS_PER_BYTE, call.span)?;
    let limit = call.evaluator.environment.limits.string_bytes_max;
    let (mut replaced, mut at) = (String::new(), 0);
    for captures in pattern.captures_iter(&text) {
        let Some(whole) = captures.get(0) else {
            continue;
        };
        replaced.push_str(&text[at..whole.start()]);
        expand(&with, &captures, &mut replaced);
        at = whole.end();
        check_limit("string_bytes_max", replaced.len(), limit, call.span)?;
        call.evaluator.step(1, call.span)?;
    }
    replaced.push_str(&text[at..]);
    call.made(replaced)
}

/// `$1` and `${name}` stand for groups, `$$` for the sign itself.
fn expand(with: &str, captures: &Captures<'_>, into: &mut String) {
    let mut rest = with;
    while let Some(at) = rest.find('$') {
        into.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            let group = rest[..digits]
                .parse()
                .ok()
                .and_then(|it: usize| captures.get(it));
            into.push_str(group.map_or("", |it| it.as_str()));
            rest = &rest[digits..];
        } else if let Some((name, after)) = braced(rest) {
            let number = name.parse().ok().and_then(|it: usize| captures.get(it));
            let group = number.or_else(|| captures.name(name));
            into.push_str(group.map_or("", |it| it.as_str()));
            rest = after;
        } else {
            into.push('$');
            rest = rest.strip_prefix('$').unwrap_or(rest);
        }
    }
    into.push_str(rest);
}

fn braced(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('{')?.split_once('}')
}
