//! Which namespace a prefix means at a place (Namespaces in XML 1.0).

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::BytesStart;
use quick_xml::events::attributes::Attribute;

use super::{FHIR_NAMESPACE, XHTML_NAMESPACE, XML_NAMESPACES_MAX, XmlFault};

const SCHEMA_INSTANCE_NAMESPACE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// A namespace that means something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespace {
    Fhir,
    Xhtml,
    SchemaInstance,
    Other,
}

/// The declarations in force.
#[derive(Default)]
pub(super) struct Namespaces(Vec<Declaration>);

struct Declaration {
    depth: usize,
    prefix: String,
    namespace: Namespace,
}

impl Namespaces {
    /// Takes up what an element at that depth declares.
    pub(super) fn declare(&mut self, start: &BytesStart<'_>, depth: usize) -> Result<(), XmlFault> {
        for attribute in attributes(start) {
            let attribute = attribute?;
            let Some(prefix) = declared_prefix(attribute.key.into_inner()) else {
                continue;
            };
            if self.0.len() >= XML_NAMESPACES_MAX {
                let of = "namespace declarations";
                return Err(XmlFault::exceeded(
                    "xml_namespaces_max",
                    XML_NAMESPACES_MAX,
                    of,
                ));
            }
            self.0.push(Declaration {
                depth,
                prefix: prefix.to_owned(),
                namespace: match &*value(&attribute)? {
                    FHIR_NAMESPACE => Namespace::Fhir,
                    XHTML_NAMESPACE => Namespace::Xhtml,
                    SCHEMA_INSTANCE_NAMESPACE => Namespace::SchemaInstance,
                    _ => Namespace::Other,
                },
            });
        }
        Ok(())
    }

    /// Forgets what elements below that depth have declared.
    pub(super) fn leave(&mut self, depth: usize) {
        while self.0.last().is_some_and(|it| it.depth >= depth) {
            self.0.pop();
        }
    }

    /// The namespace of a prefix; the empty one is the default for elements.
    pub(super) fn of(&self, prefix: &str) -> Namespace {
        let declared = self.0.iter().rev().find(|it| it.prefix == prefix);
        declared.map_or(Namespace::Other, |it| it.namespace)
    }

    /// Whether the default namespace is declared at that depth.
    pub(super) fn has_own_default(&self, depth: usize) -> bool {
        let mut own = self.0.iter().rev().take_while(|it| it.depth == depth);
        own.any(|it| it.prefix.is_empty())
    }
}

/// The prefix that an attribute declares.
pub(super) fn declared_prefix(name: &str) -> Option<&str> {
    match name.strip_prefix("xmlns")? {
        "" => Some(""),
        rest => rest.strip_prefix(':'),
    }
}

/// Prefix and local name.
pub(super) fn split(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

/// The attributes of a start tag. That a name occurs once is checked by whoever knows the names:
/// comparing all with each other would take the square of a hostile number of them.
pub(super) fn attributes<'s>(
    start: &'s BytesStart<'_>,
) -> impl Iterator<Item = Result<Attribute<'s>, XmlFault>> {
    let mut attributes = start.attributes();
    attributes.with_checks(false);
    attributes.map(|it| it.map_err(|_| XmlFault::new("a start tag is malformed")))
}

/// The value of an attribute, unescaped, with white space normalised as XML demands.
pub(super) fn value<'s>(attribute: &Attribute<'s>) -> Result<std::borrow::Cow<'s, str>, XmlFault> {
    if attribute.value.contains('<') {
        let what = "an attribute's value holds a bare `<`";
        return Err(XmlFault::new(what).mend("write `&lt;`"));
    }
    // The predefined entities of quick-xml would be HTML's too.
    let value = attribute.normalized_value_with(XmlVersion::Implicit1_0, 1, resolve_xml_entity);
    value
        .ok()
        .filter(|value| super::is_xml_text(value))
        .ok_or_else(|| {
            XmlFault::new("an attribute's value holds an entity or character that is not allowed")
                .mend("use character references such as `&#160;` and XML's five entities only")
        })
}
