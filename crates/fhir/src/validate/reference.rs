//! References: their form, and whether they lead to a type that is allowed here.
//!
//! <https://hl7.org/fhir/R4/references.html>. Whether the target exists is not known here, except
//! for contained resources. A URL that is not of the RESTful form may lead anywhere and passes.

use super::report::shown;
use super::resource_type;
use super::walk::{Walk, did_you_mean};
use crate::id::is_id;
use crate::issue::Fault;
use crate::json::Value;
use crate::suggest::nearest;

/// Where the types of references live, if written in full.
const TYPE_URL: &str = "http://hl7.org/fhir/StructureDefinition/";

/// What a reference's text says.
enum Target<'t> {
    /// `#id`, or `#` for the whole resource.
    Local(&'t str),
    /// `Type/id`, `Type/id/_history/version` or `Type?criteria`.
    Relative(&'t str),
    /// A URL that ends like a relative reference: perhaps of that type.
    Absolute(&'t str),
    /// Anything else that is a URI with a scheme.
    Elsewhere,
    Malformed,
}

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
        match parse(text) {
            Target::Local(id) => self.local(id, targets),
            Target::Relative(name) if self.definitions.resource(name).is_none() => {
                self.unknown_type(name);
            }
            Target::Relative(name) => self.target_type(name, targets),
            Target::Absolute(name) if self.definitions.resource(name).is_some() => {
                self.target_type(name, targets);
            }
            Target::Absolute(_) | Target::Elsewhere => {}
            Target::Malformed if text.is_empty() => {}
            Target::Malformed => self.report.add(Fault::Value, || {
                let what = "the reference is neither `Type/id`, nor `#id`, nor a URL";
                (
                    what.into(),
                    "use one of these forms, or `identifier` or `display` only".into(),
                )
            }),
        }
    }

    fn local(&mut self, id: &str, targets: &'static [&'static str]) {
        let Some(container) = self.container else {
            return;
        };
        let found = if id.is_empty() {
            Some(container)
        } else {
            let contained = container
                .get("contained")
                .into_iter()
                .flat_map(Value::items);
            contained
                .into_iter()
                .find(|it| it.get("id").is_some_and(|it| it.is_str(id)))
        };
        match found.map(resource_type) {
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
            let what = format!("the reference names {}, no type of {version}", shown(name));
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
            let what = format!("a reference to {} is not allowed here", shown(name));
            (what, format!("refer to {}", allowed.join(", ")))
        });
    }
}

fn parse(text: &str) -> Target<'_> {
    if let Some(id) = text.strip_prefix('#') {
        return Target::Local(id);
    }
    if has_scheme(text) {
        return match restful_type(text) {
            Some(name) if text.starts_with("http") => Target::Absolute(name),
            _ => Target::Elsewhere,
        };
    }
    if let Some((name, criteria)) = text.split_once('?') {
        let well_formed = !name.contains('/') && criteria.contains('=');
        return if well_formed {
            Target::Relative(name)
        } else {
            Target::Malformed
        };
    }
    let segments = text.split('/').count();
    match restful_type(text) {
        Some(name) if text.starts_with(name) && matches!(segments, 2 | 4) => Target::Relative(name),
        _ => Target::Malformed,
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

/// The type in `…/Type/id` or `…/Type/id/_history/version`.
fn restful_type(text: &str) -> Option<&str> {
    let mut segments = text.rsplit('/');
    let (last, before) = (segments.next()?, segments.next()?);
    let (id, name) = if before == "_history" {
        (is_id(last).then(|| segments.next())??, segments.next()?)
    } else {
        (last, before)
    };
    let is_name = name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|it| it.is_ascii_alphanumeric());
    (is_id(id) && is_name).then_some(name)
}
