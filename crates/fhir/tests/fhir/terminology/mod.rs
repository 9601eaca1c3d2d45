//! Terminology: rules as tables, the protocol with the caller, and the standard's value sets against
//! the official expansions.

mod cases;
mod generated;
mod official;
mod protocol;
mod tables;

use fhir::Issue;
use fhir::json::Value;
use fhir::terminology::{
    Answer, Canonical, CodeSet, Codes, Content, Source, SourceKind, Stored, TerminologyError,
};

use crate::data;

/// The value of an answer that lacks nothing.
fn known<T>(answer: Answer<T>) -> T {
    match answer {
        Answer::Known { value, .. } => value,
        Answer::Lacking(sources) => panic!("lacking {sources:?}"),
    }
}

fn source(kind: SourceKind, url: &str) -> Source {
    Source {
        kind,
        canonical: Canonical::parse(url),
    }
}

/// Gives a definition under its URL, with and without its version.
fn give(content: &mut Content, text: &str) -> Result<(), TerminologyError> {
    let document = data::parse(text.to_owned());
    let of = |name| document.root().get(name).and_then(Value::as_str);
    let url = of("url").expect("a URL");
    let kind = match of("resourceType").as_deref() {
        Some("CodeSystem") => SourceKind::CodeSystem,
        _ => SourceKind::ValueSet,
    };
    let stored = Stored::read(kind, &document)?;
    for version in [None, of("version").as_deref()] {
        let canonical = Canonical::new(&url, version);
        content.give(Source { kind, canonical }, stored.clone());
    }
    Ok(())
}

/// A line per system.
fn lines(set: &CodeSet) -> Vec<String> {
    let line = |(system, codes): (&str, &Codes)| {
        let (word, codes) = match codes {
            Codes::Listed(codes) => (None, codes),
            Codes::AllExcept(codes) if codes.is_empty() => (Some("all"), codes),
            Codes::AllExcept(codes) => (Some("all but"), codes),
        };
        let words = codes.iter().map(|it| format!("`{it}`"));
        let words: Vec<String> = word.map(str::to_owned).into_iter().chain(words).collect();
        format!("{system}: {}", words.join(" "))
    };
    set.systems().map(line).collect()
}

fn told(error: &TerminologyError) -> String {
    let issue = Issue::from(error);
    let remedy = issue
        .remedy
        .map(|it| format!(" ({it})"))
        .unwrap_or_default();
    format!("{:?}: {}{remedy}", issue.fault, issue.what)
}
