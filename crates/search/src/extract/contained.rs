//! Contained resources: each is a part of its container, numbered from one.

use std::collections::BTreeMap;

use fhir::json::Value;

use super::{ExtractError, ExtractLimits, walked};
use crate::entry::{Entry, EntryValue, in_part};
use crate::measure::fit;
use crate::name::ByName;
use crate::registry::{Index, Registry};
use crate::value::Surroundings;

/// What is contained, by the numbers of its parts; more than have numbers are not searched.
pub(super) struct Parts<'v>(Vec<(u16, Value<'v>)>);

impl<'v> Parts<'v> {
    pub(super) fn of(contained: Value<'v>) -> Self {
        Self((1..=u16::MAX).zip(contained.items()).collect())
    }

    /// Adds what the container refers to.
    pub(super) fn refer(
        &self,
        index: &Index,
        inside: &[(u16, Box<str>)],
        entries: &mut Vec<Entry<ByName>>,
    ) {
        if inside.is_empty() {
            return;
        }
        let parts = self.0.iter();
        let by_id = parts.filter_map(|(part, it)| Some((it.get("id")?.as_str()?, *part)));
        let by_id: BTreeMap<_, _> = by_id.collect();
        for (slot, id) in inside {
            if let Some(part) = by_id.get(&**id) {
                entries.push(Entry {
                    parameter: index.slots[usize::from(*slot)],
                    group: in_part(*part, 0),
                    value: EntryValue::Valueless,
                });
            }
        }
    }

    /// Adds what each is found by.
    pub(super) fn extract(
        &self,
        surroundings: Surroundings<'_>,
        limits: ExtractLimits,
        entries: &mut Vec<Entry<ByName>>,
    ) -> Result<(), ExtractError> {
        let registry = Registry::of(surroundings.definitions.version());
        for (part, resource) in &self.0 {
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
