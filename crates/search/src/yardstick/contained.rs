//! Contained resources, each taken out as a resource by itself.
//! <https://hl7.org/fhir/R4/search.html#contained>

use fhir::Definitions;
use fhir::json::{Document, Limits, Value};

use super::{Stored, Yardstick};
use crate::query::Condition;

/// What a resource contains; it has the place and the time of its container.
pub(super) fn of(stored: &Stored) -> Vec<Stored> {
    let all = stored.content.root().get("contained");
    let each = all.into_iter().flat_map(Value::items).filter_map(|it| {
        let text = |name| it.get(name).and_then(Value::as_str);
        let definitions = fhir::FhirVersion::ALL.map(Definitions::of);
        let kind = text("resourceType")?;
        let known = definitions.iter().find_map(|of| of.resource(&kind))?;
        let content = Document::parse(it.raw().to_owned().into(), &Limits::DEFAULT);
        Some(Stored {
            kind: known.name,
            id: text("id")?.into(),
            updated: stored.updated,
            row: stored.row,
            content: content.ok()?,
        })
    });
    each.collect()
}

impl Yardstick<'_> {
    /// Whether a contained resource meets a condition. Nothing refers to it from outside.
    pub(super) fn meets_inside(&self, inner: &Stored, condition: &Condition) -> bool {
        match condition {
            Condition::Has { .. } | Condition::Lists(_) => false,
            Condition::NotReferenced(_) => true,
            _ => self.meets(inner, condition),
        }
    }

    /// Whether the parameter of a resource refers to one that it contains.
    pub(super) fn refers_inside(&self, stored: &Stored, code: &str, inner: &Stored) -> bool {
        let target = ["#", &*inner.id].concat();
        self.definition(stored.kind, code).is_some_and(|it| {
            self.any(stored, it, &|element| {
                element.link().as_deref() == Some(&*target)
            })
        })
    }
}
