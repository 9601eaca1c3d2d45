//! References: to records of this store, to elsewhere, and by identifier.
//!
//! A reference into the resource itself (`#id`) leads to no record; the element is not missing,
//! though, and the part of the resource that it leads to is told. What is published is referred to by its canonical URL, with or without a
//! version, perhaps with a fragment that names something in it: that refers to it all the same.
//! <https://hl7.org/fhir/R4/references.html#canonical>

use fhir::json::Value;

use super::{At, Datatype, Inside, Surroundings, Values};
use crate::entry::EntryValue;
use crate::measure::fit;
use crate::name::ResourceName;
use crate::reference::Target;

impl<'s> Values<'s> {
    pub(super) fn reference(
        &mut self,
        literal: At,
        identifier: Option<At>,
        inside: u16,
        datatype: Datatype,
        value: Value<'s>,
    ) {
        match datatype {
            Datatype::Reference => {
                let mut text = None;
                for member in value.members() {
                    match &*member.name {
                        "reference" => text = member.value.as_str(),
                        "identifier" => {
                            if let Some(at) = identifier {
                                self.identifier(at, member.value);
                            }
                        }
                        _ => {}
                    }
                }
                self.leads_to(literal, inside, text.as_deref());
            }
            Datatype::Resource => {
                self.inside.push((inside, Inside::Held(value)));
                self.held(literal, value);
            }
            _ => {
                let text = value.as_str();
                self.leads_to(literal, inside, text.as_deref());
                if let Some(whole) = text.as_deref().and_then(without_fragment) {
                    self.leads_to(literal, inside, Some(whole));
                }
            }
        }
    }

    /// The name that an element refers by, if it does.
    pub(super) fn name(&mut self, at: At, datatype: Datatype, value: Value<'_>) {
        let text = match datatype {
            Datatype::Reference => value.get("reference").and_then(Value::as_str),
            Datatype::Resource => None,
            _ => value.as_str(),
        };
        let text = text.filter(|it| it.contains(':') && !it.starts_with('#'));
        let Some(text) = text else { return };
        let name = without_fragment(&text).unwrap_or(&text);
        if datatype != Datatype::Reference || self.is_elsewhere(&text) {
            self.push(at, EntryValue::Uri(fit(name).into()));
        }
    }

    fn is_elsewhere(&self, text: &str) -> bool {
        let Surroundings { definitions, bases } = self.surroundings;
        matches!(bases.target(definitions, text), Target::Elsewhere(_))
    }

    /// The names that a resource is referred to by.
    pub(crate) fn own_names(&mut self, at: At, resource: Value<'_>) {
        let text = |name| resource.get(name).and_then(Value::as_str);
        let Some(url) = text("url") else { return };
        if let Some(version) = text("version") {
            let name = [&url, "|", &version].concat();
            self.push(at, EntryValue::Uri(fit(&name).into()));
        }
        self.push(at, EntryValue::Uri(fit(&url).into()));
    }

    /// Of a contained resource its id is told, with the slot of what is referred to inside.
    fn leads_to(&mut self, at: At, inside: u16, text: Option<&str>) {
        let surroundings = self.surroundings;
        let target = text.map(|it| surroundings.bases.target(surroundings.definitions, it));
        match target {
            Some(Target::Local {
                resource_type, id, ..
            }) => self.record(at, resource_type, id),
            Some(Target::Elsewhere(uri)) => self.canonical(at, uri),
            Some(Target::Contained) => {
                let id = text.and_then(|it| it.strip_prefix('#')).unwrap_or_default();
                self.inside.push((inside, Inside::Contained(id.into())));
                self.push(at, EntryValue::Valueless);
            }
            None => self.push(at, EntryValue::Valueless),
        }
    }

    /// A resource in a bundle is one of its parts, and counts as a reference to the resource of its
    /// type and id, too.
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

/// The text before its fragment, if it has one and is more than that.
fn without_fragment(text: &str) -> Option<&str> {
    let (whole, _) = text.split_once('#')?;
    (!whole.is_empty()).then_some(whole)
}
