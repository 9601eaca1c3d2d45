//! Codes of value sets that nobody can enumerate, checked by their grammar as far as is safe.
//!
//! A grammar refuses only what cannot be a code; whether a language exists is not known. Units are
//! read whole ([`crate::ucum`]): one that UCUM does not have is refused.

use crate::ucum;

/// Whether a code fits the grammar of that name in the table of open value sets.
pub(crate) fn fits(grammar: &str, code: &str) -> bool {
    match grammar {
        "media-type" => is_media_type(code),
        "language-tag" => is_language_tag(code),
        "ucum" => ucum::Unit::read(code).is_some(),
        _ => true,
    }
}

/// RFC 6838 §4.2, parameters as in RFC 9110 §5.6.6. FHIR itself uses bare names such as `xml` in
/// `CapabilityStatement.format`, so a missing subtype is let through.
fn is_media_type(code: &str) -> bool {
    let (names, _parameters) = code.split_once(';').unwrap_or((code, ""));
    let mut names = names.trim_end().splitn(2, '/');
    names.all(|name| {
        (1..=127).contains(&name.len())
            && name
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&it))
    })
}

/// RFC 5646 §2.1: a language or `x`/`i`, then subtags of up to eight letters and digits.
fn is_language_tag(code: &str) -> bool {
    let mut subtags = code.split('-');
    let language = subtags.next().is_some_and(|it| {
        (1..=8).contains(&it.len()) && it.bytes().all(|byte| byte.is_ascii_alphabetic())
    });
    let short = |it: &str| {
        (1..=8).contains(&it.len()) && it.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    language && subtags.all(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(grammar: &str, good: &[&str], bad: &[&str]) {
        for code in good {
            assert!(fits(grammar, code), "{grammar}: {code}");
        }
        for code in bad {
            assert!(!fits(grammar, code), "{grammar}: {code}");
        }
    }

    #[test]
    fn media_types() {
        check(
            "media-type",
            &[
                "text/plain",
                "application/fhir+json; charset=utf-8",
                "xml",
                "*/*",
                "image/svg+xml",
            ],
            &[
                "",
                "text/",
                "/plain",
                "text plain",
                "text/plain/x",
                "text/<plain>",
            ],
        );
    }

    #[test]
    fn language_tags() {
        check(
            "language-tag",
            &[
                "en",
                "de-CH-1996",
                "zh-Hant-TW",
                "x-pirate",
                "i-klingon",
                "sl-rozaj",
            ],
            &["", "en_US", "123", "en-", "-en", "englishlanguage", "en US"],
        );
    }

    #[test]
    fn units() {
        check(
            "ucum",
            &["mg", "10*3/uL", "{score}", "g/(8.h){shift}"],
            &["", "mg dl", "m)", "units", "Mg/dl/"],
        );
    }

    #[test]
    fn what_has_no_grammar_passes() {
        check("", &["anything"], &[]);
    }
}
