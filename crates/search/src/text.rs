//! Texts: those of queries (pairs, percent-encoding, escapes), and how texts are compared.
//!
//! A text is folded before it is compared: case, accents and the width of letters do not count, and
//! what stands between words is one space (<https://hl7.org/fhir/R4/search.html#string>). Entries
//! and queries are folded by the same function.
//!
//! <https://hl7.org/fhir/R4/search.html#escaping>,
//! <https://url.spec.whatwg.org/#application/x-www-form-urlencoded>

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in a query: what is common in FHIR queries and means nothing in a URL's.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b':')
    .remove(b',')
    .remove(b'$');

/// The names and values of a query, decoded; what cannot be decoded is `None`.
pub fn pairs(query: &str) -> impl Iterator<Item = (Option<String>, Option<String>)> {
    let given = query.split('&').filter(|pair| !pair.is_empty());
    given.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

/// A name and value as they stand in a query.
pub fn append_pair(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.extend(utf8_percent_encode(name, ENCODED));
    query.push('=');
    query.extend(utf8_percent_encode(value, ENCODED));
}

/// `None` for a `%` without two digits behind it, and for what is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let whole =
        |part: &str| part.len() >= 2 && part.bytes().take(2).all(|it| it.is_ascii_hexdigit());
    if !text.split('%').skip(1).all(whole) {
        return None;
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(Cow::into_owned)
}

/// The parts between separators that no `\` escapes; escapes stay in the parts.
pub(crate) fn split_unescaped(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_escaped = false;
    text.split(move |character| {
        let separates = character == separator && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        separates
    })
}

/// The text with its escapes `\,` `\|` `\$` `\\` undone; `None` for any other.
pub(crate) fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.push(
                characters
                    .next()
                    .filter(|it| matches!(it, ',' | '|' | '$' | '\\'))?,
            ),
            other => plain.push(other),
        }
    }
    Some(plain)
}

/// What letters become when they are compared; see `data/SOURCE.md`.
static FOLDED: LazyLock<HashMap<char, &'static str>> = LazyLock::new(|| {
    let rows = include_str!("../data/fold.tsv").lines();
    let pairs = rows.filter_map(|row| row.split_once('\t'));
    pairs
        .flat_map(|(becomes, letters)| letters.chars().map(move |letter| (letter, becomes)))
        .collect()
});

/// The text as it is compared: in lower case, without accents, words joined by one space.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut is_apart = false;
    for character in text.chars() {
        if character.is_ascii() {
            fold_one(character, &mut is_apart, &mut folded);
            continue;
        }
        match FOLDED.get(&character) {
            Some(becomes) => becomes
                .chars()
                .for_each(|it| fold_one(it, &mut is_apart, &mut folded)),
            None => character
                .to_lowercase()
                .for_each(|it| fold_lower(it, &mut is_apart, &mut folded)),
        }
    }
    folded
}

fn fold_lower(character: char, is_apart: &mut bool, folded: &mut String) {
    match FOLDED.get(&character) {
        Some(becomes) => becomes
            .chars()
            .for_each(|it| fold_one(it, is_apart, folded)),
        None => fold_one(character, is_apart, folded),
    }
}

fn fold_one(character: char, is_apart: &mut bool, folded: &mut String) {
    if !character.is_alphanumeric() {
        *is_apart = true;
        return;
    }
    if std::mem::take(is_apart) && !folded.is_empty() {
        folded.push(' ');
    }
    folded.push(character.to_ascii_lowercase());
}

/// The words of a folded text.
pub fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(' ').filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_without_case_accents_and_punctuation() {
        for (text, expected) in [
            ("Müller", "muller"),
            ("Mu\u{308}ller", "muller"),
            ("  O'Brien-Smith,  John ", "o brien smith john"),
            ("Straße", "strasse"),
            ("İstanbul", "istanbul"),
            ("ISTANBUL ı", "istanbul i"),
            ("Nguyễn Thị Hương", "nguyen thi huong"),
            ("Ωραίος ΛΌΓΟΣ", "ωραιοσ λογοσ"),
            ("Сергей ЙОД", "сергеи иод"),
            ("ＡＢＣ ﬁn", "abc fin"),
            ("張伟", "張伟"),
            ("1.5 mg/dL", "1 5 mg dl"),
            ("--", ""),
            ("", ""),
        ] {
            let folded = fold(text);
            assert_eq!(folded, expected, "{text}");
            assert_eq!(fold(&folded), folded, "{text}");
        }
        assert_eq!(words(&fold("a, b  c")).collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn percent_encoding_is_undone_or_refused() {
        for (text, expected) in [
            ("a%20b+c", Some("a b c")),
            ("%C3%A4", Some("ä")),
            ("%", None),
            ("%2", None),
            ("%zz", None),
            ("%ff", None),
            ("%2B", Some("+")),
        ] {
            assert_eq!(decode(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn pairs_come_back_from_what_was_appended() {
        let mut query = String::new();
        let given = [("identifier", "http://x|a&b=c+d e"), ("_id", "ä%")];
        for (name, value) in given {
            append_pair(&mut query, name, value);
        }
        let back: Vec<_> = pairs(&query)
            .map(|(name, value)| (name.unwrap(), value.unwrap()))
            .collect();
        assert_eq!(
            back,
            given.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn escapes_keep_separators() {
        let parts: Vec<_> = split_unescaped(r"a\,b,c\\,d", ',').collect();
        assert_eq!(parts, [r"a\,b", r"c\\", "d"]);
        assert_eq!(unescape(r"a\,b\|c\$d\\e").as_deref(), Some(r"a,b|c$d\e"));
        assert_eq!(unescape(r"a\x"), None);
        assert_eq!(unescape("a\\"), None);
    }
}
