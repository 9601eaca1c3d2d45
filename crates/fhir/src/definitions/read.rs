//! Turns the tables' text into what lookups need, once per version.
//!
//! Every string is a slice of the text compiled into the program; what is built are indexes.
//! They live as long as the process, so the few lists that elements share are leaked on purpose.
//! A malformed table cannot come from outside: tests compare the tables with their checksums.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Definitions;
use super::binding::{CodesByValueSet, OpenValueSet};
use super::element::{self, TypeDefinition};
use super::operation::Operation;
use super::search::{Compartment, Parameters};
use super::shapes::{Rows, Shapes};
use super::table::{FINGERPRINT, LIST};
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
    let mut lists = Lists::separated_by(LIST);
    let rows = Rows::read(texts.elements);
    let types = TypeDefinition::read(texts.types, &rows);
    let codes = CodesByValueSet::read(texts.codes);
    let elements = element::Reader::new(&types, &rows, codes).read(texts.elements);
    Definitions {
        version,
        fingerprint: fingerprint(texts.source),
        types: types.leak(),
        shapes: Shapes::new(elements, rows),
        open_value_sets: OpenValueSet::read(texts.open_value_sets),
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
pub(super) struct Lists {
    separator: char,
    known: HashMap<&'static str, &'static [&'static str]>,
}

impl Lists {
    pub(super) fn separated_by(separator: char) -> Self {
        let known = HashMap::new();
        Self { separator, known }
    }

    /// The values of a cell.
    pub(super) fn of(&mut self, cell: &'static str) -> &'static [&'static str] {
        if cell.is_empty() {
            return &[];
        }
        let values = || cell.split(self.separator).collect::<Vec<_>>();
        self.known.entry(cell).or_insert_with(|| values().leak())
    }
}

fn fingerprint(source: &'static str) -> &'static str {
    let line = source
        .lines()
        .find_map(|line| line.strip_prefix(FINGERPRINT));
    line.unwrap_or_default().trim_matches('`')
}
