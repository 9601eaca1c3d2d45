//! Reading a code system from a stored CodeSystem resource; both versions write it alike.

use std::collections::HashMap;

use super::{Builder, CodeSystem, ConceptId, ContentMode, Hierarchy};
use crate::json::{Document, Value};
use crate::terminology::canonical::Canonical;
use crate::terminology::error::TerminologyError;

impl CodeSystem {
    /// Takes what evaluation needs from a CodeSystem resource.
    pub fn read(resource: &Document) -> Result<Self, TerminologyError> {
        Self::of(resource.root())
    }

    /// The same, of a resource within a document.
    pub fn of(root: Value<'_>) -> Result<Self, TerminologyError> {
        let text = |name| root.get(name).and_then(Value::as_str).unwrap_or_default();
        let (url, version) = (text("url"), text("version"));
        let malformed = |what: &str| TerminologyError::Malformed {
            canonical: Canonical::new(&url, Some(&version)),
            what: what.to_owned(),
        };
        if !root
            .get("resourceType")
            .is_some_and(|it| it.is_str("CodeSystem"))
        {
            return Err(malformed("it is no CodeSystem"));
        }
        let content = ContentMode::named(&text("content"))
            .ok_or_else(|| malformed("`content` is no code of `CodeSystemContentMode`"))?;
        let mut builder = Builder::new(&url, content);
        builder.version = (!version.is_empty()).then(|| version.as_ref().into());
        builder.hierarchy = Hierarchy::named(&text("hierarchyMeaning")).ok_or_else(|| {
            malformed("`hierarchyMeaning` is no code of `CodeSystemHierarchyMeaning`")
        })?;
        let supplements = text("supplements");
        builder.supplements = (!supplements.is_empty()).then(|| Canonical::parse(&supplements));
        let mut relations = Relations::new();
        for property in items(root, "property") {
            let text = |name| property.get(name).and_then(Value::as_str);
            let code = text("code").unwrap_or_default();
            builder.declare(&code);
            let uri = text("uri").unwrap_or_default();
            let meant = RELATIONS.iter().find(|it| it.0 == uri).map(|it| it.1);
            if let Some(relation) = meant.filter(|it| *it != code) {
                relations.insert(code.into(), relation);
            }
        }
        add_concepts(&mut builder, root, &relations);
        Ok(builder.finish())
    }
}

/// The properties that a system has by a name of its own (`subsumedBy`, say) for what the standard
/// calls `parent` or `child`.
type Relations = HashMap<Box<str>, &'static str>;

/// <https://hl7.org/fhir/R4/codesystem-concept-properties.html>.
const RELATIONS: [(&str, &str); 2] = [
    ("http://hl7.org/fhir/concept-properties#parent", "parent"),
    ("http://hl7.org/fhir/concept-properties#child", "child"),
];

fn items<'d>(value: Value<'d>, name: &str) -> impl Iterator<Item = Value<'d>> + use<'d> {
    value.get(name).into_iter().flat_map(Value::items)
}

/// Adds the concepts in the order of the document, without recursion: nesting is the tenant's.
fn add_concepts(builder: &mut Builder, root: Value<'_>, relations: &Relations) {
    let mut open: Vec<(Value<'_>, Option<ConceptId>)> = vec![(root, None)];
    while let Some((holder, parent)) = open.pop() {
        for concept in items(holder, "concept") {
            let text = |name| {
                concept
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let id = builder.concept(parent, &text("code"), &text("display"));
            for property in items(concept, "property") {
                add_property(builder, id, property, relations);
            }
            open.push((concept, Some(id)));
        }
    }
}

fn add_property(
    builder: &mut Builder,
    concept: ConceptId,
    property: Value<'_>,
    relations: &Relations,
) {
    let name = property.get("code").and_then(Value::as_str);
    let mut members = property.members();
    let value = members.find(|it| it.name.starts_with("value"));
    let (Some(name), Some(value)) = (name, value) else {
        return;
    };
    // A Coding counts by its code: that is what filters compare with.
    let value = value.value.get("code").unwrap_or(value.value);
    let text = value.as_str();
    let text = text.as_deref().unwrap_or_else(|| value.raw());
    builder.property(concept, &name, text);
    if let Some(relation) = relations.get(&*name) {
        builder.property(concept, relation, text);
    }
}
