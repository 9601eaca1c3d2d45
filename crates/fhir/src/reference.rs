//! References in a resource: what they point to, where they stand, and how to rewrite them.
//!
//! Nothing is resolved here. A transaction replaces temporary identities everywhere: in references,
//! in elements of type uri, url, oid, uuid and canonical, and in the links of narratives
//! (<https://hl7.org/fhir/R4/http.html#trules>).

use std::borrow::Cow;

use crate::definitions::Definitions;
use crate::element::Element;
use crate::id::is_id;
use crate::json::{Splice, Value, write_string};

/// What the text of `Reference.reference` says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reference<'t> {
    /// `Patient/1` or `Patient/1/_history/2`.
    Relative(Target<'t>),
    /// The same below a base URL, which has no trailing slash.
    Absolute {
        /// The server's base.
        base: &'t str,
        /// What on that server.
        target: Target<'t>,
    },
    /// `#id`: a contained resource; empty for the container itself.
    Fragment(&'t str),
    /// `urn:uuid:…`, `urn:oid:…`.
    Urn(&'t str),
    /// `Practitioner?identifier=…`: to be resolved by searching, in transactions.
    Conditional {
        /// The resource type.
        resource_type: &'t str,
        /// The search, without `?`.
        query: &'t str,
    },
    /// Any other URL.
    Other(&'t str),
}

/// A resource on some server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Target<'t> {
    /// Its type, which exists in this FHIR version.
    pub resource_type: &'t str,
    /// Its id.
    pub id: &'t str,
    /// The version, if a certain one is meant.
    pub version: Option<&'t str>,
}

impl<'t> Reference<'t> {
    /// Takes a reference's text apart.
    pub fn parse(definitions: &Definitions, text: &'t str) -> Self {
        if let Some(id) = text.strip_prefix('#') {
            return Self::Fragment(id);
        }
        if text.starts_with("urn:") {
            return Self::Urn(text);
        }
        if let Some((resource_type, query)) = text.split_once('?') {
            return match definitions.resource(resource_type) {
                Some(_) => Self::Conditional {
                    resource_type,
                    query,
                },
                None => Self::Other(text),
            };
        }
        match target_at_end(definitions, text) {
            Some(("", target)) => Self::Relative(target),
            Some((base, target)) if is_base(base) => Self::Absolute {
                base: base.trim_end_matches('/'),
                target,
            },
            _ => Self::Other(text),
        }
    }
}

/// Splits `base/Type/id` or `base/Type/id/_history/version` from behind; the base may be empty and
/// ends with its slash.
fn target_at_end<'t>(definitions: &Definitions, text: &'t str) -> Option<(&'t str, Target<'t>)> {
    let (rest, version) = match text.rsplit_once("/_history/") {
        Some((rest, version)) => (rest, Some(version)),
        None => (text, None),
    };
    let (rest, id) = rest.rsplit_once('/')?;
    let start = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (base, resource_type) = rest.split_at(start);
    let is_target =
        is_id(id) && version.is_none_or(is_id) && definitions.resource(resource_type).is_some();
    let target = Target {
        resource_type,
        id,
        version,
    };
    is_target.then_some((base, target))
}

fn is_base(base: &str) -> bool {
    let after_scheme = base
        .strip_prefix("http://")
        .or_else(|| base.strip_prefix("https://"));
    after_scheme.is_some_and(|rest| rest.len() > 1)
}

/// Names of types may be told, ids and URLs may be somebody's.
impl std::fmt::Debug for Reference<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Relative(target) => write!(f, "Relative({}/[id])", target.resource_type),
            Self::Absolute { target, .. } => write!(f, "Absolute({}/[id])", target.resource_type),
            Self::Fragment(_) => f.write_str("Fragment"),
            Self::Urn(_) => f.write_str("Urn"),
            Self::Conditional { resource_type, .. } => write!(f, "Conditional({resource_type})"),
            Self::Other(_) => f.write_str("Other"),
        }
    }
}

impl std::fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/[id]", self.resource_type)
    }
}

/// An element of type Reference inside a resource.
#[derive(Debug, Clone)]
pub struct ReferenceElement<'d> {
    /// The element, whose chosen type names the types that it may point to.
    pub element: Element<'d>,
    /// The string `reference`; absent in a logical reference, which has an identifier or a display.
    pub literal: Option<Value<'d>>,
    /// The object `identifier`.
    pub identifier: Option<Value<'d>>,
}

impl<'d> ReferenceElement<'d> {
    /// The literal's text.
    pub fn text(&self) -> Option<Cow<'d, str>> {
        self.literal.and_then(Value::as_str)
    }
}

/// Every element of type Reference below an element, contained resources and entries included.
pub fn references<'d>(
    within: &Element<'d>,
) -> impl Iterator<Item = ReferenceElement<'d>> + use<'d> {
    let is_reference = |it: &Element<'_>| it.definition.name == "Reference";
    within
        .descendants()
        .filter(is_reference)
        .map(|element| ReferenceElement {
            literal: element.value.and_then(|it| it.get("reference")),
            identifier: element.value.and_then(|it| it.get("identifier")),
            element,
        })
}

/// Types whose values identify something by URL; a transaction rewrites them as it does references.
const URL_TYPES: [&str; 5] = ["uri", "url", "oid", "uuid", "canonical"];

/// What replaces every reference, URL and narrative link for which `replacement` gives a text.
pub fn rewrite(within: &Element<'_>, replacement: &dyn Fn(&str) -> Option<String>) -> Vec<Splice> {
    let mut splices = Vec::new();
    for element in within.descendants() {
        let Some(value) = element.value else {
            continue;
        };
        let rewritten = match element.definition.name {
            name if URL_TYPES.contains(&name) => rewrite_string(value, replacement),
            "string" if is_literal(&element) => rewrite_string(value, replacement),
            "xhtml" => rewrite_links(value, replacement),
            _ => None,
        };
        splices.extend(rewritten);
    }
    splices
}

/// What replaces every `Reference.reference` for which `replacement` gives a text, nothing else:
/// for conditional references.
pub fn rewrite_literals(
    within: &Element<'_>,
    replacement: &dyn Fn(&str) -> Option<String>,
) -> Vec<Splice> {
    let literals = references(within).filter_map(|it| it.literal);
    literals
        .filter_map(|it| rewrite_string(it, replacement))
        .collect()
}

fn is_literal(element: &Element<'_>) -> bool {
    element
        .element
        .is_some_and(|it| it.path == "Reference.reference")
}

fn rewrite_string(
    value: Value<'_>,
    replacement: &dyn Fn(&str) -> Option<String>,
) -> Option<Splice> {
    let with = replacement(&value.as_str()?)?;
    Some(string_splice(value, &with))
}

fn string_splice(value: Value<'_>, text: &str) -> Splice {
    let mut with = String::with_capacity(text.len() + 2);
    write_string(text, &mut with);
    Splice {
        span: value.span(),
        with,
    }
}

/// Rewrites the values of `href` and `src`; the whole narrative is one string, hence one splice.
fn rewrite_links(value: Value<'_>, replacement: &dyn Fn(&str) -> Option<String>) -> Option<Splice> {
    let div = value.as_str()?;
    let mut links = Vec::new();
    for span in link_spans(&div) {
        let escaped = &div[span.clone()];
        let link = quick_xml::escape::unescape(escaped).ok()?;
        if let Some(with) = replacement(&link) {
            let with = quick_xml::escape::escape(with).into_owned();
            links.push(Splice { span, with });
        }
    }
    if links.is_empty() {
        return None;
    }
    Some(string_splice(value, &crate::json::splice(&div, links)))
}

/// Where the values of `href` and `src` stand in tags; comments and text between tags are skipped.
fn link_spans(div: &str) -> Vec<std::ops::Range<usize>> {
    let mut spans = Vec::new();
    let mut at = 0;
    while let Some(tag) = div[at..].find('<') {
        at += tag;
        if div[at..].starts_with("<!--") {
            at = div[at..].find("-->").map_or(div.len(), |end| at + end);
            continue;
        }
        at = tag_links(div, at + 1, &mut spans);
    }
    spans
}

/// Goes through the attributes of a tag and gives the place of its end.
fn tag_links(div: &str, start: usize, spans: &mut Vec<std::ops::Range<usize>>) -> usize {
    let bytes = div.as_bytes();
    let mut at = start;
    while let Some(found) = memchr::memchr3(b'>', b'"', b'\'', &bytes[at..]) {
        let quote = at + found;
        if bytes[quote] == b'>' {
            return quote;
        }
        let Some(length) = memchr::memchr(bytes[quote], &bytes[quote + 1..]) else {
            break;
        };
        let end = quote + 1 + length;
        let before = div[at..quote].trim_end().strip_suffix('=');
        let name = before.map_or("", str::trim_end);
        let name = name.rsplit(|it: char| it.is_ascii_whitespace()).next();
        if matches!(name, Some("href" | "src")) {
            spans.push(quote + 1..end);
        }
        at = end + 1;
    }
    div.len()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::FhirVersion;
    use crate::json::{Document, Limits, splice};

    fn r4() -> &'static Definitions {
        Definitions::of(FhirVersion::R4)
    }

    #[test]
    fn references_have_forms() {
        let target = |version| Target {
            resource_type: "Patient",
            id: "1",
            version,
        };
        let absolute = |base, version| Reference::Absolute {
            base,
            target: target(version),
        };
        for (text, expected) in [
            ("Patient/1", Reference::Relative(target(None))),
            (
                "Patient/1/_history/2",
                Reference::Relative(target(Some("2"))),
            ),
            ("http://a.b/c/Patient/1", absolute("http://a.b/c", None)),
            (
                "https://a/Patient/1/_history/2",
                absolute("https://a", Some("2")),
            ),
            ("#a", Reference::Fragment("a")),
            ("#", Reference::Fragment("")),
            ("urn:uuid:x", Reference::Urn("urn:uuid:x")),
            (
                "Practitioner?identifier=a|b/c",
                Reference::Conditional {
                    resource_type: "Practitioner",
                    query: "identifier=a|b/c",
                },
            ),
        ] {
            assert_eq!(Reference::parse(r4(), text), expected, "{text}");
        }
    }

    #[test]
    fn what_names_no_resource_is_other() {
        for text in [
            "",
            "Patient",
            "Patient/",
            "/Patient/1",
            "Nothing/1",
            "Patient/1/_history/",
            "Patient/a_b",
            "a/Patient/1",
            "ftp://a/Patient/1",
            "http://a/b?c=Patient/1",
            "http:///Patient/1",
            "DomainResource/1",
        ] {
            assert_eq!(
                Reference::parse(r4(), text),
                Reference::Other(text),
                "{text}"
            );
        }
    }

    fn rewritten(text: &'static str) -> String {
        let document = Document::parse(Bytes::from_static(text.as_bytes()), &Limits::DEFAULT);
        let document = document.unwrap();
        let root = Element::resource(r4(), document.root()).unwrap();
        let replacement = |it: &str| (it == "urn:uuid:a&b").then(|| "Patient/1".to_owned());
        splice(document.as_str(), rewrite(&root, &replacement))
    }

    #[test]
    fn references_urls_and_links_are_rewritten_everywhere() {
        assert_eq!(
            rewritten(
                r#"{"resourceType":"Observation","text":{"status":"generated","div":"<div title=\"href='urn:uuid:a&amp;b'\"><!-- <a href='urn:uuid:a&amp;b'> --><a x='>' href = 'urn:uuid:a&amp;b'>urn:uuid:a&amp;b</a><img src=\"urn:uuid:a&#38;b\"/></div>"},"contained":[{"resourceType":"Basic","subject":{"reference":"urn:uuid:a\u0026b"}}],"extension":[{"url":"urn:uuid:a&b","valueReference":{"reference":"urn:uuid:a&b"}},{"url":"x","valueCanonical":"urn:uuid:a&b"}],"subject":{"reference":"urn:uuid:other","display":"urn:uuid:a&b"}}"#
            ),
            r#"{"resourceType":"Observation","text":{"status":"generated","div":"<div title=\"href='urn:uuid:a&amp;b'\"><!-- <a href='urn:uuid:a&amp;b'> --><a x='>' href = 'Patient/1'>urn:uuid:a&amp;b</a><img src=\"Patient/1\"/></div>"},"contained":[{"resourceType":"Basic","subject":{"reference":"Patient/1"}}],"extension":[{"url":"Patient/1","valueReference":{"reference":"Patient/1"}},{"url":"x","valueCanonical":"Patient/1"}],"subject":{"reference":"urn:uuid:other","display":"urn:uuid:a&b"}}"#
        );
    }

    #[test]
    fn references_are_found_at_any_depth() {
        let text = r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","generalPractitioner":[{"reference":"Practitioner/1"},{"identifier":{"value":"x"}}],"contact":[{"organization":{"reference":"Organization/1"}}]}}]}"#;
        let document = Document::parse(Bytes::from_static(text.as_bytes()), &Limits::DEFAULT);
        let document = document.unwrap();
        let root = Element::resource(r4(), document.root()).unwrap();
        let found: Vec<_> = references(&root)
            .map(|it| (it.text().map(Cow::into_owned), it.identifier.is_some()))
            .collect();
        assert_eq!(
            found,
            [
                (Some("Practitioner/1".to_owned()), false),
                (None, true),
                (Some("Organization/1".to_owned()), false)
            ]
        );
    }
}
