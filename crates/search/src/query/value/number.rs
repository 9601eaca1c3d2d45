//! Numbers, quantities and dates with their comparators.
//! <https://hl7.org/fhir/R4/search.html#prefix>

use fhir::FhirVersion;
use fhir::decimal::{Decimal, DecimalError};

use crate::measure::{fit, period};
use crate::query::criterion::unescaped;
use crate::query::fault::{Refused, faulty};
use crate::query::{DateTest, Prefix, Unit, Value};
use crate::text::split_unescaped;

/// The comparators as they are written.
const PREFIXES: &[(&str, Prefix)] = &[
    ("eq", Prefix::Equal),
    ("ne", Prefix::NotEqual),
    ("gt", Prefix::Greater),
    ("lt", Prefix::Less),
    ("ge", Prefix::GreaterOrEqual),
    ("le", Prefix::LessOrEqual),
    ("sa", Prefix::StartsAfter),
    ("eb", Prefix::EndsBefore),
    ("ap", Prefix::Approximately),
];

const PREFIX_FORM: &str = "a comparator may be `eq` `ne` `gt` `lt` `ge` `le` `sa` `eb` or `ap`";

/// The comparator, and what follows it.
pub(super) fn prefixed<'t>(name: &str, text: &'t str) -> Result<(Prefix, &'t str), Refused> {
    let letters = text
        .find(|it: char| !it.is_ascii_alphabetic())
        .unwrap_or(text.len());
    if letters == 0 {
        return Ok((Prefix::Equal, text));
    }
    let (letters, rest) = text.split_at(letters);
    let known = PREFIXES.iter().find(|it| it.0 == letters);
    let known = known.map(|it| (it.1, rest));
    known.ok_or_else(|| faulty(name, "a value with an unknown comparator", PREFIX_FORM))
}

/// A date with its comparator. A `+` that was not percent-encoded arrives as a space.
pub(super) fn date(version: FhirVersion, name: &str, text: &str) -> Result<DateTest, Refused> {
    let (prefix, text) = prefixed(name, text)?;
    let ends = match text.split_once(' ') {
        Some((before, zone)) if before.contains('T') => {
            period(&format!("{before}+{zone}"), version)
        }
        _ => period(text, version),
    };
    let (low, high) = ends.ok_or_else(|| {
        let remedy = "write `2026`, `2026-11`, `2026-11-23` or `2026-11-23T10:00:00Z`";
        faulty(name, "a value that is no date", remedy)
    })?;
    Ok(DateTest { prefix, low, high })
}

/// Dates with their comparators.
pub(in crate::query) fn dates(
    version: FhirVersion,
    name: &str,
    values: &[&str],
) -> Result<Vec<DateTest>, Refused> {
    values.iter().map(|it| date(version, name, it)).collect()
}

pub(super) fn number(name: &str, text: &str) -> Result<Value, Refused> {
    let (prefix, number) = prefixed(name, text)?;
    Ok(Value::Number {
        prefix,
        number: decimal(name, number)?,
    })
}

pub(super) fn decimal(name: &str, text: &str) -> Result<Decimal, Refused> {
    text.parse().map_err(|error| match error {
        DecimalError::Syntax => faulty(
            name,
            "a value that is no number",
            "write a number such as `5.40` or `54e-1`",
        ),
        other => faulty(name, "a number beyond all limits", &other.to_string()),
    })
}

/// `5.4`, `5.4||mg` or `5.4|http://unitsofmeasure.org|mg`, with a comparator before it.
pub(super) fn quantity(name: &str, text: &str) -> Result<Value, Refused> {
    let (prefix, rest) = prefixed(name, text)?;
    let parts: Vec<&str> = split_unescaped(rest, '|').collect();
    let part = |it: &str| unescaped(name, it).map(|it| Box::<str>::from(fit(&it)));
    let (number, unit) = match parts[..] {
        [number] | [number, "", ""] => (number, Unit::Any),
        [number, "", code] => (number, Unit::Named(part(code)?)),
        [number, system, code] if !code.is_empty() => {
            let (system, code) = (part(system)?, part(code)?);
            (number, Unit::Coded { system, code })
        }
        _ => {
            let remedy = "write `5.4`, `5.4||mg` or `5.4|http://unitsofmeasure.org|mg`";
            return Err(faulty(name, "a quantity of another form", remedy));
        }
    };
    Ok(Value::Quantity {
        prefix,
        number: decimal(name, number)?,
        unit,
    })
}
