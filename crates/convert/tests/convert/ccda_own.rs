//! Our own C-CDA library on every document of set 16: what is a `ClinicalDocument` becomes a bundle
//! whose resources are valid; everything else is refused, each for its reason.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use convert::{Level, Library, Processor};
use fhir::json::{Document, Limits};
use fhir::validate::{Options, validate};
use fhir::{Definitions, FhirVersion, Severity};
use quick_xml::events::Event;
use serde_json::Value;

use super::data;

const SUITE: &str = "convert ccda own";

fn library() -> Library {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/ccda");
    Library::load(&data::sources(folder.as_ref()))
}

fn faults(text: &str) -> Vec<String> {
    let document = Document::parse(Bytes::from(text.to_owned()), &Limits::DEFAULT).unwrap();
    let definitions = Definitions::of(FhirVersion::R4);
    let issues = validate(&document, definitions, Options::default());
    let errors = issues.iter().filter(|it| it.severity == Severity::Error);
    errors
        .map(|it| format!("{}: {}", it.expression.join(" "), it.what))
        .collect()
}

#[test]
fn it_has_no_faults() {
    let library = library();
    let findings = library.check();
    let errors: Vec<String> = findings
        .iter()
        .filter(|it| it.level == Level::Error)
        .map(ToString::to_string)
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    let roots = library.roots();
    for root in [
        "CCD",
        "CarePlan",
        "ConsultationNote",
        "DiagnosticImagingReport",
        "DischargeSummary",
        "HistoryandPhysical",
        "OperativeNote",
        "ProcedureNote",
        "ProgressNote",
        "ReferralNote",
        "TransferSummary",
        "UnstructuredDocument",
    ] {
        assert!(roots.contains(&root), "{root}");
    }
}

#[test]
fn every_document_becomes_valid_resources_and_everything_else_is_refused() {
    let Some(set) = data::folder(SUITE, "16-ccda") else {
        return;
    };
    let library = library();
    let (mut wrong, mut converted, mut refused) = (Vec::new(), 0, 0);
    let mut types: BTreeMap<String, usize> = BTreeMap::new();
    for file in data::files(&set) {
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        let root_element = text.find("<ClinicalDocument").map(|at| &text[at..]);
        let is_document = root_element.is_some_and(|it| {
            let tag = it.split('>').next().unwrap();
            tag.contains("xmlns=\"urn:hl7-org:v3\"")
        });
        let root = library.root_for(Processor::Ccda, &text);
        let root = root.as_deref().unwrap_or("Document");
        let output = data::convert(&library, root, Processor::Ccda, &text);
        let shown = file.strip_prefix(&set).unwrap().display().to_string();
        match (output, is_document) {
            (Ok(output), true) => {
                converted += 1;
                for fault in faults(&output.text).into_iter().take(5) {
                    wrong.push(format!("{shown} {root}: {fault}"));
                }
                let json: Value = serde_json::from_str(&output.text).unwrap();
                for entry in json["entry"].as_array().unwrap() {
                    let kind = entry["resource"]["resourceType"].as_str().unwrap();
                    *types.entry(kind.to_owned()).or_default() += 1;
                }
                wrong.extend(dangling(&json).map(|it| format!("{shown}: {it}")));
                wrong.extend(unsaid(&text, &json).map(|it| format!("{shown}: {it}")));
            }
            (Err(error), true) => wrong.push(format!("{shown} {root}: {error}")),
            (Ok(_), false) => wrong.push(format!("{shown}: converted, but no document")),
            (Err(error), false) => {
                refused += 1;
                println!("refused: {shown}: {error}");
            }
        }
    }
    println!("isthmus-suite: {SUITE}: {converted} converted, {refused} refused, {types:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A reference that leads to nothing in the bundle.
fn dangling(bundle: &Value) -> Option<String> {
    let entries = bundle["entry"].as_array().unwrap();
    let places: BTreeSet<String> = entries
        .iter()
        .map(|it| it["request"]["url"].as_str().unwrap().to_owned())
        .collect();
    let mut open: Vec<&Value> = vec![bundle];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("reference").and_then(Value::as_str)
                    && !places.contains(reference)
                {
                    return Some(format!("`{reference}` is not in the bundle"));
                }
                open.extend(members.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    None
}

/// Sections of the body whose narrative is not in the composition.
fn unsaid(text: &str, bundle: &Value) -> Option<String> {
    let composition = &bundle["entry"][0]["resource"];
    let said = composition["section"].as_array().into_iter().flatten();
    let said = said.filter(|it| it["text"]["div"].is_string()).count();
    let wanted = counted(text);
    if said < wanted.narratives {
        let wanted = wanted.narratives;
        return Some(format!(
            "{said} of {wanted} narratives are in the composition"
        ));
    }
    let sections = composition["section"].as_array().into_iter().flatten();
    let referred = sections.filter_map(|it| it["entry"].as_array());
    let referred: usize = referred.map(Vec::len).sum();
    let wanted = wanted.entries;
    (referred < wanted).then(|| format!("{referred} references for {wanted} entries"))
}

/// What a document has to say.
#[derive(Default)]
struct Said {
    /// Sections right below the body with a narrative that has text.
    narratives: usize,
    /// Entries of all sections.
    entries: usize,
}

/// Counts without the engine.
fn counted(text: &str) -> Said {
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut path, mut found, mut has_text) = (Vec::<String>::new(), Said::default(), false);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_owned();
                if name == "section" && !path.contains(&name) {
                    has_text = false;
                }
                let is_entry = name == "entry" && path.last().is_some_and(|it| it == "section");
                found.entries += usize::from(is_entry);
                path.push(name);
            }
            Event::Text(content) => {
                let is_narrative = path.windows(2).any(|it| it == ["section", "text"]);
                has_text |= is_narrative && !content.trim().is_empty();
            }
            Event::End(_) => {
                let name = path.pop().unwrap();
                if name == "section" && !path.contains(&name) {
                    found.narratives += usize::from(has_text);
                }
            }
            Event::Eof => return found,
            _ => {}
        }
    }
}
