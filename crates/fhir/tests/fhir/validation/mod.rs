//! Structural validation: rules as tables of cases, official examples, limits and hostile input.

mod entries;
#[cfg(test)]
mod examples;
mod limits;
mod mutations;
mod rules;

use fhir::json::Document;
use fhir::validate::{Options, validate};
use fhir::{Definitions, FhirVersion, Issue};

use crate::data;

fn parse(json: &str) -> Document {
    data::parse(json.to_owned())
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
