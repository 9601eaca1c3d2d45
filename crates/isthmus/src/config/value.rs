//! The forms that a setting's value can have.

use std::net::SocketAddr;

use fhir::{Definitions, FhirVersion};

/// The form of a value.
pub(crate) enum Form {
    /// Any text.
    Text,
    /// A path in the file system.
    Path,
    /// An address and port to listen on.
    Address,
    /// A whole number, at least one.
    Count,
    /// A number of bytes: digits, or digits with `k`, `M` or `G` (powers of 1024).
    Bytes,
    /// Milliseconds.
    Milliseconds,
    /// `true` or `false`.
    Switch,
    /// One of these words for all resource types, then others for single types:
    /// `allowed, Patient=refused`.
    Policy(&'static [&'static str]),
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// Checks a text; the error says what is expected.
pub(crate) fn parse(form: &Form, text: &str) -> Result<(), String> {
    let (valid, expected) = match form {
        Form::Text | Form::Path => (
            !text.is_empty(),
            "a text with at least one character".into(),
        ),
        Form::Address => (
            text.parse::<SocketAddr>().is_ok(),
            "an address and port such as 127.0.0.1:8080".into(),
        ),
        Form::Count => (
            number(text).is_some_and(|number| number > 0) && !has_unit(text),
            "a whole number from 1".into(),
        ),
        Form::Bytes => (
            number(text).is_some_and(|number| number > 0),
            "a number of bytes such as 64M".into(),
        ),
        Form::Milliseconds => (
            number(text).is_some() && !has_unit(text),
            "a number of milliseconds".into(),
        ),
        Form::Switch => (matches!(text, "true" | "false"), "true or false".into()),
        Form::Policy(words) => (
            is_policy(words, text),
            format!(
                "one of {}, for single types as in `{}, Patient={}`",
                words.join(", "),
                words[0],
                words[words.len() - 1]
            ),
        ),
        Form::Choice(words) => (
            words.contains(&text),
            format!("one of {}", words.join(", ")),
        ),
    };
    if valid { Ok(()) } else { Err(expected) }
}

/// A whole number, with `k`, `M` or `G` for powers of 1024.
pub(crate) fn number(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'k' => (&text[..text.len() - 1], 10),
        b'M' => (&text[..text.len() - 1], 20),
        b'G' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// The word for all types, and those for single ones.
pub(crate) fn policy(text: &str) -> (&str, impl Iterator<Item = (&str, &str)>) {
    let (others, single) = text.split_once(',').unwrap_or((text, ""));
    let single = single.split(',').filter(|it| !it.trim().is_empty());
    (others.trim(), single.map(pair))
}

fn pair(text: &str) -> (&str, &str) {
    let (name, word) = text.split_once('=').unwrap_or((text, ""));
    (name.trim(), word.trim())
}

fn is_policy(words: &[&str], text: &str) -> bool {
    let is_type = |name| {
        let mut versions = FhirVersion::ALL.into_iter();
        versions.any(|it| Definitions::of(it).resource(name).is_some())
    };
    let (others, mut single) = policy(text);
    words.contains(&others) && single.all(|(name, word)| is_type(name) && words.contains(&word))
}

fn has_unit(text: &str) -> bool {
    text.ends_with(['k', 'M', 'G'])
}

/// The value as TOML writes it.
pub(crate) fn as_toml(form: &Form, text: &str) -> String {
    match form {
        Form::Count | Form::Milliseconds | Form::Switch => text.to_owned(),
        Form::Bytes if !has_unit(text) => text.to_owned(),
        _ => toml::Value::String(text.to_owned()).to_string(),
    }
}
