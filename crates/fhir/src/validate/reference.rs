//! References: their form, and whether they lead to a type that is allowed here.
//!
//! <https://hl7.org/fhir/R4/references.html>. Whether the target exists is not known here, except
//! for contained resources. A URL that is not of the RESTful form may lead anywhere and passes.

use super::names::did_you_mean;
use super::resource_type;
use super::walk::Walk;
use crate::issue::Fault;
use crate::json::Value;
use crate::reference::Reference;
use crate::suggest::nearest;

/// Where the types of references live, if written in full.
const TYPE_URL: &str = "http://hl7.org/fhir/StructureDefinition/";

impl<'d> Walk<'d, '_> {
    pub(super) fn reference(&mut self, value: Value<'d>, targets: &'static [&'static str]) {
        if let Some(text) = value.get("reference").and_then(Value::as_str) {
            self.literal(&text, targets);
        }
        if let Some(name) = value.get("type").and_then(Value::as_str) {
            let name = name.strip_prefix(TYPE_URL).unwrap_or(&name);
            if self.definitions.resource(name).is_some() {
                self.target_type(name, targets);
            }
        }
    }

    fn literal(&mut self, text: &str, targets: &'static [&'static str]) {
        match Reference::parse(self.definitions, text) {
            Reference::Fragment(id) => self.local(id, targets),
            Reference::Relative(target) | Reference::Absolute { target, .. } => {
                self.target_type(target.resource_type, targets);
            }
            Reference::Conditional { resource_type, .. } => {
                self.target_type(resource_type, targets);
            }
            Reference::Urn(_) => {}
            // That the string is empty is told where primitives are.
            Reference::Other(text) if text.is_empty() || has_scheme(text) => {}
            Reference::Other(text) => self.unreadable(text),
        }
    }

    fn unreadable(&mut self, text: &str) {
        let name = text.split(['/', '?']).next().unwrap_or_default();
        let is_name = name.len() < text.len()
            && name.starts_with(|first: char| first.is_ascii_uppercase())
            && name.bytes().all(|it| it.is_ascii_alphanumeric());
        if is_name && self.definitions.resource(name).is_none() {
            return self.unknown_type(name);
        }
        self.report.add(Fault::Value, || {
            let what = "the reference is neither `Type/id`, nor `#id`, nor a URL";
            (
                what.into(),
                "use one of these forms, or `identifier` or `display` only".into(),
            )
        });
    }

    fn local(&mut self, id: &str, targets: &'static [&'static str]) {
        let Some(container) = &self.container else {
            return;
        };
        match container.find(id).map(resource_type) {
            Some(Some(name)) => self.target_type(&name, targets),
            Some(None) => {}
            None => self.report.add(Fault::Value, || {
                let what = "the reference leads to no contained resource";
                (
                    what.into(),
                    "contain a resource with that `id`, or refer elsewhere".into(),
                )
            }),
        }
    }

    fn unknown_type(&mut self, name: &str) {
        let (version, definitions) = (self.version, self.definitions);
        self.report.add(Fault::Value, || {
            let what = format!("the reference names no resource type of {version}");
            let near = nearest(name, definitions.resources().map(|it| it.name));
            (
                what,
                did_you_mean(near, "refer to a type of this FHIR version"),
            )
        });
    }

    fn target_type(&mut self, name: &str, targets: &'static [&'static str]) {
        if targets.is_empty() || targets.contains(&name) {
            return;
        }
        self.report.add(Fault::Value, || {
            let allowed: Vec<String> = targets.iter().map(|it| format!("`{it}`")).collect();
            let what = format!("a reference to `{name}` is not allowed here");
            (what, format!("refer to {}", allowed.join(", ")))
        });
    }
}

/// RFC 3986 §3.1: a letter, then letters, digits and `+ - .`, up to the colon.
fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || b"+-.".contains(&it))
    })
}
