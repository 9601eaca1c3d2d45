//! Turns the tables' text into what lookups need, once per version.
//!
//! Every string is a slice of the text compiled into the program; what is built are indexes.
//! They live as long as the process, so the few lists that elements share are leaked on purpose.
//! A malformed table cannot come from outside: tests compare the tables with their checksums.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use super::operation::Operation;
use super::search::{Compartment, Parameters};
use super::table::{self, ATTRIBUTE, FINGERPRINT, MODIFIER, SUMMARY};
use super::{
    Binding, BindingStrength, Children, Code, Definitions, ElementDefinition, ElementType,
    OpenValueSet, PlainName, Shape, TypeDefinition, TypeKind, ValueFacts, head,
};
use crate::FhirVersion;

/// The text of a version's tables.
struct Texts {
    types: &'static str,
    elements: &'static str,
    codes: &'static str,
    open_value_sets: &'static str,
    search_parameters: &'static str,
    search_components: &'static str,
    compartments: &'static str,
    operations: &'static str,
    operation_parameters: &'static str,
    source: &'static str,
}

/// `include_str!` takes a literal only, hence a macro for the nine files of a folder.
macro_rules! texts {
    ($folder:literal) => {
        Texts {
            types: include_str!(concat!("../../data/", $folder, "/types.tsv")),
            elements: include_str!(concat!("../../data/", $folder, "/elements.tsv")),
            codes: include_str!(concat!("../../data/", $folder, "/codes.tsv")),
            open_value_sets: include_str!(concat!("../../data/", $folder, "/open-value-sets.tsv")),
            search_parameters: include_str!(concat!(
                "../../data/",
                $folder,
                "/search-parameters.tsv"
            )),
            search_components: include_str!(concat!(
                "../../data/",
                $folder,
                "/search-components.tsv"
            )),
            compartments: include_str!(concat!("../../data/", $folder, "/compartments.tsv")),
            operations: include_str!(concat!("../../data/", $folder, "/operations.tsv")),
            operation_parameters: include_str!(concat!(
                "../../data/",
                $folder,
                "/operation-parameters.tsv"
            )),
            source: include_str!(concat!("../../data/", $folder, "/SOURCE.md")),
        }
    };
}

static STU3: LazyLock<Definitions> = LazyLock::new(|| read(FhirVersion::Stu3, &texts!("stu3")));
static R4: LazyLock<Definitions> = LazyLock::new(|| read(FhirVersion::R4, &texts!("r4")));

/// The definitions of a version, read at the first call.
pub(super) fn definitions(version: FhirVersion) -> &'static Definitions {
    match version {
        FhirVersion::Stu3 => &STU3,
        FhirVersion::R4 => &R4,
    }
}

fn read(version: FhirVersion, texts: &Texts) -> Definitions {
    let mut lists = Lists::default();
    let shapes = Shapes::read(texts.elements);
    let types = read_types(texts.types, &shapes);
    let elements = read_elements(texts, &types, &shapes, &mut lists);
    let (names, choices, children) = index_names(&elements, shapes.ranges);
    let open_value_sets = read_open_value_sets(texts.open_value_sets);
    Definitions {
        version,
        fingerprint: fingerprint(texts.source),
        types: types.leak(),
        elements: elements.leak(),
        children,
        names,
        choices,
        open_value_sets,
        search: Parameters::read(texts.search_parameters, texts.search_components, &mut lists),
        compartments: Compartment::read(texts.compartments, &mut lists),
        operations: Operation::read(texts.operations, texts.operation_parameters, &mut lists),
    }
}

/// The cell, unless it is empty.
pub(super) fn present(cell: &'static str) -> Option<&'static str> {
    (!cell.is_empty()).then_some(cell)
}

/// The truth that a cell holds, if any.
pub(super) fn truth(cell: &str) -> Option<bool> {
    cell.parse().ok()
}

/// A greatest number of repetitions; `*` is none.
pub(super) fn max(cell: &str) -> Option<u32> {
    cell.parse().ok()
}

/// Lists of strings; equal cells share one.
#[derive(Default)]
pub(super) struct Lists {
    known: HashMap<&'static str, &'static [&'static str]>,
}

impl Lists {
    /// The values of a cell.
    pub(super) fn of(&mut self, cell: &'static str) -> &'static [&'static str] {
        self.split(cell, table::LIST)
    }

    fn split(&mut self, cell: &'static str, separator: char) -> &'static [&'static str] {
        if cell.is_empty() {
            return &[];
        }
        let list =
            || -> &'static [&'static str] { cell.split(separator).collect::<Vec<_>>().leak() };
        self.known.entry(cell).or_insert_with(list)
    }
}

/// The shapes: which rows of the elements are the children of what.
struct Shapes {
    by_path: HashMap<&'static str, Shape>,
    ranges: Vec<Range<usize>>,
}

impl Shapes {
    fn read(elements: &'static str) -> Self {
        let mut shapes = Self {
            by_path: HashMap::new(),
            ranges: Vec::new(),
        };
        let mut previous = "";
        for (row, [path, ..]) in table::ELEMENTS.rows(elements).enumerate() {
            let (parent, _) = path.rsplit_once('.').unwrap_or_default();
            if parent != previous {
                let shape = Shape(number(shapes.ranges.len()));
                shapes.by_path.insert(parent, shape);
                shapes.ranges.push(row..row);
                previous = parent;
            }
            shapes.ranges.last_mut().expect("a path has a parent").end = row + 1;
        }
        shapes
    }
}

impl Shapes {
    /// The shape of an element that has children of its own; only two types allow them.
    fn of_backbone(&self, types: &str, path: &str) -> Option<Shape> {
        let may_have = matches!(types, "BackboneElement" | "Element");
        may_have.then(|| self.by_path.get(path).copied()).flatten()
    }
}

/// A place in a table, which has far fewer rows than this can count.
fn number(place: usize) -> u32 {
    u32::try_from(place).expect("tables have thousands of rows")
}

fn read_types(text: &'static str, shapes: &Shapes) -> Vec<TypeDefinition> {
    let rows = table::TYPES.rows(text);
    rows.map(
        |[name, kind, is_abstract, base, pattern, length_max, min, max]| TypeDefinition {
            name,
            kind: match kind {
                "primitive" => TypeKind::Primitive,
                "resource" => TypeKind::Resource,
                _ => TypeKind::Complex,
            },
            is_abstract: !is_abstract.is_empty(),
            base: present(base),
            shape: shapes.by_path[name],
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

/// What the rows of the elements refer to.
struct Elements<'r> {
    types: &'r [TypeDefinition],
    shapes: &'r Shapes,
    codes: HashMap<&'static str, &'static [Code]>,
    lists: &'r mut Lists,
    /// The types of elements without a shape of their own; equal cells share one list.
    known_types: HashMap<&'static str, &'static [ElementType]>,
}

fn read_elements(
    texts: &Texts,
    types: &[TypeDefinition],
    shapes: &Shapes,
    lists: &mut Lists,
) -> Vec<ElementDefinition> {
    let codes = read_codes(texts.codes);
    let mut elements = Elements {
        types,
        shapes,
        codes,
        lists,
        known_types: HashMap::new(),
    };
    table::ELEMENTS
        .rows(texts.elements)
        .map(|row| elements.read(row))
        .collect()
}

impl Elements<'_> {
    fn read(&mut self, row: [&'static str; 9]) -> ElementDefinition {
        let [
            path,
            min,
            max_cell,
            types,
            flags,
            strength,
            value_set,
            value_set_max,
            reference,
        ] = row;
        let last = path.rsplit_once('.').map_or(path, |(_, last)| last);
        let content = if reference.is_empty() {
            path
        } else {
            reference
        };
        ElementDefinition {
            path,
            name: last.strip_suffix("[x]").unwrap_or(last),
            min: min.parse().unwrap_or_default(),
            max: max(max_cell),
            types: self.types_of(types, self.shapes.of_backbone(types, content)),
            is_choice: last.ends_with("[x]"),
            is_summary: flags.contains(SUMMARY),
            is_modifier: flags.contains(MODIFIER),
            is_attribute: flags.contains(ATTRIBUTE),
            binding: self.binding(strength, value_set, value_set_max),
            content_reference: present(reference),
        }
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
            targets: self.lists.split(targets.trim_end_matches(')'), ','),
            shape: own.unwrap_or(self.types[place].shape),
            place: number(place),
        }
    }

    fn binding(
        &self,
        strength: &str,
        value_set: &'static str,
        value_set_max: &'static str,
    ) -> Option<Binding> {
        let strength = match strength {
            "required" => BindingStrength::Required,
            "extensible" => BindingStrength::Extensible,
            "preferred" => BindingStrength::Preferred,
            "example" => BindingStrength::Example,
            _ => return None,
        };
        let codes_of = |url| self.codes.get(url).copied();
        Some(Binding {
            strength,
            value_set,
            codes: codes_of(value_set).filter(|_| strength == BindingStrength::Required),
            value_set_max: present(value_set_max),
            codes_max: codes_of(value_set_max),
        })
    }
}

fn read_codes(text: &'static str) -> HashMap<&'static str, &'static [Code]> {
    let mut sets: HashMap<&'static str, Vec<Code>> = HashMap::new();
    for [value_set, system, codes] in table::CODES.rows(text) {
        let codes = table::list(codes).map(|code| Code { code, system });
        sets.entry(value_set).or_default().extend(codes);
    }
    let sorted = sets.into_iter().map(|(value_set, mut codes)| {
        codes.sort_unstable();
        codes.shrink_to_fit();
        let codes: &'static [Code] = codes.leak();
        (value_set, codes)
    });
    sorted.collect()
}

fn read_open_value_sets(text: &'static str) -> Vec<OpenValueSet> {
    let rows = table::OPEN_VALUE_SETS.rows(text);
    rows.map(|[url, grammar, reason]| OpenValueSet {
        url,
        grammar: present(grammar),
        reason,
    })
    .collect()
}

/// Sorts the names of each shape's children and notes which are choices.
fn index_names(
    elements: &[ElementDefinition],
    shapes: Vec<Range<usize>>,
) -> (Vec<PlainName>, Vec<u32>, Vec<Children>) {
    let mut names = Vec::with_capacity(elements.len());
    let mut choices = Vec::new();
    let mut children = Vec::with_capacity(shapes.len());
    for shape in shapes {
        let (first_name, first_choice) = (names.len(), choices.len());
        for place in shape.clone() {
            let element = &elements[place];
            if element.is_choice {
                choices.push(number(place));
            } else {
                names.push(PlainName {
                    head: head(element.name),
                    name: element.name,
                    element: number(place),
                });
            }
        }
        names[first_name..].sort_unstable();
        children.push(Children {
            elements: shape,
            names: first_name..names.len(),
            choices: first_choice..choices.len(),
        });
    }
    (names, choices, children)
}

fn fingerprint(source: &'static str) -> &'static str {
    let line = source
        .lines()
        .find_map(|line| line.strip_prefix(FINGERPRINT));
    line.unwrap_or_default().trim_matches('`')
}
