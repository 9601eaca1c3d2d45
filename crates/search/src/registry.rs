//! The search parameters of each resource type, and the slots in which their values are indexed.
//!
//! From this registry queries are read, entries extracted, plans compiled and capabilities listed.
//! A *slot* is what one facet of a parameter indexes in one type; its name says how and from where
//! (`token Observation.code`), so that parameters that index the same share it, and a changed
//! extraction is another slot, which has to be filled before it can be searched.

mod added;
mod build;
mod contained;

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use fhir::definitions::{SearchComponent, SearchParameter};
use fhir::{Definitions, FhirVersion};

use crate::corrections::Corrections;
use crate::program::ProgramFault;

pub(crate) use build::Index;
pub(crate) use contained::Contained;

/// What one facet of a parameter indexes in one type: its name in a tenant's dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub &'static str);

/// A search parameter of one resource type.
#[derive(Debug)]
pub struct Parameter {
    /// Its definition.
    pub definition: &'static SearchParameter,
    /// Where its values are.
    pub facets: Facets,
}

/// By what a parameter can be searched.
#[derive(Debug, Clone)]
pub enum Facets {
    /// The resource's id: no slot.
    Id,
    /// The instant of the current version: no slot.
    Updated,
    /// What lies outside of the resource (`_list`, `_query` …): no slot.
    Elsewhere,
    /// Texts.
    String(Slot),
    /// Codes.
    Token(TokenSlots),
    /// References.
    Reference {
        /// The references themselves.
        literal: Slot,
        /// Their identifiers, as tokens; canonical URLs have none.
        identifier: Option<Slot>,
        /// The names by which they may refer: canonical URLs, with their version if they have one.
        names: Option<Slot>,
        /// That they refer to a contained resource: an entry in that part of the resource.
        inside: Slot,
        /// They are whole resources in this one: a chain goes into these parts and nowhere else.
        is_held: bool,
    },
    /// URIs.
    Uri(Slot),
    /// Periods.
    Date(Slot),
    /// Numbers, without unit.
    Number(Slot),
    /// Quantities.
    Quantity(QuantitySlots),
    /// Places.
    Place(Slot),
    /// Words of a text, as tokens without system: the narrative's, or those of all texts.
    Words(Slot),
    /// What must lie together; the groups of these slots are places of one expression.
    Composite(Vec<Component>),
}

/// The slots of a token parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenSlots {
    /// The codes.
    pub code: Slot,
    /// What people read in their place, as texts (`:text`): folded only, nobody asks how they are
    /// written.
    pub text: Slot,
    /// For identifiers, in groups (`:of-type`).
    pub of_type: Option<OfType>,
}

/// The slots of `:of-type`: of one identifier in one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfType {
    /// The codes of its type.
    pub kind: Slot,
    /// Its value, as a token without system.
    pub value: Slot,
}

/// The slots of a quantity parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuantitySlots {
    /// In canonical UCUM units where the unit is of UCUM, else by `system|code`. Sorted by.
    pub canonical: Slot,
    /// As written, under the code and under the text of the unit.
    pub coded: Slot,
    /// As written, whatever the unit.
    pub written: Slot,
}

/// A component of a composite parameter.
#[derive(Debug, Clone)]
pub struct Component {
    /// The parameter that defines how its values are written.
    pub definition: &'static SearchParameter,
    /// Where they are.
    pub facets: Facets,
}

/// The search parameters of one FHIR version.
pub struct Registry {
    version: FhirVersion,
    /// By type; compiled at first use, because most processes see few types.
    by_type: BTreeMap<&'static str, OnceLock<Index>>,
}

impl Registry {
    /// Those of the standard.
    pub fn of(version: FhirVersion) -> &'static Self {
        static STU3: LazyLock<Registry> = LazyLock::new(|| Registry::new(FhirVersion::Stu3));
        static R4: LazyLock<Registry> = LazyLock::new(|| Registry::new(FhirVersion::R4));
        match version {
            FhirVersion::Stu3 => &STU3,
            FhirVersion::R4 => &R4,
        }
    }

    /// The FHIR version.
    pub fn version(&self) -> FhirVersion {
        self.version
    }

    /// The parameters of a resource type, in order of their codes.
    pub fn parameters(&self, resource_type: &str) -> &[Parameter] {
        self.index(resource_type)
            .map_or(&[], |it| it.parameters.as_slice())
    }

    /// The parameter of that code.
    pub fn named(&self, resource_type: &str, code: &str) -> Option<&Parameter> {
        let parameters = self.parameters(resource_type);
        let place = parameters.binary_search_by(|it| it.definition.code.cmp(code));
        place.ok().map(|place| &parameters[place])
    }

    /// The slots of a resource type, in the order of their names.
    pub fn slots(&self, resource_type: &str) -> &[Slot] {
        self.index(resource_type)
            .map_or(&[], |it| it.slots.as_slice())
    }

    /// What a parameter searches in: as the standard says, or as a correction does.
    pub fn expression(&self, parameter: &SearchParameter) -> Option<&'static str> {
        Corrections::of(self.version).expression(parameter)
    }

    /// The components of a composite parameter, corrected likewise.
    pub fn components(&self, parameter: &SearchParameter) -> Vec<SearchComponent> {
        let corrections = Corrections::of(self.version);
        let places = 0..parameter.components.len();
        places
            .map(|it| corrections.component(parameter, it))
            .collect()
    }

    /// Why a parameter of the standard is not among these, if it is not an example.
    pub fn not_indexed(&self, url: &str) -> Option<&'static str> {
        Corrections::of(self.version).not_indexed(url)
    }

    /// The parameters of a resource type that cannot be served, by code. With the standard's
    /// definitions there are none.
    pub fn faults(&self, resource_type: &str) -> &[(&'static str, ProgramFault)] {
        self.index(resource_type)
            .map_or(&[], |it| it.faults.as_slice())
    }

    /// The slot of the names that resources of a type are referred to by: their canonical URL, and
    /// that with their version. Only what is published has any.
    pub fn names(&self, resource_type: &str) -> Option<Slot> {
        self.index(resource_type).and_then(Index::names)
    }

    /// The slots in which a contained resource of a type is indexed, within what contains it.
    pub fn contained_slots(&self, resource_type: &str) -> &[Slot] {
        self.index(resource_type)
            .map_or(&[], |it| it.contained().slots.as_slice())
    }

    /// The slot of the ids that contained resources of a type have.
    pub fn contained_id(&self, resource_type: &str) -> Option<Slot> {
        self.index(resource_type).map(|it| it.contained().id)
    }

    /// How a resource type is indexed.
    pub(crate) fn index(&self, resource_type: &str) -> Option<&Index> {
        let (name, index) = self.by_type.get_key_value(resource_type)?;
        Some(index.get_or_init(|| Index::new(Definitions::of(self.version), name)))
    }

    fn new(version: FhirVersion) -> Self {
        let types = Definitions::of(version).resources();
        Self {
            version,
            by_type: types.map(|it| (it.name, OnceLock::new())).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
