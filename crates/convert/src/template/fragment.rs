//! The pieces that DotLiquid's regular expressions find in the markup of a tag.

/// The length of the quoted text at the beginning; none if there is none or it is not closed.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    text[1..].find(quote).map(|at| at + 2)
}

/// The length of the `QuotedFragment` at the beginning: a quoted text, or a run without white space,
/// separators and quotes that do not close.
fn length(text: &str, separators: &[char]) -> usize {
    if let Some(length) = quoted(text) {
        return length;
    }
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if let Some(length) = quoted(&text[at..]) {
            at += length;
        } else if c.is_whitespace() || separators.contains(&c) || matches!(c, '"' | '\'') {
            break;
        } else {
            at += c.len_utf8();
        }
    }
    at
}

/// Cuts a fragment off, with the white space before it; empty if none is there.
pub(super) fn take<'t>(text: &mut &'t str) -> &'t str {
    take_until(text, &[',', '|'])
}

/// As [`take`], but the fragment may contain commas.
pub(super) fn take_assigned<'t>(text: &mut &'t str) -> &'t str {
    take_until(text, &['|'])
}

fn take_until<'t>(text: &mut &'t str, separators: &[char]) -> &'t str {
    let trimmed = text.trim_start();
    let (fragment, rest) = trimmed.split_at(length(trimmed, separators));
    *text = rest;
    fragment
}

/// Cuts a run of such characters off, with the white space before it.
pub(super) fn take_run<'t>(text: &mut &'t str, is_in: impl Fn(char) -> bool) -> &'t str {
    let trimmed = text.trim_start();
    let end = trimmed.find(|c| !is_in(c)).unwrap_or(trimmed.len());
    let (run, rest) = trimmed.split_at(end);
    *text = rest;
    run
}

/// A letter, digit or underscore.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The parts between separators that stand outside of quotes.
pub(super) fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    while let Some(c) = text[at..].chars().next() {
        if let Some(length) = quoted(&text[at..]) {
            at += length;
            continue;
        }
        at += c.len_utf8();
        if c == separator {
            parts.push(&text[start..at - c.len_utf8()]);
            start = at;
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The fragments after every `:` and `,` outside of quotes; empty ones are left out.
pub(super) fn arguments(text: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(c) = rest.chars().next() {
        if let Some(length) = quoted(rest) {
            rest = &rest[length..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if matches!(c, ':' | ',') {
            let fragment = take(&mut rest);
            if !fragment.is_empty() {
                found.push(fragment);
            }
        }
    }
    found
}

/// Every `name: value`; commas between them are optional.
pub(super) fn attributes(text: &str) -> Vec<(&str, &str)> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(c) = rest.chars().next() {
        if let Some(length) = quoted(rest) {
            rest = &rest[length..];
            continue;
        }
        if !is_word(c) {
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let name = take_run(&mut rest, is_word);
        let mut after = rest.trim_start();
        if let Some(value) = after.strip_prefix(':') {
            after = value;
            let value = take(&mut after);
            if !value.is_empty() {
                found.push((name, value));
                rest = after;
            }
        }
    }
    found
}
