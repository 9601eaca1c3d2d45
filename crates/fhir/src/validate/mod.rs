//! Structural validation: whether a resource is what its version's definitions say.
//!
//! Names, cardinality, kinds of JSON, primitive formats, choices, required bindings, references,
//! extensions, contained resources and narratives (<https://hl7.org/fhir/R4/validation.html>, the
//! aspects structure, cardinality, value domains). All faults are told, each with its place, never
//! with a value. Profiles and the invariants written in FHIRPath are not checked here.

mod binding;
mod container;
mod grammar;
mod path;
mod reference;
mod report;
mod value;
mod walk;

use std::borrow::Cow;

use crate::issue::{Fault, Issue};
use crate::json::{Document, Value};
use crate::{Definitions, ResourceId};

use report::Report;
use walk::{Role, Walk};

/// How many issues are told unless the caller says otherwise.
pub const ISSUES_MAX: usize = 100;
/// The deepest nesting of elements that is walked; more than any definition needs.
pub const ELEMENT_DEPTH_MAX: usize = 128;

/// What a validation looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How many issues to tell; one more says how many there are beyond.
    pub issues_max: usize,
    /// Whether to look into the resources of a Bundle.
    pub entries: Entries,
}

/// Whether the resources of Bundle entries are part of a validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entries {
    /// They are, each at its place in the Bundle.
    Checked,
    /// They are not: a batch fails entry by entry, so each is validated with [`validate_at`].
    Skipped,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            issues_max: ISSUES_MAX,
            entries: Entries::Checked,
        }
    }
}

/// All structural faults of a document that is to be a resource; empty if there are none.
pub fn validate(document: &Document, definitions: &Definitions, options: Options) -> Vec<Issue> {
    validate_at(document.root(), "", definitions, options)
}

/// All structural faults of a value that is to be a resource. Its own place is `location`
/// (`Bundle.entry[3].resource`), or if that is empty the name of its type.
pub fn validate_at(
    resource: Value<'_>,
    location: &str,
    definitions: &Definitions,
    options: Options,
) -> Vec<Issue> {
    let report = Report::new(location, options.issues_max);
    let mut walk = Walk::new(definitions, options.entries, report);
    walk.resource(resource, Role::Whole);
    walk.finish()
}

/// The name in `resourceType`, if the value is an object that has one.
pub fn resource_type(resource: Value<'_>) -> Option<Cow<'_, str>> {
    resource.get("resourceType").and_then(Value::as_str)
}

/// Whether a body fits the URL that it was sent to: its type, and on update its id.
/// The rest is [`validate`]'s.
pub fn check_type_and_id(
    document: &Document,
    expected_type: &str,
    expected_id: Option<&ResourceId>,
) -> Vec<Issue> {
    let root = document.root();
    let type_fits = resource_type(root).is_some_and(|name| name == expected_type);
    let wrong_type = (!type_fits).then(|| {
        let what = format!("the body is not of the type `{expected_type}` that the URL names");
        Issue::error(Fault::Invalid, what)
            .at("Resource")
            .mend(format!(
                "send `\"resourceType\": \"{expected_type}\"`, or use the type's own URL"
            ))
    });
    let wrong_id = expected_id.and_then(|expected| {
        let what = match root.get("id") {
            Some(id) if id.is_str(expected.as_str()) => return None,
            Some(_) => "the body's `id` is not the id in the URL",
            None => "the body has no `id`, but the URL has one",
        };
        let issue = Issue::error(Fault::Invalid, what).at(format!("{expected_type}.id"));
        Some(issue.mend("send the id of the URL as `id`"))
    });
    wrong_type.into_iter().chain(wrong_id).collect()
}
