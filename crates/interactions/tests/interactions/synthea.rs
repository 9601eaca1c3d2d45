//! Synthetic patients as transactions: what is stored is what was sent, and references resolve.

use std::io::Read as _;
use std::path::PathBuf;

use fhir::json::{Document, Limits, Value};
use fhir::{Definitions, FhirVersion};
use interactions::{EntryAnswer, WriteEffect};

use crate::harness::{Host, host, issues, sweep};

const SUITE: &str = "synthea transactions";

fn data(set: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ISTHMUS_DATA")
        .map(PathBuf::from)
        .or_else(|| {
            let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            let cache =
                cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
            Some(cache?.join("isthmus-data"))
        });
    root.map(|it| it.join(set)).filter(|it| it.is_dir())
}

/// The smallest transaction bundles of a folder; what others depend on comes first.
fn files(folder: PathBuf) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![folder];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().contains(".json") {
                files.push((entry.metadata().unwrap().len(), path));
            }
        }
    }
    files.sort();
    let is_first = |path: &PathBuf| path.to_string_lossy().contains("Information");
    let (mut first, rest): (Vec<_>, Vec<_>) = files.into_iter().map(|it| it.1).partition(is_first);
    first.sort();
    first
        .into_iter()
        .chain(rest.into_iter().take(sweep(3, usize::MAX)))
        .collect()
}

fn text(path: &PathBuf) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    if path.extension().is_some_and(|it| it == "bz2") {
        let mut text = Vec::new();
        bzip2::read::MultiBzDecoder::new(&bytes[..])
            .read_to_end(&mut text)
            .unwrap();
        return text;
    }
    bytes
}

async fn load(host: &Host, path: &PathBuf) -> usize {
    let text = text(path);
    let sent = Document::parse(text.into(), &Limits::DEFAULT).unwrap();
    if !sent
        .root()
        .get("type")
        .is_some_and(|it| it.is_str("transaction") || it.is_str("batch"))
    {
        return 0;
    }
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let answer = host.interactions.bundle(&host.caller, sent.clone()).await;
    let answer = answer.unwrap_or_else(|error| panic!("{name}: {}", issues(&error)));
    let entries: Vec<Value<'_>> = sent.root().get("entry").unwrap().items().collect();
    assert_eq!(entries.len(), answer.entries.len());
    for (sent, answer) in entries.iter().zip(&answer.entries) {
        let Ok(EntryAnswer::Written(written)) = &answer.answer else {
            panic!("{name}")
        };
        assert!(matches!(
            written.effect,
            WriteEffect::Created | WriteEffect::Updated | WriteEffect::Unchanged
        ));
        let stored = written.resource.as_ref().unwrap().json();
        let stored = std::str::from_utf8(&stored).unwrap();
        for leftover in ["\"urn:uuid:", "?identifier="] {
            let was_sent = sent
                .get("resource")
                .unwrap()
                .raw()
                .matches(leftover)
                .count();
            assert!(
                was_sent == 0 || !stored.contains(&format!("\"reference\":{leftover}")),
                "{name}"
            );
        }
        resolve(host, stored).await;
    }
    entries.len()
}

/// Every reference of a stored resource leads to something.
async fn resolve(host: &Host, stored: &str) {
    let document = Document::parse(stored.to_owned().into(), &Limits::DEFAULT).unwrap();
    let definitions = Definitions::of(host.caller.version);
    let root = fhir::element::Element::resource(definitions, document.root()).unwrap();
    for reference in fhir::reference::references(&root) {
        let Some(text) = reference.text().filter(|it| !it.starts_with('#')) else {
            continue;
        };
        let key = crate::harness::key(&text);
        host.interactions.read(&host.caller, &key).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn synthetic_patients_load_as_transactions() {
    let mut cases = 0;
    for (set, version) in [
        ("05-synthea-r4/blaze", FhirVersion::R4),
        ("06-synthea-stu3/smart-synthea", FhirVersion::Stu3),
    ] {
        let Some(folder) = data(set) else {
            println!("isthmus-skipped: {SUITE}: {set} is not there");
            continue;
        };
        let host = host(version);
        for path in files(folder) {
            cases += load(&host, &path).await;
        }
    }
    println!("isthmus-suite: {SUITE}: {cases} cases");
}
