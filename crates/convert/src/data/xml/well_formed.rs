//! What makes a text XML and is not seen by the tokenizer (XML 1.0, fifth edition): characters
//! (§2.2), names (§2.3), attributes (§3.1), references (§4.1) and the declaration (§2.8).

use quick_xml::events::attributes::{AttrError, Attribute, Attributes};

/// What is wrong, and where in the text.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) what: String,
}

pub(super) type Checked<T = ()> = Result<T, Fault>;

pub(super) fn fault<T>(at: usize, what: impl Into<String>) -> Checked<T> {
    let what = what.into();
    Err(Fault { at, what })
}

/// What XML takes as a character (§2.2).
fn is_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r') || !(c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}'))
}

/// Refuses the first character that XML does not take.
pub(super) fn characters(text: &str) -> Checked {
    let is_control = |it: &u8| *it < b' ' && !matches!(it, b'\t' | b'\n' | b'\r');
    let control = text.as_bytes().iter().position(is_control);
    let mut others = memchr::memchr_iter(0xef, text.as_bytes());
    let other = others.find(|at| !text[*at..].starts_with(is_character));
    match control.into_iter().chain(other).min() {
        Some(at) => {
            let number = text[at..].chars().next().map_or(0, u32::from);
            fault(at, format!("the character U+{number:04X} is none of XML's"))
        }
        None => Ok(()),
    }
}

/// Where names may begin and go on beyond the first 128 characters (§2.3).
const NAME_STARTS: &[(char, char)] = &[
    ('\u{c0}', '\u{d6}'),
    ('\u{d8}', '\u{f6}'),
    ('\u{f8}', '\u{2ff}'),
    ('\u{370}', '\u{37d}'),
    ('\u{37f}', '\u{1fff}'),
    ('\u{200c}', '\u{200d}'),
    ('\u{2070}', '\u{218f}'),
    ('\u{2c00}', '\u{2fef}'),
    ('\u{3001}', '\u{d7ff}'),
    ('\u{f900}', '\u{fdcf}'),
    ('\u{fdf0}', '\u{fffd}'),
    ('\u{10000}', '\u{effff}'),
];

fn begins_name(c: char) -> bool {
    let is_listed = || {
        NAME_STARTS
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&c))
    };
    c.is_ascii_alphabetic() || matches!(c, '_' | ':') || (!c.is_ascii() && is_listed())
}

fn is_in_name(c: char) -> bool {
    let is_sign = matches!(
        c,
        '-' | '.' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}' | '\u{2040}'
    );
    c.is_ascii_digit() || is_sign || begins_name(c)
}

/// Refuses what is no name; it begins at that place.
pub(super) fn name(name: &str, of: &str, at: usize) -> Checked {
    match name.chars().next() {
        None => return fault(at, format!("the name of {of} is missing")),
        Some(first) if !begins_name(first) => {
            return fault(at, format!("the name of {of} begins with no letter"));
        }
        Some(_) => {}
    }
    match name.find(|c| !is_in_name(c)) {
        Some(wrong) => fault(
            at + wrong,
            format!("the name of {of} holds a character that names have not"),
        ),
        None => Ok(()),
    }
}

/// Where a part of a text begins in it.
pub(super) fn place_in(text: &str, part: &str) -> usize {
    part.as_ptr().addr().saturating_sub(text.as_ptr().addr())
}

/// Greatest number of attributes of one element; documents have a dozen.
const ATTRIBUTES_MAX: usize = 1_000;

/// The attributes of a tag that begins there, each looked at.
pub(super) fn attributes<'t>(
    text: &str,
    found: Attributes<'t>,
    tag: usize,
) -> Checked<Vec<Attribute<'t>>> {
    let mut attributes = Vec::new();
    let mut found = found;
    for attribute in found.with_checks(false) {
        let attribute = attribute.map_err(|error| of_attribute(&error, tag))?;
        let key: &'t str = attribute.key.into_inner();
        let at = place_in(text, key);
        name(key, "an attribute", at)?;
        if !text[..at].ends_with([' ', '\t', '\r', '\n']) {
            return fault(at, "white space is missing before an attribute");
        }
        if let Some(wrong) = attribute.value.find('<') {
            let at = place_in(text, &attribute.value) + wrong;
            return fault(at, "a `<` stands in an attribute's value; write `&lt;`");
        }
        attributes.push(attribute);
        if attributes.len() > ATTRIBUTES_MAX {
            let what = format!("more than {ATTRIBUTES_MAX} attributes (`attributes_max`)");
            return fault(at, what);
        }
    }
    if let Some(at) = repeated(text, &attributes) {
        return fault(at, "an attribute is there twice");
    }
    Ok(attributes)
}

/// Where an attribute repeats the name of one before it. A few are compared with each other, many
/// are sorted: a thousand of them in each of a thousand elements must not take a thousand squared.
fn repeated(text: &str, attributes: &[Attribute<'_>]) -> Option<usize> {
    const COMPARED_MAX: usize = 16;
    let names = attributes.iter().map(|it| it.key.into_inner());
    if attributes.len() <= COMPARED_MAX {
        let mut numbered = names.enumerate();
        let is_before = |at: usize, name: &str| {
            let before = &attributes[..at];
            before.iter().any(|it| it.key.into_inner() == name)
        };
        let second = numbered.find(|(at, name)| is_before(*at, name));
        return second.map(|(_, name)| place_in(text, name));
    }
    let mut names: Vec<_> = names.map(|it| (it, place_in(text, it))).collect();
    names.sort_unstable();
    let pairs = names.windows(2).filter(|it| it[0].0 == it[1].0);
    pairs.map(|it| it[1].1).min()
}

/// The places in these errors are counted from the tag's name.
fn of_attribute(error: &AttrError, tag: usize) -> Fault {
    let (at, what) = match error {
        AttrError::ExpectedEq(at) => (at, "an attribute has no value"),
        AttrError::ExpectedValue(at) => (at, "the value of an attribute is missing after its `=`"),
        AttrError::UnquotedValue(at) => (at, "the value of an attribute is not in quotes"),
        AttrError::ExpectedQuote(at, _) => (at, "the value of an attribute is not closed"),
        AttrError::Duplicated(at, _) => (at, "an attribute is there twice"),
    };
    Fault {
        at: tag + 1 + at,
        what: what.to_owned(),
    }
}

/// What the tokenizer takes as a declaration, from `<?xml` to `?>`.
pub(super) fn declaration(text: &str, tag: usize, end: usize) -> Checked<Vec<(&str, &str)>> {
    if tag > 0 {
        let what = "an XML declaration stands at the very beginning or nowhere";
        return fault(tag, what);
    }
    let inner = text.get(2..end.saturating_sub(2)).unwrap_or_default();
    let found = attributes(text, Attributes::new(inner, 3), tag + 1)?;
    let mut parts = Vec::new();
    let mut expected = ["version", "encoding", "standalone"].into_iter();
    for (number, attribute) in found.iter().enumerate() {
        let name = attribute.key.into_inner();
        let at = place_in(text, &attribute.value);
        let value = &text[at..at + attribute.value.len()];
        if number == 0 && name != "version" {
            return fault(
                place_in(text, name),
                "an XML declaration begins with its `version`",
            );
        }
        if !expected.any(|it| it == name) {
            let what =
                "an XML declaration has `version`, `encoding` and `standalone`, in this order";
            return fault(place_in(text, name), what);
        }
        let (is_taken, what) = match name {
            "version" => (is_version(value), "the version is not 1.0"),
            "encoding" => (is_encoding(value), "the encoding has no name"),
            _ => (
                matches!(value, "yes" | "no"),
                "`standalone` is neither yes nor no",
            ),
        };
        if !is_taken {
            return fault(at, what);
        }
        parts.push((name, value));
    }
    if parts.is_empty() {
        return fault(tag, "an XML declaration begins with its `version`");
    }
    Ok(parts)
}

/// A document of a later minor version is read as one of 1.0 (§2.8).
fn is_version(text: &str) -> bool {
    let minor = text.strip_prefix("1.");
    minor.is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()))
}

fn is_encoding(text: &str) -> bool {
    let is_in_it = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'_' | b'-');
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(is_in_it)
}

/// The character of `&name;`.
pub(crate) fn referenced(name: &str) -> Result<char, String> {
    if let Some(number) = name.strip_prefix('#') {
        return numbered(number);
    }
    match name {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        "" => Err("a reference has no name; write a bare `&` as `&amp;`".to_owned()),
        _ => Err("a reference to something that is not one of XML's own entities".to_owned()),
    }
}

fn numbered(number: &str) -> Result<char, String> {
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    // A sign would be taken as a digit's part.
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        let what = "a character is referred to by digits, `&#65;` or `&#x41;`";
        return Err(what.to_owned());
    }
    let found = u32::from_str_radix(digits, radix).ok();
    let found = found
        .and_then(char::from_u32)
        .filter(|it| is_character(*it));
    found.ok_or_else(|| "a reference to a number that is no character of XML".to_owned())
}
