//! Entries as lines of text.

use fhir::decimal::Decimal;
use search::entry::{Entry, EntryValue, Magnitude};
use search::extract::Extracted;
use search::name::ByName;

/// All entries, then the patients.
pub(crate) fn extracted(extracted: &Extracted) -> String {
    let entries = extracted.entries.iter().map(entry);
    let patients = extracted.patients.iter().map(|id| format!("patient {id}"));
    let lines: Vec<String> = entries.chain(patients).collect();
    lines.join("\n") + "\n"
}

fn entry(entry: &Entry<ByName>) -> String {
    let group = match entry.group {
        0 => String::new(),
        group => format!(" [{group}]"),
    };
    format!("{}{group}: {}", entry.parameter.0, value(&entry.value))
}

pub(crate) fn value(value: &EntryValue<ByName>) -> String {
    match value {
        EntryValue::Valueless => "valueless".to_owned(),
        EntryValue::Token { system, code } => {
            format!("{}|{code}", system.as_deref().unwrap_or_default())
        }
        EntryValue::Text { folded, exact } => format!("{folded:?} = {exact:?}"),
        EntryValue::Reference(to) => format!("{}/{}", to.kind, to.id),
        EntryValue::Uri(uri) => format!("<{uri}>"),
        EntryValue::Period { low, high } => format!("{} to {}", moment(*low), moment(*high)),
        EntryValue::Number { unit, low, high } => {
            let unit = unit.as_deref().unwrap_or("any unit");
            format!("{} to {} {unit}", number(low), number(high))
        }
        EntryValue::Place(place) => format!("{} {}", place.latitude, place.longitude),
    }
}

pub(crate) fn moment(micros: i64) -> String {
    match micros {
        i64::MIN | i64::MAX => "open".to_owned(),
        micros => fhir::Instant::from_micros(micros).to_string(),
    }
}

fn number(magnitude: &Magnitude) -> String {
    match Decimal::read_sortable(&magnitude.0) {
        Some((number, _)) => number.to_string(),
        None => "open".to_owned(),
    }
}
