//! Contained resources, each taken out as a resource by itself.
//! <https://hl7.org/fhir/R4/search.html#contained>

use fhir::Definitions;
use fhir::json::{Document, Limits, Value};

use super::{Match, Stored, Yardstick};
use crate::query::{Condition, Contained, ContainedType, Query};

/// What is asked of a resource of the world.
pub(super) struct Asked<'w> {
    /// Whether it is asked itself.
    pub(super) itself: bool,
    /// What it contains and is asked.
    pub(super) inner: Vec<&'w Stored>,
}

impl Asked<'_> {
    /// What is given for it.
    pub(super) fn given(self, at: usize, contained_type: ContainedType) -> Vec<Match> {
        let mut inner = self.inner.into_iter().map(|it| Some(it.id.clone()));
        let itself = self.itself.then_some(None);
        let given: Vec<Option<Box<str>>> = match contained_type {
            ContainedType::Contained => itself.into_iter().chain(inner).collect(),
            ContainedType::Container => itself.or(inner.next().map(|_| None)).into_iter().collect(),
        };
        let each = given.into_iter();
        each.map(|contained| Match { at, contained }).collect()
    }
}

/// What a resource contains; it has the place and the time of its container.
pub(super) fn of(stored: &Stored) -> Vec<Stored> {
    let all = stored.content.root().get("contained");
    let all = all.into_iter().flat_map(Value::items);
    let each = all.filter(|it| it.get("id").is_some());
    each.filter_map(|it| taken_out(stored, it)).collect()
}

/// The resource that a Bundle begins with.
pub(super) fn first_of(stored: &Stored) -> Option<Stored> {
    let entries = stored.content.root().get("entry")?;
    taken_out(stored, entries.items().next()?.get("resource")?)
}

fn taken_out(stored: &Stored, it: Value<'_>) -> Option<Stored> {
    let text = |name| it.get(name).and_then(Value::as_str);
    let definitions = fhir::FhirVersion::ALL.map(Definitions::of);
    let kind = text("resourceType")?;
    let known = definitions.iter().find_map(|of| of.resource(&kind))?;
    let content = Document::parse(it.raw().to_owned().into(), &Limits::DEFAULT);
    Some(Stored {
        kind: known.name,
        id: text("id").unwrap_or_default().into(),
        updated: stored.updated,
        row: stored.row,
        content: content.ok()?,
    })
}

impl Yardstick<'_> {
    /// What of the resource at a place a query over these types is about.
    pub(super) fn asked(&self, at: usize, types: &[&str], query: &Query) -> Asked<'_> {
        let wanted = query.result.types.as_ref();
        let is_asked = |it: &Stored| {
            types.contains(&it.kind) && wanted.is_none_or(|wanted| wanted.contains(&it.kind))
        };
        let inner = match query.result.contained {
            Contained::False => &[],
            Contained::True | Contained::Both => self.contained[at].as_slice(),
        };
        Asked {
            itself: query.result.contained != Contained::True && is_asked(&self.world[at]),
            inner: inner.iter().filter(|it| is_asked(it)).collect(),
        }
    }

    /// What a resource contains; of what is contained, what its container does.
    pub(super) fn inside(&self, stored: &Stored) -> &[Stored] {
        let place = self.world.iter().position(|it| it.row == stored.row);
        place.map_or(&[], |at| &self.contained[at])
    }

    /// The resource in a Bundle that a parameter of it is about.
    pub(super) fn held(&self, stored: &Stored, code: &str) -> Option<&Stored> {
        let definition = self.definition(stored.kind, code)?;
        let is_there = self.any(stored, definition, &|it| it.is_resource());
        let place = self.place_of(stored).filter(|_| is_there)?;
        self.begins[place].as_ref()
    }

    /// Where it is itself in the world.
    fn place_of(&self, stored: &Stored) -> Option<usize> {
        let place = self.place(stored.kind, &stored.id);
        place.filter(|at| std::ptr::from_ref(&self.world[*at]) == std::ptr::from_ref(stored))
    }

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
        let definition = self.definition(stored.kind, code);
        definition.is_some_and(|it| self.led_to(stored, it).inside.contains(&*inner.id))
    }
}
