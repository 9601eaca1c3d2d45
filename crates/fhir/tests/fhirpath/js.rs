//! The cases of fhirpath.js for R4, STU3 and trees without types.

use std::collections::BTreeMap;
use std::path::Path;

use fhir::decimal::Decimal;
use fhir::fhirpath::{Collection, DateTime, Environment, FhirPath, Item, Node, Time};
use fhir::json::Document;
use fhir::{Definitions, FhirVersion, Instant};
use serde_json::Value;

use crate::data::{files, folder, parse, read};
use crate::known::Known;
use crate::yaml;

/// Where a document is from.
struct Documents {
    by_name: BTreeMap<String, Document>,
}

impl Documents {
    fn read(folder: &Path) -> Self {
        let named = |file: std::path::PathBuf| {
            let name = file
                .strip_prefix(folder)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            let document = parse(read(&file));
            (name, document)
        };
        Self {
            by_name: files(folder, "json").into_iter().map(named).collect(),
        }
    }
}

/// The cases below a node of a file, those of groups included.
fn cases<'v>(value: &'v Value, into: &mut Vec<&'v Value>) {
    for item in value.as_array().into_iter().flatten() {
        if item.get("expression").is_some() {
            into.push(item);
        }
        let members = item.as_object().into_iter().flatten();
        for (_, group) in members.filter(|(name, _)| name.starts_with("group")) {
            cases(group, into);
        }
    }
}

fn text<'v>(case: &'v Value, name: &str) -> Option<&'v str> {
    case.get(name)?.as_str()
}

/// Whether a case counts: it is not disabled, nor of a version that we do not have.
fn counts(case: &Value) -> bool {
    let is_ours = text(case, "model").is_none_or(|it| FhirVersion::from_slug(it).is_some());
    is_ours && case.get("disable").is_none()
}

/// The version of a case; without one it walks a tree without types.
fn version(case: &Value) -> Option<FhirVersion> {
    FhirVersion::from_slug(text(case, "model")?)
}

/// A case may have several expressions, or one with the path that its input stands at.
fn expressions(case: &Value) -> Vec<(Option<&str>, String)> {
    match &case["expression"] {
        Value::Array(list) => list
            .iter()
            .map(|it| (None, it.as_str().unwrap().to_owned()))
            .collect(),
        Value::Object(parts) => {
            let expression = parts["expression"].as_str().unwrap().to_owned();
            vec![(parts["base"].as_str(), expression)]
        }
        Value::String(one) => vec![(None, one.clone())],
        other => vec![(None, other.to_string())],
    }
}

fn node<'d>(document: &'d Document, version: Option<FhirVersion>, base: Option<&str>) -> Node<'d> {
    match (version.map(Definitions::of), base) {
        (Some(definitions), Some(base)) => Node::at(definitions, base, document.root()).unwrap(),
        (Some(definitions), None) => Node::resource(definitions, document.root()),
        (None, _) => Node::untyped(document.root()),
    }
}

/// Whether an item is what a case expects.
fn fits(item: &Item<'_>, expected: &Value) -> bool {
    let json = item
        .to_json()
        .and_then(|it| serde_json::from_str::<Value>(&it).ok());
    match (expected, item.value()) {
        (Value::Number(number), Some(Item::Integer(found))) => {
            number.to_string().parse::<Decimal>().ok() == Some(Decimal::from(found))
        }
        (Value::Number(number), Some(Item::Decimal(found))) => {
            number.to_string().parse::<Decimal>().ok() == Some(found)
        }
        (Value::String(text), Some(Item::DateTime(found))) => {
            let expected = DateTime::parse(text);
            expected.is_some_and(|it| it.compare(found).is_some_and(std::cmp::Ordering::is_eq))
        }
        (Value::String(text), Some(Item::Time(found))) => {
            let expected = Time::parse(text);
            expected.is_some_and(|it| it.compare(found).is_some_and(std::cmp::Ordering::is_eq))
        }
        (Value::String(text), Some(_)) => item.to_text().is_some_and(|it| it == *text),
        (Value::Object(members), _) if matches!(item, Item::Type(_)) => members
            .iter()
            .all(|(name, value)| json.as_ref().is_some_and(|it| it[name] == *value)),
        _ => json.as_ref().is_some_and(|it| same(it, expected)),
    }
}

/// Numbers compare by value.
fn same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(found), Value::Number(expected)) => {
            let number = |it: &serde_json::Number| it.to_string().parse::<Decimal>().ok();
            number(found) == number(expected)
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len()
                && found
                    .iter()
                    .zip(expected)
                    .all(|(found, expected)| same(found, expected))
        }
        (Value::Object(found), Value::Object(expected)) => {
            found.len() == expected.len()
                && found
                    .iter()
                    .all(|(name, it)| expected.get(name).is_some_and(|other| same(it, other)))
        }
        _ => found == expected,
    }
}

fn shown(items: &[Item<'_>]) -> String {
    let one = |it: &Item<'_>| {
        let json = it.to_json().unwrap_or("nothing".to_owned());
        format!("{} {}", it.type_name(), json.replace('\n', " "))
    };
    items.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn compare(case: &Value, items: &[Item<'_>]) -> Result<(), String> {
    let Some(expected) = case["result"].as_array() else {
        return Ok(());
    };
    // A primitive without a value is no result of fhirpath.js.
    let present: Vec<Item<'_>> = items
        .iter()
        .filter(|it| it.to_json().is_some())
        .cloned()
        .collect();
    let same = present.len() == expected.len()
        && present
            .iter()
            .zip(expected)
            .all(|(item, expected)| fits(item, expected));
    same.then_some(())
        .ok_or_else(|| format!("gives [{}], not {}", shown(&present), case["result"]))
}

/// What a case needs besides its expression.
struct Setting<'s> {
    case: &'s Value,
    version: Option<FhirVersion>,
    subject: Option<&'s Document>,
    variables: Vec<(String, Vec<Document>)>,
}

fn documents(value: &Value) -> Vec<Document> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(list) => list.iter().map(|it| parse(it.to_string())).collect(),
        other => vec![parse(other.to_string())],
    }
}

fn run(setting: &Setting<'_>, base: Option<&str>, expression: &str) -> Result<(), String> {
    let must_fail = setting.case.get("error").is_some();
    let path = match FhirPath::compile(expression, setting.version) {
        Ok(path) => path,
        Err(_) if must_fail => return Ok(()),
        Err(error) => return Err(error.render()),
    };
    let now = Instant::parse("2026-11-24T10:20:30.405Z").unwrap();
    let mut environment = Environment::new(now);
    for (name, documents) in &setting.variables {
        let items = documents
            .iter()
            .map(|it| Item::Node(node(it, setting.version, None)));
        environment.define(name.as_str(), items.collect());
    }
    let input = setting
        .subject
        .map(|it| Item::Node(node(it, setting.version, base)));
    let mut input: Collection<'_> = input.into_iter().collect();
    let context =
        text(setting.case, "context").map(|it| FhirPath::compile(it, setting.version).unwrap());
    let outer = Environment::new(now);
    if let Some(context) = &context {
        input = context.evaluate_all(input, &outer).unwrap();
    }
    match path.evaluate_all(input, &environment) {
        Err(_) if must_fail => Ok(()),
        Err(error) => Err(error.render()),
        Ok(items) if must_fail => Err(format!("must fail, but gives [{}]", shown(&items))),
        Ok(items) => compare(setting.case, &items),
    }
}

/// Runs all cases of a file; gives their number.
fn check(name: &str, file: &Value, inputs: &Documents, known: &mut Known) -> usize {
    let subject = file.get("subject").map(|it| parse(it.to_string()));
    let mut found = Vec::new();
    cases(&file["tests"], &mut found);
    let mut count = 0;
    for case in found.into_iter().filter(|it| counts(it)) {
        let version = version(case);
        let slug = version.unwrap_or(FhirVersion::R4).slug();
        let input = text(case, "inputfile").map(|it| &inputs.by_name[&format!("{slug}/{it}")]);
        let variables = case["variables"].as_object().into_iter().flatten();
        let variables = variables.map(|(name, value)| (name.clone(), documents(value)));
        let setting = Setting {
            case,
            version,
            subject: input.or(subject.as_ref()),
            variables: variables.collect(),
        };
        for (base, expression) in expressions(case) {
            count += 1;
            let verdict = run(&setting, base, &expression);
            known.judge(
                &format!("{name}: {}", expression.replace('\n', " ").trim()),
                verdict,
            );
        }
    }
    count
}

#[test]
fn fhirpath_js() {
    let suite = "fhirpath-js";
    let Some(folder) = folder(suite, "10-fhirpath/fhirpath-js") else {
        return;
    };
    let inputs = Documents::read(&folder.join("resources"));
    let mut known = Known::read("fhirpath-js-known-failures.txt");
    let mut count = 0;
    for file in files(&folder.join("cases"), "yaml") {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        count += check(&name, &yaml::read(&text), &inputs, &mut known);
    }
    known.finish(suite, count, count * 3 / 100);
}
