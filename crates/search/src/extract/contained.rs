//! Contained resources: each is a part of its container, numbered from one; so is the resource in a
//! Bundle that parameters look into.

use std::borrow::Cow;
use std::collections::BTreeMap;

use fhir::json::Value;

use super::{ExtractError, ExtractLimits, walked};
use crate::entry::{Entry, EntryValue, in_part, named_part};
use crate::measure::fit;
use crate::name::ByName;
use crate::registry::{Index, Registry};
use crate::value::{Inside, Surroundings};

/// What is contained, and then what is held in other places, by the numbers of the parts; more than
/// have numbers are not searched.
pub(super) struct Parts<'v> {
    all: Vec<(u16, Value<'v>)>,
    contained: usize,
    /// The contained ones by their ids.
    by_id: BTreeMap<Cow<'v, str>, u16>,
}

impl<'v> Parts<'v> {
    pub(super) fn of(contained: Option<Value<'v>>, inside: &[(u16, Inside<'v>)]) -> Self {
        let contained: Vec<_> = contained.into_iter().flat_map(Value::items).collect();
        let held = inside.iter().filter_map(|(_, it)| match it {
            Inside::Held(resource) => Some(*resource),
            Inside::Contained(_) => None,
        });
        let number = contained.len();
        let all: Vec<_> = (1..=u16::MAX)
            .zip(contained.into_iter().chain(held))
            .collect();
        let parts = all.iter().take(number);
        let by_id = parts.filter_map(|(part, it)| Some((it.get("id")?.as_str()?, *part)));
        Self {
            contained: number,
            by_id: by_id.collect(),
            all,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds what the container refers to.
    pub(super) fn refer(
        &self,
        index: &Index,
        inside: &[(u16, Inside<'_>)],
        entries: &mut Vec<Entry<ByName>>,
    ) {
        let mut held = self.all.iter().skip(self.contained).map(|it| it.0);
        for (slot, it) in inside {
            let part = match it {
                Inside::Contained(id) => self.by_id.get(&**id).copied(),
                Inside::Held(_) => held.next(),
            };
            entries.extend(part.map(|part| Entry {
                parameter: index.slots[usize::from(*slot)],
                group: in_part(part, 0),
                value: EntryValue::Valueless,
            }));
        }
    }

    /// Adds what a contained resource refers to beside it: to that, the number of who refers.
    fn refer_beside(
        &self,
        part: u16,
        index: &Index,
        inside: &[(u16, Inside<'_>)],
        entries: &mut Vec<Entry<ByName>>,
    ) {
        for (slot, it) in inside {
            let Inside::Contained(id) = it else { continue };
            entries.extend(self.by_id.get(&**id).map(|other| Entry {
                parameter: index.contained().by_place[usize::from(*slot)],
                group: in_part(*other, 0),
                value: named_part(part.into()),
            }));
        }
    }

    /// Adds what each is found by.
    pub(super) fn extract(
        &self,
        surroundings: Surroundings<'v>,
        limits: ExtractLimits,
        entries: &mut Vec<Entry<ByName>>,
    ) -> Result<(), ExtractError> {
        let registry = Registry::of(surroundings.definitions.version());
        for (part, resource) in &self.all {
            let kind = resource.get("resourceType").and_then(Value::as_str);
            let Some(index) = kind.and_then(|it| registry.index(&it)) else {
                continue;
            };
            let id = resource.get("id").and_then(Value::as_str);
            entries.push(Entry {
                parameter: index.contained().id,
                group: in_part(*part, 0),
                value: id.map_or(EntryValue::Valueless, |id| EntryValue::Token {
                    system: None,
                    code: fit(&id).into(),
                }),
            });
            let values = walked(index, surroundings, limits, *resource)?;
            self.refer_beside(*part, index, &values.inside, entries);
            let placed = values.placed.into_iter();
            entries.extend(placed.map(|(slot, group, value)| Entry {
                parameter: index.contained().by_place[usize::from(slot)],
                group: in_part(*part, group),
                value,
            }));
            if entries.len() > limits.entries_max {
                let entries_max = limits.entries_max;
                return Err(ExtractError::TooManyEntries { entries_max });
            }
        }
        Ok(())
    }
}
