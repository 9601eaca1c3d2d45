//! References: to records of this store, to elsewhere, and by identifier.
//!
//! A reference into the resource itself (`#id`) leads to nothing that could be found; the element
//! is not missing, though.

use fhir::json::Value;

use super::{At, Datatype, Values};
use crate::entry::EntryValue;
use crate::measure::fit;
use crate::name::ResourceName;
use crate::reference::Target;

impl Values<'_> {
    pub(super) fn reference(
        &mut self,
        literal: At,
        identifier: At,
        datatype: Datatype,
        value: Value<'_>,
    ) {
        match datatype {
            Datatype::Reference => {
                let mut text = None;
                for member in value.members() {
                    match &*member.name {
                        "reference" => text = member.value.as_str(),
                        "identifier" => self.identifier(identifier, member.value),
                        _ => {}
                    }
                }
                self.leads_to(literal, text.as_deref());
            }
            Datatype::Resource => self.held(literal, value),
            _ => self.leads_to(literal, value.as_str().as_deref()),
        }
    }

    fn leads_to(&mut self, at: At, text: Option<&str>) {
        let surroundings = self.surroundings;
        let target = text.map(|it| surroundings.bases.target(surroundings.definitions, it));
        match target {
            Some(Target::Local {
                resource_type, id, ..
            }) => self.record(at, resource_type, id),
            Some(Target::Elsewhere(uri)) => self.canonical(at, uri),
            Some(Target::Contained) | None => self.push(at, EntryValue::Valueless),
        }
    }

    /// A resource inside a bundle counts as a reference to the resource of its type and id.
    fn held(&mut self, at: At, resource: Value<'_>) {
        let text = |name| resource.get(name).and_then(Value::as_str);
        match (text("resourceType"), text("id")) {
            (Some(resource_type), Some(id)) => self.record(at, &resource_type, &id),
            _ => self.push(at, EntryValue::Valueless),
        }
    }

    fn record(&mut self, at: At, resource_type: &str, id: &str) {
        let known = self.surroundings.definitions.resource(resource_type);
        let value = known.map_or(EntryValue::Valueless, |it| {
            EntryValue::Reference(ResourceName {
                kind: it.name,
                id: fit(id).into(),
            })
        });
        self.push(at, value);
    }

    /// A URI with its version, if it has one, and without.
    pub(super) fn canonical(&mut self, at: At, uri: &str) {
        self.push(at, EntryValue::Uri(fit(uri).into()));
        if let Some((bare, _)) = uri.split_once('|') {
            self.push(at, EntryValue::Uri(fit(bare).into()));
        }
    }
}
