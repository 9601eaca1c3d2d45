//! Reading a code system from a stored CodeSystem resource; both versions write it alike.

use super::{Builder, CodeSystem, ConceptId, ContentMode, Hierarchy};
use crate::json::{Document, Value};
use crate::terminology::canonical::Canonical;
use crate::terminology::error::TerminologyError;

impl CodeSystem {
    /// Takes what evaluation needs from a CodeSystem resource.
    pub fn read(resource: &Document) -> Result<Self, TerminologyError> {
        let root = resource.root();
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
        for property in items(root, "property") {
            builder.declare(
                &property
                    .get("code")
                    .and_then(Value::as_str)
                    .unwrap_or_default(),
            );
        }
        add_concepts(&mut builder, root);
        Ok(builder.finish())
    }
}

fn items<'d>(value: Value<'d>, name: &str) -> impl Iterator<Item = Value<'d>> + use<'d> {
    value.get(name).into_iter().flat_map(Value::items)
}

/// Adds the concepts in the order of the document, without recursion: nesting is the tenant's.
fn add_concepts(builder: &mut Builder, root: Value<'_>) {
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
                add_property(builder, id, property);
            }
            open.push((concept, Some(id)));
        }
    }
}

fn add_property(builder: &mut Builder, concept: ConceptId, property: Value<'_>) {
    let name = property.get("code").and_then(Value::as_str);
    let mut members = property.members();
    let value = members.find(|it| it.name.starts_with("value"));
    if let (Some(name), Some(value)) = (name, value) {
        // A Coding counts by its code: that is what filters compare with.
        let value = value.value.get("code").unwrap_or(value.value);
        match value.as_str() {
            Some(text) => builder.property(concept, &name, &text),
            None => builder.property(concept, &name, value.raw()),
        }
    }
}
