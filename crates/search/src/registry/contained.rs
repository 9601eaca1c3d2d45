//! How a contained resource is indexed: within its container, in slots of its own, as one part of it.
//!
//! These slots are named after those of the resource's type (`#Medication token Medication.code`).
//! What is asked of a contained resource is what is asked of any other of its type, in these slots.
//! <https://hl7.org/fhir/R4/search.html#contained>

use super::build::{INSIDE, is_of_words, named};
use super::{Index, Registry, Slot};
use crate::entry::EntryValue;
use crate::name::ByName;
use crate::plan::{Filter, Member, Test};

/// The facet of the id that a contained resource has within its container: a token, or nothing to
/// compare where it has none. Each contained resource has one.
const ID: &str = "id";

/// Tells the slots of words, and of what is inside, from those of a build that left them out of
/// contained resources.
const CONTAINED: &str = " of contained resources";

/// The slots of the contained resources of a type.
#[derive(Debug)]
pub(crate) struct Contained {
    /// That of its id.
    pub(crate) id: Slot,
    /// By the place of the slot that they are named after.
    pub(crate) by_place: Vec<Slot>,
    /// All, in the order of their names.
    pub(crate) slots: Vec<Slot>,
}

impl Contained {
    pub(super) fn new(resource_type: &str, slots: &[Slot]) -> Self {
        let facet = ["#", resource_type].concat();
        let id = named(&facet, ID);
        let by_place = slots.iter().map(|it| {
            let since = is_of_words(*it) || it.0.starts_with(INSIDE);
            let since = if since { CONTAINED } else { "" };
            named(&facet, &[it.0, since].concat())
        });
        let by_place: Vec<Slot> = by_place.collect();
        let mut slots = by_place.clone();
        slots.push(id);
        slots.sort_unstable();
        Self {
            id,
            by_place,
            slots,
        }
    }
}

impl Index {
    /// The slot of contained resources that is named after one of these.
    pub(crate) fn within(&self, slot: Slot) -> Option<Slot> {
        let place = self.slots.binary_search(&slot).ok()?;
        Some(self.contained().by_place[place])
    }

    /// What a part of a container must match to be a resource of this type that matches; nothing
    /// refers to it from outside.
    fn of_part(&self, filter: &Filter<ByName>) -> Filter<ByName> {
        let all = |filters: &[Filter<ByName>]| filters.iter().map(|it| self.of_part(it)).collect();
        match filter {
            Filter::All(filters) => Filter::All(all(filters)),
            Filter::Any(filters) => Filter::Any(all(filters)),
            Filter::Not(filter) => Filter::Not(Box::new(self.of_part(filter))),
            Filter::Ids(ids) => {
                let is = |id: &str| Filter::Entry {
                    parameter: self.contained().id,
                    test: Test::Is(EntryValue::Token {
                        system: None,
                        code: id.into(),
                    }),
                };
                Filter::any(ids.iter().map(|it| is(&it.0)).collect())
            }
            Filter::Entry { parameter, test } => {
                self.within(*parameter)
                    .map_or(Filter::NOTHING, |parameter| Filter::Entry {
                        parameter,
                        test: test.clone(),
                    })
            }
            Filter::Together(members) => {
                let member = |it: &Member<ByName>| {
                    Some(Member {
                        parameter: self.within(it.parameter)?,
                        any_of: it.any_of.clone(),
                    })
                };
                let members: Option<_> = members.iter().map(member).collect();
                members.map_or(Filter::NOTHING, Filter::Together)
            }
            Filter::RefersTo {
                parameter,
                names,
                targets,
            } => self
                .within(*parameter)
                .map_or(Filter::NOTHING, |parameter| Filter::RefersTo {
                    parameter,
                    names: names.and_then(|it| self.within(it)),
                    targets: targets.clone(),
                }),
            Filter::Inside(filter) => self.beside(filter),
            Filter::ReferredToBy { .. } | Filter::Beside { .. } => Filter::NOTHING,
            // Of the container.
            Filter::Rows(_) | Filter::Updated(_) | Filter::Partition { .. } => filter.clone(),
        }
    }
}

impl Index {
    /// A part refers to others as its resource would refer to what it contains.
    fn beside(&self, inside: &Filter<ByName>) -> Filter<ByName> {
        let Filter::All(all) = inside else {
            return Filter::NOTHING;
        };
        let Some((Filter::Entry { parameter, .. }, rest)) = all.split_first() else {
            return Filter::NOTHING;
        };
        self.within(*parameter)
            .map_or(Filter::NOTHING, |parameter| Filter::Beside {
                parameter,
                filter: Box::new(Filter::All(rest.to_vec())),
            })
    }
}

impl Registry {
    /// What contains a resource of that type that matches; perhaps one that is referred to by a
    /// reference of the container, which is then the first condition.
    pub(crate) fn containing(
        &self,
        kind: &str,
        filter: &Filter<ByName>,
        by: Option<Slot>,
    ) -> Filter<ByName> {
        let Some(index) = self.index(kind) else {
            return Filter::NOTHING;
        };
        let present = |parameter| Filter::Entry {
            parameter,
            test: Test::Present,
        };
        let mut all: Vec<_> = by.map(present).into_iter().collect();
        all.push(present(index.contained().id));
        all.push(index.of_part(filter));
        Filter::Inside(Box::new(Filter::All(all)))
    }
}
