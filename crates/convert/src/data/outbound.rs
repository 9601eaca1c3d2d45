//! From the JSON that FHIR → HL7 v2 templates write, `{"messageDefinition":[{"PID":{"3":"…"}}]}`,
//! to a message. Line breaks in values become `\.br\`: no value can begin a segment.

use std::collections::BTreeMap;

use super::hl7v2::HEADERS;
use crate::error::{ConvertError, ErrorKind, Result};
use crate::value::{Arena, Value, print};

/// Greatest number of a field.
const FIELD_MAX: usize = 1000;

/// The message.
pub(crate) fn message<'a>(root: Value<'a>, arena: &'a Arena) -> Result<String> {
    let segments = root.as_map().and_then(|it| it.get("messageDefinition"));
    let Some(Value::List(segments)) = segments else {
        return Err(fault("the output has no list `messageDefinition`"));
    };
    let mut message = String::new();
    for segment in segments {
        let map = segment
            .as_map()
            .ok_or_else(|| fault("a segment is no object"))?;
        for (name, fields) in map.members() {
            write_segment(name, *fields, arena, &mut message)?;
        }
    }
    Ok(message)
}

fn fault(what: &str) -> ConvertError {
    ConvertError::new(ErrorKind::Json, what)
}

fn write_segment<'a>(
    name: &str,
    fields: Value<'a>,
    arena: &'a Arena,
    into: &mut String,
) -> Result<()> {
    let map = fields
        .as_map()
        .ok_or_else(|| fault("the fields of a segment are no object"))?;
    let mut numbered = BTreeMap::new();
    for (number, value) in map.members() {
        let number = number
            .parse()
            .ok()
            .filter(|it| (1..=FIELD_MAX).contains(it));
        let number: usize = number.ok_or_else(|| fault("a field's name is no number"))?;
        numbered.insert(number, print::text(*value, arena).as_str());
    }
    into.push_str(name);
    into.push('|');
    // The first field of a header is the separator that was just written.
    let first = if HEADERS.contains(&name) { 2 } else { 1 };
    let last = numbered.last_key_value().map_or(0, |(number, _)| *number);
    for number in first..=last {
        let value = numbered.get(&number).copied().unwrap_or_default();
        let value = value
            .replace("\r\n", "\\.br\\")
            .replace(['\r', '\n'], "\\.br\\");
        into.push_str(&value);
        into.push('|');
    }
    into.push('\n');
    Ok(())
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
}
