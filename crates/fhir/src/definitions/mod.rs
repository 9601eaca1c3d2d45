//! The standard's definitions as tables of facts, one set per FHIR version.
//!
//! The tables under `data/` are made by `cargo xtask codegen` from the official packages; this
//! module reads them and answers lookups. It holds no rule of its own.

use crate::FhirVersion;

mod binding;
mod element;
mod operation;
mod read;
mod search;
mod shapes;
pub mod table;

pub use binding::{Binding, BindingStrength, Code, OpenValueSet};
pub use element::{ElementDefinition, ElementType, Shape, TypeDefinition, TypeKind, ValueFacts};
pub use operation::{Operation, OperationLevel, OperationParameter, ParameterUse};
pub use search::{Compartment, SearchComponent, SearchParameter, SearchType};

use shapes::Shapes;

/// All definitions of one FHIR version.
pub struct Definitions {
    version: FhirVersion,
    fingerprint: &'static str,
    /// By name.
    types: &'static [TypeDefinition],
    shapes: Shapes,
    open_value_sets: Vec<OpenValueSet>,
    search: search::Parameters,
    compartments: Vec<Compartment>,
    operations: Vec<Operation>,
}

/// A child found by its name in JSON or XML.
#[derive(Debug, Clone, Copy)]
pub struct Child {
    /// The element.
    pub element: &'static ElementDefinition,
    /// The type that the name chose (of a choice), or the only one.
    pub chosen: &'static ElementType,
    /// The chosen type's definition.
    pub definition: &'static TypeDefinition,
}

impl Definitions {
    /// The definitions of a version; read once, at first use.
    pub fn of(version: FhirVersion) -> &'static Self {
        read::definitions(version)
    }

    /// The version these belong to.
    pub fn version(&self) -> FhirVersion {
        self.version
    }

    /// The SHA-256 over all tables, in hexadecimal: equal where the definitions are equal.
    pub fn fingerprint(&self) -> &'static str {
        self.fingerprint
    }

    /// All types by name: primitive and complex ones, resources, abstract ones too.
    pub fn types(&self) -> &'static [TypeDefinition] {
        self.types
    }

    /// The type of that exact name.
    pub fn type_named(&self, name: &str) -> Option<&'static TypeDefinition> {
        self.place_of(name).map(|place| &self.types[place])
    }

    /// The concrete resource type of that exact name.
    pub fn resource(&self, name: &str) -> Option<&'static TypeDefinition> {
        self.type_named(name)
            .filter(|it| it.kind == TypeKind::Resource && !it.is_abstract)
    }

    /// All concrete resource types, by name.
    pub fn resources(&self) -> impl Iterator<Item = &'static TypeDefinition> + use<> {
        let is_concrete = |it: &&TypeDefinition| it.kind == TypeKind::Resource && !it.is_abstract;
        self.types.iter().filter(is_concrete)
    }

    /// The definition of a type that an element may have.
    pub fn definition(&self, of: &ElementType) -> &'static TypeDefinition {
        &self.types[of.place as usize]
    }

    /// The elements of a shape in the order of the definition (the order that XML demands).
    pub fn elements(&self, shape: Shape) -> &'static [ElementDefinition] {
        self.shapes.elements(shape)
    }

    /// The child of that name (`valueQuantity` for a choice; without a leading `_`).
    pub fn child(&self, shape: Shape, name: &str) -> Option<Child> {
        let (element, chosen) = self.shapes.child(shape, name)?;
        let definition = self.definition(chosen);
        Some(Child {
            element,
            chosen,
            definition,
        })
    }

    /// The value sets that must be kept to but cannot be enumerated, by URL.
    pub fn open_value_sets(&self) -> &[OpenValueSet] {
        &self.open_value_sets
    }

    /// The open value set of that URL.
    pub fn open_value_set(&self, url: &str) -> Option<&OpenValueSet> {
        let place = self
            .open_value_sets
            .binary_search_by(|it| it.url.cmp(url))
            .ok()?;
        Some(&self.open_value_sets[place])
    }

    /// All search parameters by URL, also those that the publication shows as examples.
    pub fn search_parameters(&self) -> &[SearchParameter] {
        self.search.all()
    }

    /// The search parameters of a resource type by code: its own and those of the types it
    /// specialises, without examples.
    pub fn search_parameters_of(&self, type_name: &str) -> Vec<&SearchParameter> {
        self.search.of(&self.lineage(type_name))
    }

    /// The search parameter that a resource type has under that code.
    pub fn search_parameter(&self, type_name: &str, code: &str) -> Option<&SearchParameter> {
        self.lineage(type_name)
            .into_iter()
            .find_map(|base| self.search.named(base, code))
    }

    /// The search parameter of that URL.
    pub fn search_parameter_at(&self, url: &str) -> Option<&SearchParameter> {
        self.search.at(url)
    }

    /// The compartments by name.
    pub fn compartments(&self) -> &[Compartment] {
        &self.compartments
    }

    /// The compartment of that name, e.g. `Patient`.
    pub fn compartment(&self, name: &str) -> Option<&Compartment> {
        self.compartments.iter().find(|it| it.name == name)
    }

    /// All operations by URL, also those that the publication shows as examples.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// A type's name and those of the types it specialises, the nearest first.
    fn lineage(&self, type_name: &str) -> Vec<&'static str> {
        let own = self.type_named(type_name);
        let base = |it: &&'static TypeDefinition| it.base.and_then(|base| self.type_named(base));
        std::iter::successors(own, base).map(|it| it.name).collect()
    }

    fn place_of(&self, name: &str) -> Option<usize> {
        self.types.binary_search_by(|it| it.name.cmp(name)).ok()
    }
}

impl std::fmt::Debug for Definitions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Definitions({})", self.version)
    }
}
