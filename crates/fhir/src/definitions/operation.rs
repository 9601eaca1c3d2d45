//! Operations, as the tables have them. What an operation does is code elsewhere.

use std::collections::BTreeMap;

use super::read::{Lists, max, present, truth};
use super::table::{LIST, OPERATION_PARAMETERS, OPERATIONS};

/// An operation.
#[derive(Debug)]
pub struct Operation {
    /// Its canonical URL.
    pub url: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// What follows `$` in a URL.
    pub code: &'static str,
    /// The resource types it is defined on; `Resource` for all.
    pub resources: &'static [&'static str],
    /// What it is called on.
    pub levels: Vec<OperationLevel>,
    /// Whether it changes what is stored, where the definition says so.
    pub affects_state: Option<bool>,
    /// Whether the publication only shows with it how to write a definition.
    pub is_example: bool,
    /// Its parameters in order, each followed by its parts.
    pub parameters: Vec<OperationParameter>,
}

/// What an operation is called on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationLevel {
    /// The whole system: `[base]/$code`.
    System,
    /// A type: `[base]/Type/$code`.
    Type,
    /// An instance: `[base]/Type/id/$code`.
    Instance,
}

/// A parameter of an operation.
#[derive(Debug, Clone, Copy)]
pub struct OperationParameter {
    /// Its name; a part's has its parent's before a dot.
    pub name: &'static str,
    /// Whether it goes in or comes out.
    pub parameter_use: ParameterUse,
    /// Least number of repetitions.
    pub min: u32,
    /// Greatest number of repetitions; `None` is `*`.
    pub max: Option<u32>,
    /// Its type; `None` if it has parts instead.
    pub type_name: Option<&'static str>,
    /// How a parameter of type `string` is searched with, where the definition says so.
    pub search_type: Option<&'static str>,
}

/// Whether a parameter goes in or comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParameterUse {
    /// Given by the caller.
    In,
    /// Returned.
    Out,
}

impl Operation {
    /// Operations from the texts of two tables, [`OPERATIONS`] and [`OPERATION_PARAMETERS`]: how a
    /// program tells of operations that no publication of FHIR has.
    pub fn from_tables(operations: &'static str, parameters: &'static str) -> Vec<Self> {
        Self::read(operations, parameters, &mut Lists::separated_by(LIST))
    }

    pub(super) fn read(
        operations: &'static str,
        parameters: &'static str,
        lists: &mut Lists,
    ) -> Vec<Self> {
        let mut by_operation: BTreeMap<&str, Vec<OperationParameter>> = BTreeMap::new();
        for [operation, row @ ..] in OPERATION_PARAMETERS.rows(parameters) {
            by_operation
                .entry(operation)
                .or_default()
                .push(OperationParameter::read(row));
        }
        let rows = OPERATIONS.rows(operations);
        rows.map(
            |[url, name, code, resources, levels, affects_state, status]| {
                let levels = lists.of(levels);
                Self {
                    url,
                    name,
                    code,
                    resources: lists.of(resources),
                    levels: levels
                        .iter()
                        .filter_map(|it| OperationLevel::named(it))
                        .collect(),
                    affects_state: truth(affects_state),
                    is_example: status == "example",
                    parameters: by_operation.remove(url).unwrap_or_default(),
                }
            },
        )
        .collect()
    }
}

impl OperationLevel {
    fn named(name: &str) -> Option<Self> {
        match name {
            "system" => Some(Self::System),
            "type" => Some(Self::Type),
            "instance" => Some(Self::Instance),
            _ => None,
        }
    }
}

impl OperationParameter {
    fn read([name, usage, min, max_cell, type_name, search_type]: [&'static str; 6]) -> Self {
        Self {
            name,
            parameter_use: if usage == "in" {
                ParameterUse::In
            } else {
                ParameterUse::Out
            },
            min: min.parse().unwrap_or_default(),
            max: max(max_cell),
            type_name: present(type_name),
            search_type: present(search_type),
        }
    }
}
