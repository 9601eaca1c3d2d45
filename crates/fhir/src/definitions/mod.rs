//! The standard's definitions as tables of facts, one set per FHIR version.
//!
//! The tables under `data/` are made by `cargo xtask codegen` from the official packages; this
//! module reads them and answers lookups. It holds no rule of its own.

use crate::FhirVersion;

/// All definitions of one FHIR version.
pub struct Definitions {
    version: FhirVersion,
}

/// What kind of thing a type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TypeKind {
    /// A primitive such as `date`; its JSON is one value plus an optional `_` sibling.
    Primitive,
    /// A complex datatype such as `HumanName`.
    Complex,
    /// A resource.
    Resource,
}

/// A type: primitive, complex or resource.
#[derive(Debug)]
pub struct TypeDefinition {
    /// Its name, e.g. `Patient`, `HumanName`, `positiveInt`.
    pub name: &'static str,
    /// What kind.
    pub kind: TypeKind,
    /// Whether it has no instances of its own (`Resource`, `DomainResource`, `Element` …).
    pub is_abstract: bool,
    /// The type it specialises.
    pub base: Option<&'static str>,
    /// Its children.
    pub shape: Shape,
}

/// The set of children that a value may have: those of a type or of a backbone element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape(pub(crate) u32);

/// One element of a shape, as the official definition has it (inherited elements included).
#[derive(Debug)]
pub struct ElementDefinition {
    /// The official path, e.g. `Observation.value[x]`.
    pub path: &'static str,
    /// The name without `[x]`, e.g. `value`.
    pub name: &'static str,
    /// Least number of repetitions.
    pub min: u32,
    /// Greatest number of repetitions; `None` is `*`.
    pub max: Option<u32>,
    /// The types that a value may have; several only for a choice.
    pub types: &'static [ElementType],
    /// Whether the name in JSON carries its type (`valueQuantity`).
    pub is_choice: bool,
    /// Whether it is part of `_summary=true`.
    pub is_summary: bool,
    /// Whether it modifies the meaning of what holds it.
    pub is_modifier: bool,
    /// The value set that codes come from.
    pub binding: Option<Binding>,
}

/// One type that an element may have.
#[derive(Debug)]
pub struct ElementType {
    /// The type's name; `Resource` for any resource; for a backbone element `BackboneElement` or
    /// `Element`. A content reference has the type of what it refers to.
    pub name: &'static str,
    /// For `Reference` (and STU3's and R4's `canonical`/`uri` with targets): names of resource
    /// types that may be referred to; empty for any.
    pub targets: &'static [&'static str],
    /// The children of a value of this type here (a backbone element's own, a content reference's
    /// target's, or the type's).
    pub shape: Shape,
}

/// A binding of an element to a value set.
#[derive(Debug)]
pub struct Binding {
    /// How strict.
    pub strength: BindingStrength,
    /// The value set's canonical URL, without version.
    pub value_set: &'static str,
    /// For a required binding on a value set that can be enumerated: its codes with their systems.
    /// `None` where it cannot (media types, UCUM units, languages …): see the list of these.
    pub codes: Option<&'static [Code]>,
}

/// How strict a binding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BindingStrength {
    /// The code must be from the value set.
    Required,
    /// It must be, if one fits.
    Extensible,
    /// It should be.
    Preferred,
    /// The value set only illustrates.
    Example,
}

/// A code with its system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code {
    /// The code system's URL.
    pub system: &'static str,
    /// The code.
    pub code: &'static str,
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
        let _ = version;
        unimplemented!("definition tables")
    }

    /// The version these belong to.
    pub fn version(&self) -> FhirVersion {
        self.version
    }

    /// The type of that exact name.
    pub fn type_named(&self, name: &str) -> Option<&'static TypeDefinition> {
        let _ = name;
        unimplemented!("definition tables")
    }

    /// The concrete resource type of that exact name.
    pub fn resource(&self, name: &str) -> Option<&'static TypeDefinition> {
        self.type_named(name)
            .filter(|it| it.kind == TypeKind::Resource && !it.is_abstract)
    }

    /// All concrete resource types, by name.
    pub fn resources(&self) -> impl Iterator<Item = &'static TypeDefinition> + '_ {
        std::iter::empty()
    }

    /// The elements of a shape in the order of the definition (the order that XML demands).
    pub fn elements(&self, shape: Shape) -> &'static [ElementDefinition] {
        let _ = shape;
        unimplemented!("definition tables")
    }

    /// The child of that name (`valueQuantity` for a choice; without a leading `_`).
    pub fn child(&self, shape: Shape, name: &str) -> Option<Child> {
        let _ = (shape, name);
        unimplemented!("definition tables")
    }
}
