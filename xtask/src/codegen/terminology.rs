//! Code systems with their concepts, and what value sets are composed of.
//!
//! Displays are kept, designations and definitions are not. Expansions are kept only where the
//! composition needs a system whose content no package has.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use fhir::definitions::table::{CODE_SYSTEMS, CONCEPTS, EXPANSIONS, VALUE_SETS};
use serde_json::Value;

use super::codes::{closed_expansion, write_codes};
use super::input::{Input, items, text, texts};
use super::sheet::{Sheet, Written, list};

/// The expander of the official packages cut every part at this many codes, and told so only where
/// the value set has no other part.
const EXPANDED_PART_MAX: usize = 1000;

/// Makes the tables of code systems, concepts, value sets and expansions; those value sets that are
/// `required` have their expansion elsewhere.
pub(super) fn tables(input: &Input, required: &BTreeSet<String>) -> Result<[Written; 4]> {
    let known = Known::of(input);
    let [systems, concepts] = code_systems(&known)?;
    Ok([
        systems,
        concepts,
        value_sets(&known)?,
        expansions(&known, &input.expansions(), required)?,
    ])
}

/// The definitions by URL.
struct Known<'i> {
    code_systems: BTreeMap<&'i str, &'i Value>,
    value_sets: BTreeMap<&'i str, &'i Value>,
}

impl<'i> Known<'i> {
    fn of(input: &'i Input) -> Self {
        let by_url = |it: &'i Value| (text(it, "url"), it);
        Self {
            code_systems: input.all("CodeSystem").map(by_url).collect(),
            value_sets: input.all("ValueSet").map(by_url).collect(),
        }
    }

    /// Whether everything that a value set is composed of is known.
    fn can_compose(&self, url: &str, above: &[&str]) -> bool {
        let Some(value_set) = self.value_sets.get(url) else {
            return false;
        };
        let above = [above, &[url]].concat();
        parts(value_set).all(|(_, part)| {
            let imports = texts(part, "valueSet");
            let is_listed = !items(part, "concept").is_empty();
            (is_listed || text(part, "system").is_empty() || self.has_content(part))
                && imports
                    .iter()
                    .all(|it| !above.contains(it) && self.can_compose(it, &above))
        })
    }

    fn has_content(&self, part: &Value) -> bool {
        let system = self.code_systems.get(text(part, "system"));
        system.is_some_and(|it| matches!(text(it, "content"), "complete" | "example"))
    }
}

fn code_systems(known: &Known<'_>) -> Result<[Written; 2]> {
    let mut systems = Sheet::new(CODE_SYSTEMS);
    let mut concepts = Sheet::new(CONCEPTS);
    for (url, system) in &known.code_systems {
        let count = write_concepts(&mut concepts, items(system, "concept"), 0)
            .with_context(|| (*url).to_owned())?;
        let whole = text(system, "valueSet");
        let declared = items(system, "property").iter().map(|it| text(it, "code"));
        systems.row([
            url,
            text(system, "version"),
            text(system, "content"),
            text(system, "hierarchyMeaning"),
            if known.value_sets.contains_key(whole) {
                ""
            } else {
                whole
            },
            &list(declared)?,
            &count.to_string(),
        ])?;
    }
    Ok([systems.finish(), concepts.finish()])
}

/// Writes concepts and what is nested in them; returns how many.
fn write_concepts(sheet: &mut Sheet<4>, concepts: &[Value], level: usize) -> Result<usize> {
    let mut count = concepts.len();
    for concept in concepts {
        let code = text(concept, "code");
        let words: Vec<&str> = text(concept, "display").split_whitespace().collect();
        let display = words.join(" ");
        sheet.row([
            &level.to_string(),
            code,
            if display == code { "" } else { &display },
            &properties(concept)?,
        ])?;
        count += write_concepts(sheet, items(concept, "concept"), level + 1)?;
    }
    Ok(count)
}

fn properties(concept: &Value) -> Result<String> {
    let mut spelled = Vec::new();
    for property in items(concept, "property") {
        let name = text(property, "code");
        ensure!(
            !name.contains('='),
            "`{name}` cannot be told from its value"
        );
        spelled.push(format!("{name}={}", property_value(property)?));
    }
    list(spelled.iter().map(String::as_str))
}

fn property_value(property: &Value) -> Result<String> {
    let members = property.as_object().into_iter().flatten();
    let mut values = members.filter(|(name, _)| name.starts_with("value"));
    match values.next() {
        Some((_, Value::String(value))) => Ok(value.clone()),
        Some((_, Value::Bool(value))) => Ok(value.to_string()),
        Some((_, Value::Number(value))) => Ok(value.to_string()),
        other => anyhow::bail!("the value {other:?} of a property has no text"),
    }
}

/// The parts of a value set with their use.
fn parts(value_set: &Value) -> impl Iterator<Item = (&'static str, &Value)> {
    let of = |part_use| {
        items(&value_set["compose"], part_use)
            .iter()
            .map(move |it| (part_use, it))
    };
    of("include").chain(of("exclude"))
}

fn value_sets(known: &Known<'_>) -> Result<Written> {
    let mut sheet = Sheet::new(VALUE_SETS);
    for (url, value_set) in &known.value_sets {
        let without_inactive = value_set["compose"]["inactive"].as_bool() == Some(false);
        ensure!(!without_inactive, "`{url}` leaves inactive codes out");
        for (part_use, part) in parts(value_set) {
            let version = text(value_set, "version");
            write_part(&mut sheet, [url, version, part_use], part)
                .with_context(|| (*url).to_owned())?;
        }
    }
    Ok(sheet.finish())
}

fn write_part(
    sheet: &mut Sheet<10>,
    [url, version, part_use]: [&str; 3],
    part: &Value,
) -> Result<()> {
    let concepts = items(part, "concept").iter().map(|it| text(it, "code"));
    let filters = items(part, "filter");
    ensure!(filters.len() <= 1, "the table has room for one filter");
    let filter = filters.first().unwrap_or(&Value::Null);
    sheet.row([
        url,
        version,
        part_use,
        text(part, "system"),
        text(part, "version"),
        &list(texts(part, "valueSet"))?,
        &list(concepts)?,
        text(filter, "property"),
        text(filter, "op"),
        text(filter, "value"),
    ])
}

fn expansions(
    known: &Known<'_>,
    expansions: &BTreeMap<&str, &Value>,
    required: &BTreeSet<String>,
) -> Result<Written> {
    let mut sheet = Sheet::new(EXPANSIONS);
    for (url, value_set) in expansions {
        let closed = closed_expansion(value_set).filter(|it| it.len() < EXPANDED_PART_MAX);
        if let Some(contains) = closed
            && !required.contains(*url)
            && !known.can_compose(url, &[])
        {
            write_codes(&mut sheet, url, contains)?;
        }
    }
    Ok(sheet.finish())
}
