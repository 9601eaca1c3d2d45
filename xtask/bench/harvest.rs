//! Values that occur in a store, read from the store itself, and queries filled with them.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::client::Client;
use crate::load::BASE;

/// Where the values of a placeholder lie: name, query, place in each match, and what is taken of it.
pub(crate) struct Source {
    name: &'static str,
    query: &'static str,
    pointer: &'static str,
    take: fn(&str) -> Option<String>,
}

const fn source(
    name: &'static str,
    query: &'static str,
    pointer: &'static str,
    take: fn(&str) -> Option<String>,
) -> Source {
    Source {
        name,
        query,
        pointer,
        take,
    }
}

const SOURCES: &[Source] = &[
    source("patient", "Patient?_count=500", "/id", whole),
    source("family", "Patient?_count=500", "/name/0/family", letters),
    source("given", "Patient?_count=500", "/name/0/given/0", letters),
    source("city", "Patient?_count=500", "/address/0/city", whole),
    source("birthdate", "Patient?_count=500", "/birthDate", whole),
    source("organization", "Organization?_count=500", "/name", word),
    source(
        "code",
        "Observation?_count=1000",
        "/code/coding/0/code",
        whole,
    ),
    source(
        "category",
        "Observation?_count=1000",
        "/category/0/coding/0/code",
        whole,
    ),
    source(
        "category-system",
        "Observation?_count=1000",
        "/category/0/coding/0/system",
        whole,
    ),
    source(
        "observed",
        "Observation?_count=1000",
        "/effectiveDateTime",
        day,
    ),
    source("encountered", "Encounter?_count=1000", "/period/start", day),
    source(
        "condition",
        "Condition?_count=1000",
        "/code/coding/0/code",
        whole,
    ),
    source(
        "report",
        "DiagnosticReport?_count=1000",
        "/code/coding/0/code",
        whole,
    ),
    source(
        "medication",
        "MedicationRequest?_count=500",
        "/medicationCodeableConcept/coding/0/code",
        whole,
    ),
];

fn whole(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Synthea adds numbers to names so that nobody takes them for real.
fn letters(text: &str) -> Option<String> {
    let letters = text.split(|it: char| it.is_ascii_digit()).next();
    letters.filter(|it| !it.is_empty()).map(str::to_owned)
}

fn word(text: &str) -> Option<String> {
    text.split_whitespace().next().map(str::to_owned)
}

fn day(text: &str) -> Option<String> {
    text.get(..10).map(str::to_owned)
}

/// The values of each placeholder, each once, in a fixed order.
pub(crate) struct Harvest {
    values: HashMap<&'static str, Vec<String>>,
}

impl Harvest {
    /// Asks a server for them.
    pub(crate) async fn of(address: SocketAddr) -> Result<Harvest> {
        let mut client = Client::new(address);
        let mut pages: HashMap<&str, Value> = HashMap::new();
        let mut values = HashMap::new();
        for source in SOURCES {
            if !pages.contains_key(source.query) {
                let answer = client.get(&format!("{BASE}/{}", source.query)).await?;
                let body = answer.success().context(source.query)?;
                pages.insert(source.query, serde_json::from_slice(&body)?);
            }
            let found = source.values(&pages[source.query]);
            if found.is_empty() {
                bail!(
                    "no match of {} has a value at {}",
                    source.query,
                    source.pointer
                );
            }
            values.insert(source.name, found);
        }
        Ok(Harvest { values })
    }

    /// The values of a placeholder.
    pub(crate) fn values(&self, name: &str) -> Result<&[String]> {
        let values = self.values.get(name);
        Ok(values.with_context(|| format!("no source of `{name}`"))?)
    }

    /// A path with its placeholders filled in, with the values of that number: `{code}`.
    pub(crate) fn fill(&self, template: &str, number: usize) -> Result<String> {
        let mut path = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').context("a `{` without `}`")?;
            let values = self.values(name)?;
            path.push_str(before);
            path.push_str(&encoded(&values[number % values.len()]));
            rest = after;
        }
        path.push_str(rest);
        Ok(path)
    }
}

impl Source {
    fn values(&self, page: &Value) -> Vec<String> {
        let entries = page["entry"].as_array().map_or(&[][..], Vec::as_slice);
        let found = entries.iter().filter_map(|entry| {
            let value = entry["resource"].pointer(self.pointer)?;
            (self.take)(value.as_str()?)
        });
        let all: BTreeSet<String> = found.filter(|it| !it.is_empty()).collect();
        all.into_iter().collect()
    }
}

/// A value as it stands in a query: what separates values is escaped, the rest percent-encoded.
pub(crate) fn encoded(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        if matches!(byte, b',' | b'$' | b'|' | b'\\') {
            out.push_str("%5C");
        }
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a String does not fail");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_separate_values_is_escaped() {
        assert_eq!(encoded("St. Mary, Ä"), "St.%20Mary%5C%2C%20%C3%84");
    }

    #[test]
    fn placeholders_are_filled_in_turn() {
        let values = HashMap::from([("code", vec!["a b".to_owned(), "c".to_owned()])]);
        let harvest = Harvest { values };
        let filled = |number| harvest.fill("X?code={code}&n=1", number).unwrap();
        assert_eq!(filled(0), "X?code=a%20b&n=1");
        assert_eq!(filled(3), "X?code=c&n=1");
        assert!(harvest.fill("X?y={other}", 0).is_err());
    }
}
