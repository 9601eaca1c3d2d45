//! From a resource to what it is found by: index entries in names, and its patients.
//!
//! All expressions of a resource type are walked at once ([`crate::program`]); what they reach
//! becomes values by datatype and facet ([`crate::value`]). Numbers are given to the names by
//! whoever writes the entries.

mod contained;

use fhir::json::Value;
use fhir::{Definitions, FhirVersion};

use crate::entry::{Entry, EntryValue};
use crate::name::ByName;
use crate::reference::Bases;
use crate::registry::{Index, Registry};
use crate::value::{At, Placed, Surroundings, Values};

/// What may come out of one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtractLimits {
    /// Greatest number of index entries, before equal ones are joined.
    pub entries_max: usize,
}

impl ExtractLimits {
    /// A million entries, as many as a store takes: enough for a code system of 350,000 concepts, each
    /// with a code and a word that no other has.
    pub const DEFAULT: Self = Self {
        entries_max: 1_000_000,
    };
}

impl Default for ExtractLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The most groups that one resource may have in a slot.
pub const GROUPS_MAX: usize = u16::MAX as usize - 1;

/// Why nothing was extracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExtractError {
    /// There are more entries than one resource may have.
    #[error("the resource has more than {entries_max} index entries (`entries_max`)")]
    TooManyEntries {
        /// The limit.
        entries_max: usize,
    },
    /// There are more elements to compare in groups than groups have numbers.
    #[error(
        "the resource repeats an element of a composite parameter more than {GROUPS_MAX} times (`groups_max`)"
    )]
    TooManyGroups,
}

/// What a resource is found by.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Its entries, sorted, each once.
    pub entries: Vec<Entry<ByName>>,
    /// The ids of the patients in whose compartment it is, sorted, each once.
    pub patients: Vec<Box<str>>,
}

/// Says how many there are, never which: the values are somebody's.
impl std::fmt::Debug for Extracted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (entries, patients) = (self.entries.len(), self.patients.len());
        write!(f, "[{entries} entries, {patients} patients]")
    }
}

/// What the resource of that type and id is found by; a type that does not exist by nothing.
pub fn extract(
    version: FhirVersion,
    bases: &Bases,
    limits: &ExtractLimits,
    resource_type: &str,
    id: &str,
    resource: Value<'_>,
) -> Result<Extracted, ExtractError> {
    let Some(index) = Registry::of(version).index(resource_type) else {
        return Ok(Extracted::default());
    };
    let surroundings = Surroundings {
        definitions: Definitions::of(version),
        bases,
    };
    let mut values = walked(index, surroundings, *limits, resource)?;
    if let Some(slot) = index.names {
        values.own_names(At { slot, group: 0 }, resource);
    }
    values.checked(*limits)?;
    let own = (resource_type == "Patient").then_some(id);
    let inside = std::mem::take(&mut values.inside);
    let mut extracted = named(index, values.placed, own);
    let parts = contained::Parts::of(resource.get("contained"), &inside);
    if !parts.is_empty() {
        parts.refer(index, &inside, &mut extracted.entries);
        parts.extract(surroundings, *limits, &mut extracted.entries)?;
        extracted.entries.sort_unstable();
        extracted.entries.dedup();
    }
    Ok(extracted)
}

/// What the expressions of a type reach in a resource, and its words.
fn walked<'s>(
    index: &Index,
    surroundings: Surroundings<'s>,
    limits: ExtractLimits,
    resource: Value<'s>,
) -> Result<Values<'s>, ExtractError> {
    let mut values = Values::new(surroundings, index.slots.len(), limits.entries_max);
    let are_apart = index
        .program
        .walk(resource, &mut |sink, group, found, kind| {
            values.add(sink, group, found, kind);
        });
    let at = |slot| At { slot, group: 0 };
    if let Some(slot) = index.narrative {
        values.narrative(at(slot), resource);
    }
    if let Some(slot) = index.content {
        values.content(at(slot), resource);
    }
    values.checked(limits)?;
    if are_apart && values.has_groups_apart() {
        Ok(values)
    } else {
        Err(ExtractError::TooManyGroups)
    }
}

impl Values<'_> {
    fn checked(&self, limits: ExtractLimits) -> Result<(), ExtractError> {
        let entries_max = limits.entries_max;
        if self.has_too_many {
            return Err(ExtractError::TooManyEntries { entries_max });
        }
        Ok(())
    }
}

/// Sorts the values, names their slots and collects the patients.
fn named(index: &Index, mut placed: Vec<Placed>, own: Option<&str>) -> Extracted {
    placed.sort_unstable();
    placed.dedup();
    let mut patients: Vec<Box<str>> = own.map(Into::into).into_iter().collect();
    let entries = placed.into_iter().map(|(slot, group, value)| {
        let slot = usize::from(slot);
        if let (true, EntryValue::Reference(to)) = (index.lanes[slot], &value)
            && to.kind == "Patient"
        {
            patients.push(to.id.clone());
        }
        Entry {
            parameter: index.slots[slot],
            group: group.into(),
            value,
        }
    });
    let entries = entries.collect();
    patients.sort_unstable();
    patients.dedup();
    Extracted { entries, patients }
}
