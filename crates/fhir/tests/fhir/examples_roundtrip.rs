//! Every official example keeps its content through JSON and XML.

use std::fmt::Write as _;
use std::path::Path;

use fhir::json::{Document, Limits, Splice, Value, minify, pretty, same_content, splice};
use fhir::resource::{Facts, SpliceMark, stored, with_meta};
use fhir::xml::{self, Layout};
use fhir::{Definitions, FhirVersion, ResourceId, VersionId};

use crate::data::{files, folder, parse, read};

/// What is wrong with a file, if anything.
type Verdict = Result<(), String>;

fn run(suite: &str, set: &str, ending: &str, check: impl Fn(&Path) -> Option<Verdict>) {
    let Some(folder) = folder(suite, set) else {
        return;
    };
    let mut cases = 0;
    let mut failures = String::new();
    for file in files(&folder, ending) {
        let Some(verdict) = check(&file) else {
            continue;
        };
        cases += 1;
        if let Err(fault) = verdict {
            let name = file.file_name().unwrap().to_string_lossy();
            writeln!(failures, "{name}: {fault}").unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
    assert!(cases > 0, "no case in {}", folder.display());
    println!("isthmus-suite: {suite}: {cases} cases");
}

/// The document with narratives written as XML has them: entities as character references, and
/// the namespace declared. That is the one thing in which a round trip may differ.
fn narratives_settled(document: &Document) -> Document {
    strings_changed(document, &|name, text| {
        (name == "div").then(|| settled(text))
    })
}

/// The document with all strings trimmed: the XML twins were, their JSON was not.
fn trimmed(document: &Document) -> Document {
    strings_changed(document, &|_, text| Some(text.trim().to_owned()))
}

/// The document with the strings for which `change`, told the name of the member, gives a text.
fn strings_changed(document: &Document, change: &dyn Fn(&str, &str) -> Option<String>) -> Document {
    fn visit(
        value: Value<'_>,
        name: &str,
        change: &dyn Fn(&str, &str) -> Option<String>,
        splices: &mut Vec<Splice>,
    ) {
        if let Some(text) = value.as_str().and_then(|text| change(name, &text)) {
            let mut with = String::new();
            fhir::json::write_string(&text, &mut with);
            let span = value.span();
            splices.push(Splice { span, with });
        }
        for member in value.members() {
            visit(member.value, &member.name, change, splices);
        }
        for item in value.items() {
            visit(item, name, change, splices);
        }
    }
    let mut splices = Vec::new();
    visit(document.root(), "", change, &mut splices);
    parse(splice(document.as_str(), splices))
}

/// A narrative as its sequence of tags and characters: attributes by name with their values, text
/// with its characters and single blanks, no comments.
fn settled(div: &str) -> String {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(div);
    let mut text = String::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                settle_tag(&start, &mut text);
                text.push('>');
            }
            Event::Empty(start) => {
                settle_tag(&start, &mut text);
                write!(text, "></{}>", start.name().into_inner()).unwrap();
            }
            Event::End(end) => write!(text, "</{}>", &*end).unwrap(),
            Event::Text(part) => text.push_str(&part),
            Event::CData(part) => text.push_str(&part),
            Event::GeneralRef(entity) => {
                let character = entity.resolve_char_ref().unwrap().map(String::from);
                let named = || {
                    quick_xml::escape::resolve_html5_entity(&entity)
                        .unwrap()
                        .to_owned()
                };
                text += &character.unwrap_or_else(named);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let blank = |it: char| it.is_ascii_whitespace();
    text.split(blank)
        .filter(|it| !it.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn settle_tag(start: &quick_xml::events::BytesStart<'_>, text: &mut String) {
    let attribute = |it: Result<quick_xml::events::attributes::Attribute<'_>, _>| {
        let it = it.unwrap();
        let value = it
            .normalized_value_with(
                quick_xml::XmlVersion::Implicit1_0,
                1,
                quick_xml::escape::resolve_html5_entity,
            )
            .unwrap();
        (it.key.into_inner().to_owned(), value.into_owned())
    };
    let mut attributes: Vec<_> = start.attributes().map(attribute).collect();
    attributes.retain(|(name, _)| name != "xmlns");
    attributes.sort();
    write!(text, "<{}", start.name().into_inner()).unwrap();
    for (name, value) in attributes {
        write!(text, " {name}=\"{value}\"").unwrap();
    }
}

/// The first place where two values differ.
fn difference(left: Value<'_>, right: Value<'_>, path: &str) -> Option<String> {
    if same_content(left, right) {
        return None;
    }
    for member in left.members() {
        let path = format!("{path}.{}", member.name);
        match right.get(&member.name) {
            None => return Some(format!("{path} is lost")),
            Some(other) => {
                if let Some(found) = difference(member.value, other, &path) {
                    return Some(found);
                }
            }
        }
    }
    let added = right.members().find(|it| left.get(&it.name).is_none());
    if let Some(added) = added {
        return Some(format!("{path}.{} is added", added.name));
    }
    let (lefts, rights) = (left.items().count(), right.items().count());
    if lefts != rights {
        return Some(format!("{path} has {lefts} items, then {rights}"));
    }
    let mut items = left.items().zip(right.items()).enumerate();
    let inside =
        items.find_map(|(at, (left, right))| difference(left, right, &format!("{path}[{at}]")));
    inside.or_else(|| {
        let (left, right) = (left.raw(), right.raw());
        Some(format!("{path} differs\n  {left}\n  {right}"))
    })
}

fn through_json(file: &Path) -> Verdict {
    let document = parse(read(file));
    for printed in [minify(&document), pretty(&document)] {
        let again = parse(printed);
        if let Some(found) = difference(document.root(), again.root(), "") {
            return Err(found);
        }
    }
    let minified = minify(&document);
    if minify(&parse(minified.clone())) == minified {
        Ok(())
    } else {
        Err("minified twice is not minified once".to_owned())
    }
}

/// The stored form is stable, holds everything but what the server itself sets, and goes out with
/// version and time in their places.
fn through_store(file: &Path) -> Verdict {
    let document = parse(read(file));
    let id = ResourceId::parse("stored-1").unwrap();
    let form = stored(document.root(), &id).map_err(|it| it.to_string())?;
    if SpliceMark::of(form.text.as_bytes()) != Some(form.mark) {
        return Err("the mark is not found again".to_owned());
    }
    let time = "2026-01-02T03:04:05.678901Z";
    let out = with_meta(form.text.as_bytes(), form.mark, VersionId(7), time);
    let out = parse(out);
    let facts = Facts::of(out.root()).map_err(|it| it.to_string())?;
    let reads = |value: Option<Value<'_>>, text| value.is_some_and(|it| it.is_str(text));
    if !reads(facts.id, "stored-1") || !reads(facts.version_id, "7") {
        return Err("id or version is wrong".to_owned());
    }
    if !reads(facts.last_updated, time) {
        return Err("the time is wrong".to_owned());
    }
    if stored(out.root(), &id).ok().as_ref() != Some(&form) {
        return Err("stored again it is another".to_owned());
    }
    let lost = document.root().members().find(|it| {
        let same = |other| same_content(it.value, other);
        !matches!(&*it.name, "id" | "meta") && !out.root().get(&it.name).is_some_and(same)
    });
    lost.map_or(Ok(()), |it| Err(format!("{} is lost", it.name)))
}

fn through_xml(file: &Path, version: FhirVersion) -> Verdict {
    let definitions = Definitions::of(version);
    let document = parse(read(file));
    let settled = narratives_settled(&document);
    for layout in [Layout::Compact, Layout::Indented] {
        let text = xml::write(&document, definitions, layout).map_err(|it| format!("{it:?}"))?;
        let again = xml::read(text.as_bytes(), definitions, &Limits::DEFAULT);
        let again = parse(again.map_err(|it| format!("{it:?}"))?);
        if let Some(found) = difference(settled.root(), narratives_settled(&again).root(), "") {
            return Err(found);
        }
    }
    Ok(())
}

/// Files of a version's set that are written in another version.
const MISPLACED: [(FhirVersion, &str); 1] = [(FhirVersion::Stu3, "ig-r4.json")];

fn is_misplaced(file: &Path, version: FhirVersion) -> bool {
    let mut misplaced = MISPLACED.iter().filter(|it| it.0 == version);
    misplaced.any(|(_, name)| file.ends_with(name))
}

fn is_resource(file: &Path, version: FhirVersion) -> bool {
    let document = parse(read(file));
    let name = document.root().get("resourceType").and_then(Value::as_str);
    name.is_some_and(|name| Definitions::of(version).resource(&name).is_some())
}

fn check_set(set: &str, version: FhirVersion) {
    let json = format!("json-roundtrip-{}", version.slug());
    run(&json, set, "json", |file| Some(through_json(file)));
    let stored = format!("stored-roundtrip-{}", version.slug());
    run(&stored, set, "json", |file| {
        is_resource(file, version).then(|| through_store(file))
    });
    let xml = format!("xml-roundtrip-{}", version.slug());
    run(&xml, set, "json", |file| {
        if is_misplaced(file, version) {
            let is_refused = through_xml(file, version).is_err();
            return Some(
                is_refused
                    .then_some(())
                    .ok_or("no longer misplaced".to_owned()),
            );
        }
        is_resource(file, version).then(|| through_xml(file, version))
    });
}

#[test]
fn r4_examples_survive() {
    check_set("03-fhir-r4-examples", FhirVersion::R4);
}

#[test]
fn stu3_examples_survive() {
    check_set("04-fhir-stu3-examples", FhirVersion::Stu3);
}

fn twins(file: &Path, version: FhirVersion) -> Verdict {
    let definitions = Definitions::of(version);
    let json = parse(read(&file.with_extension("json")));
    let from_xml = xml::read(&read(file), definitions, &Limits::DEFAULT);
    let from_xml = parse(from_xml.map_err(|it| format!("{it:?}"))?);
    let (expected, given) = (
        trimmed(&narratives_settled(&json)),
        trimmed(&narratives_settled(&from_xml)),
    );
    if let Some(found) = difference(expected.root(), given.root(), "") {
        return Err(found);
    }
    let written = xml::write(&json, definitions, Layout::Compact);
    let written = written.map_err(|it| format!("{it:?}"))?;
    let again = xml::read(written.as_bytes(), definitions, &Limits::DEFAULT);
    let again = parse(again.map_err(|it| format!("{it:?}"))?);
    let again = trimmed(&narratives_settled(&again));
    difference(given.root(), again.root(), "").map_or(Ok(()), Err)
}

#[test]
fn xml_and_json_twins_are_equal() {
    for (set, version) in [
        ("03-xml-json-twins/r4", FhirVersion::R4),
        ("03-xml-json-twins/stu3", FhirVersion::Stu3),
    ] {
        let suite = format!("xml-json-twins-{}", version.slug());
        run(&suite, set, "xml", |file| Some(twins(file, version)));
    }
}
