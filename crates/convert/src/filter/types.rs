//! Types: what an input has as FHIR's primitives, and FHIR's as HL7 v2 writes them.

use fhir::FhirVersion;
use fhir::primitive::Primitive;

use super::argument;
use super::moment::Moment;
use super::strict::{mark, peeked};
use crate::error::Result;
use crate::render::Renderer;
use crate::value::Value;

/// The names of the types that `as` knows.
pub(crate) fn types() -> impl Iterator<Item = &'static str> {
    TYPES.iter().copied()
}

const TYPES: &[&str] = &[
    "base64Binary",
    "boolean",
    "canonical",
    "code",
    "date",
    "dateTime",
    "decimal",
    "id",
    "instant",
    "integer",
    "language",
    "markdown",
    "oid",
    "positiveInt",
    "string",
    "time",
    "unsignedInt",
    "uri",
    "url",
    "uuid",
];

pub(super) fn as_type<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let kind = argument(arguments, 0).as_text().unwrap_or_default();
    let Some(text) = peeked(renderer, value) else {
        return Ok(Value::Null);
    };
    let made = match kind {
        "boolean" => boolean(text),
        "language" => language(text),
        "decimal" | "integer" | "positiveInt" | "unsignedInt" => numeral(renderer, text, kind),
        _ => lexical(renderer, text, kind),
    };
    if made.is_some() {
        mark(value);
    }
    Ok(made.unwrap_or(Value::Null))
}

/// `Y` and `N` (table 0136), or FHIR's words.
fn boolean(text: &str) -> Option<Value<'static>> {
    match text.trim() {
        "Y" | "y" | "true" => Some(Value::Bool(true)),
        "N" | "n" | "false" => Some(Value::Bool(false)),
        _ => None,
    }
}

/// A tag of BCP 47, by its looks.
fn language(text: &str) -> Option<Value<'_>> {
    let text = text.trim();
    let mut parts = text.split('-');
    let is_word = |it: &str| it.bytes().all(|it| it.is_ascii_alphanumeric());
    let begins = parts.next().is_some_and(|it| {
        (2..=3).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_alphabetic())
    });
    let goes_on = parts.all(|it| (1..=8).contains(&it.len()) && is_word(it));
    (begins && goes_on).then(|| Value::plain(text))
}

/// A number as HL7 v2 writes it (§2A.3.46 NM): with a plus, zeros in front, or nothing beside the point.
fn numeral<'a>(renderer: &Renderer<'a>, text: &str, kind: &str) -> Option<Value<'a>> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let is_digits = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !is_digits(whole) || !is_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let written = match fraction {
        "" => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    };
    let written = renderer.arena.alloc_str(&written);
    let accepts = Primitive::named(kind)?.accepts(written, FhirVersion::R4);
    // As text: its digits are its precision, and it may stand bare.
    accepts.then(|| Value::plain(written))
}

fn lexical<'a>(renderer: &Renderer<'a>, text: &'a str, kind: &str) -> Option<Value<'a>> {
    let made = match kind {
        "date" => moment(renderer, text)?.fhir_date(),
        "dateTime" => moment(renderer, text)?.fhir(),
        "instant" => {
            let moment = moment(renderer, text)?;
            moment.time?;
            moment.fhir()
        }
        "time" => time(text)?,
        "code" => text.split_whitespace().collect::<Vec<_>>().join(" "),
        "string" | "markdown" => text.trim().to_owned(),
        "uri" | "url" | "canonical" | "oid" | "uuid" | "id" | "base64Binary" => {
            text.trim().to_owned()
        }
        _ => return None,
    };
    let accepts = Primitive::named(kind)?.accepts(&made, FhirVersion::R4);
    accepts.then(|| {
        if made == text {
            Value::plain(text)
        } else {
            Value::plain(renderer.arena.alloc_str(&made))
        }
    })
}

/// A moment of HL7 v2 or FHIR. A time is in the zone that it names, else in that of MSH-7, else the
/// channel's, else the library's.
fn moment<'t>(renderer: &Renderer<'_>, text: &'t str) -> Option<Moment<'t>> {
    let moment = Moment::parse_hl7v2(text).or_else(|| Moment::parse_fhir(text))?;
    let zone = || {
        let channel = renderer.settings.zone_offset_minutes.map(i64::from);
        let library = renderer.library.zone_offset_minutes().map(i64::from);
        renderer.message_offset.or(channel).or(library).unwrap_or(0)
    };
    let offset = match moment.time {
        Some(_) => moment.offset.or_else(|| Some(zone())),
        None => None,
    };
    Some(Moment { offset, ..moment })
}

/// The names of the types that `as_hl7v2` knows.
pub(crate) const HL7V2_TYPES: &[&str] = &["DT", "DTM", "NM", "TM"];

/// What FHIR writes, as HL7 v2 writes it (§2A.3.21 DT, .22 DTM, .46 NM, .75 TM).
pub(super) fn as_hl7v2<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let kind = argument(arguments, 0).as_text().unwrap_or_default();
    let Some(text) = peeked(renderer, value) else {
        return Ok(Value::Null);
    };
    let made = match kind {
        "DT" => Moment::parse_fhir(text).map(|it| it.fhir_date().replace('-', "")),
        "DTM" => Moment::parse_fhir(text).map(|it| it.hl7v2()),
        "TM" => Moment::parse_fhir(&format!("1970-01-01T{text}"))
            .filter(|it| it.time.is_some())
            .map(|it| it.hl7v2().split_off("19700101".len())),
        "NM" => numeral(renderer, text, "decimal")
            .and_then(|it| it.as_text())
            .map(str::to_owned),
        _ => None,
    };
    if made.is_some() {
        mark(value);
    }
    let made = made.map(|it| Value::plain(renderer.arena.alloc_str(&it)));
    Ok(made.unwrap_or(Value::Null))
}

/// A time of day (§2A.3.75 TM), or that of a moment; its zone is left away, FHIR's has none.
fn time(text: &str) -> Option<String> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let day = if digits <= 6 { "19700101" } else { "" };
    let whole = format!("{day}{text}");
    let moment = Moment::parse_hl7v2(&whole)?;
    moment.time?;
    let fhir = Moment {
        offset: Some(0),
        ..moment
    }
    .fhir();
    let (_, time) = fhir.split_once('T')?;
    Some(time.trim_end_matches('Z').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_one() {
        let is_own = |it: &str| matches!(it, "boolean" | "language");
        assert!(types().all(|it| is_own(it) || Primitive::named(it).is_some()));
    }

    #[test]
    fn times_of_day() {
        for (text, expected) in [
            ("0830", Some("08:30:00")),
            ("083015.25+0100", Some("08:30:15.25")),
            ("202001020830", Some("08:30:00")),
            ("20200102", None),
            ("x", None),
        ] {
            assert_eq!(time(text).as_deref(), expected, "{text}");
        }
    }
}
