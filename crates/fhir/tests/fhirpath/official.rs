//! The official test suite for R4 (`gen/tests-fhir-r4.dev.xml`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fhir::fhirpath::{Environment, FhirPath, Item, Node, check};
use fhir::json::{Document, Limits};
use fhir::{Definitions, FhirVersion, Instant};
use quick_xml::events::{BytesStart, Event};

use crate::data::{folder, parse, read};
use crate::known::Known;

/// One `test` of the suite.
#[derive(Default)]
struct Case {
    attributes: BTreeMap<String, String>,
    expression: String,
    /// What is expected to be found wrong: `syntax`, `semantic`, `execution`.
    invalid: Option<String>,
    /// Types, perhaps empty, and values.
    outputs: Vec<(String, String)>,
}

impl Case {
    fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

fn attributes(start: &BytesStart<'_>) -> BTreeMap<String, String> {
    let one = |it: Result<quick_xml::events::attributes::Attribute<'_>, _>| {
        let it = it.unwrap();
        let value = it
            .normalized_value_with(
                quick_xml::XmlVersion::Implicit1_0,
                1,
                quick_xml::escape::resolve_xml_entity,
            )
            .unwrap();
        (it.key.into_inner().to_owned(), value.into_owned())
    };
    start.attributes().map(one).collect()
}

fn cases(text: &str) -> Vec<Case> {
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut cases, mut case, mut content) = (Vec::new(), Case::default(), String::new());
    let mut attributes_ = BTreeMap::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                content.clear();
                attributes_ = attributes(&start);
                if start.name().into_inner() == "test" {
                    case = Case {
                        attributes: attributes_.clone(),
                        ..Case::default()
                    };
                }
            }
            Event::Text(part) => content.push_str(&part),
            Event::CData(part) => content.push_str(&part),
            Event::GeneralRef(entity) => {
                let character = entity.resolve_char_ref().unwrap().map(String::from);
                let named = || {
                    quick_xml::escape::resolve_xml_entity(&entity)
                        .unwrap()
                        .to_owned()
                };
                content += &character.unwrap_or_else(named);
            }
            Event::End(end) => match end.name().into_inner() {
                "expression" => {
                    case.expression = std::mem::take(&mut content);
                    case.invalid = attributes_.get("invalid").cloned();
                }
                "output" => {
                    let name = attributes_.get("type").cloned().unwrap_or_default();
                    case.outputs.push((name, std::mem::take(&mut content)));
                }
                "test" => cases.push(std::mem::take(&mut case)),
                _ => {}
            },
            Event::Eof => return cases,
            _ => {}
        }
    }
}

fn definitions() -> &'static Definitions {
    Definitions::of(FhirVersion::R4)
}

/// Some inputs are named `.xml` and lie there as `.json`, or the other way round.
fn input_file(folder: &Path, name: &str) -> PathBuf {
    let named = [folder.join(name), folder.join("examples").join(name)];
    let other = named.clone().map(|it| {
        let is_xml = it.extension().is_some_and(|it| it == "xml");
        it.with_extension(if is_xml { "json" } else { "xml" })
    });
    let mut files = named.into_iter().chain(other);
    files
        .find(|it| it.is_file())
        .unwrap_or_else(|| panic!("no {name}"))
}

fn document(file: &Path) -> Document {
    let bytes = read(file);
    if file.extension().is_some_and(|it| it == "json") {
        return parse(bytes);
    }
    parse(fhir::xml::read(&bytes, definitions(), &Limits::DEFAULT).unwrap())
}

fn now() -> Instant {
    Instant::parse("2026-11-24T10:20:30.405Z").unwrap()
}

/// A value as the suite writes it.
fn shown(item: &Item<'_>) -> String {
    let value = item.value();
    let text = item.to_text().unwrap_or_default();
    match value {
        Some(Item::Date(_) | Item::DateTime(_)) => format!("@{text}"),
        Some(Item::Time(_)) => format!("@T{text}"),
        _ => text.into_owned(),
    }
}

fn same_type(item: &Item<'_>, expected: &str) -> bool {
    expected.is_empty() || item.type_name().eq_ignore_ascii_case(expected)
}

fn same_value(item: &Item<'_>, expected: &str) -> bool {
    let shown = shown(item);
    shown == expected || shown.replace("+00:00", "Z") == expected.replace("+00:00", "Z")
}

fn compare(case: &Case, items: &[Item<'_>]) -> Result<(), String> {
    let found: Vec<String> = items.iter().map(shown).collect();
    if case.attribute("predicate") == "true" {
        let holds = !items.is_empty() && found != ["false"];
        return (holds.to_string() == case.outputs[0].1)
            .then_some(())
            .ok_or_else(|| format!("found {found:?}"));
    }
    let fits = |item: &Item<'_>, (name, value): &(String, String)| {
        same_type(item, name) && same_value(item, value)
    };
    let same = if case.attribute("ordered") == "false" {
        case.outputs
            .iter()
            .all(|it| items.iter().any(|item| fits(item, it)))
    } else {
        items
            .iter()
            .zip(&case.outputs)
            .all(|(item, it)| fits(item, it))
    };
    if same && items.len() == case.outputs.len() {
        return Ok(());
    }
    let types: Vec<_> = items.iter().map(Item::type_name).collect();
    Err(format!(
        "`{}` gives {found:?} of {types:?}, not {:?}",
        case.expression, case.outputs
    ))
}

/// Runs a case. What must be refused may be refused when compiling, checking or evaluating; what
/// is valid must pass the check as well.
fn run(case: &Case, documents: &BTreeMap<String, Document>) -> Result<(), String> {
    let path = match FhirPath::compile(&case.expression, Some(FhirVersion::R4)) {
        Ok(path) => path,
        Err(_) if case.invalid.is_some() => return Ok(()),
        Err(error) => return Err(error.render()),
    };
    let document = documents.get(case.attribute("inputfile"));
    let input = document.map(|it| Node::resource(definitions(), it.root()));
    let context = input
        .and_then(|it| it.type_name())
        .unwrap_or("Patient".into());
    let checked = check::check(&path, &context);
    match (case.invalid.as_deref(), &checked) {
        (Some("semantic"), Err(_)) => return Ok(()),
        (None, Err(error)) => return Err(format!("the check refuses it: {}", error.render())),
        _ => {}
    }
    let environment = Environment::new(now());
    let items = path.evaluate_all(input.map(Item::Node).into_iter().collect(), &environment);
    match (items, &case.invalid) {
        (Err(_), Some(_)) => Ok(()),
        (Err(error), None) => Err(error.render()),
        (Ok(items), Some(invalid)) => {
            let found: Vec<String> = items.iter().map(shown).collect();
            Err(format!(
                "`{}` must be {invalid}, but gives {found:?}",
                case.expression
            ))
        }
        (Ok(items), None) => compare(case, &items),
    }
}

#[test]
fn official_suite() {
    let suite = "fhirpath-official-r4";
    let (Some(generated), Some(inputs)) = (
        folder(suite, "gen"),
        folder(suite, "10-fhirpath/official-inputs/r4"),
    ) else {
        return;
    };
    let text = std::fs::read_to_string(generated.join("tests-fhir-r4.dev.xml")).unwrap();
    let cases = cases(&text);
    let names = cases
        .iter()
        .map(|it| it.attribute("inputfile"))
        .filter(|it| !it.is_empty());
    let documents = names
        .map(|it| (it.to_owned(), document(&input_file(&inputs, it))))
        .collect();
    let mut known = Known::read("fhirpath-known-failures.txt");
    for case in &cases {
        known.judge(case.attribute("name"), run(case, &documents));
    }
    known.finish(suite, cases.len(), 10);
}
