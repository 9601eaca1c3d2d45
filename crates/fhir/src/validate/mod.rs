//! Structural validation: whether a resource is what its version's definitions say.
//!
//! Names, cardinality, kinds of JSON, primitive formats, choices, required bindings, references,
//! extensions, contained resources and narratives (<https://hl7.org/fhir/R4/validation.html>, the
//! aspects structure, cardinality, value domains). All faults are told, each with its place, never
//! with a value. Profiles and the invariants written in FHIRPath are not checked here.

mod binding;
mod container;
pub(crate) mod grammar;
mod handling;
mod names;
mod path;
mod reference;
mod repetition;
mod report;
mod value;
mod walk;

use std::borrow::Cow;

use crate::Definitions;
use crate::issue::Issue;
use crate::json::{Document, Value};

pub use handling::Handling;

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
    validate_with(resource, location, definitions, options, Handling::Strict)
}

/// The same, with the severity of each fault by how strictly the client wants to be judged: only
/// errors are reasons to refuse the resource.
pub fn validate_with(
    resource: Value<'_>,
    location: &str,
    definitions: &Definitions,
    options: Options,
    handling: Handling,
) -> Vec<Issue> {
    let report = Report::new(location, options.issues_max, handling);
    let mut walk = Walk::new(definitions, options.entries, report);
    walk.resource(resource, Role::Whole);
    walk.finish()
}

/// The name in `resourceType`, if the value is an object that has one.
pub fn resource_type(resource: Value<'_>) -> Option<Cow<'_, str>> {
    resource.get("resourceType").and_then(Value::as_str)
}
