//! The standard's definitions as tables of facts, one set per FHIR version.
//!
//! The tables under `data/` are made by `cargo xtask codegen` from the official packages; this
//! module reads them and answers lookups. It holds no rule of its own.

use std::ops::Range;

use crate::FhirVersion;

mod operation;
mod read;
mod search;
pub mod table;

pub use operation::{Operation, OperationLevel, OperationParameter, ParameterUse};
pub use search::{Compartment, SearchComponent, SearchParameter, SearchType};

/// All definitions of one FHIR version.
pub struct Definitions {
    version: FhirVersion,
    fingerprint: &'static str,
    /// By name.
    types: &'static [TypeDefinition],
    /// Shape after shape.
    elements: &'static [ElementDefinition],
    /// By shape.
    children: Vec<Children>,
    /// Shape after shape: the elements that are no choices, ascending.
    names: Vec<PlainName>,
    /// Shape after shape: the places of the choices.
    choices: Vec<u32>,
    open_value_sets: Vec<OpenValueSet>,
    search: search::Parameters,
    compartments: Vec<Compartment>,
    operations: Vec<Operation>,
}

/// Where the children of a shape are found.
struct Children {
    elements: Range<usize>,
    names: Range<usize>,
    choices: Range<usize>,
}

/// The name of an element that is no choice. Names ascend by head, then by name, which is their
/// order as text; comparing the heads as numbers saves a third of a lookup.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct PlainName {
    /// The first eight bytes, the first the most significant; zeros fill up.
    head: u64,
    name: &'static str,
    /// The place among all elements.
    element: u32,
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
    /// Its children (of a primitive: those beside the value, in the `_` sibling).
    pub shape: Shape,
    /// What is given of a primitive's value; empty for other types.
    pub value: ValueFacts,
}

/// What the definition of a primitive says of its value. The tables hold it as facts to compare
/// with; checks are code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ValueFacts {
    /// The regular expression that the whole value matches.
    pub pattern: Option<&'static str>,
    /// The greatest length in characters.
    pub length_max: Option<u32>,
    /// The least value of a number.
    pub min: Option<i64>,
    /// The greatest value of a number.
    pub max: Option<i64>,
}

/// The set of children that a value may have: those of a type or of a backbone element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape(pub(crate) u32);

/// One element of a shape, as the official definition has it (inherited elements included).
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the facts are independent of each other")]
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
    /// Whether it is an attribute in XML.
    pub is_attribute: bool,
    /// The value set that codes come from.
    pub binding: Option<Binding>,
    /// The path of the element whose content this one has.
    pub content_reference: Option<&'static str>,
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
    /// The place of the type among [`Definitions::types`].
    pub(crate) place: u32,
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
    /// Ascending by code, then by system.
    pub codes: Option<&'static [Code]>,
    /// The value set that codes must be from although the binding is not required (`language`).
    pub value_set_max: Option<&'static str>,
    /// The codes of that value set, where it can be enumerated; ascending likewise.
    pub codes_max: Option<&'static [Code]>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code {
    /// The code.
    pub code: &'static str,
    /// The code system's URL.
    pub system: &'static str,
}

/// A value set that must be kept to but that nobody can enumerate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenValueSet {
    /// Its canonical URL.
    pub url: &'static str,
    /// The grammar that its codes can be checked with: `media-type` (BCP 13), `language-tag`
    /// (BCP 47), `ucum`; `None` where nothing can be checked.
    pub grammar: Option<&'static str>,
    /// Why there is no list.
    pub reason: &'static str,
}

impl Binding {
    /// Whether the value set has that code in some system; `None` where its codes are not known.
    pub fn has_code(&self, code: &str) -> Option<bool> {
        let found = |codes: &[Code]| codes.binary_search_by(|it| it.code.cmp(code)).is_ok();
        self.codes.map(found)
    }

    /// Whether the value set has that code of that system; `None` where its codes are not known.
    pub fn has_coding(&self, system: &str, code: &str) -> Option<bool> {
        let wanted = (code, system);
        let found = |codes: &[Code]| {
            codes.binary_search_by(|it| (it.code, it.system).cmp(&wanted)).is_ok()
        };
        self.codes.map(found)
    }
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
        let is_concrete =
            |it: &&TypeDefinition| it.kind == TypeKind::Resource && !it.is_abstract;
        self.types.iter().filter(is_concrete)
    }

    /// The definition of a type that an element may have.
    pub fn definition(&self, of: &ElementType) -> &'static TypeDefinition {
        &self.types[of.place as usize]
    }

    /// The elements of a shape in the order of the definition (the order that XML demands).
    pub fn elements(&self, shape: Shape) -> &'static [ElementDefinition] {
        &self.elements[self.children[shape.0 as usize].elements.clone()]
    }

    /// The child of that name (`valueQuantity` for a choice; without a leading `_`).
    pub fn child(&self, shape: Shape, name: &str) -> Option<Child> {
        let children = &self.children[shape.0 as usize];
        let plain = || self.plain_child(children, name);
        let (element, chosen) = plain().or_else(|| self.choice_child(children, name))?;
        let definition = self.definition(chosen);
        Some(Child {
            element,
            chosen,
            definition,
        })
    }

    fn plain_child(
        &self,
        children: &Children,
        name: &str,
    ) -> Option<(&'static ElementDefinition, &'static ElementType)> {
        let names = &self.names[children.names.clone()];
        let head = head(name);
        let order = |it: &PlainName| it.head.cmp(&head).then_with(|| it.name.cmp(name));
        let place = names.binary_search_by(order).ok()?;
        let element = &self.elements[names[place].element as usize];
        Some((element, element.types.first()?))
    }

    /// A shape has few choices; the names that they can have are nowhere stored.
    fn choice_child(
        &self,
        children: &Children,
        name: &str,
    ) -> Option<(&'static ElementDefinition, &'static ElementType)> {
        let choices = &self.choices[children.choices.clone()];
        choices.iter().find_map(|place| {
            let element = &self.elements[*place as usize];
            let type_name = name.strip_prefix(element.name)?.as_bytes();
            let mut types = element.types.iter();
            let chosen = types.find(|it| is_capitalized(it.name.as_bytes(), type_name))?;
            Some((element, chosen))
        })
    }

    /// The value sets that must be kept to but cannot be enumerated, by URL.
    pub fn open_value_sets(&self) -> &[OpenValueSet] {
        &self.open_value_sets
    }

    /// The open value set of that URL.
    pub fn open_value_set(&self, url: &str) -> Option<&OpenValueSet> {
        let place = self.open_value_sets.binary_search_by(|it| it.url.cmp(url)).ok()?;
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
        self.lineage(type_name).into_iter().find_map(|base| self.search.named(base, code))
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

fn head(name: &str) -> u64 {
    let mut head = [0; 8];
    let length = name.len().min(head.len());
    head[..length].copy_from_slice(&name.as_bytes()[..length]);
    u64::from_be_bytes(head)
}

/// Whether the text is the type's name with a capital first letter.
fn is_capitalized(name: &[u8], text: &[u8]) -> bool {
    match (name, text) {
        ([name_first, name @ ..], [text_first, text @ ..]) => {
            name_first.to_ascii_uppercase() == *text_first && name == text
        }
        _ => false,
    }
}

impl std::fmt::Debug for Definitions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Definitions({})", self.version)
    }
}
