//! Query texts: `name=value` pairs, percent-encoded, as in a URL or a form.
//!
//! Only what the HTTP surface itself needs is decoded here (`_format`, `_pretty`, …); the rest
//! travels on as raw text, because criteria are `interactions`' business.

use std::borrow::Cow;

use fhir::{Fault, Issue};

/// The raw pairs of a query text.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, "")))
}

/// A name or value, decoded: `+` is a blank.
pub(crate) fn decode(text: &str) -> Result<Cow<'_, str>, Issue> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    percent_decode(&text.replace('+', " ")).map(|decoded| Cow::Owned(decoded.into_owned()))
}

/// Undoes percent-encoding; refuses halves of it, what is not UTF-8, and NUL.
pub(crate) fn percent_decode(text: &str) -> Result<Cow<'_, str>, Issue> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let bytes = text.as_bytes();
    let encoded = |at: usize| bytes.get(at + 1..at + 3).is_some_and(all_hexadecimal);
    if (0..bytes.len()).any(|at| bytes[at] == b'%' && !encoded(at)) {
        return Err(malformed(
            "a `%` in the URL is not followed by two hexadecimal digits",
        ));
    }
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| malformed("the URL is not UTF-8 once decoded"))?;
    if decoded.contains('\0') {
        return Err(malformed("the URL holds the character NUL"));
    }
    Ok(decoded)
}

fn all_hexadecimal(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_hexdigit)
}

fn malformed(what: &str) -> Issue {
    Issue::error(Fault::Invalid, what).mend("percent-encode the URL's parts as UTF-8")
}

/// The query without the pairs of these names.
pub(crate) fn without(query: &str, names: &[&str]) -> String {
    let mut rest = String::with_capacity(query.len());
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let name = part.split_once('=').map_or(part, |(name, _)| name);
        if names.contains(&name) {
            continue;
        }
        if !rest.is_empty() {
            rest.push('&');
        }
        rest.push_str(part);
    }
    rest
}

/// Two query texts as one.
pub(crate) fn joined(one: &str, other: &str) -> String {
    match (one.is_empty(), other.is_empty()) {
        (_, true) => one.to_owned(),
        (true, _) => other.to_owned(),
        _ => format!("{one}&{other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_refuses_what_is_no_text() {
        for (text, expected) in [
            ("plain", Some("plain")),
            ("a%20b+c", Some("a b c")),
            ("%C3%A4", Some("ä")),
            ("%", None),
            ("%2", None),
            ("%zz", None),
            ("%ff", None),
            ("%00", None),
        ] {
            assert_eq!(decode(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn pairs_can_be_taken_out() {
        let query = "_format=json&name=a%26b&&_pretty";
        assert_eq!(without(query, &["_format", "_pretty"]), "name=a%26b");
        assert_eq!(joined("", "a=b"), "a=b");
        assert_eq!(joined("a=b", "c=d"), "a=b&c=d");
        let all: Vec<_> = pairs(query).collect();
        assert_eq!(
            all,
            [("_format", "json"), ("name", "a%26b"), ("_pretty", "")]
        );
    }
}
