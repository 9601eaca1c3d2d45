//! Types and their elements, and how their tables are read.

use std::collections::HashMap;

use super::binding::{Binding, CodesByValueSet};
use super::read::{Lists, max, present};
use super::shapes::{Rows, number};
use super::table::{self, ATTRIBUTE, ELEMENTS, MODIFIER, SUMMARY, TARGETS, TYPES};

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
#[expect(
    clippy::struct_excessive_bools,
    reason = "the facts are independent of each other"
)]
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

impl TypeDefinition {
    pub(super) fn read(text: &'static str, rows: &Rows) -> Vec<Self> {
        let types = TYPES.rows(text);
        types
            .map(
                |[name, kind, is_abstract, base, pattern, length_max, min, max]| Self {
                    name,
                    kind: TypeKind::named(kind),
                    is_abstract: !is_abstract.is_empty(),
                    base: present(base),
                    shape: rows.shape(name).expect("every type has elements"),
                    value: ValueFacts {
                        pattern: present(pattern),
                        length_max: length_max.parse().ok(),
                        min: min.parse().ok(),
                        max: max.parse().ok(),
                    },
                },
            )
            .collect()
    }
}

impl TypeKind {
    fn named(name: &str) -> Self {
        match name {
            "primitive" => Self::Primitive,
            "resource" => Self::Resource,
            _ => Self::Complex,
        }
    }
}

/// What the rows of the elements refer to.
pub(super) struct Reader<'r> {
    types: &'r [TypeDefinition],
    rows: &'r Rows,
    codes: CodesByValueSet,
    targets: Lists,
    /// The types of elements without a shape of their own; equal cells share one list.
    known_types: HashMap<&'static str, &'static [ElementType]>,
}

impl<'r> Reader<'r> {
    pub(super) fn new(types: &'r [TypeDefinition], rows: &'r Rows, codes: CodesByValueSet) -> Self {
        Self {
            types,
            rows,
            codes,
            targets: Lists::separated_by(TARGETS),
            known_types: HashMap::new(),
        }
    }

    pub(super) fn read(mut self, text: &'static str) -> Vec<ElementDefinition> {
        ELEMENTS.rows(text).map(|row| self.element(row)).collect()
    }

    fn element(&mut self, row: [&'static str; 9]) -> ElementDefinition {
        let [path, min, max_cell, types, flags, binding @ .., reference] = row;
        let last = path.rsplit_once('.').map_or(path, |(_, last)| last);
        let content = present(reference).unwrap_or(path);
        ElementDefinition {
            path,
            name: last.strip_suffix("[x]").unwrap_or(last),
            min: min.parse().unwrap_or_default(),
            max: max(max_cell),
            types: self.types_of(types, self.own_shape(types, content)),
            is_choice: last.ends_with("[x]"),
            is_summary: flags.contains(SUMMARY),
            is_modifier: flags.contains(MODIFIER),
            is_attribute: flags.contains(ATTRIBUTE),
            binding: self.codes.binding(binding),
            content_reference: present(reference),
        }
    }

    /// The shape of an element that has children of its own; only two types allow them.
    fn own_shape(&self, types: &str, path: &str) -> Option<Shape> {
        let may_have = matches!(types, "BackboneElement" | "Element");
        may_have.then(|| self.rows.shape(path)).flatten()
    }

    fn types_of(&mut self, cell: &'static str, own: Option<Shape>) -> &'static [ElementType] {
        if let (None, Some(known)) = (own, self.known_types.get(cell)) {
            return known;
        }
        let types: Vec<_> = table::list(cell).map(|it| self.type_of(it, own)).collect();
        let types: &'static [ElementType] = types.leak();
        if own.is_none() {
            self.known_types.insert(cell, types);
        }
        types
    }

    fn type_of(&mut self, spelled: &'static str, own: Option<Shape>) -> ElementType {
        let (name, targets) = spelled.split_once('(').unwrap_or((spelled, ""));
        let place = self.types.binary_search_by(|it| it.name.cmp(name));
        let place = place.expect("elements have types of the table");
        ElementType {
            name,
            targets: self.targets.of(targets.trim_end_matches(')')),
            shape: own.unwrap_or(self.types[place].shape),
            place: number(place),
        }
    }
}
