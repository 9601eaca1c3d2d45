//! From the JSON that FHIR → HL7 v2 templates write, `{"messageDefinition":[{"PID":{"3":"…"}}]}`,
//! to a message. Line breaks in values become `\.br\`: no value can begin a segment.
//!
//! Compatible templates write fields as text with its separators. Strict ones write their parts: a
//! list has repeats, an object components or subcomponents by number, and text is a value, which is
//! escaped (HL7 v2.9 §2.7). Separators at the end of a segment, field or component say nothing and
//! are left away; segments end in CR (§2.5.2).

use std::collections::BTreeMap;
use std::fmt::Write;

use super::hl7v2::HEADERS;
use crate::error::{ConvertError, ErrorKind, Result};
use crate::value::{Arena, Map, Value, print};

/// Greatest number of a field.
const FIELD_MAX: usize = 1000;

/// What the header of a strict message begins with: the separators that are used (§2.5.4).
const ENCODING_CHARACTERS: &str = "^~\\&";

/// What divides the parts of a field, the outermost first: repeats, components, subcomponents.
const SEPARATORS: [char; 3] = ['~', '^', '&'];

/// Characters that are not written as they are, and how.
const ESCAPES: &[(char, &str)] = &[
    ('|', "\\F\\"),
    ('^', "\\S\\"),
    ('~', "\\R\\"),
    ('&', "\\T\\"),
    ('\\', "\\E\\"),
    ('\n', "\\.br\\"),
];

/// The message of a compatible library.
pub(crate) fn message<'a>(root: Value<'a>, arena: &'a Arena) -> Result<String> {
    let mut message = String::new();
    for (name, fields) in segments(root)? {
        write_segment(name, &fields, arena, &mut message);
    }
    Ok(message)
}

/// The message of a strict library.
pub(crate) fn structured<'a>(root: Value<'a>, arena: &'a Arena) -> Result<String> {
    let mut message = String::new();
    for (number, (name, fields)) in segments(root)?.into_iter().enumerate() {
        let place = format!("segment {}", number + 1);
        if !is_name(name) {
            return Err(fault(
                "a segment's name is not three capitals or digits",
                &place,
            ));
        }
        message.push_str(name);
        let first = if HEADERS.contains(&name) {
            if fields.keys().any(|it| *it < 3) {
                let what = "the separators in a header are not a template's";
                return Err(fault(what, &format!("{name}, {place}")));
            }
            write!(message, "|{ENCODING_CHARACTERS}").expect("writing to a string cannot fail");
            3
        } else {
            1
        };
        let last = fields.last_key_value().map_or(0, |(number, _)| *number);
        for number in first..=last {
            message.push('|');
            if let Some(value) = fields.get(&number) {
                let place = format!("{name}-{number}, {place}");
                write_part(*value, 0, &place, arena, &mut message)?;
            }
        }
        trim(&mut message, '|');
        message.push('\r');
    }
    Ok(message)
}

fn is_name(name: &str) -> bool {
    let is_letter = |it: u8| it.is_ascii_uppercase() || it.is_ascii_digit();
    name.len() == 3 && name.bytes().all(is_letter)
}

/// A field, repeat, component or subcomponent, by how deep it is.
fn write_part<'a>(
    value: Value<'a>,
    depth: usize,
    place: &str,
    arena: &'a Arena,
    into: &mut String,
) -> Result<()> {
    match value {
        Value::List(repeats) if depth == 0 => {
            for (at, repeat) in repeats.iter().enumerate() {
                if at > 0 {
                    into.push(SEPARATORS[0]);
                }
                write_part(*repeat, 1, place, arena, into)?;
            }
            trim(into, SEPARATORS[0]);
        }
        Value::List(_) => return Err(fault("repeats stand inside of a repeat", place)),
        // A field that is no list is its only repeat.
        Value::Map(_) if depth == 0 => write_part(value, 1, place, arena, into)?,
        Value::Map(parts) => {
            let Some(separator) = SEPARATORS.get(depth) else {
                return Err(fault("a subcomponent has no parts", place));
            };
            let parts = numbered(parts, place)?;
            let last = parts.last_key_value().map_or(0, |(number, _)| *number);
            for number in 1..=last {
                if number > 1 {
                    into.push(*separator);
                }
                if let Some(part) = parts.get(&number) {
                    write_part(*part, depth + 1, place, arena, into)?;
                }
            }
            trim(into, *separator);
        }
        text => escape(print::exact(text, arena).as_str(), into),
    }
    Ok(())
}

/// Takes off separators that nothing follows.
fn trim(text: &mut String, separator: char) {
    text.truncate(text.trim_end_matches(separator).len());
}

fn escape(text: &str, into: &mut String) {
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let c = match c {
            '\r' if characters.peek() == Some(&'\n') => continue,
            '\r' => '\n',
            other => other,
        };
        match ESCAPES.iter().find(|it| it.0 == c) {
            Some((_, escaped)) => into.push_str(escaped),
            None if c.is_ascii_control() => {
                write!(into, "\\X{:02X}\\", u32::from(c)).expect("writing to a string cannot fail");
            }
            None => into.push(c),
        }
    }
}

/// The segments with their fields by number.
fn segments(root: Value<'_>) -> Result<Vec<(&str, BTreeMap<usize, Value<'_>>)>> {
    let segments = root.as_map().and_then(|it| it.get("messageDefinition"));
    let Some(Value::List(segments)) = segments else {
        return Err(fault(
            "the output has no list `messageDefinition`",
            "its outermost object",
        ));
    };
    let mut found = Vec::new();
    for (number, segment) in segments.iter().enumerate() {
        let place = format!("item {} of `messageDefinition`", number + 1);
        let map = segment
            .as_map()
            .ok_or_else(|| fault("a segment is no object", &place))?;
        for (name, fields) in map.members() {
            let fields = fields
                .as_map()
                .ok_or_else(|| fault("the fields of a segment are no object", &place))?;
            found.push((*name, numbered(fields, &place)?));
        }
    }
    Ok(found)
}

/// Members by their names, which are numbers.
fn numbered<'a>(map: &Map<'a>, place: &str) -> Result<BTreeMap<usize, Value<'a>>> {
    let mut found = BTreeMap::new();
    for (name, value) in map.members() {
        let number = name.parse().ok().filter(|it| (1..=FIELD_MAX).contains(it));
        let number = number.ok_or_else(|| {
            let what = format!("the name of a field or of its part is no number up to {FIELD_MAX}");
            fault(&what, place)
        })?;
        found.insert(number, *value);
    }
    Ok(found)
}

fn fault(what: &str, place: &str) -> ConvertError {
    ConvertError::new(ErrorKind::Json, format!("{what} at {place}"))
}

fn write_segment<'a>(
    name: &str,
    fields: &BTreeMap<usize, Value<'a>>,
    arena: &'a Arena,
    into: &mut String,
) {
    into.push_str(name);
    into.push('|');
    // The first field of a header is the separator that was just written.
    let first = if HEADERS.contains(&name) { 2 } else { 1 };
    let last = fields.last_key_value().map_or(0, |(number, _)| *number);
    for number in first..=last {
        let value = fields
            .get(&number)
            .map(|it| print::text(*it, arena).as_str());
        let value = value.unwrap_or_default();
        let value = value
            .replace("\r\n", "\\.br\\")
            .replace(['\r', '\n'], "\\.br\\");
        into.push_str(&value);
        into.push('|');
    }
    into.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budgets;

    #[test]
    fn gaps_are_filled_and_headers_shifted() {
        let arena = Arena::new();
        let text =
            r#"{"messageDefinition":[{"MSH":{"2":"^~\\&","9":"ORU^R01"}},{"PID":{"3":"a\nb"}}]}"#;
        let root = super::super::json::read(text, &Budgets::default(), &arena).unwrap();
        let expected = "MSH|^~\\&|||||||ORU^R01|\nPID|||a\\.br\\b|\n";
        assert_eq!(message(root, &arena).unwrap(), expected);
    }

    fn written(text: &str) -> String {
        let arena = Arena::new();
        let root = super::super::json::read(text, &Budgets::default(), &arena).unwrap();
        structured(root, &arena).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn parts_are_divided_and_values_escaped() {
        for (text, expected) in [
            (
                r#"[{"MSH":{"9":{"1":"ADT","2":"A01"}}},{"PID":{"3":[{"1":"1","4":{"2":"a"}},"2"],"5":{"3":"x"}}}]"#,
                "MSH|^~\\&|||||||ADT^A01\rPID|||1^^^&a~2||^^x\r",
            ),
            (
                r#"[{"NTE":{"1":1,"3":"a|b^c~d\\e&f\r\ng\rh\ni\tj"}}]"#,
                "NTE|1||a\\F\\b\\S\\c\\R\\d\\E\\e\\T\\f\\.br\\g\\.br\\h\\.br\\i\\X09\\j\r",
            ),
            (r#"[{"OBX":{"5":6.30,"9":[]}}]"#, "OBX|||||6.30\r"),
            (r#"[{"PV2":{"3":{"9":"","2":{"4":""}}}}]"#, "PV2\r"),
            (
                r#"[{"MSH":{"2":"x"}}]"#,
                "the separators in a header are not a template's at MSH, segment 1",
            ),
            (
                r#"[{"PID\nX":{}}]"#,
                "a segment's name is not three capitals or digits at segment 1",
            ),
            (
                r#"[{"PID":{"3":[[]]}}]"#,
                "repeats stand inside of a repeat at PID-3, segment 1",
            ),
            (
                r#"[{"PID":{"3":{"1":{"1":{}}}}}]"#,
                "a subcomponent has no parts at PID-3, segment 1",
            ),
            (
                r#"[{"PID":{"x":"1"}}]"#,
                "the name of a field or of its part is no number up to 1000 at item 1 of `messageDefinition`",
            ),
            (
                "1",
                "the output has no list `messageDefinition` at its outermost object",
            ),
        ] {
            let text = format!(r#"{{"messageDefinition":{text}}}"#);
            assert_eq!(written(&text), expected, "{text}");
        }
    }
}
