//! Our own C-CDA library on every document of set 16: what is a `ClinicalDocument` becomes a bundle
//! whose resources are valid; everything else is refused, each for its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bytes::Bytes;
use convert::{IdStrategy, Level, Library, Processor, Settings, Unread};
use fhir::json::{Document, Limits};
use fhir::validate::{Options, validate};
use fhir::{Definitions, FhirVersion, Instant, Severity};
use quick_xml::events::Event;
use serde_json::Value;

use super::data;

const SUITE: &str = "convert ccda own";

fn library() -> Library {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/ccda");
    Library::load(&data::sources(folder.as_ref()))
}

/// What is not valid FHIR in a bundle.
pub(crate) fn faults(text: &str) -> Vec<String> {
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
    for (shown, text, is_document) in documents(&set) {
        let root = library.root_for(Processor::Ccda, &text);
        let root = root.as_deref().unwrap_or("Document");
        let output = data::convert(&library, root, Processor::Ccda, &text);
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

/// Documents of our own, with what comes of them, pinned; what is not read is its last lines.
#[test]
fn our_documents_become_what_is_expected() {
    let library = library();
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/ccda");
    let files = data::files(&cases);
    let files = files
        .iter()
        .filter(|it| it.extension().is_some_and(|it| it == "xml"));
    let mut count = 0;
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        let root = library.root_for(Processor::Ccda, &text).unwrap();
        let output = data::convert(&library, &root, Processor::Ccda, &text).unwrap();
        assert_eq!(faults(&output.text), [""; 0], "{}", file.display());
        let json: Value = serde_json::from_str(&output.text).unwrap();
        assert_eq!(dangling(&json), None);
        assert_eq!(unsaid(&text, &json), None);
        let mut shown = serde_json::to_string_pretty(&json).unwrap();
        shown.push('\n');
        let unread = output.unread.iter();
        shown.extend(unread.map(|it| format!("unread {it}\n")));
        expect_test::expect_file![file.with_extension("out")].assert_eq(&shown);
        count += 1;
    }
    assert!(count > 1);
}

/// With the server's ids references go by `fullUrl`, and what has an identifier of its own is looked for
/// by it; a salt changes every id.
#[test]
fn ids_are_those_of_the_strategy() {
    let library = library();
    let text = include_str!("../cases/ccda/statements.xml");
    let converted = |ids: IdStrategy<'_>| -> Value {
        let settings = Settings {
            ids,
            ..Settings::new(Instant::parse("2026-01-01T00:00:00Z").unwrap(), &|| false)
        };
        let output = library.convert("CCD", Processor::Ccda, text, &settings);
        serde_json::from_str(&output.unwrap().text).unwrap()
    };
    let urls = |bundle: &Value| -> BTreeSet<String> {
        let entries = bundle["entry"].as_array().unwrap().iter();
        entries
            .map(|it| it["request"]["url"].as_str().unwrap().to_owned())
            .collect()
    };
    let (hashed, salted) = (
        converted(IdStrategy::Hash),
        converted(IdStrategy::Salted("a secret of the tenant")),
    );
    assert_eq!(dangling(&salted), None);
    assert!(urls(&hashed).is_disjoint(&urls(&salted)));
    let conditional = converted(IdStrategy::Conditional);
    assert_eq!(dangling(&conditional), None);
    let found = urls(&conditional);
    assert!(found.contains("Patient?identifier=urn:oid:2.999.2|P2"));
    let entries = conditional["entry"].as_array().unwrap();
    assert_eq!(found.len(), entries.len(), "no two entries are one");
}

/// The texts of a folder by their paths, and whether each is a document.
fn documents(set: &Path) -> Vec<(String, String, bool)> {
    let mut found = Vec::new();
    for file in data::files(set) {
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        let tag = text.find("<ClinicalDocument").map(|at| &text[at..]);
        let tag = tag.and_then(|it| it.split('>').next());
        let is_document = tag.is_some_and(|it| it.contains("xmlns=\"urn:hl7-org:v3\""));
        let shown = file.strip_prefix(set).unwrap().display().to_string();
        found.push((shown, text, is_document));
    }
    found
}

/// What became of every text and attribute of every document, by its last two steps: it is in the
/// bundle as it stands, it decides something or is written otherwise there, it is left away on
/// purpose, or it is reported.
#[test]
fn nothing_is_lost_silently() {
    let Some(set) = data::folder(SUITE, "16-ccda") else {
        return;
    };
    let library = library();
    let mut rows: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for (_, text, _) in documents(&set).into_iter().filter(|it| it.2) {
        let root = library.root_for(Processor::Ccda, &text).unwrap();
        let output = data::convert(&library, &root, Processor::Ccda, &text).unwrap();
        let paths = |of: &[Unread]| of.iter().map(Unread::to_string).collect::<BTreeSet<_>>();
        let (unread, ignored) = (paths(&output.unread), paths(&output.ignored));
        let written = texts(&serde_json::from_str(&output.text).unwrap());
        for (path, value) in leaves(&text) {
            let became = match () {
                () if unread.contains(&path) => "reported",
                () if ignored.contains(&path) => "ignored",
                () if written.contains(&words(&value)) => "kept",
                () => "changed",
            };
            let mut steps: Vec<&str> = path.rsplit('/').take(2).collect();
            steps.reverse();
            *rows.entry((became, steps.join("/"))).or_default() += 1;
        }
    }
    let total = |became: &str| -> usize {
        let rows = rows.iter().filter(|it| it.0.0 == became);
        rows.map(|it| it.1).sum()
    };
    let states = ["kept", "changed", "ignored", "reported"].map(|it| format!("{} {it}", total(it)));
    println!("isthmus-suite: {SUITE}: values {}", states.join(", "));
    let rows = rows.into_iter().filter(|it| it.0.0 != "kept");
    let rows = rows.map(|((became, path), count)| format!("{became}\t{path}\t{count}\n"));
    let table = rows.collect::<Vec<_>>().concat();
    expect_test::expect_file!["../official/ccda-coverage.tsv"].assert_eq(&table);
}

/// All texts of a bundle.
fn texts(json: &Value) -> String {
    let (mut found, mut open) = (Vec::new(), vec![json]);
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => open.extend(members.values()),
            Value::Array(items) => open.extend(items),
            Value::String(text) => found.push(words(text)),
            other => found.push(other.to_string()),
        }
    }
    found.join("\n")
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The texts and attributes of a document with their paths, but those of narratives.
fn leaves(text: &str) -> Vec<(String, String)> {
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let (mut path, mut found) = (String::new(), Vec::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                path.push('/');
                path.push_str(&start.name().as_ref().replace(':', "_"));
                for attribute in start.attributes().map(Result::unwrap) {
                    let name: &str = attribute.key.as_ref();
                    if !name.starts_with("xmlns") {
                        let place = format!("{path}/@{}", name.replace(':', "_"));
                        let value = quick_xml::escape::unescape(&attribute.value).unwrap();
                        found.push((place, value.into_owned()));
                    }
                }
            }
            Event::Text(content) if !content.trim().is_empty() => {
                found.push((path.clone(), content.to_string()));
            }
            Event::End(_) => path.truncate(path.rfind('/').unwrap()),
            Event::Eof => break,
            _ => {}
        }
    }
    found.retain(|it| !it.0.contains("/section/text"));
    found
}

/// A reference that leads to nothing in the bundle.
fn dangling(bundle: &Value) -> Option<String> {
    let entries = bundle["entry"].as_array().unwrap();
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let places: BTreeSet<String> = entries
        .iter()
        .flat_map(|it| [text(&it["request"]["url"]), text(&it["fullUrl"])])
        .collect();
    let mut open: Vec<&Value> = vec![bundle];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("reference").and_then(Value::as_str)
                    && !reference.starts_with('#')
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

/// Narratives and entries of sections that are not in the composition.
fn unsaid(text: &str, bundle: &Value) -> Option<String> {
    let (found, wanted) = (said(&bundle["entry"][0]["resource"]), counted(text));
    if found.narratives < wanted.narratives {
        let (found, wanted) = (found.narratives, wanted.narratives);
        return Some(format!(
            "{found} of {wanted} narratives are in the composition"
        ));
    }
    let (found, wanted) = (found.entries, wanted.entries);
    (found < wanted).then(|| format!("{found} references for {wanted} entries"))
}

/// What a document has to say, or a composition says.
#[derive(Default)]
struct Said {
    /// Sections with a narrative that has text.
    narratives: usize,
    /// Entries of all sections.
    entries: usize,
}

/// Counts in sections, one inside the other.
fn said(of: &Value) -> Said {
    let mut total = Said::default();
    for section in of["section"].as_array().into_iter().flatten() {
        let inner = said(section);
        let has_text = section["text"]["div"].is_string();
        total.narratives += inner.narratives + usize::from(has_text);
        total.entries += inner.entries + section["entry"].as_array().map_or(0, Vec::len);
    }
    total
}

/// Counts without the engine.
fn counted(text: &str) -> Said {
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut path, mut found, mut narrative) = (Vec::<String>::new(), Said::default(), None);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_owned();
                let is_in_section = path.last().is_some_and(|it| it == "section");
                found.entries += usize::from(is_in_section && name == "entry");
                if is_in_section && name == "text" {
                    narrative = Some(false);
                }
                path.push(name);
            }
            Event::Text(content) => {
                narrative = narrative.map(|it| it || !content.trim().is_empty());
            }
            Event::End(_) => {
                let name = path.pop().unwrap();
                if name == "text" && path.last().is_some_and(|it| it == "section") {
                    found.narratives += usize::from(narrative.take() == Some(true));
                }
            }
            Event::Eof => return found,
            _ => {}
        }
    }
}
