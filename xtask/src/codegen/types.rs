//! Types and their elements, from the snapshots of the StructureDefinitions that specialise.
//!
//! What the two versions write differently becomes one form here: STU3 repeats a type for each
//! target, R4 lists the targets; R4 gives the types of `id` and `Extension.url` as FHIRPath types
//! with the FHIR type in an extension; STU3 names value sets by Reference or URI, R4 by canonical.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use fhir::definitions::table::{ATTRIBUTE, ELEMENTS, MODIFIER, SUMMARY, TARGETS, TYPES};
use serde_json::Value;

use super::input::{Input, items, text, texts};
use super::sheet::{Sheet, Written, list};

const STRUCTURES: &str = "http://hl7.org/fhir/StructureDefinition/";

/// The tables of types and elements, and what their bindings ask for.
pub(super) struct Structures {
    pub(super) tables: Vec<Written>,
    /// The value sets that codes must come from.
    pub(super) required: BTreeSet<String>,
}

/// Makes both tables.
pub(super) fn tables(input: &Input) -> Result<Structures> {
    let mut writer = Writer {
        types: Sheet::new(TYPES),
        elements: Sheet::new(ELEMENTS),
        required: BTreeSet::new(),
    };
    for (name, definition) in specialisations(input) {
        let written = writer.write_type(name, definition);
        written.with_context(|| name.to_owned())?;
    }
    Ok(Structures {
        tables: vec![writer.types.finish(), writer.elements.finish()],
        required: writer.required,
    })
}

/// The definitions of types, by name; profiles and logical models are none.
fn specialisations(input: &Input) -> BTreeMap<&str, &Value> {
    input
        .all("StructureDefinition")
        .filter(|it| text(it, "derivation") != "constraint" && text(it, "kind") != "logical")
        .map(|it| (text(it, "type"), it))
        .collect()
}

struct Writer {
    types: Sheet<8>,
    elements: Sheet<9>,
    required: BTreeSet<String>,
}

impl Writer {
    fn write_type(&mut self, name: &str, definition: &Value) -> Result<()> {
        let kind = match text(definition, "kind") {
            "primitive-type" => "primitive",
            "complex-type" => "complex",
            "resource" => "resource",
            other => anyhow::bail!("unknown kind `{other}`"),
        };
        let is_abstract = definition["abstract"].as_bool() == Some(true);
        let base = text(definition, "baseDefinition").trim_start_matches(STRUCTURES);
        let elements = items(&definition["snapshot"], "element");
        let value_path = format!("{name}.value");
        let value = elements.iter().find(|it| text(it, "path") == value_path);
        let value = value
            .filter(|_| kind == "primitive")
            .unwrap_or(&Value::Null);
        self.types.row([
            name,
            kind,
            if is_abstract { "abstract" } else { "" },
            base,
            pattern(value),
            &number(value, "maxLength"),
            &number(value, "minValueInteger"),
            &number(value, "maxValueInteger"),
        ])?;
        self.write_elements(name, kind, elements)
    }

    fn write_elements(&mut self, name: &str, kind: &str, elements: &[Value]) -> Result<()> {
        let by_path: BTreeMap<&str, &Value> =
            elements.iter().map(|it| (text(it, "path"), it)).collect();
        for parent in parents(name, elements) {
            let is_child = |it: &&Value| parent_of(text(it, "path")) == Some(parent);
            for element in elements.iter().filter(is_child) {
                match (kind, text(element, "path").strip_prefix(name)) {
                    ("primitive", Some(".value")) => {}
                    ("resource", Some(".id")) => self.write_element(element, "id")?,
                    _ => self.write_element(element, &content_types(element, &by_path)?)?,
                }
            }
        }
        Ok(())
    }

    fn write_element(&mut self, element: &Value, types: &str) -> Result<()> {
        let path = text(element, "path");
        ensure!(!types.is_empty(), "`{path}` has no type");
        let binding = binding(element);
        let must_keep_to = [(binding.strength == "required").then_some(binding.value_set)];
        let value_sets = must_keep_to
            .into_iter()
            .flatten()
            .chain([binding.value_set_max]);
        let named = value_sets.filter(|it| !it.is_empty()).map(str::to_owned);
        self.required.extend(named);
        self.elements.row([
            path,
            &number(element, "min"),
            text(element, "max"),
            types,
            &flags(element),
            binding.strength,
            binding.value_set,
            binding.value_set_max,
            content_reference(element),
        ])
    }
}

/// The path of the element whose content this one has; empty for nearly all.
fn content_reference(element: &Value) -> &str {
    text(element, "contentReference").trim_start_matches('#')
}

/// The types of an element or of what it refers to.
fn content_types(element: &Value, by_path: &BTreeMap<&str, &Value>) -> Result<String> {
    match content_reference(element) {
        "" => type_cell(element),
        path => {
            let target = by_path.get(path);
            type_cell(target.with_context(|| format!("`{path}` is no element"))?)
        }
    }
}

/// The paths that have children, in order of their first child's definition.
fn parents<'e>(name: &'e str, elements: &'e [Value]) -> Vec<&'e str> {
    let mut parents = vec![name];
    for element in elements {
        match parent_of(text(element, "path")) {
            Some(parent) if !parents.contains(&parent) => parents.push(parent),
            _ => {}
        }
    }
    parents
}

fn parent_of(path: &str) -> Option<&str> {
    path.rsplit_once('.').map(|(parent, _)| parent)
}

/// The number at a key, with its digits; empty if there is none.
fn number(value: &Value, key: &str) -> String {
    value[key]
        .as_number()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn flags(element: &Value) -> String {
    let is = |key: &str| element[key].as_bool() == Some(true);
    let mut flags = String::new();
    if is("isSummary") {
        flags.push(SUMMARY);
    }
    if is("isModifier") {
        flags.push(MODIFIER);
    }
    if texts(element, "representation").contains(&"xmlAttr") {
        flags.push(ATTRIBUTE);
    }
    flags
}

/// The extension whose URL ends so.
pub(super) fn extension<'v>(value: &'v Value, url_end: &str) -> &'v Value {
    let found = items(value, "extension")
        .iter()
        .find(|it| text(it, "url").ends_with(url_end));
    found.unwrap_or(&Value::Null)
}

/// The regular expression of a primitive's value.
fn pattern(value: &Value) -> &str {
    let found = items(value, "type")
        .iter()
        .map(|it| text(extension(it, "regex"), "valueString"));
    found.max().unwrap_or_default()
}

/// The types of an element, in order; types that only differ in their targets are one.
fn type_cell(element: &Value) -> Result<String> {
    let mut order: Vec<&str> = Vec::new();
    let mut targets: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for item in items(element, "type") {
        let name = type_name(item);
        if !order.contains(&name) {
            order.push(name);
        }
        targets.entry(name).or_default().extend(target_names(item));
    }
    let spelled: Vec<String> = order
        .iter()
        .map(|name| spell_type(name, &targets[name]))
        .collect();
    list(spelled.iter().map(String::as_str))
}

fn type_name(item: &Value) -> &str {
    let code = text(item, "code");
    if !code.starts_with("http://hl7.org/fhirpath/") {
        return code;
    }
    match text(extension(item, "structuredefinition-fhir-type"), "valueUrl") {
        "" => "string",
        name => name,
    }
}

/// The names of the types that may be referred to; `Resource` where nothing is said.
fn target_names(item: &Value) -> Vec<&str> {
    let named = texts(item, "targetProfile");
    if named.is_empty() {
        return vec!["Resource"];
    }
    named
        .iter()
        .map(|url| url.trim_start_matches(STRUCTURES))
        .collect()
}

fn spell_type(name: &str, targets: &BTreeSet<&str>) -> String {
    if targets.contains("Resource") {
        return name.to_owned();
    }
    let targets: Vec<&str> = targets.iter().copied().collect();
    format!("{name}({})", targets.join(&TARGETS.to_string()))
}

struct Binding<'v> {
    strength: &'v str,
    value_set: &'v str,
    value_set_max: &'v str,
}

fn binding(element: &Value) -> Binding<'_> {
    let binding = &element["binding"];
    let max = extension(binding, "elementdefinition-maxValueSet");
    let value_set = canonical(binding, ["valueSet", "valueSetUri", "valueSetReference"]);
    let strength = if value_set.is_empty() {
        ""
    } else {
        text(binding, "strength")
    };
    let value_set_max = canonical(max, ["valueCanonical", "valueUri", "valueReference"]);
    Binding {
        strength,
        value_set,
        value_set_max,
    }
}

/// The URL at the first of the keys that has one, without the version.
fn canonical<'v>(value: &'v Value, keys: [&str; 3]) -> &'v str {
    let mut found = keys.iter().map(|key| match &value[*key] {
        Value::String(url) => url,
        reference => text(reference, "reference"),
    });
    let url = found.find(|it| !it.is_empty()).unwrap_or_default();
    url.split_once('|').map_or(url, |(url, _)| url)
}
