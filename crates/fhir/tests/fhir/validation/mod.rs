//! Structural validation: rules as tables of cases, official examples, limits and hostile input.

mod examples;
mod limits;
mod request;
mod rules;

use bytes::Bytes;
use fhir::json::{Document, Limits};
use fhir::validate::{Options, validate};
use fhir::{Definitions, FhirVersion, Issue};

fn parse(json: &str) -> Document {
    let text = Bytes::copy_from_slice(json.as_bytes());
    Document::parse(text, &Limits::DEFAULT).expect("JSON")
}

fn issues(version: FhirVersion, document: &Document) -> Vec<Issue> {
    validate(document, Definitions::of(version), Options::default())
}

/// `where: what (how to mend it)`
fn line(issue: &Issue) -> String {
    let remedy = issue.remedy.as_deref().unwrap_or_default();
    let place = issue.expression.join(", ");
    format!("{place}: {} ({remedy})", issue.what)
}

fn lines(issues: &[Issue]) -> String {
    issues.iter().map(|issue| line(issue) + "\n").collect()
}
