//! From a query in names to a filter in numbers.
//!
//! Which number a name has is the store's to say: the names are collected first, looked up, and
//! put in here. A name without a number is on no entry, so that it matches nothing.

use std::collections::{BTreeSet, HashMap};

use crate::entry::{
    Entry, EntryValue, ParameterNumber, RecordId, RecordKey, Space, SystemNumber, TypeNumber,
};
use crate::extract::{NamedEntry, NamedValue};
use crate::plan::{Filter, Test};
use crate::query::{Condition, Criterion, NamedTest, Presence};

/// Names whose numbers are needed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Names<'n> {
    /// Of resource types.
    pub types: BTreeSet<&'n str>,
    /// Of search parameters: canonical URLs.
    pub parameters: BTreeSet<&'n str>,
    /// Of systems.
    pub systems: BTreeSet<&'n str>,
}

/// The numbers of names.
#[derive(Debug, Default, Clone)]
pub struct Numbers {
    /// Of resource types.
    pub types: HashMap<Box<str>, TypeNumber>,
    /// Of search parameters.
    pub parameters: HashMap<Box<str>, ParameterNumber>,
    /// Of systems.
    pub systems: HashMap<Box<str>, SystemNumber>,
}

impl<'n> Names<'n> {
    /// Adds the names in a criterion.
    pub fn of_criterion(&mut self, criterion: &'n Criterion) {
        self.parameters.extend(&criterion.parameters);
        let Condition::AnyOf(tests) = &criterion.condition else {
            return;
        };
        for test in tests {
            match test {
                NamedTest::Is(value) => self.of_value(value),
                NamedTest::System(system) => {
                    self.systems.insert(system);
                }
                NamedTest::Code(_) => {}
            }
        }
    }

    /// Adds the names in an entry.
    pub fn of_entry(&mut self, entry: &'n NamedEntry) {
        self.parameters.insert(entry.parameter);
        self.of_value(&entry.value);
    }

    fn of_value(&mut self, value: &'n NamedValue) {
        match value {
            NamedValue::Token { system, .. } => self.systems.extend(system.as_deref()),
            NamedValue::Reference { resource_type, .. } => {
                self.types.insert(resource_type);
            }
            NamedValue::Uri(_) => {}
        }
    }
}

impl Numbers {
    /// The entry in numbers; `None` if one of its names has none.
    pub fn entry(&self, space: Space, entry: &NamedEntry) -> Option<Entry> {
        let parameter = *self.parameters.get(entry.parameter)?;
        let value = self.value(space, &entry.value)?;
        Some(Entry {
            parameter,
            group: 0,
            value,
        })
    }

    /// The key of a record; `None` if its type has no number.
    pub fn key(&self, space: Space, resource_type: &str, id: &str) -> Option<RecordKey> {
        let kind = *self.types.get(resource_type)?;
        Some(RecordKey {
            space,
            kind,
            id: RecordId::from(id),
        })
    }

    /// What a record must match to match all criteria.
    pub fn filter(&self, space: Space, criteria: &[Criterion]) -> Filter {
        Filter::All(
            criteria
                .iter()
                .map(|it| self.criterion(space, it))
                .collect(),
        )
    }

    fn criterion(&self, space: Space, criterion: &Criterion) -> Filter {
        match &criterion.condition {
            Condition::Ids(ids) => Filter::Ids(ids.iter().map(|it| RecordId(it.clone())).collect()),
            Condition::Missing(Presence::Present) => self.entries(criterion, &[Test::Present]),
            Condition::Missing(Presence::Absent) => {
                Filter::Not(Box::new(self.entries(criterion, &[Test::Present])))
            }
            Condition::AnyOf(tests) => {
                let tests: Vec<Test> = tests.iter().filter_map(|it| self.test(space, it)).collect();
                self.entries(criterion, &tests)
            }
        }
    }

    /// Any of the criterion's parameters passes any of the tests.
    fn entries(&self, criterion: &Criterion, tests: &[Test]) -> Filter {
        let numbers = criterion
            .parameters
            .iter()
            .filter_map(|it| self.parameters.get(*it));
        let entry = |parameter, test: &Test| Filter::Entry {
            parameter,
            test: test.clone(),
        };
        let mut any: Vec<Filter> = numbers
            .flat_map(|number| tests.iter().map(move |test| entry(*number, test)))
            .collect();
        if any.len() == 1 {
            any.remove(0)
        } else {
            Filter::Any(any)
        }
    }

    fn test(&self, space: Space, test: &NamedTest) -> Option<Test> {
        Some(match test {
            NamedTest::Is(value) => Test::Is(self.value(space, value)?),
            NamedTest::Code(code) => Test::Code(code.clone()),
            NamedTest::System(system) => Test::System(*self.systems.get(system)?),
        })
    }

    fn value(&self, space: Space, value: &NamedValue) -> Option<EntryValue> {
        Some(match value {
            NamedValue::Token { system, code } => EntryValue::Token {
                system: match system {
                    Some(system) => *self.systems.get(system)?,
                    None => SystemNumber::NONE,
                },
                code: code.clone(),
            },
            NamedValue::Reference { resource_type, id } => {
                EntryValue::Reference(self.key(space, resource_type, id)?)
            }
            NamedValue::Uri(uri) => EntryValue::Uri(uri.clone()),
        })
    }
}
