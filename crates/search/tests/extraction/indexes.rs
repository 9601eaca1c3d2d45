//! The index values that another server expects of four resources.

use std::collections::BTreeSet;

use fhir::FhirVersion;
use fhir::json::Value;
use search::entry::{Entry, EntryValue};
use search::name::ByName;
use search::registry::{Facets, Registry, Slot};

use crate::printed::moment;

const SET: &str = "09-ms-fhir-server";
const ENDING: &str = ".indexes.json";

/// Digits finer than a microsecond, which that server rounds up at the end of a period.
const FINER: &str = ".9999999+00:00";

#[test]
fn expected_values_are_met() {
    let suite = "expected index values";
    let Some(folder) = crate::data::folder(suite, SET) else {
        return;
    };
    let files = crate::data::files(&folder, "json");
    let is_expected = |it: &&std::path::PathBuf| it.to_string_lossy().ends_with(ENDING);
    let mut count = 0;
    for file in files.iter().filter(is_expected) {
        let path = file.to_string_lossy();
        let version = if path.contains("/R4/") {
            FhirVersion::R4
        } else {
            FhirVersion::Stu3
        };
        let document = crate::data::parse(resource(&path));
        let expected = crate::data::parse(crate::data::read(file));
        let found = found(version, document.root());
        let wanted: BTreeSet<String> = expected.root().items().filter_map(wanted).collect();
        let both: Vec<_> = wanted.symmetric_difference(&found).collect();
        assert!(both.is_empty(), "{path}\n{both:#?}");
        count += wanted.len();
    }
    println!("isthmus-suite: {suite}: {count} cases");
}

/// The resource of a file of index values. One of two is not published: it differs from the other
/// in one code and its target's id.
fn resource(indexes: &str) -> String {
    let file = indexes.replace(ENDING, ".json");
    std::fs::read_to_string(&file).unwrap_or_else(|_| {
        let other = file.replace("transforms", "appends");
        std::fs::read_to_string(other)
            .unwrap()
            .replace("appends", "transforms")
    })
}

/// The values of each parameter, by code.
fn found(version: FhirVersion, resource: Value<'_>) -> BTreeSet<String> {
    let resource_type = crate::given::text(resource, "resourceType").unwrap();
    let entries = crate::given::extracted(version, resource).entries;
    let mut found = BTreeSet::new();
    for parameter in Registry::of(version).parameters(&resource_type) {
        let code = parameter.definition.code;
        let of = |slot: Slot| entries.iter().filter(move |it| it.parameter == slot);
        let mut add = |slot| {
            found.extend(
                of(slot)
                    .filter_map(printed)
                    .map(|it| format!("{code} {it}")),
            );
        };
        match &parameter.facets {
            Facets::String(slot) | Facets::Date(slot) | Facets::Uri(slot) => add(*slot),
            Facets::Token(slots) => add(slots.code),
            Facets::Reference { literal, .. } => add(*literal),
            Facets::Id => {
                let id = crate::given::text(resource, "id").unwrap();
                found.insert(format!("{code} |{id}"));
            }
            Facets::Composite(components) => {
                let slots: Vec<Slot> = components.iter().map(|it| first_slot(&it.facets)).collect();
                found.extend(pairs(&entries, &slots).map(|it| format!("{code} {it}")));
            }
            _ => {}
        }
    }
    found
}

fn first_slot(facets: &Facets) -> Slot {
    match facets {
        Facets::Token(slots) => slots.code,
        Facets::Reference { literal, .. } => *literal,
        other => panic!("no such component is expected: {other:?}"),
    }
}

/// The values of two slots that lie in one group.
fn pairs(entries: &[Entry<ByName>], slots: &[Slot]) -> impl Iterator<Item = String> {
    let of = |slot: Slot| entries.iter().filter(move |it| it.parameter == slot);
    let (first, second) = (slots[0], slots[1]);
    of(first).flat_map(move |one| {
        let others = of(second).filter(|it| it.group == one.group);
        others.filter_map(|other| Some([printed(one)?, printed(other)?].join(" ")))
    })
}

fn printed(entry: &Entry<ByName>) -> Option<String> {
    Some(match &entry.value {
        EntryValue::Text { exact, .. } => exact.to_string(),
        EntryValue::Period { low, high } => format!("{} {}", moment(*low), moment(*high)),
        EntryValue::Valueless => return None,
        value => crate::printed::value(value),
    })
}

fn wanted(row: Value<'_>) -> Option<String> {
    let code = crate::given::text(row, "code")?;
    let value = row.get("value")?;
    let value = match crate::given::text(row, "type")?.as_str() {
        "Composite" => {
            let components = value.get("components")?.items();
            let values = components.flat_map(Value::items).map(wanted_value);
            values.collect::<Vec<_>>().join(" ")
        }
        "Date" => {
            let text = |name| crate::given::text(value, name).unwrap_or_default();
            format!("{} {}", start(&text("start")), end(&text("end")))
        }
        _ => wanted_value(value),
    };
    Some(format!("{code} {value}"))
}

fn wanted_value(value: Value<'_>) -> String {
    let text = |name| crate::given::text(value, name);
    if let Some(id) = text("resourceId") {
        format!("{}/{id}", text("resourceType").unwrap())
    } else if let Some(code) = text("code") {
        format!("{}|{code}", text("system").unwrap_or_default())
    } else if let Some(uri) = text("uri") {
        format!("<{uri}>")
    } else {
        text("string").unwrap()
    }
}

fn start(text: &str) -> String {
    text.replace("+00:00", ".000000Z")
}

fn end(text: &str) -> String {
    match text.strip_suffix(FINER) {
        Some(seconds) => format!("{seconds}.999999Z"),
        None => text.replace("+00:00", ".000000Z"),
    }
}
